"""The tiles of nine labelled sets, each with its place, its scale, and the classes that its pixels may be."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import covers
import numpy as np
import rasterio
from covers import Allowed, Array, Cover
from numpy.typing import NDArray
from outlines import HELD_BACK as HELD_BACK_OUTLINES
from outlines import TRAINING, drawn, read_outlines, with_outlines
from rasterio.errors import NotGeoreferencedWarning

from spex_nb.scene.sensors import get_sensor

HERE = Path(__file__).parent
HELD_BACK = frozenset((HERE / "held_back_places.txt").read_text(encoding="utf-8").split())
"""Places that settings are chosen on and figures are given for."""
VALIDATION = frozenset((HERE.parent / "validation_places.txt").read_text(encoding="utf-8").split())
"""Places of the shipped checkpoint's card, which were looked at a dozen times: to be scored once, at the end."""
LAS_VEGAS_EAST = 10241
"""Number of the first tile of the block of Las Vegas that is held back."""
HLS_BANDS = ("coastal", "blue", "green", "red", "nir", "swir16", "swir22")
LANDSAT_BANDS = ("blue", "green", "red", "nir")
NAIP_BANDS = ("red", "green", "blue", "nir")
PICTURE_BANDS = ("red", "green", "blue")
ZION_TILE_PX, ZION_STEP_PX, ZION_MIN_VALID = 256, (234, 218), 0.9
ZION_SUN_DEG = 59
NAIP_SHAPE = (4, 256, 256)
ONE_CLASS: dict[str, tuple[Cover, str]] = {
    "oam_buildings": (Cover.BUILDING, "buildings"),
    "inria_buildings": (Cover.BUILDING, "buildings"),
    "spacenet2_buildings": (Cover.BUILDING, "buildings"),
    "spacenet3_roads": (Cover.ROAD, "roads"),
    "gsi_roads": (Cover.ROAD, "roads"),
}
"""Sets whose labels know one class, and the folder of their labels."""
OUTLINED = "naip_outlined"
"""Tiles of `naip_california` over which people drew outlines."""
LAYER_OF = {name: layer for name, (_, layer) in ONE_CLASS.items()} | {OUTLINED: "buildings"}
"""The layer that says 1 where buildings or roads are, 0 where none is, and `NOT_TOLD`."""
NOT_TOLD = 255


@dataclass(frozen=True)
class Tile:
    """A tile.

    Attributes:
        dataset, name, place: Whence it is; places are never split.
        gsd_m: Metres a pixel.
        bands: By name, float16 [H, W]: reflectance, or digital numbers as shares of their largest.
        waves_um: Centre and width of each band.
        allowed: uint8 [H, W], bit sets of `Cover`.
        labels: Layers of the source, as they are.
    """

    dataset: str
    name: str
    place: str
    gsd_m: float
    bands: dict[str, NDArray[np.float16]]
    waves_um: dict[str, tuple[float, float]]
    allowed: Allowed
    labels: dict[str, Any] = field(default_factory=dict)

    @property
    def split(self) -> str:
        """``train``, ``held_back`` or ``validation``."""
        name = f"{self.dataset.replace(OUTLINED, 'naip_california')}/{self.place}"
        return "held_back" if name in HELD_BACK else "validation" if name in VALIDATION else "train"


def read_tiles(data: Path) -> list[Tile]:
    """Read all sets of a folder. What it lacks is left out; an empty folder is refused.

    Raises:
        FileNotFoundError: If none of the sets is there.
    """
    readers: dict[str, Callable[[Path], Iterator[Tile]]] = {
        "hls": _hls,
        "landsat8_zion": _zion,
        "chesapeake_naip": _chesapeake,
        "naip_california": _naip,
    } | dict.fromkeys(ONE_CLASS, _one_class)
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        tiles = [tile for name, read in readers.items() if (data / name).is_dir() for tile in read(data / name)]
    if not tiles:
        raise FileNotFoundError(f"{data} holds none of {', '.join(readers)}.")
    return tiles


def _hls(folder: Path) -> Iterator[Tile]:
    plausible = set((folder / "plausible_water.txt").read_text(encoding="utf-8").split())
    for name, row in _places(folder).items():
        bands = _bands(HLS_BANDS, _read(folder / f"images/{name}.tif") / np.float32(1e4))
        water, path = _read(folder / f"water/{name}.tif")[0], folder / f"worldcover/{name}.tif"
        worldcover = _read(path)[0] if path.exists() else None
        is_plausible = name in plausible
        allowed = covers.allowed_hls(bands, water, worldcover, is_plausible=is_plausible)
        labels = {"water": water, "worldcover": worldcover, "is_plausible": is_plausible}
        yield _tile("hls", name, row["place"], 30, bands, allowed, labels)


