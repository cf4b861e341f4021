"""What labels mean: the names of common exports, with the sensor and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from affine import Affine

from spex_nb.scene import get_sensor
from spex_nb.scene.band_labels import by_letters, identify_all, understand, wavelength_of_label
from spex_nb.scene.band_source import BandSource
from spex_nb.scene.grid import Grid
from spex_nb.scene.sources.names import label_of_file, sensor_of_name

BLANK = BandSource("", "uint16", Grid(2, 2, Affine.identity(), None))


def bands(labels: Sequence[str], wavelengths: Sequence[float | None] = ()) -> list[BandSource]:
    waves = list(wavelengths) or [None] * len(labels)
    return [replace(BLANK, label=label, wavelength_um=wave) for label, wave in zip(labels, waves, strict=True)]


@pytest.mark.parametrize(
    ("label", "sensor", "name"),
    [
        ("B2", "sentinel2_l2a", "blue"),
        ("b08a", "sentinel2_l2a", "nir08"),
        ("B8A_median", "sentinel2_l2a", "nir08"),
        ("20200101T101010_20200101T101010_T32UQD_B11", "sentinel2_l2a", "swir16"),
        ("B4, central wavelength 665 nm", "sentinel2_l2a", "red"),
        ("nbart_swir_2", "sentinel2_l2a", "swir16"),
        ("nbart_swir_2", "landsat8", "swir22"),
        ("nbart_swir_2", None, None),
        ("SR_B4", "landsat8", "red"),
        ("SR_B4", "landsat5", "nir"),
        ("sr_band4", "landsat5", "nir"),
        ("OLI_B5", "landsat8", "nir"),
        ("nir08", "landsat9", "nir"),
        ("nir08", "sentinel2_l2a", "nir08"),
        ("SR_B4", None, None),
        ("B3", "naip", "blue"),
        ("red_665", None, "red"),
        ("Band 4 (Red)", "landsat8", "red"),
        ("surface reflectance red", None, "red"),
        ("SWIR 3", None, None),
    ],
)
def test_names_of_bands(label: str, sensor: str | None, name: str | None) -> None:
    meaning = understand(label, get_sensor(sensor) if sensor else None)
    assert (meaning.name, meaning.layer) == (name, "")


@pytest.mark.parametrize(
    ("label", "sensor", "layer"),
    [
        ("SCL", None, "scene classes"),
        ("AOT", None, "aerosol"),
        ("SR_QA_AEROSOL", "landsat8", "quality"),
        ("QA60", None, "quality"),
        ("MSK_CLDPRB", None, "mask"),
        ("ST_B10", "landsat8", "thermal"),
        ("B10", "landsat8", "thermal"),
        ("B6_VCID_1", "landsat7", "thermal"),
        ("B8", "landsat7", "panchromatic"),
        ("pan", "landsat8", "panchromatic"),
        ("lwir11", None, "thermal"),
        ("viewZenithMean", None, "angle"),
        ("sunAzimuthAngles", None, "angle"),
        ("dataMask", None, "mask"),
        ("B4_stdDev", "sentinel2_l2a", "statistics"),
        ("red_count", None, "statistics"),
        ("NDVI", None, "index"),
        ("elevation", None, "terrain"),
        ("landcover", None, "classes"),
        ("cs_cdf", None, "cloud"),
        ("oa_fmask", None, "cloud classes"),
    ],
)
def test_layers_that_are_no_reflectance(label: str, sensor: str | None, layer: str) -> None:
    meaning = understand(label, get_sensor(sensor) if sensor else None)
    assert (meaning.name, meaning.layer) == (None, layer)


def test_the_aerosol_band_is_a_band() -> None:
    assert understand("Coastal aerosol").name == "coastal"
    assert understand("B1", get_sensor("landsat8")).name == "coastal"


def test_a_label_that_names_two_bands_is_a_conflict() -> None:
    assert understand("B4 (NIR)", get_sensor("sentinel2_l2a")).conflict == ("red", "nir")
    assert understand("B4 (NIR)", get_sensor("landsat5")).name == "nir"


def test_single_letters_count_only_together() -> None:
    assert by_letters(["R", "G", "B", "N"]) == ["red", "green", "blue", "nir"]
    assert by_letters(["R", "G", "x"]) is None
    assert by_letters(["B"]) is None
    assert [i.name for i in identify_all(bands(["N", "R", "G"]), None)] == ["nir", "red", "green"]


def test_numbers_that_only_count_name_nothing() -> None:
    sensor = get_sensor("sentinel2_l2a")
    assert [i.name for i in identify_all(bands([f"Band {n}" for n in range(1, 5)]), sensor)] == [None] * 4
    names = [i.name for i in identify_all(bands([f"Band {n}" for n in (4, 3, 2, 8)]), sensor)]
    assert names == ["red", "green", "blue", "nir"]


def test_wavelengths_name_bands_and_the_closest_of_a_spectrometer() -> None:
    labels = [""] * 6
    named = identify_all(bands(labels, [0.444, 0.475, 0.560, 0.668, 0.717, 0.842]), None)
    assert [i.name for i in named] == ["coastal", "blue", "green", "red", "rededge", "nir"]
    spectrometer = identify_all(bands([""] * 5, [0.655, 0.661, 0.667, 0.673, 1.0]), None)
    assert [i.name for i in spectrometer] == [None, "red", None, None, None]
    assert "beside the named bands" in spectrometer[0].layer
    assert [i.name for i in identify_all(bands(["", ""], [0.66, 0.865]), None)] == ["red", "nir"]


def test_a_wavelength_that_contradicts_a_label() -> None:
    (identity,) = identify_all(bands(["red"], [0.84]), None)
    assert identity.conflict == ("red", "nir")


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("T32UQD_20200101T101010_B04_10m.jp2", "B04"),
        ("LC08_L2SP_047027_20201204_20210313_02_T1_SR_B5.TIF", "SR_B5"),
        ("LC08_L2SP_047027_20201204_20210313_02_T1_ST_B10.TIF", "ST_B10"),
        ("LC08_L2SP_047027_20201204_20210313_02_T1_QA_PIXEL.TIF", "QA_PIXEL"),
        ("LC08_L1TP_047027_20160101_20170101_01_T1_sr_band4.tif", "sr_band4"),
        ("HLS.S30.T32UQD.2024001T101010.v2.0.B8A.tif", "B8A"),
        ("HLS.S30.T32UQD.2024001T101010.v2.0.Fmask.tif", "Fmask"),
        ("site_red_clip.tif", "red"),
        ("ga_s2am_nbart_swir_2.tif", "nbart_swir_2"),
        ("ga_s2am_nbart_red_edge_1.tif", "nbart_red_edge_1"),
        ("camera_red_edge_1.tif", "red_edge_1"),
    ],
)
def test_labels_in_file_names(file: str, label: str) -> None:
    assert label_of_file(f"/data/x_red/{file}") == label


@pytest.mark.parametrize(
    ("location", "sensor"),
    [
        ("/d/S2B_MSIL1C_20240101T101010_N0510_R022_T32UQD_20240101T120000.SAFE/GRANULE/a_B04.jp2", "sentinel2_l1c"),
        ("/d/LM05_L1TP_047027_19850524_20210918_02_T2_B1.TIF", "landsat5_mss"),
        ("/d/LT05_L2SP_047027_19850524_20210918_02_T1_SR_B1.TIF", "landsat5"),
        ("/d/LT50470271985144PAC03_B1.TIF", "landsat5"),
        ("/d/LM50470271985144AAA03_B1.TIF", "landsat5_mss"),
        ("/d/20200615_101112_1003_3B_AnalyticMS_SR_8b.tif", "planetscope8"),
        ("/d/project_AnalyticMS/field.tif", None),
        ("/data/GF1_project/field.tif", None),
        ("/d/field.tif", None),
    ],
)
def test_sensors_in_names_of_products(location: str, sensor: str | None) -> None:
    assert sensor_of_name(location)[0] == sensor


@pytest.mark.parametrize(
    ("label", "wavelength"),
    [
        ("B4 (665 nm)", 0.665),
        ("842 nm", 0.842),
        ("0.49 µm", 0.49),
        ("1.61 Micrometers", 1.61),
        ("560 Nanometers", 0.56),
        ("8420 Angstroms", 0.842),
        ("B08_10m", None),
        ("20 m", None),
        ("red", None),
        ("20408 Wavenumber", None),
    ],
)
def test_a_label_states_its_wavelength_with_a_unit(label: str, wavelength: float | None) -> None:
    assert wavelength_of_label(label) == (None if wavelength is None else pytest.approx(wavelength))


def test_bands_labelled_by_number_and_wavelength_are_named_without_a_sensor() -> None:
    labels = ["B2 (490 nm)", "B3 (560 nm)", "B4 (665 nm)", "B8 (842 nm)"]
    assert [identity.name for identity in identify_all(bands(labels), None)] == ["blue", "green", "red", "nir"]


def test_the_plain_infrared_beside_a_broad_one_is_the_narrow_one() -> None:
    labels = ["BLUE", "RED", "BROADNIR", "NIR", "SWIR1"]
    names = ["blue", "red", "nir", "nir08", "swir16"]
    assert [identity.name for identity in identify_all(bands(labels), None)] == names
    assert identify_all(bands(["RED", "NIR"]), None)[1].name == "nir"
