"""Landsat: instrument, level and collection decide the bands and coefficients, by metadata of any age."""

from __future__ import annotations

import math
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from spex_nb import open_scene
from spex_nb.errors import RadiometryError, RadiometryWarning, UnknownLayoutError

Writer = Callable[..., Path]
SUN = 30.0
"""Its sine is one half, so that level 1 is doubled."""


def write_product(
    write_raster: Writer, product: str, facts: str, numbers: dict[str, int], dtype: str = "uint16", folder: str = "p"
) -> Path:
    """Write one constant file a band, and the metadata; return the folder."""
    for suffix, number in numbers.items():
        raw = np.full((1, 4, 4), number, dtype)
        path = write_raster(raw, f"{folder}/{product}_{suffix}.TIF", transform=Affine(30, 0, 5e5, 0, -30, 55e5))
    (path.parent / f"{product}_MTL.txt").write_text(f"GROUP = L1_METADATA_FILE\n{facts}\nEND\n")
    return path.parent


def reflectance_facts(spacecraft: str, sensor: str, mult: float = 2e-5, add: float = -0.1) -> str:
    facts = f'SPACECRAFT_ID = "{spacecraft}"\nSENSOR_ID = "{sensor}"\nSUN_ELEVATION = {SUN}\n'
    for band in range(1, 10):
        facts += f"REFLECTANCE_MULT_BAND_{band} = {mult * band}\nREFLECTANCE_ADD_BAND_{band} = {add}\n"
    return facts


@pytest.mark.parametrize(
    ("product", "spacecraft", "sensor", "bands"),
    [
        (
            "LM05_L1TP_047027_19850524_20210918_02_T2",
            "LANDSAT_5",
            "MSS",
            {1: "green", 2: "red", 3: "rededge075", 4: "nir"},
        ),
        ("LM04_L1TP_047027_19850524_20210918_02_T2", "LANDSAT_4", "MSS", {1: "green", 2: "red", 4: "nir"}),
        ("LT05_L1TP_047027_19850524_20210918_02_T1", "LANDSAT_5", "TM", {1: "blue", 3: "red", 4: "nir", 7: "swir22"}),
        ("LT04_L1TP_047027_19850524_20210918_02_T1", "LANDSAT_4", "TM", {1: "blue", 3: "red", 4: "nir", 5: "swir16"}),
        ("LE07_L1TP_047027_20000524_20210918_02_T1", "LANDSAT_7", "ETM", {1: "blue", 3: "red", 4: "nir", 7: "swir22"}),
        ("LC08_L1TP_047027_20200524_20210918_02_T1", "LANDSAT_8", "OLI_TIRS", {1: "coastal", 4: "red", 5: "nir"}),
        ("LO09_L1TP_047027_20220524_20220918_02_T1", "LANDSAT_9", "OLI", {2: "blue", 4: "red", 5: "nir"}),
        ("LC80470272014123LGN00", "LANDSAT_8", "OLI_TIRS", {2: "blue", 4: "red", 5: "nir"}),
    ],
)
def test_the_instrument_decides_the_bands(
    write_raster: Writer, product: str, spacecraft: str, sensor: str, bands: dict[int, str]
) -> None:
    numbers = {f"B{number}": 5000 + number for number in bands}
    folder = write_product(write_raster, product, reflectance_facts(spacecraft, sensor), numbers)
    scene = open_scene(folder)
    assert scene.spex.bands == tuple(bands.values())
    for number, band in bands.items():
        np.testing.assert_allclose(scene[band], ((5000 + number) * 2e-5 * number - 0.1) / 0.5, atol=1e-6)
    assert sensor in scene.attrs["sensor_reason"]
    assert "top of atmosphere by its reflectance coefficients" in scene.attrs["radiometry_reason"]


def test_the_letter_of_the_product_tells_the_instrument_where_the_metadata_do_not(write_raster: Writer) -> None:
    facts = reflectance_facts("LANDSAT_5", "MSS").replace('SENSOR_ID = "MSS"\n', "")
    folder = write_product(write_raster, "LM05_L1TP_047027_19850524_20210918_02_T2", facts, {"B2": 5000, "B4": 5000})
    assert open_scene(folder).spex.bands == ("red", "nir")


