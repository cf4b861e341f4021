"""Real scenes: tiles change nothing, and what the labels call water is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.extraction.test_extract_scene import quietly

pytestmark = pytest.mark.data


@pytest.mark.slow
def test_a_landsat_scene_in_tiles_is_the_whole_scene(real_data: Path, tmp_path: Path) -> None:
    (path,) = (real_data / "landsat8_sr").glob("LC08_003069*.tif")
    options = {"open_options": {"bands": ["blue", "green", "red", "nir", "swir16", "swir22"], "scale": 1e-4}}
    whole = quietly(path, "water and vegetation larger than 1 ha", tile_px=4096, **options)
    tiled = quietly(path, "water and vegetation larger than 1 ha", tile_px=40, out=tmp_path / "out", **options)
    np.testing.assert_array_equal(tiled.mask, whole.mask)
    np.testing.assert_array_equal(tiled.probability, whole.probability)
    assert tiled.regions.equals(whole.regions)
    assert (tiled.regions["area_m2"] > 1e4).all()


def test_water_is_found_where_it_is_and_cloud_shadow_is_not_taken_for_it(real_data: Path) -> None:
    folder = real_data / "landsat7_cloud_shadow"
    bands = ["blue", "green", "red", "nir", "swir16", "swir22"]
    result = quietly(folder / "toa.tif", "water", open_options={"bands": bands, "scale": 1e-4})
    with rasterio.open(folder / "labels.tif") as file:
        labels = file.read(1)
    found = result.mask.values == 1
    assert found[labels == 1].mean() > 0.5
    assert found[labels == 0].mean() < 0.1
    assert result.notes[-1] == "The scene has no CRS: areas and places are in pixels."
