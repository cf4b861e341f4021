"""The scenes that come along: one real Sentinel-2 crop, and small generated landscapes with exact labels."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from spex_nb.errors import SourceNotFoundError, nearest
from spex_nb.scene.accessor import Scene
from spex_nb.scene.open import open_scene
from spex_nb.scene.windows.reader import is_as_opened
from spex_nb.scene.windows.scene_source import SOURCE, SceneSource

if TYPE_CHECKING:
    import pandas as pd

LABEL_NAMES = {0: "none", 1: "water", 2: "vegetation", 3: "building", 4: "bare_soil", 5: "road", 255: "no data"}


@dataclass(frozen=True)
class Sample:
    """One sample scene, before it is opened; ``size_px`` is (height, width)."""

    title: str
    sensor: str
    bands: str
    gsd_m: float
    size_px: tuple[int, int]
    licence: str
    description: str
    file: str | None = None


SAMPLES = {
    "sentinel2_crop": Sample(
        "Real farmland and forest",
        "sentinel2_l2a",
        "blue green red nir",
        10.0,
        (300, 300),
        "MIT (spyndex); contains modified Copernicus Sentinel data",
        "A real Sentinel-2 crop, shipped by spyndex, without georeference.",
    ),
    "river_10m": Sample(
        "River, lake and farmland",
        "sentinel2_l2a",
        "blue green red rededge071 nir swir16 swir22",
        10.0,
        (320, 320),
        "Apache-2.0",
        "Generated: a turbid river with sand and woods, a lake, a village, fields, forest, a cloud's shadow.",
        "river_10m.tif",
    ),
    "town_1m": Sample(
        "Suburb",
        "naip",
        "red green blue nir",
        1.0,
        (384, 384),
        "Apache-2.0",
        "Generated: streets, houses, trees and their shadows, a pond; raw 8-bit numbers, no reflectance.",
        "town_1m.tif",
    ),
    "lake_30m": Sample(
        "Lake district",
        "landsat8",
        "blue green red nir swir16 swir22",
        30.0,
        (256, 256),
        "Apache-2.0",
        "Generated: lakes, forest, fields and a small town south of the equator, a cloud's shadow.",
        "lake_30m.tif",
    ),
}


def sample_scenes() -> pd.DataFrame:
    """Return the sample scenes as a table.

    Returns:
        Index name; columns title, sensor, bands (common names, apart by spaces), gsd_m, size_px (height, width),
        has_labels, licence, description.
    """
    import pandas as pd

    rows = [asdict(sample) | {"has_labels": sample.file is not None} for sample in SAMPLES.values()]
    columns = ["title", "sensor", "bands", "gsd_m", "size_px", "has_labels", "licence", "description"]
    return pd.DataFrame(rows, index=pd.Index(SAMPLES, name="name"))[columns]


def sample_scene(name: str, **options: Any) -> Scene:
    """Open a sample scene.

    Args:
        name: Name of a sample, out of ``sample_scenes()``.
        **options: Passed on to ``open_scene``.

    Returns:
        A Scene.

    Raises:
        SourceNotFoundError: If there is no such sample.
    """
    sample = _sample(name)
    facts: dict[str, Any] = {"sensor": sample.sensor}
    if sample.file is not None:
        scene = open_scene(sample_path(name), **(facts | options))
    else:
        facts |= {"bands": sample.bands.split(), "scale": 1e-4}
        scene = open_scene(_sentinel2_crop(), **(facts | options))
        scene.attrs["source"] = "Sentinel-2 crop shipped by spyndex"
    scene.encoding[SOURCE] = SceneSource(name, options, is_sample=True)
    return scene


def source_of(scene: Any, options: Mapping[str, Any] | None = None) -> SceneSource:
    """Return where a scene comes from.

    Args:
        scene: A path, the name of a sample (unless a file has that name), or what else `open_scene` takes. A Dataset
            comes from a file only while it is lazy and as `open_scene` gave it; else it is in memory.
        options: Of `open_scene`.
    """
    if isinstance(scene, xr.Dataset):
        return scene.spex.source if is_as_opened(scene) else SceneSource()
    if str(scene) in SAMPLES and not Path(str(scene)).exists():
        return SceneSource(str(scene), dict(options or {}), is_sample=True)
    return SceneSource.of(scene, options)


def reopen(source: SceneSource) -> Scene:
    """Open the scene of a source again.

    Raises:
        SourceNotFoundError: If it was in memory only, or its file is gone.
        SpexError: As `open_scene`.
    """
    if source.kind == "memory" and source.scene is None:
        raise SourceNotFoundError(
            "The scene was in the notebook's memory only",
            found="no file to open it from",
            expected="the scene itself",
            fix="Make a workbench with the same scene, then open the session in it.",
        )
    opener = sample_scene if source.is_sample else open_scene
    return opener(source.scene, **source.options)


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
    package = Path(__file__).parents[1]
    inside = package / "data_samples"
    return inside if inside.is_dir() else package.parent / "data_samples"


def _sentinel2_crop() -> Any:
    """Return the crop that spyndex ships as JSON: int64 [4, 300, 300], reflectance times 10,000."""
    spec = importlib.util.find_spec("spyndex")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("spyndex, which ships the Sentinel-2 crop, is not installed: pip install spyndex")
    file = Path(spec.submodule_search_locations[0]) / "data" / "S2_10m.json"
    return np.array(json.loads(file.read_text(encoding="utf-8")))
