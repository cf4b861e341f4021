"""Any raster as a Scene: float32 reflectance bands by common name, ``valid``, CRS and the reason for each decision."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache, reduce
from operator import and_
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from dask import threaded

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.errors import (
    EmptySceneError,
    GridError,
    NodataWarning,
    UnknownLayoutError,
    UnreadableSourceError,
    explain_malformed,
)
from spex_nb.scene.accessor import Scene
from spex_nb.scene.band_names import Bands, Recognition, recognise
from spex_nb.scene.band_source import BandSource, Quality, Source
from spex_nb.scene.cloud_masks import Clouds, clear_sky, quality_of
from spex_nb.scene.description import describe, note_place_and_gaps, state_gsd, valid_reason
from spex_nb.scene.grid import Grid, common_grid
from spex_nb.scene.guard import ask, note_question, sample_bands
from spex_nb.scene.margins import Margin, find_margin, find_seams
from spex_nb.scene.placement import off_the_map, off_the_map_note
from spex_nb.scene.radiometry import Radiometry, guess_scale, hold_against, judge, settle
from spex_nb.scene.sensors import Sensor
from spex_nb.scene.sources import arrays, files, stac
from spex_nb.scene.windows.network import network_leave
from spex_nb.scene.windows.pixels import READING, BandGroup, LayerReading, PixelMask, ValidReading, sample_of, stack_of
from spex_nb.scene.windows.rasters import Reading, chunk_shape, lazy_bands, read_window
from spex_nb.scene.windows.reader import read_layers
from spex_nb.scene.windows.scene_source import SOURCE, SceneSource

EAGER_BYTES = 64 * 2**20
"""Scenes up to this size, as float32, are read at once when chunks are "auto"."""
Chunks = Literal["auto"] | int | tuple[int, int] | None
Numbers = float | Mapping[str, float] | None


def open_scene(  # noqa: PLR0913 (the one door: each argument settles what a source leaves open)
    source: Any,
    sensor: str | Mapping[str, Any] | Path | Sensor | None = None,
    bands: Bands = None,
    scale: Numbers = None,
    offset: Numbers = None,
    nodata: float | None = None,
    chunks: Chunks = "auto",
    clouds: Clouds = False,
    *,
    time: arrays.Time = None,
    gsd_m: float | None = None,
    remote: bool = False,
) -> Scene:
    """Open any multispectral raster as reflectance.

    Args:
        source: A GeoTIFF, COG, VRT or other raster; a list of single-band files; a Sentinel-2 SAFE or Landsat
            Collection 2 folder; NetCDF or Zarr; a NumPy array [C, H, W], DataArray or Dataset; a STAC item (JSON
            file, dict or ``pystac.Item``). URLs that GDAL can read work when given.
        sensor: Sensor id (see ``list_sensors``), a table of your own as dict or JSON file, or None to recognise it.
        bands: {name: number in the file, from 1}; or names, which choose among bands that the file names, and
            otherwise name all bands of the file in their order.
        scale: Reflectance per raw number, for all bands or by name; decides over file and sensor.
        offset: Added after scaling, in reflectance.
        nodata: Raw number that means no data, instead of what the file says.
        chunks: "auto" (lazy above 64 MB), None (read now), or the side of lazy dask chunks in pixels.
        clouds: True takes clouds and their shadows out of ``valid`` by the product's quality layer; a path names
            the layer (QA_PIXEL, SCL or Fmask in its name); {coding: path} says how it is coded too, by a name of
            ``pixels.CODINGS``. Bands keep their values there.
        time: One date of NetCDF, Zarr, a Dataset or a DataArray that has several: its number from 0, or the
            beginning of its text, such as "2024-05-01".
        gsd_m: Side of a pixel on the ground, m, where no CRS says it; the sensor's own if not given.
        remote: True lets a file on this machine point at the network: a VRT at URLs, a WMS description at a server, a
            STAC item at its assets. By default only an address that is the source itself is fetched.

    Returns:
        A Scene: one float32 variable a band, dims (y, x), NaN where it has no data; bool ``valid``; CRS and transform
        through ``.rio``; ``attrs`` say sensor, radiometry, scale and the reason for each.

    Raises:
        SourceNotFoundError, UnreadableSourceError, UnknownLayoutError: If the source cannot be read.
        SensorError, BandError: If bands cannot be named, or contradict the sensor.
        DataTypeError, GridError, RadiometryError: If pixels, grids or arguments make no sense.
        EmptySceneError: If no pixel is valid.

    Warns:
        RadiometryWarning: If the values are implausible as reflectance, or their scale is a guess.
        ReflectanceWarning: If they cannot be reflectance; it asks one question and names the argument that settles it.
        GridWarning: If the place on the map is other than a geotransform says, or cannot be used.
        NodataWarning: If pixels that no tag marks count as no data.
    """
    options = {
        "sensor": sensor,
        "bands": bands,
        "scale": scale,
        "offset": offset,
        "nodata": nodata,
        "chunks": None if chunks == "auto" else chunks,
        "clouds": clouds or None,
        "time": time,
        "gsd_m": gsd_m,
        "remote": remote or None,
    }
    with network_leave(remote), _explain_pixels(source):
        scene = _opened(source, sensor, bands, scale, offset, nodata, chunks, clouds, time, gsd_m)
    scene.encoding[SOURCE] = SceneSource.of(source, options)
    return scene


def _explain_pixels(source: Any) -> AbstractContextManager[None]:
    """Turn what xarray, Zarr and HDF5 raise over damaged pixels, which they read late, into one error."""
    if not arrays.is_dataset_path(source):
        return nullcontext()
    return explain_malformed(
        UnreadableSourceError,
        "The pixels of the dataset cannot be read",
        where=source,
        expected="NetCDF-4 or Zarr as it was written",
        fix="Check that it was fetched completely.",
    )


def _opened(  # noqa: PLR0913, PLR0917 (as `open_scene`)
    source: Any,
    sensor: str | Mapping[str, Any] | Path | Sensor | None,
    bands: Bands,
    scale: Numbers,
    offset: Numbers,
    nodata: float | None,
    chunks: Chunks,
    clouds: Clouds,
    time: arrays.Time,
    gsd_m: float | None,
) -> Scene:
    """Return the scene of `open_scene`, without its source."""
    with explain_malformed(
        UnreadableSourceError,
        "What describes the scene cannot be understood",
        where=_name_of(source),
        expected="metadata as their maker writes them",
        fix="Fetch the product again; or open its band files as a list, with sensor=, scale= and offset=.",
    ):
        origin = _locate(source, time)
    recognition, place = _placed(recognise(origin, sensor, bands))
    settings = {name: settle(name, band, recognition.sensor, scale, offset) for name, band in recognition.bands.items()}
    grid = common_grid({name: band.grid for name, band in recognition.bands.items()})
    numbers = {name: _nodata_of(band, recognition.sensor, nodata) for name, band in recognition.bands.items()}
    if any(setting.is_guess for setting in settings.values()):
        unsigned = all(np.dtype(band.dtype).kind == "u" for band in recognition.bands.values())
        sample = sample_of(_groups(recognition, settings, grid, numbers), grid)
        settings = guess_scale(settings, sample, unsigned=unsigned)
    if any(setting.is_claim for setting in settings.values()):
        settings = hold_against(settings, sample_of(_groups(recognition, settings, grid, numbers), grid))
    groups = _groups(recognition, settings, grid, numbers)
    masks = _masks(recognition, origin.quality, clouds, grid)
    scene = _assemble(groups, masks, grid, _chunks_for(chunks, recognition.bands, grid))
    is_marked = nodata is not None or any(isinstance(mask, PixelMask) for mask in masks)
    edges = None if is_marked else _edges_of(scene, settings, recognition)
    margin = None if edges is None else edges.margin()
    if margin is not None:
        scene = _without_margin(scene, margin)
    sample = sample_bands(scene)
    doubt = judge(np.concatenate([*sample.values()]), scale is not None)
    if doubt and scale is None:
        settings = {name: replace(s, relative=True, reason=f"{s.reason}; {doubt}") for name, s in settings.items()}
    _require_valid(scene, origin)
    described = describe(scene, origin, recognition, settings, numbers, valid_reason(clouds, masks))
    note_place_and_gaps(described, place, margin, [] if edges is None else edges.seams())
    state_gsd(described, recognition, gsd_m)
    note_question(described, ask(sample, settings, described.attrs["sensor"]), was_warned=bool(doubt))
    return described


def _placed(recognition: Recognition) -> tuple[Recognition, list[str]]:
    """Return the bands with a CRS only where it leads to longitude and latitude, and what one should know of that."""
    notes = [note for band in recognition.bands.values() if band.file is not None for note in band.file.notes]
    bands: dict[str, BandSource] = {}
    for name, band in recognition.bands.items():
        problem = off_the_map(band.grid) if band.file is None else ""
        if problem:
            notes.append(off_the_map_note("The array", band.grid, problem))
            band = replace(band, grid=band.grid._replace(crs=None))  # noqa: PLW2901 (the same band, off the map)
        bands[name] = band
    return replace(recognition, bands=bands), list(dict.fromkeys(notes))


class _Edges:
    """What lies along the edges of a scene whose bands are of one type; each piece is read once.

    Args:
        scene: Before any margin is taken off.
        settings: How each band became reflectance.
        dtype: Of the raw numbers.
    """

    def __init__(self, scene: Scene, settings: Mapping[str, Radiometry], dtype: str) -> None:
        self._scene, self._settings, self._dtype = scene, settings, dtype
        self._read = cache(lambda window, step: read_layers(scene, [*settings], window, step))

    def margin(self) -> Margin | None:
        """Return the pixels without data that no tag marks, found in the pixels themselves."""
        size, reads_columns = self._scene.spex.shape, not self._scene.spex.is_lazy
        return find_margin(self._read, size, self._settings, self._dtype, reads_columns=reads_columns)

    def seams(self) -> list[str]:
        """Return what to know of bands that are 0 along an edge."""
        return find_seams(self._read, self._scene.spex.shape, self._settings, self._dtype)


def _edges_of(scene: Scene, settings: Mapping[str, Radiometry], recognition: Recognition) -> _Edges | None:
    """Return the edges of a scene; None where its bands are of several types, in which no number is the same."""
    dtypes = {band.dtype for band in recognition.bands.values()}
    return None if len(dtypes) > 1 else _Edges(scene, settings, dtypes.pop())


def _without_margin(scene: Scene, margin: Margin) -> Scene:
    """Return a scene in which the pixels of a margin count as no data; bands keep their numbers there."""
    valid, planes = scene["valid"], [scene[name].data for name in margin.numbers]
    if valid.chunks is None:
        has_data = valid.data & margin.has_data({name: scene[name].data for name in margin.numbers}, 0, 0)
        return scene.assign(valid=(valid.dims, has_data))
    import dask.array as da

    outside = da.map_blocks(_margin_block, *planes, margin=margin, dtype=bool, meta=np.empty((0, 0), bool))
    lazy_valid = valid.data & outside
    reading = valid.encoding.get(READING)
    changed = scene.assign(valid=(valid.dims, lazy_valid))
    if isinstance(reading, ValidReading):
        changed["valid"].encoding[READING] = replace(reading, array_name=lazy_valid.name, margin=margin)
    return changed


def _margin_block(*planes: Any, margin: Margin, block_info: Any = None) -> Any:
    (top, _), (left, _) = block_info[0]["array-location"]
    return margin.has_data(dict(zip(margin.numbers, planes, strict=True)), top, left)


def _groups(
    recognition: Recognition, settings: Mapping[str, Radiometry], grid: Grid, nodata: Mapping[str, float | None]
) -> list[BandGroup]:
    """Return the bands by file, with all that reading them needs."""
    return [BandGroup.of(names, recognition.bands, settings, grid, nodata) for names in _together(recognition.bands)]


def _name_of(source: Any) -> str:
    """Return what a source is called in messages."""
    if isinstance(source, str | Path):
        return str(source)
    name = source.get("id") if isinstance(source, Mapping) and not isinstance(source, xr.Dataset) else None
    return f"{type(source).__name__} {name}" if name else type(source).__name__


def _locate(source: Any, time: arrays.Time) -> Source:
    if isinstance(source, xr.Dataset | xr.DataArray):
        return arrays.from_xarray(source, time=time)
    if arrays.is_dataset_path(source):
        return arrays.from_dataset_path(source, time)
    arrays.require_no_time(time, f"a source of type {type(source).__name__}")
    if isinstance(source, np.ndarray):
        return arrays.from_numpy(source)
    if isinstance(source, Mapping) or hasattr(source, "assets"):
        return stac.from_stac(source if isinstance(source, Mapping) else source.to_dict(transform_hrefs=False))
    if isinstance(source, str | Path):
        return files.locate(source)
    if isinstance(source, Sequence):
        return files.from_files(source)
    raise UnknownLayoutError(
        "The source is nothing that can be opened",
        found=type(source).__name__,
        expected="a path, a list of paths, an array, a Dataset or a STAC item",
        fix="Pass the path of the scene.",
    )


def _nodata_of(band: BandSource, sensor: Sensor | None, given: float | None) -> float | None:
    """Return the number that means no data: argument, file, else the sensor's for products in unsigned integers."""
    if given is not None or band.nodata is not None:
        return band.nodata if given is None else given
    unsigned = np.dtype(band.dtype).kind == "u"
    return sensor.nodata if sensor is not None and unsigned else None