@pytest.mark.parametrize(("spacecraft", "sensor"), [("LANDSAT_1", "MSS"), ("LANDSAT_8", "TIRS"), ("LANDSAT_3", "RBV")])
def test_instruments_that_are_not_read_are_named(write_raster: Writer, spacecraft: str, sensor: str) -> None:
    facts = reflectance_facts(spacecraft, sensor)
    folder = write_product(write_raster, "LX01_L1TP_047027_19850524_20210918_02_T2", facts, {"B4": 5000})
    with pytest.raises(UnknownLayoutError, match=rf"{spacecraft}.*{sensor}.*LANDSAT_4 to LANDSAT_9"):
        open_scene(folder)


@pytest.mark.parametrize(
    ("sensor", "product", "irradiance"),
    [
        ("TM", "LT50470271985144PAC03", {1: 1983, 3: 1536, 4: 1031, 7: 83.44}),
        ("MSS", "LM50470271985144AAA03", {1: 1824, 2: 1570, 4: 853.4}),
    ],
)
@pytest.mark.parametrize("form", ["new", "old"])
def test_metadata_without_reflectance_use_radiance_and_the_sun(
    write_raster: Writer, sensor: str, product: str, irradiance: dict[int, float], form: str
) -> None:
    facts = f'SPACECRAFT_ID = "{"LANDSAT_5" if form == "new" else "Landsat5"}"\nSENSOR_ID = "{sensor}"\n'
    facts += f"SUN_ELEVATION = {SUN}\n" + ("DATE_ACQUIRED" if form == "new" else "ACQUISITION_DATE") + " = 1985-05-24\n"
    for band in range(1, 8):
        if form == "new":
            facts += f"RADIANCE_MULT_BAND_{band} = 0.75\nRADIANCE_ADD_BAND_{band} = -2.25\n"
        else:  # (189 + 1.5) / (255 - 1) = 0.75, and 189 - 0.75 * 255 = -2.25
            facts += (
                f"LMAX_BAND{band} = 189.0\nLMIN_BAND{band} = -1.5\nQCALMAX_BAND{band} = 255\nQCALMIN_BAND{band} = 1\n"
            )
    numbers = {f"B{band}": 100 for band in irradiance}
    scene = open_scene(write_product(write_raster, product, facts, numbers, "uint8"))
    # 24 May is day 144; in tables of the ephemeris the Sun then stands at 1.0127 astronomical units
    for band, power in zip(scene.spex.bands, irradiance.values(), strict=True):
        expected = math.pi * (100 * 0.75 - 2.25) * 1.0127**2 / (power * 0.5)
        np.testing.assert_allclose(scene[band], expected, rtol=2e-3)
    assert "radiance and solar irradiance" in scene.attrs["radiometry_reason"]
    assert not scene.spex.is_relative


def test_metadata_without_any_coefficient_are_refused_with_the_missing_fact(write_raster: Writer) -> None:
    facts = 'SPACECRAFT_ID = "LANDSAT_5"\nSENSOR_ID = "TM"\nSUN_ELEVATION = 30\n'
    folder = write_product(write_raster, "LT05_L1TP_047027_19850524_20210918_02_T1", facts, {"B3": 90}, "uint8")
    with pytest.raises(RadiometryError, match=r"lack REFLECTANCE_MULT_BAND_3.*pass scale="):
        open_scene(folder)
    np.testing.assert_allclose(open_scene(folder, scale=1e-3)["red"], 0.09, rtol=1e-5)


def test_level_2_has_coefficients_of_its_own_though_it_repeats_those_of_level_1(write_raster: Writer) -> None:
    facts = reflectance_facts("LANDSAT_8", "OLI_TIRS") + "GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS\n"
    facts += "REFLECTANCE_MULT_BAND_4 = 2.75e-05\nREFLECTANCE_ADD_BAND_4 = -0.2\nEND_GROUP = X\n"
    product = "LC08_L2SP_047027_20200524_20210918_02_T1"
    folder = write_product(write_raster, product, facts, {"SR_B4": 9000, "ST_B10": 44_000, "SR_QA_AEROSOL": 2})
    scene = open_scene(folder)
    assert scene.spex.bands == ("red",)
    np.testing.assert_allclose(scene["red"], 9000 * 2.75e-5 - 0.2, rtol=1e-5)


