"""Targets: their words, parents and colours, in one place for all rooms."""

from __future__ import annotations

import itertools

import pytest

from spex_nb.errors import TargetError
from spex_nb.targets import OTHER_COLOR, TARGETS, class_color, class_rgb, get_target, overlap


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
    assert parents == {"built_up"}
    assert all(TARGETS[parent].parent is None for parent in parents)


def test_only_a_family_shares_its_ground() -> None:
    shared = {pair for pair in itertools.combinations(TARGETS, 2) if overlap(*pair)}
    assert shared == {("building", "built_up"), ("building", "road"), ("built_up", "road")}
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