def _together(bands: Mapping[str, BandSource]) -> list[list[str]]:
    """Group bands that one read serves: those of a file that interleaves its bands by pixel."""
    groups: dict[object, list[str]] = {}
    for name, band in bands.items():
        alone = band.file is None or not band.file.interleaved
        groups.setdefault(name if alone else band.file.path, []).append(name)  # type: ignore[union-attr]
    return list(groups.values())


def _masks(recognition: Recognition, quality: Quality | None, clouds: Clouds, grid: Grid) -> list[Any]:
    """Return what beside the bands themselves says where data are: alpha, the file's mask, the quality layer."""
    masks: list[Any] = []
    if recognition.alpha is not None and recognition.alpha.file is not None:
        alpha = recognition.alpha.file
        masks.append(PixelMask(Reading(alpha.path, (recognition.alpha.index,), alpha.onto(grid), nodata=0.0), "alpha"))
    files = {band.file.path: band.file for band in recognition.bands.values() if band.file is not None}
    masked = [file for file in files.values() if file.has_mask and recognition.alpha is None]
    masks += [PixelMask(Reading(file.path, (1,), file.onto(grid)), "mask") for file in masked]
    if clouds is not False:
        masks.append(clear_sky(quality if clouds is True else quality_of(clouds), grid))
    return masks


