"""A taught class in instructions: parsed by its names, extracted beside other targets, explained by its examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from spex_nb.analysis.teaching import Taught, load_taught, teach
from spex_nb.errors import InstructionError, MissingBandError, TeachingError
from spex_nb.extraction import extract, load_extraction
from spex_nb.language import parse_instruction
from spex_nb.types import AreaFilter
from tests.analysis.teaching.conftest import centres, covers_of, scene_of

CLASSES = {"reeds": ("reeds", "Schilf"), "solar panels": ("solar panels", "太阳能板")}


@pytest.fixture(scope="module")
def placed() -> xr.Dataset:
    scene = scene_of(covers_of())
    return scene.rio.write_crs("EPSG:32633").rio.write_transform(Affine(30, 0, 500_000, 0, -30, 5_000_000))


@pytest.fixture(scope="module")
def reeds(placed: xr.Dataset) -> Taught:
    covers = covers_of()
    others = [position for number in (1, 2, 3) for position in centres(covers, number, 3)]
    return teach(placed, "reeds", yes=centres(covers, 0, 8), no=others, names={"de": "Schilf"})


@pytest.mark.parametrize(
    ("text", "targets", "excluded"),
    [
        ("the reeds larger than 1 ha", ("reeds",), ()),
        ("Please show me all solar panels in the north", ("solar panels",), ()),
        ("Schilf größer als 1 ha", ("reeds",), ()),
        ("面积大于1公顷的太阳能板", ("solar panels",), ()),
        ("reeds and water", ("reeds", "water"), ()),
        ("water without reeds", ("water",), ("reeds",)),
        ("everything except reeds", (), ("reeds",)),
    ],
)
def test_names_of_taught_classes_are_words(text: str, targets: Any, excluded: Any) -> None:
    instruction = parse_instruction(text, classes=CLASSES)
    assert (instruction.targets, instruction.excluded) == (targets, excluded)


def test_a_name_is_no_word_where_nobody_taught_it() -> None:
    assert parse_instruction("the reeds larger than 1 ha").targets != ("reeds",)
    assert parse_instruction("the reed larger than 1 ha", classes=CLASSES).targets == ("reeds",)
    with pytest.raises(InstructionError):
        parse_instruction("the solar roofings", classes={"solar panels": ("solar panels",)})


def test_the_class_is_extracted_filtered_and_explained(placed: xr.Dataset, reeds: Taught) -> None:
    result = extract(placed, "the reeds larger than 1 ha", taught=[reeds], progress=False)
    assert result.instruction.filters == (AreaFilter(">", 1.0, "ha"),)
    truth = covers_of() == 0
    mask = result.mask.values == 1
    assert (mask & truth).sum() / (mask | truth).sum() > 0.8
    assert result.provenance["answered_by"] == {"reeds": "taught: reeds"}
    (explanation,) = result.explanations
    assert "You taught this class by 8 places of yes and 9 of no." in explanation.whole
    assert "where it was taught" in explanation.whole
    assert {fact.id for fact in explanation.facts} >= {"taught.yes", "taught.iou", "taught.low", "taught.high"}


def test_it_stands_beside_other_targets_and_in_their_filters(placed: xr.Dataset, reeds: Taught) -> None:
    both = extract(placed, "reeds and water", "index", taught=[reeds], progress=False)
    assert both.provenance["answered_by"] == {"reeds": "taught: reeds", "water": "index"}
    assert [*both.class_names] == ["reeds", "water"]
    near = extract(placed, "water next to reeds", "index", taught=[reeds], progress=False)
    assert 0 < len(near.regions) <= len(extract(placed, "water", "index", progress=False).regions)
    rest = extract(placed, "everything except reeds", "index", taught=[reeds], progress=False)
    assert not ((rest.mask.values == 1) & (both.mask.values == 1)).any()


def test_a_class_in_the_place_of_the_model_is_the_same(placed: xr.Dataset, reeds: Taught) -> None:
    by_class = extract(placed, "Schilf", reeds, progress=False)
    by_list = extract(placed, "Schilf", taught=[reeds], progress=False)
    assert np.array_equal(by_class.mask, by_list.mask)
    assert "Diese Klasse haben Sie" in by_class.explanations[0].whole


def test_tiles_make_the_whole_and_a_saved_class_gives_the_same_result(
    placed: xr.Dataset, reeds: Taught, tmp_path: Path
) -> None:
    loaded = load_taught(reeds.save(tmp_path / "reeds.spex-class"))
    whole = extract(placed, "reeds", taught=[reeds], progress=False)
    out = tmp_path / "result"
    tiled = extract(placed, "reeds", taught=[loaded], tile_px=64, overlap_px=32, out=out, progress=False)
    assert (whole.mask.values != tiled.mask.values).mean() < 0.01
    assert np.array_equal(load_extraction(out).mask, tiled.mask)
    assert load_extraction(out).explanations == tiled.explanations


def test_what_does_not_fit_is_refused(placed: xr.Dataset, reeds: Taught) -> None:
    with pytest.raises(TeachingError, match="under another name"):
        extract(placed, "reeds", taught=[reeds, reeds], progress=False)
    with pytest.raises(MissingBandError, match="teach the class on this sensor"):
        extract(placed.drop_vars("nir"), "reeds", taught=[reeds], progress=False)
    with pytest.raises(TeachingError, match="numbers of another kind"):
        extract(placed.assign_attrs(radiometry="relative (8 bit)"), "reeds", taught=[reeds], progress=False)
