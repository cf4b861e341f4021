"""open_scene: files of every kind become reflectance with the right bands, values, validity and georeference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from spex_nb import open_scene
from spex_nb.errors import BandError, EmptySceneError, GridError, RadiometryError, RadiometryWarning, SensorError

Writer = Callable[..., Path]
RGBN = ("blue", "green", "red", "nir")


def ramp(count: int, height: int = 6, width: int = 8, dtype: str = "uint16") -> Any:
    return (np.arange(count * height * width).reshape(count, height, width) + 1).astype(dtype)


def test_described_bands_become_reflectance(write_raster: Writer) -> None:
    raw = ramp(4)
    path = write_raster(raw, descriptions=RGBN, scale=1e-4, offset=0.1)
    scene = open_scene(path)
    assert scene.spex.bands == RGBN
    np.testing.assert_allclose(scene["nir"], raw[3] * 1e-4 + 0.1, rtol=1e-6)
    assert scene["red"].dtype == np.float32
    assert scene["red"].dims == ("y", "x")
    assert scene.attrs["radiometry_reason"] == "scale and offset stated in the file"
    assert bool(scene["valid"].all())
    assert scene.rio.crs.to_epsg() == 32632
    assert scene.spex.transform == Affine(10, 0, 500_000, 0, -10, 5_500_000)
    assert scene.spex.gsd_m == 10


def test_sensor_names_undescribed_bands_and_scales_them(write_raster: Writer) -> None:
    raw = ramp(4) + 10_000
    scene = open_scene(write_raster(raw), sensor="planetscope4")
    assert scene.spex.bands == ("blue", "green", "red", "nir")
    np.testing.assert_allclose(scene["red"], raw[2] * 1e-4, rtol=1e-6)
    assert scene.attrs["sensor_reason"] == "given as an argument"
    assert scene["red"].attrs["wavelength_um"] == 0.63


def test_explicit_scale_and_offset_decide_over_file_and_sensor(write_raster: Writer) -> None:
    path = write_raster(ramp(4), descriptions=RGBN, scale=0.5, offset=3.0)
    scene = open_scene(path, sensor="planetscope4", scale=2e-3, offset=0.01)
    np.testing.assert_allclose(scene["blue"], ramp(4)[0] * 2e-3 + 0.01, rtol=1e-6)


def test_scale_may_be_given_by_band(write_raster: Writer) -> None:
    scene = open_scene(write_raster(ramp(2), descriptions=("red", "nir")), scale={"red": 1e-3, "nir": 2e-3})
    np.testing.assert_allclose(scene["nir"], ramp(2)[1] * 2e-3, rtol=1e-6)


def test_names_choose_among_described_bands_and_name_undescribed_ones(write_raster: Writer) -> None:
    raw = ramp(4)
    chosen = open_scene(write_raster(raw, "a.tif", RGBN), bands=["nir", "red"], scale=1e-3)
    assert chosen.spex.bands == ("nir", "red")
    np.testing.assert_allclose(chosen["red"], raw[2] * 1e-3, rtol=1e-6)
    named = open_scene(write_raster(raw, "b.tif"), bands=["nir", "red", "green", "blue"], scale=1e-3)
    np.testing.assert_allclose(named["nir"], raw[0] * 1e-3, rtol=1e-6)
    picked = open_scene(write_raster(raw, "c.tif"), bands={"swir16": 4}, scale=1e-3)
    np.testing.assert_allclose(picked["swir16"], raw[3] * 1e-3, rtol=1e-6)


def test_eight_bit_data_are_relative_and_say_so(write_raster: Writer) -> None:
    scene = open_scene(write_raster(ramp(4, dtype="uint8")), sensor="naip")
    assert scene.spex.is_relative
    assert "relative" in scene.spex.number_note
    assert scene["red"].attrs["long_name"] == "red relative reflectance"
    np.testing.assert_allclose(scene["red"], ramp(4, dtype="uint8")[0] / 255, rtol=1e-6)


def test_a_fourth_band_marked_alpha_is_nir_when_the_sensor_or_its_description_says_so(write_raster: Writer) -> None:
    raw = ramp(4, dtype="uint8")
    raw[3, 0] = 0
    path = write_raster(raw, photometric="RGB", alpha="YES")
    assert open_scene(path, sensor="naip").spex.bands[3] == "nir"
    described = write_raster(raw, "d.tif", ("red", "green", "blue", "nir"), photometric="RGB", alpha="YES")
    assert bool(open_scene(described)["valid"].all())


def test_alpha_makes_pixels_invalid(write_raster: Writer) -> None:
    raw = ramp(4, dtype="uint8")
    raw[3] = 255
    raw[3, 0, :3] = 0
    scene = open_scene(write_raster(raw, photometric="RGB", alpha="YES"))
    assert scene.spex.bands == ("red", "green", "blue")
    assert scene.attrs["sensor"] == "rgb"
    assert int((~scene["valid"]).sum()) == 3
    assert "alpha" in scene.attrs["valid_reason"]


def test_internal_mask_makes_pixels_invalid(write_raster: Writer) -> None:
    mask = np.ones((6, 8), bool)
    mask[2, 5] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write_raster(ramp(2), descriptions=("red", "nir"), mask=mask)
    np.testing.assert_array_equal(open_scene(path, scale=1e-3)["valid"], mask)


@pytest.mark.parametrize("chunks", [None, 3])
def test_nodata_is_nan_and_invalid(write_raster: Writer, chunks: int | None) -> None:
    raw = ramp(2, dtype="int16")
    raw[1, 0, 0] = -9999
    scene = open_scene(write_raster(raw, descriptions=("red", "nir"), nodata=-9999), scale=1e-3, chunks=chunks)
    assert np.isnan(scene["nir"].values[0, 0])
    assert not np.isnan(scene["red"].values[0, 0])
    assert not scene["valid"].values[0, 0]
    assert int(scene["valid"].sum()) == 47


def test_nodata_argument_and_sensor_default(write_raster: Writer) -> None:
    raw = ramp(4)
    raw[:, 0, 0] = 0
    raw[:, 1, 1] = 65535
    path = write_raster(raw)
    assert not open_scene(path, sensor="planetscope4", scale=1e-5)["valid"].values[0, 0]
    given = open_scene(path, sensor="planetscope4", nodata=65535, scale=1e-5)["valid"].values
    assert given[0, 0]
    assert not given[1, 1]


def test_large_integers_keep_their_precision() -> None:
    raw = np.full((1, 2, 2), 2**24 + 1, "int64")
    scene = open_scene(raw, bands=["red"], scale=1e-8)
    assert scene["red"].values[0, 0] == np.float32((2**24 + 1) * 1e-8)


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_lazy_equals_eager(write_raster: Writer, interleave: str) -> None:
    path = write_raster(ramp(4, 70, 50), descriptions=RGBN, scale=1e-5, interleave=interleave)
    lazy, eager = open_scene(path, chunks=16), open_scene(path, chunks=None)
    assert lazy.spex.is_lazy
    assert lazy["red"].data.chunksize == (16, 16)
    assert not eager.spex.is_lazy
    xr.testing.assert_identical(lazy.compute(), eager)


def test_auto_chunks_follow_the_blocks_of_a_large_file(write_raster: Writer) -> None:
    raw = np.ones((2, 3000, 3000), "uint8")
    path = write_raster(
        raw, descriptions=("red", "nir"), tiled=True, blockxsize=512, blockysize=512, compress="deflate"
    )
    scene = open_scene(path)
    assert scene.spex.is_lazy
    assert scene["red"].data.chunksize == (2048, 2048)


def test_a_window_reads_only_what_it_needs(write_raster: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_raster(ramp(2, 64, 64), descriptions=("red", "nir"), scale=1e-5)
    scene = open_scene(path, chunks=16)
    seen: list[tuple[int, int]] = []
    from spex_nb.scene.windows.rasters import Reading

    read = Reading.__call__
    monkeypatch.setattr(Reading, "__call__", lambda self, w: seen.append((w.row_off, w.col_off)) or read(self, w))
    part = scene.spex.window(16, 32, 16, 16)
    np.testing.assert_allclose(part["red"].values, ramp(2, 64, 64)[0, 16:32, 32:48] * 1e-5, rtol=1e-6)
    assert set(seen) == {(16, 32)}
    assert part.spex.transform == Affine(10, 0, 500_320, 0, -10, 5_499_840)


def test_window_outside_the_scene_is_an_error(write_raster: Writer) -> None:
    scene = open_scene(write_raster(ramp(1), descriptions=["red"], scale=1e-3))
    with pytest.raises(GridError, match="inside 6 rows by 8 columns"):
        scene.spex.window(3, 0, 4, 8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_scenes_of_one_pixel_row_or_column(write_raster: Writer, shape: tuple[int, int]) -> None:
    scene = open_scene(write_raster(ramp(2, *shape), descriptions=("red", "nir"), scale=1e-3))
    assert scene.spex.shape == shape
    assert scene.spex.transform == Affine(10, 0, 500_000, 0, -10, 5_500_000)


def test_rotated_and_south_up_grids_are_legal(write_raster: Writer) -> None:
    rotated = Affine.translation(500_000, 5_500_000) @ Affine.rotation(30) @ Affine.scale(10, -10)
    scene = open_scene(write_raster(ramp(1), "r.tif", ["red"], scale=1e-3, transform=rotated))
    assert scene.spex.transform.almost_equals(rotated)
    assert "x" not in scene.coords
    assert scene.spex.gsd_m == pytest.approx(10)
    part = scene.spex.window(1, 2, 3, 3)
    assert part.spex.transform.almost_equals(rotated @ Affine.translation(2, 1))
    south_up = Affine(10, 0, 500_000, 0, 10, 5_400_000)
    scene = open_scene(write_raster(ramp(1), "s.tif", ["red"], scale=1e-3, transform=south_up))
    assert scene.spex.transform == south_up
    assert scene["y"].values[0] < scene["y"].values[-1]


def test_no_georeference_is_legal(write_raster: Writer) -> None:
    scene = open_scene(write_raster(ramp(1), descriptions=["red"], scale=1e-3, crs=None, transform=Affine.identity()))
    assert scene.spex.crs is None
    assert scene.spex.gsd_m is None


def test_gsd_of_a_geographic_scene_is_in_metres(write_raster: Writer) -> None:
    grid = Affine(0.0001, 0, 10, 0, -0.0001, 60)
    scene = open_scene(write_raster(ramp(1), descriptions=["red"], scale=1e-3, crs="EPSG:4326", transform=grid))
    assert scene.spex.gsd_m == pytest.approx(11.12 * np.cos(np.pi / 3) ** 0.5, rel=1e-3)


def test_arrays_datasets_netcdf_and_zarr(write_raster: Writer, tmp_path: Path) -> None:
    raw = ramp(4)
    scene = open_scene(write_raster(raw, descriptions=RGBN, scale=1e-4), chunks=None)
    from_array = open_scene(raw, sensor="planetscope4", scale=1e-4)
    np.testing.assert_array_equal(from_array["nir"], scene["nir"])
    assert from_array.spex.crs is None
    stack = xr.DataArray(raw, dims=("band", "y", "x"), coords={"band": list(RGBN)})
    np.testing.assert_array_equal(open_scene(stack, scale=1e-4)["red"], scene["red"])
    for target, write in (("scene.nc", scene.to_netcdf), ("scene.zarr", scene.to_zarr)):
        if target.endswith("nc"):
            write(tmp_path / target, engine="h5netcdf")
        else:
            write(tmp_path / target, zarr_format=2)
        back = open_scene(tmp_path / target)
        assert back.rio.crs == scene.rio.crs
        assert back.spex.transform == scene.spex.transform
        np.testing.assert_array_equal(back["green"].values, scene["green"].values)


def test_a_lazy_array_stays_lazy() -> None:
    import dask.array as da

    raw = da.from_array(ramp(2, 20, 20), chunks=(2, 10, 10))
    scene = open_scene(xr.DataArray(raw, dims=("band", "y", "x")), bands=["red", "nir"], scale=1e-4)
    assert scene.spex.is_lazy
    np.testing.assert_allclose(scene["nir"].values, ramp(2, 20, 20)[1] * 1e-4, rtol=1e-6)


def test_single_band_files_are_named_by_description_or_file_name(write_raster: Writer) -> None:
    raw = ramp(2)
    files = [write_raster(raw[:1], "x_red.tif"), write_raster(raw[1:], "y.tif", ["nir"])]
    scene = open_scene(files, scale=1e-3)
    assert scene.spex.bands == ("red", "nir")
    s2 = [write_raster(raw[:1], "T32UQD_B04_10m.tif"), write_raster(raw[1:], "T32UQD_B8A_20m.tif")]
    assert open_scene(s2, sensor="sentinel2_l2a", scale=1e-3).spex.bands == ("red", "nir08")


def test_mixed_resolutions_are_brought_to_the_finest_grid(write_raster: Writer) -> None:
    fine = write_raster(ramp(1, 8, 8), "red.tif")
    coarse = write_raster(
        np.full((1, 4, 4), 700, "uint16"), "swir16.tif", transform=Affine(20, 0, 500_000, 0, -20, 5_500_000)
    )
    for chunks in (None, 4):
        scene = open_scene([fine, coarse], scale=1e-3, chunks=chunks)
        assert scene.spex.shape == (8, 8)
        np.testing.assert_allclose(scene["swir16"], 0.7, rtol=1e-6)


def test_implausible_values_warn_and_name_the_argument(write_raster: Writer) -> None:
    raw = np.full((1, 4, 4), 3000, "float32")
    with pytest.warns(RadiometryWarning, match=r"median is 3000.*Pass scale="):
        scene = open_scene(write_raster(raw, "f.tif", ["red"]))
    assert scene.spex.is_relative
    with pytest.warns(RadiometryWarning, match=r"below 0.001.*applied twice"):
        open_scene(write_raster(ramp(1), "g.tif", ["red"]), scale=1e-8)
    with pytest.warns(RadiometryWarning, match=r"8-bit data called reflectance.*Pass scale="):
        scene = open_scene(write_raster(ramp(4, dtype="uint8"), "h.tif", RGBN), sensor="sentinel2_l2a")
    assert scene.spex.is_relative
    with pytest.warns(RadiometryWarning, match=r"No scale is known.*for int16 pixels.*sensor= or scale="):
        scene = open_scene(write_raster(ramp(1, dtype="int16"), "i.tif", ["red"]))
    assert scene.spex.is_relative


@pytest.mark.parametrize(
    ("brightest", "says", "scale"),
    [(200, "8-bit", 1 / 255), (1500, "11-bit", 1 / 2047), (4095, "12-bit", 1 / 4095), (4096, r"raw \* 0.0001", 1e-4)],
)
def test_numbers_of_a_camera_are_brought_to_one_and_ten_thousandths_stay(
    write_raster: Writer, brightest: int, says: str, scale: float
) -> None:
    raw = np.linspace(1, brightest, 64).reshape(4, 4, 4).astype("uint16")
    path = write_raster(raw, "counts.tif", RGBN)
    for chunks in (None, 4):
        with pytest.warns(RadiometryWarning, match=rf"{says}.*uint16.*relative reflectance.*sensor= or scale="):
            scene = open_scene(path, chunks=chunks)
        np.testing.assert_allclose(scene[RGBN[3]], raw[3] * scale, rtol=1e-6)
        assert scene.attrs["scale"] == pytest.approx(scale)
        assert scene.spex.is_relative


def test_dark_numbers_of_signed_integers_stay_ten_thousandths(write_raster: Writer) -> None:
    raw = np.linspace(1, 1500, 64).reshape(4, 4, 4).astype("int16")
    with pytest.warns(RadiometryWarning, match=r"raw \* 0.0001.*int16.*each is guessed by itself"):
        scene = open_scene(write_raster(raw, "reflectance.tif", RGBN))
    np.testing.assert_allclose(scene[RGBN[3]], raw[3] * 1e-4, rtol=1e-6)


def test_a_guess_is_left_alone_where_an_offset_or_another_band_speaks_for_reflectance(write_raster: Writer) -> None:
    raw = np.linspace(1, 1500, 64).reshape(4, 4, 4).astype("uint16")
    with pytest.warns(RadiometryWarning, match=r"raw \* 0.0001"):
        scene = open_scene(write_raster(raw, "offset.tif", RGBN), offset=-0.01)
    np.testing.assert_allclose(scene[RGBN[0]], raw[0] * 1e-4 - 0.01, rtol=1e-5)
    assert open_scene(write_raster(raw, "said.tif", RGBN), scale=1e-4).attrs["radiometry"] == "reflectance"


def test_bands_that_cannot_be_told_apart(write_raster: Writer) -> None:
    path = write_raster(ramp(5))
    with pytest.raises(BandError, match=r"Pass sensor='…' .*bands=\['blue'"):
        open_scene(path)
    with pytest.raises(SensorError, match=r"5 bands.*Expected: 4 bands \(red, green, blue, nir\)"):
        open_scene(path, sensor="naip")


def test_bad_band_arguments(write_raster: Writer) -> None:
    path = write_raster(ramp(4), descriptions=RGBN)
    with pytest.raises(BandError, match="Did you mean"):
        open_scene(path, bands=["redd", "nir"])
    with pytest.raises(BandError, match="some of blue, green, red, nir"):
        open_scene(path, bands=["swir16"])
    with pytest.raises(BandError, match="number from 1 to 4"):
        open_scene(path, bands={"red": 9})
    with pytest.raises(BandError, match="at least one"):
        open_scene(path, bands={})
    with pytest.raises(BandError, match="each common name once"):
        open_scene(write_raster(ramp(2), "two.tif", ("red", "red")))
    with pytest.raises(SensorError, match=r"does not have.*coastal"):
        open_scene(write_raster(ramp(1), "c.tif", ["coastal"]), sensor="naip")


def test_unknown_sensor_offers_the_nearest(write_raster: Writer) -> None:
    with pytest.raises(SensorError, match="landsat"):
        open_scene(write_raster(ramp(1)), sensor="landsat88")


def test_bad_scale_and_offset(write_raster: Writer) -> None:
    path = write_raster(ramp(1), descriptions=["red"])
    with pytest.raises(RadiometryError, match="finite number other than 0"):
        open_scene(path, scale=0)
    with pytest.raises(RadiometryError, match="offset of red"):
        open_scene(path, offset=float("nan"))


@pytest.mark.parametrize("chunks", [None, 4])
def test_all_nodata_is_an_error(write_raster: Writer, chunks: int | None) -> None:
    path = write_raster(np.zeros((1, 8, 8), "uint16"), descriptions=["red"], nodata=0)
    with pytest.raises(EmptySceneError, match="Check nodata="):
        open_scene(path, scale=1e-3, chunks=chunks)


def test_different_grids_and_crs_in_one_list(write_raster: Writer) -> None:
    red = write_raster(ramp(1), "red.tif")
    moved = Affine(10, 0, 600_000, 0, -10, 5_500_000)
    with pytest.raises(GridError, match=r"cover different ground.*rio clip"):
        open_scene([red, write_raster(ramp(1), "nir.tif", transform=moved)], scale=1e-3)
    with pytest.raises(GridError, match=r"different CRS.*Reproject"):
        open_scene([red, write_raster(ramp(1), "green.tif", crs="EPSG:32633")], scale=1e-3)
    loose = {"crs": None, "transform": Affine.identity()}
    pair = [write_raster(ramp(1), "blue.tif", **loose), write_raster(ramp(1, 3, 4), "red.tif", **loose)]
    with pytest.raises(GridError, match=r"no CRS.*Resample"):
        open_scene(pair, scale=1e-3)


def test_clouds_leave_valid_but_keep_their_values(write_raster: Writer) -> None:
    quality = np.full((1, 6, 8), 64, "uint16")
    quality[0, 0, 0] = 8  # cloud
    layer = write_raster(quality, "LC08_QA_PIXEL.TIF")
    path = write_raster(ramp(1), descriptions=["red"])
    scene = open_scene(path, scale=1e-3, clouds=layer)
    assert not scene["valid"].values[0, 0]
    assert np.isfinite(scene["red"].values[0, 0])
    assert int(scene["valid"].sum()) == 47
    with pytest.raises(RadiometryError, match="no quality layer"):
        open_scene(path, scale=1e-3, clouds=True)


def test_attrs_survive_a_file(write_raster: Writer) -> None:
    scene = open_scene(write_raster(ramp(1), descriptions=["red"], scale=1e-3))
    assert all(isinstance(value, str | int | float) for value in scene.attrs.values())


@pytest.mark.parametrize("sensor", [None, "landsat8"])
@pytest.mark.parametrize("door", ["file", "dataset"])
def test_the_scale_of_landsat_level_2_goes_with_its_offset(write_raster: Writer, sensor: str | None, door: str) -> None:
    raw = ramp(4) * 20 + 8000
    if door == "file":
        source: Any = write_raster(raw, descriptions=RGBN, scale=2.75e-5)
    else:
        planes = {
            name: (("y", "x"), numbers, {"scale_factor": 2.75e-5}) for name, numbers in zip(RGBN, raw, strict=True)
        }
        source = xr.Dataset(planes)
    with pytest.warns(RadiometryWarning, match="offset -0.2 is not stated"):
        scene = open_scene(source, sensor=sensor)
    np.testing.assert_allclose(scene["red"].values, raw[2] * 2.75e-5 - 0.2, atol=1e-6)
    kept = open_scene(source, sensor=sensor, scale=2.75e-5, offset=0)
    np.testing.assert_allclose(kept["red"].values, raw[2] * 2.75e-5, atol=1e-6)


@pytest.mark.parametrize("stated", [0, float("nan"), "abc", [1e-4, 1e-4]], ids=str)
def test_a_stated_scale_that_makes_no_sense_is_refused_until_one_is_given(stated: Any) -> None:
    planes = {
        name: (("y", "x"), numbers, {"scale_factor": stated}) for name, numbers in zip(RGBN, ramp(4), strict=True)
    }
    with pytest.raises(RadiometryError, match="the source states makes no sense"):
        open_scene(xr.Dataset(planes))
    scene = open_scene(xr.Dataset(planes), scale=1e-3)
    np.testing.assert_allclose(scene["red"].values, ramp(4)[2] * 1e-3, rtol=1e-6)


def test_a_scale_of_zero_in_a_file_is_refused(write_raster: Writer) -> None:
    path = write_raster(ramp(4), descriptions=RGBN, scale=0)
    with pytest.raises(RadiometryError, match="the source states makes no sense"):
        open_scene(path)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"scale": [1e-4] * 4}, RadiometryError),
        ({"offset": "0"}, RadiometryError),
        ({"bands": [3, 4]}, BandError),
        ({"gsd_m": "10"}, GridError),
    ],
    ids=str,
)
def test_an_argument_of_another_type_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    planes = {name: (("y", "x"), numbers / 1000) for name, numbers in zip(RGBN, ramp(4), strict=True)}
    with pytest.raises(error):
        open_scene(xr.Dataset(planes), **options)