def _zion(folder: Path) -> Iterator[Tile]:
    counts = np.concatenate([_read(path) for path in folder.glob("LC08_*.tif")])
    classes, valid = _read(folder / "nlcd_classes.tif")[0], (counts > 0).all(0)
    reflectance = np.clip((counts * 2e-5 - 0.1) / np.sin(np.radians(ZION_SUN_DEG)), -0.05, 2).astype(np.float32)
    allowed = covers.allowed_nlcd(_bands(LANDSAT_BANDS, reflectance), classes, valid)
    height, width = classes.shape
    for row in range(0, height - ZION_TILE_PX + 1, ZION_STEP_PX[0]):
        for column in range(0, width - ZION_TILE_PX + 1, ZION_STEP_PX[1]):
            window = np.s_[row : row + ZION_TILE_PX, column : column + ZION_TILE_PX]
            if valid[window].mean() > ZION_MIN_VALID:
                bands = _bands(LANDSAT_BANDS, np.where(valid, reflectance, 0)[:, *window])
                yield _tile(
                    "landsat8_zion", f"{row}_{column}", f"{row // 470}_{column // 380}", 30, bands, allowed[window], {}
                )


def _chesapeake(folder: Path) -> Iterator[Tile]:
    for path in sorted((folder / "images").glob("*.tif")):
        bands = _bands(NAIP_BANDS, _read(path) / np.float32(255))
        labels = {layer: _read(folder / layer / path.name)[0] for layer in ("landcover", "buildings")}
        allowed = covers.allowed_chesapeake(bands, labels["landcover"], labels["buildings"])
        yield _tile("chesapeake_naip", path.stem, path.stem.rpartition("-")[0], 1, bands, allowed, labels)


def _naip(folder: Path) -> Iterator[Tile]:
    trained_on, held_back = read_outlines(TRAINING), read_outlines(HELD_BACK_OUTLINES)
    for path in sorted((folder / "images").glob("*.tif")):
        name, counts = path.stem, _read(path)
        if counts.shape != NAIP_SHAPE:
            continue
        bands = _bands(NAIP_BANDS, counts / np.float32(255))
        allowed = covers.allowed_naip(bands, _tops(folder / "tree_points" / f"{name}.csv"))
        dataset, labels = "naip_california", {}
        if name in trained_on:
            dataset, allowed = OUTLINED, with_outlines(allowed, _drawn(path, trained_on[name]))
        elif name in held_back:
            outlines = _drawn(path, held_back[name])
            dataset, labels = OUTLINED, {"buildings": np.where(outlines["unsure"], NOT_TOLD, outlines["roof"])}
        yield _tile(dataset, name, name.partition("_")[0], 0.6, bands, allowed, labels)


def _drawn(path: Path, outlines: dict[str, list[Any]]) -> dict[str, NDArray[np.bool_]]:
    with rasterio.open(path) as file:
        return {kind: drawn(polygons, file.shape, file.crs, file.transform) for kind, polygons in outlines.items()}


def _tops(points: Path) -> NDArray[np.bool_]:
    """Return where people marked tree tops: bool [H, W]."""
    tops = np.zeros(NAIP_SHAPE[1:], bool)
    if points.exists():
        columns, rows = np.loadtxt(points, delimiter=",", skiprows=1, ndmin=2).astype(int).T[:2]
        inside = (rows >= 0) & (columns >= 0) & (rows < tops.shape[0]) & (columns < tops.shape[1])
        tops[rows[inside], columns[inside]] = True
    return tops


def _one_class(folder: Path) -> Iterator[Tile]:
    cover, layer = ONE_CLASS[folder.name]
    for name, row in _places(folder).items():
        image = next((folder / "images").glob(f"{name}.*"))
        bands = _bands(PICTURE_BANDS, _read(image)[:3] / np.float32(255))
        label = _read(next((folder / layer).glob(f"{name}.*")))[0]
        place = row["place"]
        if place == "las_vegas" and int(name.rpartition("_")[2]) >= LAS_VEGAS_EAST:
            place = "las_vegas_east"
        allowed = covers.allowed_single(bands, label, cover)
        yield _tile(folder.name, name, place, float(row["gsd_m"]), bands, allowed, {layer: label})


def _tile(
    dataset: str, name: str, place: str, gsd_m: float, bands: dict[str, Array], allowed: Allowed, labels: Any
) -> Tile:
    wavelengths = {
        band.name: (band.wavelength_um, band.width_um) for band in get_sensor(SENSORS.get(dataset, "rgb")).bands
    }
    half_precision = {band: values.astype(np.float16) for band, values in bands.items()}
    return Tile(
        dataset, name, place, gsd_m, half_precision, {band: wavelengths[band] for band in bands}, allowed, labels
    )


SENSORS = {
    "hls": "hls_l30",
    "landsat8_zion": "landsat8",
    "chesapeake_naip": "naip",
    "naip_california": "naip",
    OUTLINED: "naip",
}


def _places(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "places.csv").open(encoding="utf-8", newline="") as file:
        return {row["tile"]: row for row in csv.DictReader(file)}


def _bands(names: tuple[str, ...], pixels: Array) -> dict[str, Array]:
    return dict(zip(names, pixels, strict=True))


def _read(path: Path) -> Any:
    with rasterio.open(path) as file:
        return file.read()
