"""Targets: their words, parents and colours, in one place for all rooms."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from spex_nb.errors import TargetError
from spex_nb.types.targets import (
    OTHER_COLOR,
    TARGETS,
    are_exclusive,
    class_color,
    class_rgb,
    get_target,
    overlap,
    stand_in,
)


@pytest.mark.parametrize(
    ("name", "target"), [("water", "water"), (" Water Bodies ", "water"), ("burnt area", "burn"), ("roads", "road")]
)
def test_a_target_has_its_id_its_word_and_other_spellings(name: str, target: str) -> None:
    assert get_target(name).id == target


def test_a_near_miss_names_the_target() -> None:
    with pytest.raises(TargetError, match="Did you mean vegetation"):
        get_target("vegetaton")


def test_parents_are_targets_without_a_parent() -> None:
    parents = {target.parent for target in TARGETS.values() if target.parent}
    assert parents == {"built_up", "vegetation"}
    assert all(TARGETS[parent].parent is None for parent in parents)


def test_only_a_family_shares_its_ground() -> None:
    shared = {pair for pair in itertools.combinations(TARGETS, 2) if overlap(*pair)}
    towns, plants = ("building", "built_up", "road"), ("vegetation", "tree_cover", "low_vegetation")
    assert shared == {*itertools.combinations(towns, 2), *itertools.combinations(plants, 2)}
    assert all(overlap(second, first) for first, second in shared)
    assert all(overlap(name, name) for name in TARGETS)


def test_every_target_has_a_colour_of_its_own() -> None:
    colors = [target.color for target in TARGETS.values()]
    assert len(set(colors)) == len(colors)
    assert OTHER_COLOR not in colors
    assert class_rgb("water") == (0x00, 0x72, 0xB2)
    assert class_color("snow") == (1.0, 1.0, 1.0)


def test_a_class_that_is_no_target_has_a_colour_too() -> None:
    assert class_rgb("wheat") == (0xF0, 0xE4, 0x42)


def test_every_target_says_what_it_means_and_the_page_repeats_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for target in TARGETS.values():
        assert f"| {target.word} | {target.definition} | {target.not_meant} |" in page
        assert target.definition
        assert target.not_meant


def test_land_covers_exclude_each_other_but_for_their_parts_and_for_states() -> None:
    shared = {frozenset(pair) for pair in itertools.combinations(TARGETS, 2) if not are_exclusive(*pair)}
    nested = {frozenset((name, target.parent)) for name, target in TARGETS.items() if target.parent}
    assert shared == nested | {frozenset(("burn", name)) for name in TARGETS if name != "burn"}
    assert all(are_exclusive(first, second) == are_exclusive(second, first) for first in TARGETS for second in TARGETS)
    assert not are_exclusive("water", "water")


def test_only_parts_of_a_target_need_small_pixels() -> None:
    assert {name for name, target in TARGETS.items() if target.largest_gsd_m} == {"building", "road"}
    assert all(target.parent for target in TARGETS.values() if target.largest_gsd_m)


@pytest.mark.parametrize(
    ("name", "answerable", "gsd_m", "answer"),
    [
        ("building", ("building", "built_up"), 0.6, "building"),
        ("building", ("building", "built_up"), 10.0, "built_up"),
        ("road", (), 30.0, "built_up"),
        ("building", ("building", "built_up"), None, "building"),
        ("tree_cover", ("vegetation",), 30.0, "vegetation"),
        ("tree_cover", ("vegetation", "tree_cover"), 30.0, "tree_cover"),
        ("tree_cover", ("water",), 30.0, "tree_cover"),
        ("water", ("vegetation",), 30.0, "water"),
    ],
)
def test_the_parent_answers_for_what_cannot_be_seen_or_is_not_known(
    name: str, answerable: tuple[str, ...], gsd_m: float | None, answer: str
) -> None:
    assert stand_in(name, answerable, gsd_m) == answer
