"""What a model is told of a tile: as recorded, withheld, swapped, or in fewer bands; never made from the label."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spex_nb import spie
from spex_nb.errors import DatasetError, MissingBandError
from spex_nb.evaluation.tiles import EvaluationTile, PromptCondition, load_tile, require_fair, tile_records
from spex_nb.language.prompts import build_prompt, parse_prompt
from spex_nb.spectral.priors import spectral_prior

TARGETS = ("water", "vegetation", "built_up")
SQUARE_PX = 16 * 16


def asked(folder: Path, tile: str = "own-v0-0-0", **how: Any) -> EvaluationTile:
    dataset = spie.open_dataset(folder)
    return load_tile(dataset, tile_records(dataset, "val")[tile], PromptCondition(**how))


def test_records_come_by_tile_and_split(squares: Path) -> None:
    dataset = spie.open_dataset(squares)
    assert list(tile_records(dataset, "val")) == ["own-v0-0-0", "own-v1-0-0", "own-v2-0-0", "own-v3-0-0"]
    for group in tile_records(dataset, "train").values():
        assert [record.target for record in group] == list(TARGETS)
    (group, *_) = tile_records(dataset, "val", ["water"]).values()
    assert [record.target for record in group] == ["water"]


@pytest.mark.parametrize(("split", "targets"), [("test", None), ("val", ["snow"])])
def test_a_split_without_records_is_refused(squares: Path, split: str, targets: Any) -> None:
    with pytest.raises(DatasetError, match="Name another split or target"):
        tile_records(spie.open_dataset(squares), split, targets)


def test_as_recorded(squares: Path) -> None:
    tile = asked(squares)
    records = tile_records(spie.open_dataset(squares), "val")["own-v0-0-0"]
    assert (tile.name, tile.dataset, tile.sensor, tile.place) == ("own-v0-0-0", "own", "landsat8", "own/lake")
    assert tile.targets == TARGETS
    assert tile.prompts == tuple(record.prompt for record in records)
    for target, prior, label, counted in zip(tile.targets, tile.priors, tile.labels, tile.counted, strict=True):
        np.testing.assert_array_equal(prior, spectral_prior(tile.scene, target).mask.values)
        assert counted.all()
        assert label.sum() == {"water": 2, "vegetation": 1, "built_up": 1}[target] * SQUARE_PX


def test_withheld_is_nothing_at_all(squares: Path) -> None:
    tile = asked(squares, priors="withheld", attributes="withheld")
    assert tile.priors == (None, None, None)
    assert tile.prompts == tuple(build_prompt(target, []) for target in TARGETS)


def test_priors_and_attributes_are_withheld_apart(squares: Path) -> None:
    plain = asked(squares)
    assert asked(squares, priors="withheld").prompts == plain.prompts
    np.testing.assert_array_equal(asked(squares, attributes="withheld").priors[0], plain.priors[0])


def test_swapped_priors_are_those_of_another_target(squares: Path) -> None:
    plain, swapped = asked(squares), asked(squares, priors="swapped")
    for i, other in enumerate((1, 2, 0)):
        np.testing.assert_array_equal(swapped.priors[i], plain.priors[other])
        assert not (swapped.priors[i] & plain.priors[i]).any()
    assert swapped.prompts == plain.prompts


def test_swapped_attributes_keep_the_question(squares: Path) -> None:
    plain, swapped = asked(squares), asked(squares, attributes="swapped")
    for i, other in enumerate((1, 2, 0)):
        assert parse_prompt(swapped.prompts[i]).target == TARGETS[i]
        assert parse_prompt(swapped.prompts[i]).regions == parse_prompt(plain.prompts[other]).regions
    np.testing.assert_array_equal(swapped.priors[0], plain.priors[0])


def test_fewer_bands_make_other_priors_and_attributes(squares: Path) -> None:
    plain, few = asked(squares), asked(squares, bands=("red", "green", "blue"))
    assert few.scene.spex.bands == ("red", "green", "blue")
    np.testing.assert_array_equal(few.scene.spex.valid, plain.scene.spex.valid)
    place = TARGETS.index("vegetation")
    np.testing.assert_array_equal(few.priors[place], spectral_prior(few.scene, "vegetation").mask.values)
    assert few.priors[TARGETS.index("water")] is None
    assert few.prompts != plain.prompts


def test_all_bands_by_name_make_the_recorded_prompts(squares: Path) -> None:
    plain = asked(squares)
    assert asked(squares, bands=plain.scene.spex.bands).prompts == plain.prompts


def test_a_band_that_is_missing_is_named(squares: Path) -> None:
    with pytest.raises(MissingBandError, match="Leave swir16 out, or choose scenes that have them"):
        asked(squares, "own-v3-0-0", bands=("green", "swir16"))


def test_nothing_can_be_swapped_where_no_index_is_possible(squares: Path) -> None:
    with pytest.raises(DatasetError, match="Withhold instead of swapping"):
        asked(squares, priors="swapped", bands=("nir",))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"priors": "swap"}, "Did you mean swapped"),
        ({"attributes": "label"}, "Found: 'label'.*Use 'index'"),
        ({"bands": ()}, "Name bands"),
    ],
)
def test_what_makes_no_sense_is_refused(how: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        PromptCondition(**how)


@pytest.mark.parametrize(("source", "said"), [("label", "label"), ("", "they do not say what")])
def test_attributes_that_may_tell_the_answer_are_refused(squares: Path, tmp_path: Path, source: str, said: str) -> None:
    copy = Path(shutil.copytree(squares, tmp_path / "copy"))
    items = json.loads((copy / "val.json").read_text())
    items[1]["source"] = source
    (copy / "val.json").write_text(json.dumps(items))
    records = tile_records(spie.open_dataset(copy), "val")
    with pytest.raises(DatasetError, match=f"1 records with attributes made from {said}.*attributes='index'"):
        require_fair(records)
    require_fair({"others": records["own-v3-0-0"]})