def _chunks_for(chunks: Chunks, bands: Mapping[str, BandSource], grid: Grid) -> tuple[int, int] | None:
    """Return the size of lazy chunks, or None where the scene is read now."""
    already_lazy = any(getattr(band.array, "chunks", None) for band in bands.values())
    first = next(iter(bands.values()))
    block = first.file.block_shape if first.file is not None else (1, 1)
    if chunks == "auto":
        small = 4 * len(bands) * grid.height * grid.width <= EAGER_BYTES
        in_memory = first.file is None and not already_lazy
        return None if (small or in_memory) and not already_lazy else chunk_shape(grid, block)
    if isinstance(chunks, int | tuple):
        return chunk_shape(grid, block, chunks)
    return None


def _assemble(groups: Sequence[BandGroup], masks: Sequence[Any], grid: Grid, chunks: tuple[int, int] | None) -> Scene:
    size = (grid.height, grid.width)
    planes: dict[str, Any] = {}
    for group in groups:
        stack = stack_of(group, size, chunks)
        planes |= {name: stack[i] for i, name in enumerate(group.names)}
    valid = reduce(and_, [np.isfinite(plane) for plane in planes.values()])
    for mask in masks:
        clear = read_window(mask, *size) if chunks is None else lazy_bands(mask, 1, bool, size, chunks)
        valid = valid & clear[0]
    variables = {name: (("y", "x"), plane) for name, plane in planes.items()}
    scene = on_grid(xr.Dataset(variables | {"valid": (("y", "x"), valid)}), grid)
    if all(isinstance(group.reading, Reading) for group in groups) and chunks is not None:
        _carry_readings(scene, groups, masks)
    return scene


