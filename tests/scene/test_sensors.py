"""Sensor tables: real facts, users' own tables, and what is wrong with broken ones."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from spex_nb import list_sensors, register_sensor
from spex_nb.errors import BandError, SensorError
from spex_nb.scene import get_sensor
from spex_nb.scene.band_labels import band_name
from spex_nb.scene.sensors import COMMON_BANDS

IDS = [
    "sentinel2_l1c",
    "sentinel2_l2a",
    "landsat4",
    "landsat5",
    "landsat4_mss",
    "landsat5_mss",
    "landsat7",
    "landsat8",
    "landsat9",
    "hls",
    "hls_l30",
    "naip",
    "planetscope4",
    "planetscope8",
    "gf1",
    "gf2",
    "wv2",
    "wv3",
    "quickbird",
    "spot6",
    "spot7",
    "rgb",
]
OWN: dict[str, Any] = {"id": "drone", "bands": [{"name": "red", "wavelength_um": 0.65, "width_um": 0.02}]}


def test_all_sensors_are_there_and_sound() -> None:
    assert list(list_sensors().index) == IDS
    for name in IDS:
        sensor = get_sensor(name)
        assert len(set(sensor.names)) == len(sensor.names)
        assert all(0.35 < band.wavelength_um < 2.5 for band in sensor.bands)
        assert all(0 < band.width_um < 0.5 for band in sensor.bands)
        assert sensor.source


@pytest.mark.parametrize(
    ("sensor", "band", "wavelength", "place"),
    [
        ("sentinel2_l2a", "B8A", 0.865, 8),
        ("sentinel2_l1c", "cirrus", 1.375, 10),
        ("landsat8", "nir", 0.865, 4),
        ("landsat7", "swir22", 2.22, 5),
        ("naip", "red", 0.65, 0),
        ("planetscope8", "yellow", 0.61, 4),
        ("wv2", "rededge", 0.725, 5),
        ("spot6", "blue", 0.485, 2),
        ("gf2", "nir", 0.83, 3),
    ],
)
def test_facts(sensor: str, band: str, wavelength: float, place: int) -> None:
    found = get_sensor(sensor).band(band)
    assert found.wavelength_um == pytest.approx(wavelength, abs=0.01)
    assert get_sensor(sensor).bands.index(found) == place


def test_tables_agree_with_an_independent_one() -> None:
    spec = importlib.util.find_spec("spyndex")
    assert spec is not None
    assert spec.submodule_search_locations
    table = json.loads((Path(spec.submodule_search_locations[0]) / "data" / "bands.json").read_text())
    pairs = {
        "sentinel2a": "sentinel2_l1c",
        "landsat5": "landsat5",
        "landsat8": "landsat8",
        "wv3": "wv3",
        "planetscope": "planetscope8",
    }
    for row in table.values():
        for platform, sensor in pairs.items():
            if platform in row["platforms"] and row["common_name"] in get_sensor(sensor).names:
                theirs = row["platforms"][platform]["wavelength"] / 1000
                assert get_sensor(sensor).band(row["common_name"]).wavelength_um == pytest.approx(theirs, rel=0.035)


def test_scales() -> None:
    assert get_sensor("landsat9").offset == -0.2
    assert get_sensor("naip").relative
    assert get_sensor("hls").nodata == -9999


def test_planets_own_band_names_tell_its_bands() -> None:
    superdove = get_sensor("planetscope8")
    assert superdove.band("rededge").name == "rededge071"
    assert superdove.band("green_i").name == "green05"
    assert superdove.band("green").wavelength_um == 0.565


def test_users_add_their_own(tmp_path: Path) -> None:
    file = tmp_path / "drone.json"
    file.write_text(json.dumps(OWN))
    assert get_sensor(OWN) == get_sensor(file)
    register_sensor(OWN | {"id": "drone2"})
    assert get_sensor("drone2").names == ("red",)
    from spex_nb.scene import sensors

    del sensors._added["drone2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bands": []}, "at least one band"),
        ({"bands": OWN["bands"] * 2}, "each common name once"),
        ({"colour": 1}, r"unknown \['colour'\]"),
        ({"bands": [{"name": "red", "wavelength_um": 650, "width_um": 20}]}, "µm, not nm"),
        ({"bands": [{"name": "red", "wavelength_um": 0.6, "width_um": 0}]}, "a positive number"),
        ({"bands": [{"name": "crimson", "wavelength_um": 0.6, "width_um": 0.1}]}, "one of coastal"),
        ({"bands": [{"name": "red"}]}, "missing"),
        ({"bands": [{"name": "red", "wavelength_um": 0.6, "width_um": 30}]}, "width_um 30 of red.*µm, not nm"),
        ({"bands": None}, "a list of objects"),
        ({"bands": ["red"]}, "a list of objects"),
        ({"bands": [{"name": ["red"], "wavelength_um": 0.6, "width_um": 0.1}]}, "one of coastal"),
        ({"scale": "1e-4"}, "scale '1e-4'.*a positive number"),
        ({"scale": 0}, "scale 0.*a positive number"),
        ({"offset": float("nan")}, "offset nan.*a finite number"),
        ({"nodata": "none"}, "a number or null"),
        ({"relative": "no"}, "relative 'no'.*true or false"),
    ],
)
def test_broken_tables(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SensorError, match=message):
        get_sensor(OWN | change)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(SensorError, match=r"Did you mean .*sentinel2_l2a.*register_sensor"):
        get_sensor("sentinel2_l2")
    with pytest.raises(BandError, match=r"red \(1\)"):
        get_sensor("naip").band("swir16")
    (tmp_path / "x.json").write_text("[")
    with pytest.raises(SensorError, match="readable JSON"):
        get_sensor(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Red", "red"),
        ("NIR", "nir"),
        ("SWIR 1", "swir16"),
        ("near-infrared", "nir"),
        ("Red Edge 1", "rededge071"),
        ("Band red", "red"),
        ("Band 1", None),
        ("", None),
        ("coastal aerosol", "coastal"),
    ],
)
def test_descriptions_are_understood(text: str, name: str | None) -> None:
    assert band_name(text) == name
    assert name is None or name in COMMON_BANDS
