"""Which band is which: names decide over counts, contradictions show both, and odd layers are left out by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.enums import ColorInterp

from spex_nb import open_scene
from spex_nb.errors import BandError, BandWarning, SensorError

Writer = Callable[..., Path]
S2_IDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")


def stack(count: int, dtype: str = "uint16") -> Any:
    """Return [C, 4, 4] where band i is 1000 * i everywhere."""
    return np.stack([np.full((4, 4), 1000 * (i + 1)) for i in range(count)]).astype(dtype)


def values_of(scene: xr.Dataset) -> dict[str, int]:
    """Return of each band the number of its band in the file."""
    return {name: round(float(scene[name].values[0, 0]) * 10) for name in scene.spex.bands}


@pytest.mark.parametrize(
    ("labels", "sensor", "expected"),
    [
        # twelve layers, as many as the sensor has, of which two are no bands
        ([*S2_IDS, "AOT", "SCL"], "sentinel2_l2a", {"blue": 1, "red": 3, "nir": 7, "nir08": 8, "swir22": 10}),
        ([*S2_IDS, "clouds", "QA60"], "sentinel2_l2a", {"blue": 1, "red": 3, "nir": 7, "swir22": 10}),
        (["SCL", *S2_IDS, "WVP"], "sentinel2_l2a", {"blue": 2, "red": 4, "nir": 8, "swir22": 11}),
        # eight layers, as many as Landsat 8 has
        (
            ["SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7", "ST_B10", "QA_PIXEL"],
            "landsat8",
            {"red": 3, "nir": 4},
        ),
        (["B1", "B2", "B3", "B4", "B5", "B6", "B10", "B11"], "landsat8", {"coastal": 1, "red": 4, "nir": 5}),
        (["red", "nir08", "swir16", "lwir11", "blue", "green", "swir22", "coastal"], "landsat9", {"red": 1, "nir": 2}),
        # six layers, as many as TM has
        (["SR_B1", "SR_B2", "SR_B3", "SR_B4", "ST_B6", "QA_PIXEL"], "landsat5", {"blue": 1, "red": 3, "nir": 4}),
        # four layers, as many as NAIP has
        (["red", "nir", "NDVI", "mask"], "naip", {"red": 1, "nir": 2}),
        (["N", "R", "G", "B"], "naip", {"nir": 1, "red": 2, "green": 3, "blue": 4}),
        (["blue", "green", "red", "udm2"], "planetscope4", {"blue": 1, "green": 2, "red": 3}),
    ],
)
def test_names_decide_over_a_count_that_fits(
    write_raster: Writer, labels: Sequence[str], sensor: str, expected: dict[str, int]
) -> None:
    path = write_raster(stack(len(labels)), descriptions=labels)
    scene = open_scene(path, sensor=sensor, scale=1e-4, offset=0)
    seen = values_of(scene)
    assert {name: seen.get(name) for name in expected} == expected
    assert scene.attrs["bands_reason"] == "named by the source"
    assert len(seen) < len(labels) or "left_out" not in scene.attrs


def test_layers_without_reflectance_never_shift_bands_without_names(write_raster: Writer) -> None:
    path = write_raster(stack(5), descriptions=["", "", "SCL", "", ""])
    scene = open_scene(path, sensor="planetscope4")
    assert values_of(scene) == {"blue": 1, "green": 2, "red": 4, "nir": 5}
    assert "SCL: scene classes" in scene.attrs["left_out"]


def test_what_nothing_names_is_left_out_with_a_warning(write_raster: Writer) -> None:
    path = write_raster(stack(4), descriptions=["red", "nir", "layer of mine", ""])
    with pytest.warns(BandWarning, match=r"layer of mine, band 4.*Pass bands="):
        scene = open_scene(path, scale=1e-4)
    assert values_of(scene) == {"red": 1, "nir": 2}
    assert "layer of mine" in scene.attrs["left_out"]
    assert open_scene(path, scale=1e-4, bands=["red"]).spex.bands == ("red",)
    assert values_of(open_scene(path, scale=1e-4, bands={"red": 1, "swir16": 3})) == {"red": 1, "swir16": 3}


def test_a_list_names_only_what_has_no_name(write_raster: Writer) -> None:
    half = write_raster(stack(4), "half.tif", ["red", "", "", "nir"])
    named = open_scene(half, scale=1e-4, bands=["red", "green", "blue", "nir"])
    assert values_of(named) == {"red": 1, "green": 2, "blue": 3, "nir": 4}
    with pytest.raises(BandError, match=r"green, blue asked of.*some of red, nir"):
        open_scene(half, scale=1e-4, bands=["nir", "green", "blue", "red"])
    numbered = write_raster(stack(4), "numbered.tif", [f"Band {n}" for n in range(1, 5)])
    assert values_of(open_scene(numbered, scale=1e-4, bands=["nir", "red", "green", "blue"]))["nir"] == 1


@pytest.mark.parametrize("bands", [["red", "green", "blue", "swir16"], ["swir16"], ["nir", "swir22"]])
def test_a_list_never_renames(write_raster: Writer, bands: list[str]) -> None:
    path = write_raster(stack(4), descriptions=["blue", "green", "red", "nir"])
    with pytest.raises(BandError, match=r"swir(16|22) asked of.*some of blue, green, red, nir"):
        open_scene(path, scale=1e-4, bands=bands)


@pytest.mark.parametrize(
    ("labels", "sensor", "number"),
    [
        (["blue", "red"], None, {"red": 1}),
        (["B2", "SCL"], "sentinel2_l2a", {"red": 2}),
        (["red", "ST"], None, {"nir": 2}),
    ],
)
def test_a_number_that_contradicts_a_name_shows_both(
    write_raster: Writer, labels: list[str], sensor: str | None, number: dict[str, int]
) -> None:
    path = write_raster(stack(2), descriptions=labels)
    with pytest.raises(BandError, match=r"contradicts the name of the band.*(blue|SCL|ST).*Choose by name"):
        open_scene(path, sensor=sensor, scale=1e-4, bands=number)


def test_a_number_may_name_within_one_part_of_the_spectrum(write_raster: Writer) -> None:
    path = write_raster(stack(2), descriptions=["B4", "B8A"])
    scene = open_scene(path, sensor="sentinel2_l2a", bands={"red": 1, "nir": 2})
    assert values_of(scene) == {"red": 1, "nir": 2}


@pytest.mark.parametrize(
    ("name", "sensor"),
    [
        ("LT05_L2SP_047027_19850524_20210918_02_T1_stack.tif", "landsat8"),
        ("HLS.L30.T32UQD.2024001T101010.v2.0.tif", "hls"),
        ("HLS.L30.T32UQD.2024001T101010.v2.0.tif", "landsat8"),
        ("m_3708020_sw_17_1_20140801.tif", "planetscope4"),
        ("LM05_L1TP_047027_19850524_20210918_02_T2_stack.tif", "landsat5"),
    ],
)
def test_a_sensor_that_contradicts_the_product_shows_both(write_raster: Writer, name: str, sensor: str) -> None:
    path = write_raster(stack(4), name)
    with pytest.raises(SensorError, match=rf"contradicts the product.*sensor='{sensor}'.*Leave sensor= out"):
        open_scene(path, sensor=sensor, scale=1e-4)


def test_a_related_sensor_or_a_table_of_your_own_contradicts_nothing(write_raster: Writer) -> None:
    name = "S2B_MSIL1C_20240101T101010_N0301_R022_T32UQD_20240101T120000.tif"
    path = write_raster(stack(2), name, ["B4", "B8"])
    assert values_of(open_scene(path, sensor="sentinel2_l2a")) == {"red": 1, "nir": 2}
    own = {"id": "own", "bands": [{"name": "red", "id": "B4", "wavelength_um": 0.65, "width_um": 0.02}]}
    with pytest.warns(BandWarning, match="B8"):
        assert open_scene(path, sensor=own).spex.bands == ("red",)


@pytest.mark.parametrize(
    ("labels", "sensor"),
    [
        (["red", "nir", "red", "nir"], None),
        (["B4", "B8", "B4_1", "B8_1"], "sentinel2_l2a"),
        (["20200101_B4", "20200101_B8", "20200601_B4", "20200601_B8", "20200901_B4", "20200901_B8"], "sentinel2_l2a"),
        (["0_SR_B4", "0_SR_B5", "1_SR_B4", "1_SR_B5"], "landsat8"),
    ],
)
def test_dates_stacked_in_one_file_are_refused_with_the_way_out(
    write_raster: Writer, labels: list[str], sensor: str | None
) -> None:
    path = write_raster(stack(len(labels)), descriptions=labels)
    dates = len(labels) // 2
    with pytest.raises(BandError, match=rf"{dates} dates in one file.*Pass the numbers of one date.*rio stack"):
        open_scene(path, sensor=sensor, scale=1e-4)
    scene = open_scene(path, sensor=sensor, scale=1e-4, offset=0, bands={"red": 3, "nir": 4})
    assert values_of(scene) == {"red": 3, "nir": 4}


def test_two_dates_without_names_are_recognised_by_the_sensor(write_raster: Writer) -> None:
    with pytest.raises(SensorError, match=r"2 dates of 4 bands.*numbers of one date"):
        open_scene(write_raster(stack(8)), sensor="planetscope4")


def test_labels_that_nobody_knows_do_not_take_the_order_of_the_sensor(write_raster: Writer) -> None:
    path = write_raster(stack(4), descriptions=["alpha one", "beta two", "gamma three", "delta four"])
    with pytest.raises(SensorError, match=r"alpha one, beta two.*Pass bands="):
        open_scene(path, sensor="planetscope4")
    series = write_raster(stack(4), "series.tif", [f"stack.{n}" for n in range(1, 5)])
    assert values_of(open_scene(series, sensor="planetscope4"))["nir"] == 4


@pytest.mark.parametrize(
    ("unit", "waves"),
    [("Nanometers", (480, 560, 665, 842)), ("Micrometers", (0.48, 0.56, 0.665, 0.842)), ("", (480, 560, 665, 842))],
)
def test_wavelengths_of_an_envi_header_name_bands(tmp_path: Path, unit: str, waves: Sequence[float]) -> None:
    path = tmp_path / "scene.dat"
    profile = {"driver": "ENVI", "count": 4, "height": 4, "width": 4, "dtype": "uint16"}
    with rasterio.open(path, "w", **profile, transform=rasterio.Affine(10, 0, 0, 0, -10, 0), crs="EPSG:32632") as file:
        file.write(stack(4))
    header = path.with_suffix(".hdr")
    lines = [line for line in header.read_text().splitlines() if not line.startswith("band names")]
    text = "\n".join(lines).partition("band names")[0]
    text += f"\nwavelength = {{{', '.join(map(str, waves))}}}\n"
    header.write_text(text + (f"wavelength units = {unit}\n" if unit else ""))
    scene = open_scene(path, scale=1e-4)
    assert values_of(scene) == {"blue": 1, "green": 2, "red": 3, "nir": 4}
    assert "0.665 µm" in scene["red"].attrs["name_reason"]


def test_a_granule_of_hls_opens_as_a_list_and_as_a_folder(write_raster: Writer) -> None:
    stem = "HLS.S30.T32UQD.2024001T101010.v2.0"
    numbers = {"B02": 1, "B03": 2, "B04": 3, "B08": 4, "B8A": 5, "B11": 6, "B12": 7}
    files = [
        write_raster(np.full((1, 4, 4), 1000 * n, "int16"), f"hls/{stem}.{band}.tif") for band, n in numbers.items()
    ]
    files.append(write_raster(np.full((1, 4, 4), 15_000, "int16"), f"hls/{stem}.SZA.tif"))
    quality = np.full((1, 4, 4), 64, "uint8")
    quality[0, 0, 0] = 2
    files.append(write_raster(quality, f"hls/{stem}.Fmask.tif", nodata=255))
    for source in (files, files[0].parent):
        scene = open_scene(source, clouds=True)
        assert values_of(scene) == {"blue": 1, "green": 2, "red": 3, "nir": 5, "swir16": 6, "swir22": 7}
        assert "broad near infrared" in scene.attrs["left_out"]
        assert "SZA.tif: angle" in scene.attrs["left_out"]
        assert int((~scene["valid"]).sum()) == 1


def test_a_granule_of_landsat_hls_leaves_thermal_bands_out(write_raster: Writer) -> None:
    stem = "HLS.L30.T32UQD.2024001T101010.v2.0"
    numbers = {"B04": 3, "B05": 4, "B09": 1, "B10": 29, "B11": 28}
    files = [write_raster(np.full((1, 4, 4), 1000 * n, "int16"), f"{stem}.{band}.tif") for band, n in numbers.items()]
    scene = open_scene(files)
    assert values_of(scene) == {"red": 3, "nir": 4, "cirrus": 1}
    assert "B10.tif: thermal" in scene.attrs["left_out"]


def test_files_of_no_band_alone_are_refused(write_raster: Writer) -> None:
    files = [write_raster(np.ones((1, 4, 4), "uint8"), name) for name in ("x_SCL_20m.tif", "x_AOT_20m.tif")]
    with pytest.raises(BandError, match=r"None of the files is a band.*x_SCL_20m.tif: scene classes"):
        open_scene(files)


def test_each_band_says_where_its_name_comes_from(write_raster: Writer) -> None:
    described = open_scene(write_raster(stack(2), "a.tif", ["red", "nir"]), scale=1e-4)
    assert described["red"].attrs["name_reason"] == "band description 'red'"
    ordered = open_scene(write_raster(stack(4), "b.tif"), sensor="naip", scale=1e-4)
    assert ordered["red"].attrs["name_reason"] == "file order of sensor naip"
    files = [write_raster(stack(1), "x_red.tif"), write_raster(stack(1), "x_nir.tif")]
    assert open_scene(files, scale=1e-4)["nir"].attrs["name_reason"] == "file name 'nir'"


def test_cirrus_in_a_file_called_level_2_is_asked_about(write_raster: Writer) -> None:
    ids = [f"B{n}" for n in range(1, 9)] + ["B8A", "B9", "B10", "B11", "B12"]
    path = write_raster(np.full((13, 4, 4), 1000, "uint16"), descriptions=ids)
    with pytest.warns(BandWarning, match=r"B10: cirrus, which only level 1C has: is this sensor='sentinel2_l1c'\?"):
        assert "cirrus" not in open_scene(path, sensor="sentinel2_l2a").spex.bands
    assert "cirrus" in open_scene(path, sensor="sentinel2_l1c").spex.bands


@pytest.mark.parametrize(
    ("colors", "dtype", "is_refused"),
    [
        (("red", "green", "blue", "undefined"), "uint16", True),
        (("blue", "green", "red", "undefined"), "uint16", False),
        (("red", "green", "blue", "undefined"), "uint8", False),
        (("gray", "undefined", "undefined", "undefined"), "uint16", False),
    ],
    ids=str,
)
def test_colours_of_a_file_that_contradict_the_order_of_the_sensor_are_refused(
    write_raster: Writer, colors: tuple[str, ...], dtype: str, is_refused: bool
) -> None:
    path = write_raster(np.arange(1, 145, dtype=dtype).reshape(4, 6, 6))
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp[color] for color in colors]
    if is_refused:
        with pytest.raises(SensorError, match=r"contradicts sensor planetscope4.*of the colour red"):
            open_scene(path, sensor="planetscope4", scale=1e-3)
        names = ["red", "green", "blue", "nir"]
        assert open_scene(path, sensor="planetscope4", bands=names, scale=1e-3).spex.bands == tuple(names)
    else:
        assert open_scene(path, sensor="planetscope4", scale=1e-3).spex.bands == ("blue", "green", "red", "nir")
