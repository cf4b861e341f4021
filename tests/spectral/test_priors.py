from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import xarray as xr

from spex_nb.errors import MissingBandError, TargetError
from spex_nb.scene.samples import sample_scene
from spex_nb.spectral.priors import RULES, near_rule, prior_table, spectral_prior

ALL = ("blue", "green", "red", "nir", "swir16", "swir22")
RGB = ("blue", "green", "red")
# Reflectance of blue, green, red, nir, swir16, swir22.
SPECTRA = {
    "clear water": (0.06, 0.05, 0.03, 0.01, 0.005, 0.003),
    "crop": (0.03, 0.07, 0.04, 0.45, 0.20, 0.09),
    "dry soil": (0.12, 0.18, 0.25, 0.28, 0.38, 0.34),
    "concrete": (0.18, 0.21, 0.23, 0.26, 0.27, 0.25),
    "snow": (0.90, 0.88, 0.86, 0.75, 0.08, 0.06),
    "burnt ground": (0.03, 0.04, 0.05, 0.07, 0.17, 0.18),
}
NAMES = list(SPECTRA)


def strip(bands: tuple[str, ...] = ALL, **attrs: str) -> xr.Dataset:
    """One pixel of each spectrum, side by side, and a last one without data."""
    rows = np.array([*SPECTRA.values(), [np.nan] * len(ALL)], "float32").T
    data = {band: (("y", "x"), rows[ALL.index(band)][None, :]) for band in bands}
    return xr.Dataset(data, {"y": [0.5], "x": np.arange(len(SPECTRA) + 1) + 0.5}, attrs)


def digital_numbers(bands: tuple[str, ...] = (*RGB, "nir")) -> xr.Dataset:
    scene = (strip(bands) * 255).fillna(0).astype("uint8")
    return scene.assign_attrs(radiometry="relative reflectance")


def marked(scene: xr.Dataset, target: str) -> set[str]:
    mask = spectral_prior(scene, target).mask.to_numpy()[0]
    assert not mask[-1] or "valid" not in scene
    return {name for name, hit in zip(NAMES, mask, strict=False) if hit}


@pytest.mark.parametrize(
    ("target", "index", "found"),
    [
        ("water", "MuWIR", {"clear water"}),
        ("vegetation", "NDVI", {"crop"}),
        ("bare_soil", "NDVI", {"dry soil", "burnt ground"}),
        ("snow", "NDSI", {"snow"}),
        ("burn", "NBR", {"burnt ground"}),
        ("built_up", "IKAW", {"concrete"}),
    ],
)
def test_each_target_on_pure_spectra(target: str, index: str, found: set[str]) -> None:
    prior = spectral_prior(strip(), target)
    assert (prior.target, prior.index_name) == (target, index)
    assert marked(strip(), target) == found


def test_prior_holds_index_threshold_guard_and_reason() -> None:
    prior = spectral_prior(strip(("green", "nir", "red")), "water")
    assert prior.index.to_numpy()[0, 0] == pytest.approx((0.05 - 0.01) / (0.05 + 0.01), rel=1e-5)
    assert (prior.threshold, prior.side, prior.guard) == (-0.05, "above", "nir < 0.2")
    assert prior.reason.startswith("water is where NDWI > -0.05 and nir < 0.2: IoU")
    assert re.search(r"A fallback: MuWIR needs (?=.*blue)(?=.*swir16)(?=.*swir22)", prior.reason)
    assert prior.reference == "https://doi.org/10.1080/01431169608948714"
    assert prior.mask.dtype == bool
    assert (prior.mask.name, prior.mask.dims) == ("water", ("y", "x"))
    assert prior.mask.attrs["index"] == "NDWI"


@pytest.mark.parametrize(
    ("target", "bands", "index"),
    [
        ("water", ALL, "MuWIR"),
        ("water", ("green", "red", "nir"), "NDWI"),
        ("water", ("green", "swir16"), "MNDWI"),
        ("vegetation", ("red", "nir"), "NDVI"),
        ("vegetation", ("green", "nir"), "GNDVI"),
        ("vegetation", RGB, "NGRDI"),
        ("built_up", (*RGB, "nir"), "IKAW"),
        ("bare_soil", ("green", "red", "nir"), "NDVI"),
        ("bare_soil", RGB, "GLI"),
        ("snow", ("green", "swir16"), "NDSI"),
        ("snow", RGB, "BITM"),
        ("burn", ("swir16", "swir22"), "MIRBI"),
        ("burn", ("green", "red", "nir"), "BAI"),
    ],
)
def test_fallback_follows_the_bands(target: str, bands: tuple[str, ...], index: str) -> None:
    prior = spectral_prior(strip(bands), target)
    assert prior.index_name == index
    best = RULES[target][0]
    assert ("A fallback" in prior.reason) == (not set(best.bands) <= set(bands))


