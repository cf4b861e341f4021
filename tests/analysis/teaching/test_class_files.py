"""A class as a file: what is read is what was written, and a file of a stranger cannot do anything but fail."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from spex_nb.analysis.teaching import Taught, load_taught, teach
from spex_nb.errors import OutputError, SourceNotFoundError, TeachingError


@pytest.fixture(scope="module")
def reeds(scene: xr.Dataset, clicks: dict[str, Any]) -> Taught:
    return teach(scene, "reeds", **clicks, names={"de": ["Schilf", "Röhricht"]}, definition="tall plants in water")


@pytest.fixture
def file(reeds: Taught, tmp_path: Path) -> Path:
    return reeds.save(tmp_path / "reeds.spex-class")


def test_a_class_that_was_saved_is_the_same_again(reeds: Taught, file: Path, scene: xr.Dataset) -> None:
    loaded = load_taught(file)
    assert np.array_equal(loaded.logits(scene), reeds.logits(scene))
    assert (loaded.name, loaded.names, loaded.definition, loaded.color) == (
        "reeds",
        {"de": ("Schilf", "Röhricht")},
        "tall plants in water",
        "#882255",
    )
    assert (loaded.assessment, loaded.lesson, loaded.card) == (reeds.assessment, reeds.lesson, reeds.card)
    assert file.stat().st_size < 100_000


def test_a_file_is_replaced_only_on_demand(reeds: Taught, file: Path) -> None:
    with pytest.raises(OutputError, match="exists"):
        reeds.save(file)
    assert reeds.save(file, overwrite=True) == file
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with pytest.raises(OutputError, match=r"Call it reeds\.spex-class"):
        reeds.save(file.with_suffix(".txt"))


def test_a_missing_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="Check the path"):
        load_taught(tmp_path / "reeds.spex-class")


class Opener:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("owned"),))


def rewritten(file: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write the arrays of a file again, changed; the description is a dict meanwhile."""
    with np.load(file) as stored:
        arrays: dict[str, Any] = dict(stored)
    arrays["description"] = json.loads(arrays["description"].tobytes())
    change(arrays)
    if isinstance(arrays.get("description"), dict):
        arrays["description"] = np.frombuffer(json.dumps(arrays["description"]).encode(), np.uint8)
    with file.open("wb") as target:
        np.savez_compressed(target, **arrays)
    return file


FIXES = "Get the file again|letters and digits|Use one of these codes|hexadecimal digits|Say how it differs"


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.update({name: value})


def describe(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays["description"].update({name: value})


@pytest.mark.parametrize(
    "change",
    [
        put("solution", np.zeros(3)),
        put("solution", np.full(59, np.nan)),
        put("spread", np.zeros(47, np.float32)),
        put("mean", np.full(47, np.inf, np.float32)),
        put("raw", np.zeros((12, 5), np.float32)),
        put("truth", np.zeros(12, np.int64)),
        put("truth", np.zeros(0, bool)),
        put("strange", np.zeros(1)),
        lambda arrays: arrays.pop("weights"),
        lambda arrays: arrays.pop("description"),
        put("description", np.array([object()])),
        put("description", np.frombuffer(b"[[[[", np.uint8)),
        put("description", np.frombuffer(b"[" * 100_000, np.uint8)),
        put("description", np.zeros(4)),
        describe("format", 2),
        describe("strange", 1),
        describe("name", "<b>x</b>"),
        describe("name", "water"),
        describe("names", {"xx": ["y"]}),
        describe("color", "javascript:"),
        describe("bands", ["blue", "blue"]),
        describe("bands", ["b"] * 1000),
        describe("kind", "other"),
        describe("network", "0" * 16),
        describe("assessment", {}),
        describe("lesson", None),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(TeachingError, match=FIXES):
        load_taught(rewritten(file, change))


def test_bytes_that_are_no_class_are_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    contents = [b"", b"PK", whole[: len(whole) // 2], pickle.dumps(Opener()), b"\x00" * 1000]
    for content in contents:
        file.write_bytes(content)
        with pytest.raises(TeachingError, match="Get the file again"):
            load_taught(file)
    assert not (tmp_path / "owned").exists()


def test_a_bomb_is_refused_before_it_unpacks(file: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|b1", "fortran_order": False, "shape": (2**40,)})
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("truth.npy", header.getvalue() + b"\x00" * 2**20)
        archive.writestr("raw.npy", b"\x00" * (80 * 2**20))
    with pytest.raises(TeachingError, match="are the most"):
        load_taught(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("truth.npy", header.getvalue())
    with pytest.raises(TeachingError, match="promises"):
        load_taught(file)