def _carry_readings(scene: Scene, groups: Sequence[BandGroup], masks: Sequence[Any]) -> None:
    """Let each lazy layer carry how it is read from its file."""
    for group in groups:
        for number, name in enumerate(group.names):
            scene[name].encoding[READING] = LayerReading(scene[name].data.name, group, number)
    bands = frozenset(name for group in groups for name in group.names)
    scene["valid"].encoding[READING] = ValidReading(scene["valid"].data.name, bands, tuple(masks))


Layers = TypeVar("Layers", xr.Dataset, xr.DataArray)


def on_grid(data: Layers, grid: Grid) -> Layers:
    """Return layers [H, W] with the coordinates, transform and CRS of their grid."""
    placed: Layers = data.assign_coords(_coordinates(grid)).rio.write_transform(grid.transform)
    return placed if grid.crs is None else placed.rio.write_crs(grid.crs)


def _coordinates(grid: Grid) -> dict[str, Any]:
    """Return x and y of pixel centres; a rotated grid has none, and pixels without georeference are counted."""
    if grid.transform.b or grid.transform.d:
        return {}
    x = grid.transform.c + grid.transform.a * (np.arange(grid.width) + 0.5)
    y = grid.transform.f + grid.transform.e * (np.arange(grid.height) + 0.5)
    return {"x": ("x", x), "y": ("y", y)}


