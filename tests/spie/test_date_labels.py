from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from development_sets import read_hls, read_landsat8_zion

from spex_nb import spie
from spex_nb.spie.date_labels import labels_on_date

BANDS = ("green", "red", "nir", "swir16")
GREEN, SPARSE, BARE, WET = (
    (0.06, 0.05, 0.35, 0.15),
    (0.08, 0.10, 0.20, 0.25),
    (0.12, 0.20, 0.25, 0.35),
    (0.2, 0.1, 0.1, 0.1),
)
"""Reflectance of a meadow (NDVI 0.75), dry grass (0.33), ploughed ground (0.11) and wet ground (0.0)."""


def pixels(*spectra: Sequence[float], **attrs: Any) -> xr.Dataset:
    """Return a scene of one row."""
    layers = {name: (("y", "x"), np.array([[s[i] for s in spectra]], np.float32)) for i, name in enumerate(BANDS)}
    valid = ("valid", (("y", "x"), np.ones((1, len(spectra)), bool)))
    return xr.Dataset(layers | dict([valid]), attrs={"radiometry": "surface reflectance"} | attrs)


def told(label: tuple[Any, Any]) -> list[bool | None]:
    """Return of each pixel whether it is the target; None where that is not told."""
    mask, known = label
    assert not (mask & ~known).any()
    return [bool(is_it) if is_known else None for is_it, is_known in zip(mask[0], known[0], strict=True)]


def mapped(*values: bool | None) -> tuple[Any, Any]:
    return np.array([[value is True for value in values]]), np.array([[value is not None for value in values]])


def test_plants_of_a_map_are_vegetation_only_where_they_are_green() -> None:
    labels = {"vegetation": mapped(True, True, True), "bare_soil": mapped(None, None, None)}
    recast = labels_on_date(pixels(GREEN, SPARSE, BARE), labels)
    assert told(recast["vegetation"]) == [True, None, False]
    assert told(recast["bare_soil"]) == [False, None, True]


def test_ground_under_leafless_trees_is_not_told() -> None:
    labels = {"vegetation": mapped(True, True), "bare_soil": mapped(False, False)}
    recast = labels_on_date(pixels(GREEN, BARE), labels)
    assert told(recast["vegetation"]) == [True, False]
    assert told(recast["bare_soil"]) == [False, None]


def test_bare_ground_of_a_map_is_bare_soil_where_it_is_bare_and_dry() -> None:
    labels = {"vegetation": mapped(False, False, False, False), "bare_soil": mapped(True, True, True, True)}
    recast = labels_on_date(pixels(GREEN, SPARSE, BARE, WET), labels)
    assert told(recast["bare_soil"]) == [False, None, True, None]
    assert told(recast["vegetation"]) == [False, False, False, False]


def test_towns_and_water_stay_neither() -> None:
    labels = {
        "vegetation": mapped(False, False, False),
        "bare_soil": mapped(False, False, False),
        "built_up": mapped(True, True, False),
    }
    recast = labels_on_date(pixels(GREEN, BARE, WET), labels)
    assert told(recast["vegetation"]) == told(recast["bare_soil"]) == [False, False, False]
    assert told(recast["built_up"]) == [True, True, False]


def test_what_the_map_leaves_open_is_no_vegetation_where_it_is_bare() -> None:
    recast = labels_on_date(pixels(GREEN, BARE), {"vegetation": mapped(None, None)})
    assert told(recast["vegetation"]) == [None, False]


@pytest.mark.parametrize(
    "scene", [pixels(GREEN, BARE, radiometry="relative reflectance"), pixels(GREEN, BARE).drop_vars("nir")]
)
def test_without_greenness_labels_stay_as_mapped(scene: xr.Dataset) -> None:
    labels = {"vegetation": mapped(True, True), "bare_soil": mapped(None, None)}
    recast = labels_on_date(scene, labels)
    assert told(recast["vegetation"]) == [True, True]
    assert told(recast["bare_soil"]) == [None, None]


def shares_of_vegetation(scenes: Sequence[Any], folder: Path) -> dict[str, float]:
    """Return the share of vegetation in a dataset of some scenes, for each way of reading labels."""
    shares = {}
    for labels in ("on_date", "as_mapped"):
        settings = spie.Settings(labels=labels, min_known_frac=0, absent_frac=1, split=(1, 0, 0))
        spie.build(scenes, None, folder / labels, settings)
        table = spie.open_dataset(folder / labels).index
        shares[labels] = float(table.share_frac[table.target == "vegetation"].mean())
    return shares


@pytest.mark.slow
def test_a_build_recasts_labels_of_maps(real_data: Path, tmp_path: Path) -> None:
    shares = shares_of_vegetation(read_hls(real_data / "hls")[:6], tmp_path)
    assert shares["on_date"] < shares["as_mapped"] - 0.05


def test_a_build_keeps_labels_that_a_user_drew(write_raster: Callable[..., Path], tmp_path: Path) -> None:
    spectra = np.array([[BARE[i]] * 2 for i in (0, 0, 0, 1, 2, 3, 3, 3)]) * 1e4
    scene = write_raster(np.tile(spectra[:, None], (1, 40, 20)).astype("int16"), "fields.tif")
    label = write_raster(np.full((1, 40, 40), 3, "uint8"), "label.tif")
    scenes = spie.labelled_scenes([scene], [label], {3: "vegetation"}, sensor="hls_l30")
    assert shares_of_vegetation(scenes, tmp_path) == {"on_date": 1.0, "as_mapped": 1.0}


@pytest.mark.parametrize("name", ["hls", "landsat8_zion"])
def test_vegetation_of_real_labels_is_green(name: str, real_data: Path) -> None:
    read = {"hls": read_hls, "landsat8_zion": read_landsat8_zion}[name]
    scenes = read(real_data / name)[:24]
    window = (300, 300, 256, 256) if name == "landsat8_zion" else None
    ndvi_of = {True: [], False: []}  # type: dict[bool, list[Any]]
    for scene in scenes:
        tile = scene.open()
        tile = tile if window is None else tile.spex.window(*window)
        mask, known = labels_on_date(tile, scene.labels(window))["vegetation"]
        ndvi = (tile["nir"] - tile["red"]) / (tile["nir"] + tile["red"])
        for is_it in (True, False):
            ndvi_of[is_it].append(ndvi.values[known & (mask == is_it) & tile.spex.valid.values])
    plants, others = (np.concatenate(ndvi_of[is_it]) for is_it in (True, False))
    assert plants.min() >= 0.399
    assert np.nanmedian(others) < 0.22


def test_hls_keeps_flood_water_out_of_both(real_data: Path) -> None:
    for scene in read_hls(real_data / "hls")[:8]:
        labels = scene.labels()
        recast = labels_on_date(scene.open(), labels)
        water, _ = labels["water"]
        assert not (recast["vegetation"][0] & water).any()
        assert not (recast["bare_soil"][0] & water).any()
        np.testing.assert_array_equal(recast["water"][0], water)
