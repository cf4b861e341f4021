"""Evidence: figures measured on a mask, by hand and on a sample scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from spex_nb.errors import RegionError, TargetError
from spex_nb.language.evidence import measure_evidence, readable_index
from spex_nb.scene.samples import sample_labels, sample_scene


def scene_of(green: Any, nir: Any, valid: Any = None) -> xr.Dataset:
    bands = {"green": (("y", "x"), np.asarray(green, "float32")), "nir": (("y", "x"), np.asarray(nir, "float32"))}
    scene = xr.Dataset(bands)
    return scene if valid is None else scene.assign(valid=(("y", "x"), valid))


def test_every_figure_measured_by_hand() -> None:
    green, nir = np.full((4, 5), 0.1), np.full((4, 5), 0.3)
    green[1, 1:3], nir[1, 1:3] = 0.3, 0.1
    valid = np.ones((4, 5), bool)
    valid[3] = False
    mask = np.zeros((4, 5), bool)
    mask[1, 1:3] = mask[3] = mask[0, 4] = True
    evidence = measure_evidence(mask, scene_of(green, nir, valid), "water bodies", min_area_px=2)
    assert (evidence.target, evidence.area_px, evidence.valid_px, evidence.number) == ("water", 3, 15, 1)
    assert evidence.share_frac == 3 / 15
    assert evidence.largest is not None
    assert evidence.largest.centroid_px == (2, 1.5)
    assert evidence.index_name == "NDWI"
    assert evidence.inside is not None
    assert evidence.outside is not None
    assert evidence.inside.mean == pytest.approx((0.5 + 0.5 - 0.5) / 3)
    assert evidence.inside.std == pytest.approx(np.std([0.5, 0.5, -0.5]))
    assert (evidence.outside.mean, evidence.outside.std) == pytest.approx((-0.5, 0))
    assert evidence.area_m2 is None


def test_the_border_is_shared_among_what_adjoins() -> None:
    mask = np.zeros((3, 4), bool)
    mask[1, 1:3] = True  # six edges: two above, two below, one on each side
    other = np.zeros((3, 4), bool)
    other[0, 1] = other[1, 3] = True
    valid = np.ones((3, 4), bool)
    valid[2, 1:3] = False  # nothing is known below
    evidence = measure_evidence(mask, scene_of(mask, mask, valid), "water", others={"vegetation": other, "snow": mask})
    assert evidence.neighbours == {"vegetation": 2 / 4}


def test_an_empty_mask_is_evidence_too() -> None:
    evidence = measure_evidence(np.zeros((3, 3), bool), scene_of(np.ones((3, 3)), np.ones((3, 3))), "water")
    assert (evidence.area_px, evidence.number, evidence.largest, evidence.share_frac) == (0, 0, None, 0.0)
    assert evidence.inside is not None
    assert np.isnan(evidence.inside.mean)


def test_the_lake_of_a_sample_is_measured_on_the_ground() -> None:
    scene, labels = sample_scene("lake_30m"), sample_labels("lake_30m")
    evidence = measure_evidence(labels == 1, scene, "water", others={"vegetation": labels == 2})
    assert evidence.area_px == int((labels == 1).sum())
    assert evidence.area_m2 == pytest.approx(900 * evidence.area_px, rel=2e-3)
    assert evidence.inside is not None
    assert evidence.outside is not None
    assert evidence.inside.mean > 0 > evidence.outside.mean
    assert 0 < evidence.neighbours["vegetation"] <= 1


def test_figures_of_digital_numbers_are_marked_relative() -> None:
    scene, labels = sample_scene("town_1m"), sample_labels("town_1m")
    assert measure_evidence(labels == 3, scene, "building").is_relative


def test_the_best_known_index_that_the_bands_allow_is_measured() -> None:
    scene = sample_scene("sentinel2_crop")
    assert str(readable_index(scene, "building").name) == "NDVI"  # type: ignore[union-attr]
    assert readable_index(scene[["red"]], "water") is None
    assert measure_evidence(np.zeros(scene.spex.shape, bool), scene[["red"]], "water").inside is None


def test_a_mask_of_another_scene_is_refused() -> None:
    with pytest.raises(RegionError, match="same window"):
        measure_evidence(np.zeros((2, 2), bool), scene_of(np.ones((3, 3)), np.ones((3, 3))), "water")


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(TargetError, match="Did you mean water"):
        measure_evidence(np.zeros((3, 3), bool), scene_of(np.ones((3, 3)), np.ones((3, 3))), "wter")