MOST_BLOCKS = 64
"""In so many blocks of a lazy scene, spread over it, a valid pixel is looked for."""


def _require_valid(scene: Scene, source: Source) -> None:
    """Raise unless a pixel is valid; a lazy scene is read, by this process itself, until the first one is found.

    The scheduler is given as a function: by its name dask would load all of distributed to find it.

    Warns:
        NodataWarning: If a large scene has none in the blocks that were looked into.
    """
    valid = scene["valid"].data
    count = math.prod(valid.numblocks) if hasattr(valid, "blocks") else 1
    spread = np.unique(np.linspace(0, count - 1, min(count, MOST_BLOCKS)).astype(int))
    blocks = (
        (valid.blocks[np.unravel_index(i, valid.numblocks)].compute(scheduler=threaded.get) for i in spread)
        if hasattr(valid, "blocks")
        else (valid,)
    )
    if any(bool(np.any(block)) for block in blocks):
        return
    if len(spread) < count:
        note = f"No pixel is valid in {len(spread)} of {count:,} blocks of the scene; the others were not read."
        warnings.warn(note, NodataWarning, stacklevel=4)  # the line that called open_scene
        return
    raise EmptySceneError(
        "The scene has no valid pixel",
        found=f"{source.location}: {scene.sizes['y']} x {scene.sizes['x']} px, all without data in some band",
        expected="at least one pixel with data in every band",
        fix="Check nodata=, leave out empty bands with bands=, or open clouds=False.",
    )


def require_inside(scene: xr.Dataset, label: str, x: int, y: int) -> None:
    """Raise a GridError if a labelled pixel position (x, y) lies outside of a scene."""
    height, width = scene.spex.shape
    if not (0 <= x < width and 0 <= y < height):
        raise GridError(
            f"The point {label!r} lies outside the scene",
            found=f"x {x}, y {y}",
            expected=f"x in 0..{width - 1}, y in 0..{height - 1}",
            fix="Points are pixel positions (x, y), from the top left.",
        )