@pytest.mark.parametrize(("target", "index"), [("water", "NDWI"), ("vegetation", "GLI"), ("built_up", "VrNIRBI")])
def test_digital_numbers_have_thresholds_of_their_own(target: str, index: str) -> None:
    prior = spectral_prior(digital_numbers(), target)
    assert prior.index_name == index
    assert prior.threshold != spectral_prior(strip(), target).threshold
    assert "digital numbers, not calibrated" in prior.reason


def test_integers_that_nobody_called_reflectance_are_digital_numbers() -> None:
    scene = digital_numbers()
    del scene.attrs["radiometry"]
    assert spectral_prior(scene, "water").threshold == 0.3


def test_top_of_atmosphere_never_gets_the_haze_sensitive_rule() -> None:
    assert spectral_prior(strip(sensor="sentinel2_l2a"), "built_up").index_name == "IKAW"
    with pytest.raises(TargetError, match=r"IKAW needs surface reflectance.*Use a model"):
        spectral_prior(strip(sensor="sentinel2_l1c"), "built_up")
    assert spectral_prior(strip(sensor="sentinel2_l1c"), "bare_soil").guard == "NDWI < -0.1"


@pytest.mark.parametrize(
    ("target", "scene"),
    [
        ("water", strip(RGB)),
        ("built_up", strip(RGB)),
        ("built_up", strip(("nir", "swir16"))),
        ("built_up", digital_numbers(RGB)),
        ("bare_soil", digital_numbers()),
    ],
)
def test_where_every_rule_misleads_there_is_none(target: str, scene: xr.Dataset) -> None:
    with pytest.raises((TargetError, MissingBandError)):
        spectral_prior(scene, target)


@pytest.mark.parametrize("target", list(RULES))
def test_pixels_without_data_are_never_marked(target: str) -> None:
    scene = strip().assign(valid=(("y", "x"), np.zeros((1, len(SPECTRA) + 1), bool)))
    prior = spectral_prior(scene, target)
    assert not spectral_prior(strip(), target).mask.to_numpy()[0, -1]
    assert not prior.mask.any()
    assert prior.index.isnull().all()


@pytest.mark.parametrize("target", ["water", "snow", "burn", "built_up"])
def test_nothing_found_is_an_ordinary_mask(target: str) -> None:
    meadow = strip().isel(x=[NAMES.index("crop")] * 4)
    prior = spectral_prior(meadow, target)
    assert not prior.mask.any()
    assert prior.mask.shape == (1, 4)


@pytest.mark.parametrize("target", list(RULES))
def test_lazy_equals_eager(target: str) -> None:
    eager, lazy = spectral_prior(strip(), target), spectral_prior(strip().chunk(x=2), target)
    assert lazy.mask.chunks is not None
    assert lazy.index.chunks is not None
    xr.testing.assert_identical(lazy.mask.compute(), eager.mask)


@pytest.mark.parametrize("target", ["road", "building"])
def test_what_only_its_shape_shows_has_no_index(target: str) -> None:
    with pytest.raises(TargetError, match=f"No spectral index shows the target '{target}'.*Use a model"):
        spectral_prior(strip(), target)


@pytest.mark.parametrize(("target", "says"), [("watr", "Did you mean water"), ("qqq", "expected|Expected: one of wa")])
def test_unknown_target_offers_the_nearest(target: str, says: str) -> None:
    with pytest.raises(TargetError, match=says):
        spectral_prior(strip(), target)


@pytest.mark.parametrize(
    ("target", "bands", "says"),
    [
        ("burn", RGB, "also has nir"),
        ("water", ("red",), "also has green and nir"),
        ("vegetation", ("red",), "also has nir"),
        ("snow", ("green", "nir"), "also has swir16"),
    ],
)
def test_bands_that_would_help_are_named(target: str, bands: tuple[str, ...], says: str) -> None:
    with pytest.raises(MissingBandError, match=says):
        spectral_prior(strip(bands), target)


def test_no_threshold_for_digital_numbers_points_to_calibration() -> None:
    with pytest.raises(TargetError, match=r"not calibrated.*scale= and offset="):
        spectral_prior(digital_numbers(), "burn")


