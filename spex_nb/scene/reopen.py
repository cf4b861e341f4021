"""Data in memory, and sources that were opened before, as scenes by the door of `open_scene`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.scene.accessor import Scene
from spex_nb.scene.open import open_scene
from spex_nb.scene.sensors import COMMON_BANDS
from spex_nb.scene.windows.pixels import paths_of, reading_of
from spex_nb.scene.windows.reader import BandHash, fingerprint_scene
from spex_nb.scene.windows.scene_files import note_files, noting_files, states_of
from spex_nb.scene.windows.scene_source import SceneSource

CHUNKS_PX = (512, 2048)
"""Chunks of scenes that are read in windows: whole blocks of most files, and few rows, to keep those under a tile."""


def as_scene(data: Any, options: Mapping[str, Any] | None = None) -> Scene:
    """Return data in memory as a scene, by the same door as a file.

    Args:
        data: A Dataset, a DataArray or an array. A Dataset that `open_scene` made is returned as it is, and so is one
            of floating numbers without any statement whose bands have names that are not known here. All else goes
            through `open_scene`.
        options: Of `open_scene`; with any option every Dataset goes through it.

    Returns:
        The scene; of a Dataset it keeps the attributes, and its own ``valid`` counts too.

    Raises:
        SpexError: As `open_scene`.
    """
    if not isinstance(data, xr.Dataset):
        return open_scene(data, **dict(options or {}))
    if not options and _stays(data):
        return data
    scene = open_scene(data.drop_vars("valid", errors="ignore"), **dict(options or {}))
    if "valid" in data:
        scene = scene.assign(valid=(("y", "x"), scene["valid"].data & data["valid"].data.astype(bool)))
    for name in scene.spex.bands:
        attributes = data[name].attrs if name in data else {}
        scene[name].attrs |= {key: value for key, value in attributes.items() if key not in STATEMENTS}
    return scene.assign_attrs({key: value for key, value in data.attrs.items() if key not in scene.attrs})


STATEMENTS = ("scale_factor", "add_offset", "_FillValue", "missing_value", "nodata")
"""Attributes that say how numbers become reflectance, or which of them are none."""


def _stays(data: xr.Dataset) -> bool:
    """Return whether `open_scene` made a Dataset, or it holds floating numbers that no name or statement explains."""
    if "radiometry" in data.attrs:
        return True
    bands = {str(name): band for name, band in data.data_vars.items() if name != "valid"}
    are_plain = all(band.dims == ("y", "x") and band.dtype.kind == "f" and not _states(band) for band in bands.values())
    return are_plain and not set(bands) <= set(COMMON_BANDS)


def _states(band: xr.DataArray) -> bool:
    statements = {**band.encoding, **band.attrs}
    return any(bool(np.isfinite(statements[name])) for name in STATEMENTS if statements.get(name) is not None)


@dataclass(frozen=True)
class SceneIdentity:
    """What tells a scene from another one, and from itself after a change.

    Attributes:
        fingerprint: See `fingerprint_scene`.
        files: State of each file behind the scene, by path; see `states_of`.
    """

    fingerprint: str
    files: Mapping[str, str]


def open_identified(source: SceneSource) -> tuple[Scene, SceneIdentity]:
    """Open a scene as `open_source` does, and return its identity too: every file that was opened for it.

    Raises:
        SpexError: As `open_scene`.
    """
    with noting_files() as locations:
        scene = open_source(source)
        _note_layers(source.scene if isinstance(source.scene, xr.Dataset) else scene)
    return scene, SceneIdentity(fingerprint_scene(source, scene), states_of(locations))


def hash_memory(scene: xr.Dataset) -> str:
    """Return a hash of all pixels of a scene in memory; an empty string for a lazy one."""
    if scene.spex.is_lazy:
        return ""
    digest = BandHash(scene.spex.bands)
    for top in range(0, scene.spex.shape[0], CHUNKS_PX[0]):
        digest.add(scene.isel(y=slice(top, top + CHUNKS_PX[0])))
    return digest.hexdigest()


def _note_layers(scene: xr.Dataset) -> None:
    """Note the files of the layers of a Dataset: those that `open_scene` reads, and those that xarray opened."""
    for layer in (scene, *scene.data_vars.values()):
        if layer.encoding.get("source"):
            note_files(layer.encoding["source"])
    for layer in scene.data_vars.values():
        note_files(*paths_of(reading_of(layer)))


def open_source(source: SceneSource, chunks: tuple[int, int] = CHUNKS_PX) -> Scene:
    """Open a scene to read it in windows: its bands and ``valid``, nothing else, in chunks of one size.

    Args:
        source: Of the scene.
        chunks: (height, width) of lazy chunks of what comes from files, unless the source's options say another.

    Raises:
        SpexError: As `open_scene`.
    """
    if isinstance(source.scene, xr.Dataset):
        scene = source.scene.assign(valid=source.scene.spex.valid)
    else:
        scene = open_scene(source.scene, **({"chunks": chunks} | dict(source.options)))
    layers = scene[[*scene.spex.bands, "valid"]]
    return layers.unify_chunks() if layers.spex.is_lazy else layers
