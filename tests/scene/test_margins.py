"""Which pixels count: margins that no tag marks, what a warp fills in, quality layers beside a scene."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from spex_nb.errors import NodataWarning, SpexWarning
from spex_nb.scene.open import open_scene
from spex_nb.scene.windows.pyramid import Pyramid

NAMES = ("blue", "green", "red", "nir")
SIZE = 128
UTM = Affine(10, 0, 5e5, 0, -10, 5.5e6)
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]
MARGINS = {
    "a wedge at the left": ROWS + 2 * COLUMNS < 90,
    "two columns at the right": COLUMNS >= SIZE - 2,
    "a frame": (np.minimum(ROWS, COLUMNS) < 5) | (np.maximum(ROWS, COLUMNS) >= SIZE - 5),
    "two corners": (ROWS + COLUMNS < 40) | (ROWS + COLUMNS > 2 * SIZE - 40),
    "a seam through the scene": np.abs(ROWS - 60) < 2,
}


def land(dtype: str = "float32") -> Any:
    """Reflectance [4, 128, 128], or ten-thousandths of it: no two bands alike in any pixel."""
    noise = np.random.default_rng(1).uniform(0.9, 1.1, (4, SIZE, SIZE))
    reflectance = np.array([0.03, 0.06, 0.10, 0.30])[:, None, None] * noise
    return (reflectance if dtype == "float32" else np.rint(reflectance * 1e4)).astype(dtype)


def write(path: Path, pixels: Any, transform: Affine = UTM, names: tuple[str, ...] = NAMES, **options: Any) -> Path:
    profile = {"driver": "GTiff", "count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2]}
    profile |= {"dtype": str(pixels.dtype), "crs": "EPSG:32632", "transform": transform}
    with rasterio.open(path, "w", **profile | options) as file:
        file.write(pixels)
        for number, name in enumerate(names, 1):
            file.set_band_description(number, name)
    return path


def opened(source: Any, **options: Any) -> tuple[xr.Dataset, list[str]]:
    """Return a scene, and what was warned of about its data."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpexWarning)
        scene = open_scene(source, **options)
    return scene, [str(one.message) for one in caught if issubclass(one.category, NodataWarning)]


@pytest.mark.slow
@pytest.mark.parametrize("margin", MARGINS.values(), ids=MARGINS)
@pytest.mark.parametrize("chunks", [None, 50], ids=["eager", "lazy"])
@pytest.mark.parametrize(
    ("dtype", "number"),
    [("float32", 0), ("float32", -9999), ("float32", 1), ("uint16", 0), ("uint16", 65535), ("int16", -32768)],
)
def test_a_margin_without_a_tag_is_no_data(
    tmp_path: Path, margin: Any, chunks: int | None, dtype: str, number: float
) -> None:
    pixels = land(dtype)
    pixels[:, margin] = number
    options = {} if dtype == "float32" else {"scale": 1e-4}
    scene, told = opened(write(tmp_path / "margin.tif", pixels), chunks=chunks, **options)
    np.testing.assert_array_equal(scene["valid"].values, ~margin)
    assert len(told) == 1
    assert f"is exactly {number:g} in all bands" in told[0]
    assert scene.attrs["notes"] == told
    seen = Pyramid(scene).read(["red", "nir"], (0, 0, SIZE, SIZE))
    np.testing.assert_array_equal(seen["valid"], ~margin)


def test_arrays_have_margins_too() -> None:
    pixels = land()
    pixels[:, MARGINS["a frame"]] = 0
    for source in (pixels, xr.Dataset({name: (("y", "x"), band) for name, band in zip(NAMES, pixels, strict=True)})):
        scene, told = opened(source, **({"bands": NAMES} if source is pixels else {}))
        np.testing.assert_array_equal(scene["valid"].values, ~MARGINS["a frame"])
        assert len(told) == 1


@pytest.mark.parametrize("nodata", [0, float("nan")], ids=["0", "none"])
def test_the_caller_decides_over_a_margin(tmp_path: Path, nodata: float) -> None:
    pixels = land()
    pixels[:, MARGINS["a frame"]] = 0
    scene, told = opened(write(tmp_path / "margin.tif", pixels), nodata=nodata)
    assert told == []
    np.testing.assert_array_equal(scene["valid"].values, ~MARGINS["a frame"] | np.isnan(nodata))