def test_surface_reflectance_of_collection_1_counts_in_ten_thousandths(write_raster: Writer) -> None:
    product = "LC08_L1TP_047027_20160101_20170101_01_T1"
    facts = reflectance_facts("LANDSAT_8", "OLI_TIRS") + "COLLECTION_NUMBER = 01\n"
    numbers = {"sr_band4": 400, "sr_band5": 3800, "sr_aerosol": 2}
    folder = write_product(write_raster, product, facts, numbers, "int16")
    for source in (folder, [folder / f"{product}_sr_band4.TIF", folder / f"{product}_sr_band5.TIF"]):
        scene = open_scene(source)
        assert scene.spex.bands == ("red", "nir")
        np.testing.assert_allclose(scene["red"], 0.04, rtol=1e-5)
        assert "Collection 1" in scene.attrs["radiometry_reason"]


def test_level_1_files_find_the_metadata_beside_them_or_are_refused(write_raster: Writer) -> None:
    product = "LC08_L1TP_047027_20200524_20210918_02_T1"
    facts = reflectance_facts("LANDSAT_8", "OLI_TIRS")
    folder = write_product(write_raster, product, facts, {"B4": 5000, "B5": 7000, "B10": 30_000})
    files = sorted(folder.glob("*.TIF"))
    scene = open_scene(files)
    assert scene.spex.bands == ("red", "nir")
    np.testing.assert_allclose(scene["nir"], (7000 * 1e-4 - 0.1) / 0.5, rtol=1e-5)
    assert "B10.TIF: thermal" in scene.attrs["left_out"]
    (folder / f"{product}_MTL.txt").unlink()
    with pytest.raises(RadiometryError, match=r"level-1 numbers.*MTL.*metadata beside the file"):
        open_scene(files)


def test_a_metadata_file_and_an_archive_open_as_their_folder(write_raster: Writer, tmp_path: Path) -> None:
    product = "LC08_L1TP_047027_20200524_20210918_02_T1"
    folder = write_product(write_raster, product, reflectance_facts("LANDSAT_8", "OLI_TIRS"), {"B4": 5000, "B5": 7000})
    archive = tmp_path / f"{product}.tar"
    with tarfile.open(archive, "w") as file:
        for path in sorted(folder.iterdir()):
            file.add(path, path.name)
    expected = open_scene(folder)["nir"].values
    for source in (folder / f"{product}_MTL.txt", archive):
        np.testing.assert_array_equal(open_scene(source)["nir"].values, expected)


def test_two_products_in_one_folder_are_refused_and_each_opens_by_its_metadata(write_raster: Writer) -> None:
    facts = reflectance_facts("LANDSAT_8", "OLI_TIRS")
    first, second = (f"LC08_L1TP_047027_2020{month}24_20210918_02_T1" for month in ("05", "06"))
    folder = write_product(write_raster, first, facts, {"B4": 5000})
    write_product(write_raster, second, facts, {"B4": 6000})
    with pytest.raises(UnknownLayoutError, match=r"several Landsat products.*20200524.*20200624"):
        open_scene(folder)
    scene = open_scene(folder / f"{second}_MTL.txt")
    np.testing.assert_allclose(scene["red"], (6000 * 8e-5 - 0.1) / 0.5, rtol=1e-5)


def test_a_stack_of_level_1_is_scaled_by_the_names_of_its_bands(write_raster: Writer) -> None:
    product = "LT05_L1TP_047027_19850524_20210918_02_T1"
    facts = reflectance_facts("LANDSAT_5", "TM", 5e-4, -0.002)
    folder = write_product(write_raster, product, facts, {"B1": 90}, "uint8")
    raw = np.full((3, 4, 4), 200, "uint8")
    scene = open_scene(write_raster(raw, f"{folder.name}/{product}_stack.tif", ("red", "nir", "B6")))
    assert scene.spex.bands == ("red", "nir")
    np.testing.assert_allclose(scene["nir"], (200 * 2e-3 - 0.002) / 0.5, rtol=1e-5)
    with pytest.raises(RadiometryError, match="for each band stands in"):
        open_scene(write_raster(np.full((6, 4, 4), 200, "uint8"), f"{folder.name}/{product}_plain.tif"))


def test_an_8_bit_picture_of_a_16_bit_product_is_relative(write_raster: Writer) -> None:
    name = "LC08_L1TP_047027_20200524_20210918_02_T1_refl.tif"
    with pytest.warns(RadiometryWarning, match="8-bit"):
        scene = open_scene(write_raster(np.full((3, 4, 4), 51, "uint8"), name, photometric="RGB"))
    np.testing.assert_allclose(scene["red"], 0.2, rtol=1e-6)
