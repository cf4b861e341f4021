"""Data in memory, and sources that were opened before, as scenes by the door of `open_scene`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.scene.accessor import Scene
from spex_nb.scene.open import open_scene
from spex_nb.scene.sensors import COMMON_BANDS
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