def test_a_wrong_tag_hides_no_margin(tmp_path: Path) -> None:
    pixels = land()
    pixels[:, MARGINS["two corners"]] = 0
    scene, _ = opened(write(tmp_path / "margin.tif", pixels, nodata=-9999))
    np.testing.assert_array_equal(scene["valid"].values, ~MARGINS["two corners"])


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: pixels.__setitem__((slice(None), slice(50, 60), slice(50, 60)), 0),
        lambda pixels: pixels.__setitem__((slice(None), slice(0, 2), slice(0, 2)), 0),
        lambda pixels: pixels.__setitem__(slice(None), pixels[:1].copy()),
    ],
    ids=["a hole inside", "four pixels of a corner", "a grey picture"],
)
def test_what_is_no_margin_stays_data(tmp_path: Path, change: Any) -> None:
    pixels = land()
    change(pixels)
    scene, told = opened(write(tmp_path / "scene.tif", pixels))
    assert told == []
    assert scene["valid"].all()


SEAMS = {
    "left": (slice(None), slice(0, 2)),
    "right": (slice(None), slice(-3, None)),
    "upper": (slice(0, 1), slice(None)),
    "lower": (slice(-4, None), slice(None)),
}


@pytest.mark.parametrize("chunks", [None, 50], ids=["eager", "lazy"])
@pytest.mark.parametrize("edge", SEAMS)
def test_a_seam_of_zeros_in_one_band_is_warned_of(tmp_path: Path, edge: str, chunks: int | None) -> None:
    pixels = land()
    pixels[(3, *SEAMS[edge])] = 0
    path = write(tmp_path / "seam.tif", pixels)
    scene, told = opened(path, chunks=chunks)
    assert told == scene.attrs["notes"]
    assert len(told) == 1
    assert f"nir: exactly 0 all along the {edge} edge" in told[0]
    settled, told = opened(path, chunks=chunks, nodata=0)
    assert told == []
    np.testing.assert_array_equal(settled["valid"].values, pixels[3] != 0)


@pytest.mark.parametrize(
    ("dtype", "fill"), [("uint16", 65535), ("int16", -999), ("int16", 32767), ("float32", -1)], ids=str
)
def test_a_wide_margin_in_one_band_is_warned_of(tmp_path: Path, dtype: str, fill: float) -> None:
    pixels = land() if dtype == "float32" else land("uint16").astype(dtype)
    pixels[2, :, :40] = fill
    path = write(tmp_path / "margin.tif", pixels)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        open_scene(path)
    assert any(f"red: exactly {fill} all along the left edge" in str(warning.message) for warning in told)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        settled = open_scene(path, nodata=fill)
    assert not any("all along" in str(warning.message) for warning in told)
    np.testing.assert_array_equal(settled["valid"].values, pixels[2] != fill)


def test_a_band_that_is_dark_everywhere_has_no_seam(tmp_path: Path) -> None:
    pixels = land()
    pixels[3, :, :64] = 0
    assert opened(write(tmp_path / "sea.tif", pixels))[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
@pytest.mark.parametrize(
    ("columns", "shift", "missing"),
    [(slice(None, -1), 0, slice(-2, None)), (slice(1, None), 20, slice(0, 2))],
    ids=["at the right", "at the left"],
)
@pytest.mark.parametrize("chunks", [None, 50], ids=["eager", "lazy"])
def test_a_warp_fills_with_no_data(
    tmp_path: Path, dtype: str, columns: slice, shift: int, missing: slice, chunks: int | None
) -> None:
    red = np.full((1, SIZE, SIZE), 90, dtype)
    coarse = np.full((1, SIZE // 2, SIZE // 2), 120, dtype)[:, :, columns]
    paths = [
        write(tmp_path / "T32UQD_B04.tif", red, names=()),
        write(tmp_path / "T32UQD_B08.tif", coarse, Affine(20, 0, 5e5 + shift, 0, -20, 5.5e6), ()),
    ]
    scene, _ = opened(paths, bands=["red", "nir"], scale=1e-3, chunks=chunks)
    assert not scene["valid"].values[:, missing].any()
    assert np.isnan(scene["nir"].values[:, missing]).all()
    inside = scene["nir"].where(scene["valid"]).values
    np.testing.assert_allclose(inside[np.isfinite(inside)], 0.12, atol=1e-6)
    assert int((~scene["valid"]).sum()) == 2 * SIZE


def test_a_quality_layer_that_ends_early_hides_what_it_does_not_cover(tmp_path: Path) -> None:
    scene_path = write(tmp_path / "scene.tif", land())
    layer = np.full((1, SIZE // 2, SIZE // 2 - 1), 4, "uint8")
    path = write(tmp_path / "x_SCL.tif", layer, Affine(20, 0, 5e5, 0, -20, 5.5e6), ())
    scene, _ = opened(scene_path, clouds=path)
    assert not scene["valid"].values[:, -2:].any()
    assert scene["valid"].values[:, :-2].all()
