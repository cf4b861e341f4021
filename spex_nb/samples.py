"""The scenes that come along: one real Sentinel-2 crop, and small generated landscapes with exact labels."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spex_nb.errors import SourceNotFoundError, nearest
from spex_nb.scene import Scene, open_scene

if TYPE_CHECKING:
    import pandas as pd

LABEL_NAMES = {0: "none", 1: "water", 2: "vegetation", 3: "building", 4: "bare_soil", 5: "road", 255: "no data"}


@dataclass(frozen=True)
class Sample:
    """One sample scene, before it is opened."""

    title: str
    sensor: str
    gsd_m: float
    licence: str
    file: str | None = None


SAMPLES = {
    "sentinel2_crop": Sample(
        "Real Sentinel-2 crop of farmland and forest, without georeference (shipped by spyndex)",
        "sentinel2_l2a", 10.0, "MIT (spyndex); contains modified Copernicus Sentinel data",
    ),
    "river_10m": Sample(
        "Generated: a turbid river, a lake, a village, fields and forest", "sentinel2_l2a", 10.0, "Apache-2.0",
        "river_10m.tif",
    ),
    "town_1m": Sample(
        "Generated: a suburb with houses, shadows, trees and a pond", "naip", 1.0, "Apache-2.0", "town_1m.tif"
    ),
    "lake_30m": Sample(
        "Generated: lakes, forest and plains south of the equator", "landsat8", 30.0, "Apache-2.0", "lake_30m.tif"
    ),
}  # fmt: skip


def sample_scenes() -> pd.DataFrame:
    """Return the sample scenes as a table: index name; title, sensor, gsd_m, has_labels, licence."""
    import pandas as pd

    columns = {
        "title": [s.title for s in SAMPLES.values()],
        "sensor": [s.sensor for s in SAMPLES.values()],
        "gsd_m": [s.gsd_m for s in SAMPLES.values()],
        "has_labels": [s.file is not None for s in SAMPLES.values()],
        "licence": [s.licence for s in SAMPLES.values()],
    }
    return pd.DataFrame(columns, index=pd.Index(SAMPLES, name="name"))


def sample_scene(name: str, **options: Any) -> Scene:
    """Open a sample scene.

    Args:
        name: One of ``sample_scenes()``.
        **options: Passed on to ``open_scene``.

    Returns:
        A Scene.

    Raises:
        SourceNotFoundError: If there is no such sample.
    """
    sample = _sample(name)
    if sample.file is not None:
        chosen: dict[str, Any] = {"sensor": sample.sensor} | options
        return open_scene(sample_path(name), **chosen)
    known: dict[str, Any] = {"sensor": sample.sensor, "bands": ["blue", "green", "red", "nir"], "scale": 1e-4}
    scene = open_scene(_sentinel2_crop(), **(known | options))
    return scene.assign_attrs(source="Sentinel-2 crop shipped by spyndex")


def sample_path(name: str) -> Path:
    """Return the file of a generated sample.

    Raises:
        SourceNotFoundError: If there is no such sample, or it is no file.
    """
    file = _sample(name).file
    if file is None:
        raise SourceNotFoundError(
            "The sample is no file", found=name, expected="a generated sample", fix=f"Call sample_scene({name!r})."
        )
    return _folder() / file


def sample_labels(name: str) -> xr.DataArray:
    """Return the exact labels of a generated sample.

    Returns:
        uint8 [H, W] on the grid of the scene: 0 none, 1 water, 2 vegetation, 3 building, 4 bare_soil, 5 road,
        255 no data; the names stand in ``attrs``.

    Raises:
        SourceNotFoundError: If there is no such sample, or it has no labels.
    """
    import rasterio

    path = sample_path(name)
    with rasterio.open(path.with_name(f"{path.stem}_labels.tif")) as file:
        pixels = file.read(1)
    scene = open_scene(path, sensor=_sample(name).sensor)
    names = {f"class_{value}": text for value, text in LABEL_NAMES.items()}
    return xr.DataArray(pixels, scene["valid"].coords, ("y", "x"), "labels", attrs=names)


def _sample(name: str) -> Sample:
    if name not in SAMPLES:
        raise SourceNotFoundError(
            "There is no such sample", found=repr(name), expected=", ".join(SAMPLES), fix=nearest(name, SAMPLES)
        )
    return SAMPLES[name]


def _folder() -> Path:
    """Return where the samples lie: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "data_samples"
    return inside if inside.is_dir() else package.parent / "data_samples"


def _sentinel2_crop() -> Any:
    """Return the crop that spyndex ships as JSON: int64 [4, 300, 300], reflectance times 10,000."""
    spec = importlib.util.find_spec("spyndex")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("spyndex, which ships the Sentinel-2 crop, is not installed: pip install spyndex")
    file = Path(spec.submodule_search_locations[0]) / "data" / "S2_10m.json"
    return np.array(json.loads(file.read_text(encoding="utf-8")))
