"""The sample scenes: they open, their labels fit, and the generator makes exactly what is shipped."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import rasterio

from spex_nb import compute_index, sample_labels, sample_scene
from spex_nb.errors import SourceNotFoundError
from spex_nb.scene import sample_scenes, samples
from spex_nb.scene.samples import sample_path

GENERATED = ["river_10m", "town_1m", "lake_30m"]
FOLDER = Path(__file__).parents[2] / "data_samples"


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


@pytest.mark.slow
def test_the_generator_makes_exactly_what_is_shipped(tmp_path: Path) -> None:
    runpy.run_path(str(FOLDER / "make_samples.py"))["make"](tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(f"{name}{part}.tif" for name in GENERATED for part in ("", "_labels"))
    for name in made:
        with rasterio.open(tmp_path / name) as new, rasterio.open(FOLDER / name) as shipped:
            assert (new.profile, new.descriptions) == (shipped.profile, shipped.descriptions)
            assert (new.scales, new.offsets) == (shipped.scales, shipped.offsets)
            # One count of freedom for scenes: the last digit of a float64 sum differs from one processor to another.
            freedom = 0 if name.endswith("_labels.tif") else 1
            assert np.abs(new.read().astype(int) - shipped.read().astype(int)).max() <= freedom


@pytest.mark.parametrize("name", sample_scenes().index)
def test_the_table_tells_what_the_scene_is(name: str) -> None:
    row, scene = sample_scenes().loc[name], sample_scene(name)
    assert tuple(row["bands"].split()) == scene.spex.bands
    assert row["size_px"] == scene.spex.shape
    if row["has_labels"]:
        assert row["gsd_m"] == scene.spex.gsd_m


def test_one_scene_lies_south_of_the_equator_and_zones_differ() -> None:
    zones = {name: sample_scene(name).rio.crs.to_epsg() for name in GENERATED}
    assert len(set(zones.values())) == 3
    assert any(32700 < zone < 32800 for zone in zones.values())


@pytest.mark.parametrize("name", GENERATED)
def test_haze_is_bluest(name: str) -> None:
    scene = sample_scene(name)
    grass = sample_labels(name) == 2
    near, far = scene.where(grass)[["blue", "red"]].isel(x=slice(20), y=slice(20)), scene.where(grass)
    gain = {band: float(near[band].mean() / far[band].mean()) for band in ("blue", "red")}
    assert gain["blue"] > gain["red"]


@pytest.mark.parametrize("name", GENERATED)
def test_a_cloud_shadow_darkens_vegetation(name: str) -> None:
    scene, labels = sample_scene(name), sample_labels(name)
    height, width = scene.spex.shape
    core = {
        "y": slice(round(0.82 * height), round(0.86 * height)),
        "x": slice(round(0.15 * width), round(0.19 * width)),
    }
    green = scene["nir"].where(labels == 2)
    assert float(green.isel(core).mean()) < 0.6 * float(green.mean())


def test_an_installed_package_holds_the_samples_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "__file__", str(tmp_path / "spex_nb" / "scene" / "samples.py"))
    assert sample_path("river_10m") == tmp_path / "data_samples" / "river_10m.tif"
    (tmp_path / "spex_nb" / "data_samples").mkdir(parents=True)
    assert sample_path("river_10m") == tmp_path / "spex_nb" / "data_samples" / "river_10m.tif"


def test_samples_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 5_000_000


def test_unknown_samples() -> None:
    with pytest.raises(SourceNotFoundError, match="Did you mean river_10m"):
        sample_scene("river_10")
    with pytest.raises(SourceNotFoundError, match="sample_scene"):
        sample_path("sentinel2_crop")
