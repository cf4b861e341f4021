"""The sample scenes: they open, their labels fit, and the generator makes exactly what is shipped."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import rasterio

from spex_nb import compute_index, sample_labels, sample_scene, sample_scenes
from spex_nb.errors import SourceNotFoundError
from spex_nb.samples import sample_path

GENERATED = ["river_10m", "town_1m", "lake_30m"]
FOLDER = Path(__file__).parent.parent / "data_samples"


@pytest.mark.parametrize("name", sample_scenes().index)
def test_every_sample_opens_without_a_warning(name: str) -> None:
    scene = sample_scene(name)
    assert scene.attrs["sensor"] == sample_scenes().loc[name, "sensor"]
    assert {"red", "green", "blue", "nir"} <= set(scene.spex.bands)
    assert scene.spex.is_relative == (name == "town_1m")


def test_the_real_crop_is_reflectance_without_georeference() -> None:
    scene = sample_scene("sentinel2_crop")
    assert scene.spex.shape == (300, 300)
    assert scene.spex.crs is None
    assert 0.02 < float(scene["red"].mean()) < 0.3


@pytest.mark.parametrize("name", GENERATED)
def test_labels_fit_their_scene(name: str) -> None:
    scene, labels = sample_scene(name), sample_labels(name)
    assert labels.dtype == np.uint8
    assert labels.rio.crs == scene.rio.crs
    np.testing.assert_array_equal(labels == 255, ~scene["valid"])
    assert {1, 2, 3, 4, 5} <= set(np.unique(labels))
    assert labels.attrs["class_1"] == "water"


@pytest.mark.parametrize("name", GENERATED)
def test_classes_have_the_spectra_of_their_name(name: str) -> None:
    index, labels = compute_index(sample_scene(name), "NDVI"), sample_labels(name)
    mean = {text: float(index.where(labels == value).mean()) for value, text in ((1, "water"), (2, "veg"), (3, "roof"))}
    assert mean["water"] < mean["roof"] < mean["veg"]


def test_the_generator_makes_exactly_what_is_shipped(tmp_path: Path) -> None:
    runpy.run_path(str(FOLDER / "make_samples.py"))["make"](tmp_path)
    for made in tmp_path.glob("*.tif"):
        with rasterio.open(made) as new, rasterio.open(FOLDER / made.name) as shipped:
            assert new.transform == shipped.transform
            # One count of freedom: the last digit of a float64 sum differs from one processor to another.
            assert np.abs(new.read().astype(int) - shipped.read().astype(int)).max() <= 1


def test_samples_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 5_000_000


def test_unknown_samples() -> None:
    with pytest.raises(SourceNotFoundError, match="Did you mean river_10m"):
        sample_scene("river_10")
    with pytest.raises(SourceNotFoundError, match="sample_scene"):
        sample_path("sentinel2_crop")
