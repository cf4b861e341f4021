"""``spex info``: for each band its name, where that comes from, scale, offset, no-data and doubts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from spex_nb.cli.command import main
from spex_nb.scene import sample_path

Writer = Callable[..., Path]


def spex(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def rows_of(*words: str) -> dict[str, dict[str, Any]]:
    result = spex("info", *words, "--json")
    assert result.exit_code == 0, result.output
    payload = json.loads(result.stdout)
    return {row["band"]: row for row in payload["band_table"]}


def test_a_band_with_a_name_and_a_scale_has_no_doubt(write_raster: Writer) -> None:
    raw = np.full((2, 8, 8), 3000, "uint16")
    path = write_raster(raw, descriptions=("red", "nir"), scale=1e-4, offset=-0.1, nodata=0)
    row = rows_of(str(path))["nir"]
    assert row["named by"] == "band description 'nir'"
    assert (row["scale"], row["offset"], row["no-data"], row["doubts"]) == ("0.0001", "-0.1", "0", "none")


def test_a_band_named_by_its_place_says_so(write_raster: Writer) -> None:
    row = rows_of(str(write_raster(np.full((4, 8, 8), 90, "uint8"))), "--sensor", "naip")["red"]
    assert row["named by"] == "file order of sensor naip"
    assert row["doubts"] == "named by its place only; no calibrated reflectance"
    assert row["no-data"] == "none stated"


def test_values_that_cannot_be_are_doubted(write_raster: Writer) -> None:
    raw = np.full((2, 10, 10), 9000, "uint16")
    raw[0, 0, :5] = 5000
    path = write_raster(raw, descriptions=("SR_B4", "SR_B5"))
    row = rows_of(str(path), "--sensor", "landsat8")["red"]
    assert row["doubts"] == "5% of the pixels lie below -0.02"


def test_what_is_left_out_is_listed(write_raster: Writer) -> None:
    raw = np.full((3, 8, 8), 3000, "uint16")
    path = write_raster(raw, descriptions=("red", "nir", "SCL"), scale=1e-4)
    assert "SCL: scene classes" in spex("info", str(path)).output


def test_the_table_has_a_line_a_band() -> None:
    output = spex("info", str(sample_path("river_10m"))).output
    table = output.partition("\n\n")[2].splitlines()
    assert table[0].split()[:3] == ["band", "named", "by"]
    assert [line.split()[0] for line in table[1:]][:2] == ["blue", "green"]
    assert all("-0.1" in line for line in table[1:])


def test_bands_by_number(write_raster: Writer) -> None:
    path = write_raster(np.full((3, 8, 8), 3000, "uint16"))
    rows = rows_of(str(path), "--bands", "red=3, nir=1", "--scale", "0.0001")
    assert list(rows) == ["red", "nir"]
    result = spex("info", str(path), "--bands", "red=x")
    assert result.exit_code == 2
    assert "red=3,nir=4" in result.output


@pytest.mark.parametrize("words", [("--time", "2024")])
def test_a_date_of_a_file_without_dates_is_refused(write_raster: Writer, words: tuple[str, ...]) -> None:
    path = write_raster(np.full((1, 8, 8), 3000, "uint16"), descriptions=["red"], scale=1e-4)
    result = spex("info", str(path), *words)
    assert result.exit_code == 2
    assert "no dates to choose from" in result.output