def test_table_documents_every_rule() -> None:
    table = prior_table()
    assert len(table) == sum(map(len, RULES.values()))
    assert set(table["target"]) == set(RULES)
    assert (table["reference"].str.startswith("http")).all()
    assert (table["why"].str.len() > 20).all()
    assert set(str(table.loc[0, "bands"]).split(", ")) == {"blue", "green", "red", "nir", "swir16", "swir22"}


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "measure_priors.py"
    spec = importlib.util.spec_from_file_location("measure_priors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tiles(measure: ModuleType, real_data: Path) -> Any:
    return measure.read_tiles(real_data / "hls")


@pytest.mark.data
def test_water_on_places_with_plausible_labels(measure: ModuleType, tiles: Any) -> None:
    mask = spectral_prior(tiles.scene, "water").mask.to_numpy()
    assert measure.iou(mask[tiles.plausible], tiles.water[tiles.plausible]) >= 0.88
    held_out = tiles.plausible & tiles.held_out
    assert measure.iou(mask[held_out], tiles.water[held_out]) >= 0.88


@pytest.mark.data
def test_four_bands_lose_little_water(measure: ModuleType, tiles: Any) -> None:
    mask = spectral_prior(tiles.scene[["blue", "green", "red", "nir"]], "water").mask.to_numpy()
    assert measure.iou(mask[tiles.plausible], tiles.water[tiles.plausible]) >= 0.82


@pytest.mark.data
@pytest.mark.parametrize(
    ("target", "bands", "least"),
    [
        ("vegetation", ALL, 0.95),
        ("vegetation", ("green", "nir"), 0.92),
        ("vegetation", RGB, 0.65),
        ("bare_soil", ALL, 0.85),
        ("bare_soil", RGB, 0.6),
        ("built_up", ALL, 0.18),
    ],
)
def test_land_on_the_date(measure: ModuleType, tiles: Any, target: str, bands: tuple[str, ...], least: float) -> None:
    mask = spectral_prior(tiles.scene[list(bands)], target).mask.to_numpy()
    counted = tiles.counted(target)
    assert measure.iou(mask[counted], tiles.truth(target)[counted]) >= least


@pytest.mark.data
def test_no_sparse_or_bare_ground_is_vegetation(tiles: Any) -> None:
    assert tiles.ndvi[spectral_prior(tiles.scene, "vegetation").mask.to_numpy()].min() >= 0.4


@pytest.mark.data
@pytest.mark.parametrize("bands", [ALL, (*RGB, "nir"), ("green", "swir16")])
def test_cloud_shadow_is_not_water(measure: ModuleType, real_data: Path, bands: tuple[str, ...]) -> None:
    scene, labels = measure.read_cloud_shadow(real_data / "landsat7_cloud_shadow")
    mask = spectral_prior(scene[list(bands)], "water").mask.to_numpy()
    assert mask[labels == measure.SHADOW].mean() <= 0.06


@pytest.mark.data
def test_aerial_digital_numbers(measure: ModuleType, real_data: Path) -> None:
    scene, codes = measure.read_chesapeake(real_data / "chesapeake_naip")
    green = np.isin(codes, (2, 3))
    assert spectral_prior(scene, "vegetation").mask.to_numpy()[green].mean() >= 0.8
    assert spectral_prior(scene, "water").mask.to_numpy().mean() <= 0.03


def test_a_threshold_set_by_hand_keeps_index_and_guards_and_says_so() -> None:
    scene = sample_scene("river_10m")
    measured, strict = spectral_prior(scene, "water"), spectral_prior(scene, "water", threshold=0.9)
    assert (strict.index_name, strict.guard, strict.threshold) == (measured.index_name, measured.guard, 0.9)
    assert strict.mask.sum() < measured.mask.sum()
    assert "set by hand" in strict.reason


def test_pixels_near_a_rule_just_miss_or_just_meet_one_of_its_conditions() -> None:
    ndwi, nir = np.array([[0.0, -0.06, -0.04, 0.3, 0.3, 0.3]]), np.array([[0.1, 0.1, 0.1, 0.1, 0.19, 0.21]])
    green = nir * (1 + ndwi) / (1 - ndwi)
    scene = xr.Dataset({"green": (("y", "x"), green), "nir": (("y", "x"), nir)})
    scene = scene.assign(valid=(("y", "x"), np.ones(nir.shape, bool))).assign_attrs(radiometry="reflectance")
    assert str(spectral_prior(scene, "water").index_name) == "NDWI"
    just_missed, just_met = near_rule(scene, "water") or (None, None)
    np.testing.assert_array_equal(just_missed, [[False, True, False, False, False, True]])
    np.testing.assert_array_equal(just_met, [[False, False, True, False, True, False]])
    assert near_rule(scene, "building") is None
    assert near_rule(scene, "road") is None
