"""Real scenes of six sensors open with the right bands, reflectance, validity and georeference."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from spex_nb import compute_index, open_scene
from spex_nb.errors import RadiometryWarning

pytestmark = pytest.mark.data
SUN = math.sin(math.radians(59))


def raw_of(path: Path, band: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            return file.read(band).astype("float64")


@pytest.mark.parametrize("chunks", [None, 64])
def test_harmonized_landsat_sentinel(real_data: Path, chunks: int | None) -> None:
    path = real_data / "hls/images/002.tif"
    scene = open_scene(path, sensor="hls", chunks=chunks)
    assert scene.spex.bands == ("coastal", "blue", "green", "red", "nir", "swir16", "swir22")
    assert scene.spex.crs is None
    assert not scene.spex.is_relative
    np.testing.assert_allclose(scene["nir"], raw_of(path, 5) / 10_000, rtol=1e-6)


def test_every_tile_of_hls_opens_without_a_warning(real_data: Path) -> None:
    for path in sorted((real_data / "hls/images").glob("*.tif"))[::10]:
        assert bool(open_scene(path, sensor="hls")["valid"].any())


def test_naip_is_relative_and_its_fourth_band_is_nir(real_data: Path) -> None:
    for path in (
        real_data / "naip_california/images/chico_2020_0.tif",
        real_data / "chesapeake_naip/images/m_3708020_sw_17_1-0.tif",
    ):
        scene = open_scene(path, sensor="naip")
        assert scene.spex.bands == ("red", "green", "blue", "nir")
        assert scene.spex.is_relative
        assert bool(scene["valid"].all())
        np.testing.assert_allclose(scene["nir"], raw_of(path, 4) / 255, rtol=1e-6)


def test_naip_is_recognised_by_its_name(real_data: Path) -> None:
    path = next((real_data / "naip_north_dakota_5m").glob("m_*2009*.tif"))
    scene = open_scene(path)
    assert scene.attrs["sensor"] == "naip"
    assert scene.spex.gsd_m == 5
    np.testing.assert_array_equal(~scene["valid"], np.any([raw_of(path, b) == 0 for b in (1, 2, 3, 4)], axis=0))


def test_landsat8_level_1_with_its_own_scaling(real_data: Path) -> None:
    path = real_data / "landsat8_zion/LC08_L1_zion_20150818.tif"
    scene = open_scene(path, sensor="landsat8", scale=2e-5 / SUN, offset=-0.1 / SUN)
    raw = raw_of(path, 4)
    np.testing.assert_allclose(scene["nir"].values[raw > 0], ((raw * 2e-5 - 0.1) / SUN)[raw > 0], atol=1e-6)
    assert scene.rio.crs.to_epsg() == 32612
    np.testing.assert_array_equal(scene["valid"], np.all([raw_of(path, b) != 0 for b in (1, 2, 3, 4)], axis=0))


def test_landsat8_surface_reflectance_in_ten_thousandths(real_data: Path) -> None:
    for name in ("LC08_003069_20180906_clip.tif", "LC08_232066_20190727.tif"):
        path = real_data / "landsat8_sr" / name
        scene = open_scene(path, sensor="landsat8", scale=1e-4, offset=0)
        assert 0 < float(scene["red"].median()) < 0.3
        raw = raw_of(path, 3)
        np.testing.assert_allclose(scene["red"].values[raw > -9999], raw[raw > -9999] / 10_000, rtol=1e-6)


def test_numbers_in_a_float_file_are_not_taken_for_reflectance(real_data: Path) -> None:
    with pytest.warns(RadiometryWarning, match="Pass scale="):
        scene = open_scene(real_data / "landsat8_sr/LC08_003069_20180906_clip.tif", sensor="landsat8")
    assert scene.spex.is_relative


def test_landsat7_top_of_atmosphere(real_data: Path) -> None:
    path = real_data / "landsat7_cloud_shadow/toa.tif"
    scene = open_scene(path, sensor="landsat7", scale=1e-4)
    np.testing.assert_allclose(scene["swir22"], raw_of(path, 6) / 10_000, rtol=1e-6)
    nir, red = raw_of(path, 4), raw_of(path, 3)
    np.testing.assert_allclose(compute_index(scene, "NDVI"), (nir - red) / (nir + red), atol=1e-5)


def test_a_truncated_real_file(real_data: Path, tmp_path: Path) -> None:
    from spex_nb.errors import UnreadableSourceError

    broken = tmp_path / "broken.tif"
    content = (real_data / "landsat8_zion/LC08_L1_zion_20150818.tif").read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableSourceError, match=r"Fetch the file again|fetched completely"):
        open_scene(broken, sensor="landsat8", chunks=None)
