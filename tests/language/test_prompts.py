"""Prompts: the exact form, its inverse, the spellings of the published records, and the token budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_nb.errors import PromptError, PromptWarning, TargetError
from spex_nb.language.prompts import build_prompt, estimate_tokens, keep_regions, parse_prompt
from spex_nb.regions.find import LOCATIONS, SIZE_WORDS, find_regions, region_attributes
from spex_nb.types import Attributes
from spex_nb.types.targets import TARGETS, get_target

EXAMPLE = Attributes("huge", (0.48, 0.422), "center", ((0.09, 0.0), (0.998, 0.0), (0.998, 0.963), (0.09, 0.963)))
ENTRY = (
    "{'Size of area': 'huge', 'Centroid': [0.48, 0.422], 'Location': 'center', "
    "'Bounding box': [[0.09, 0.0], [0.998, 0.0], [0.998, 0.963], [0.09, 0.963]]}"
)
QUESTION = (
    "Based on the provided image and the attributes of the water bodies regions, "
    "please provide a detailed description of them:"
)

fractions = st.integers(-500, 1500).map(lambda thousandths: thousandths / 1000)
points = st.tuples(fractions, fractions)
attributes = st.builds(
    Attributes,
    st.sampled_from(list(SIZE_WORDS)),
    points,
    st.sampled_from(LOCATIONS),
    st.tuples(points, points, points, points),
    st.none() | st.sampled_from(["NDWI", "MuWIR"]),
    st.none() | fractions,
    st.none() | fractions,
)


def regions_of(areas: list[int]) -> list[Attributes]:
    mask = np.zeros((2 * len(areas), max(areas)), bool)
    for i, area in enumerate(areas):
        mask[2 * i, :area] = True
    return [region_attributes(region) for region in find_regions(mask)]


def test_the_prompt_has_exactly_the_published_form() -> None:
    assert build_prompt("water", [EXAMPLE]) == f"<image>\n{QUESTION}[{ENTRY}]"
    assert build_prompt("water bodies", [EXAMPLE, EXAMPLE]) == f"<image>\n{QUESTION}[{ENTRY}, {ENTRY}]"


@pytest.mark.slow
@given(st.sampled_from(list(TARGETS)), st.lists(attributes, max_size=12))
def test_reading_a_prompt_gives_back_what_it_was_made_from(target: str, regions: list[Attributes]) -> None:
    parsed = parse_prompt(build_prompt(target, regions))
    assert parsed.target == target
    assert parsed.regions == tuple(regions)


@pytest.mark.parametrize(
    "text",
    [
        f"<image>\n{QUESTION}[{ENTRY}]",
        f"<image>\\n{QUESTION} [{ENTRY}]",
        f'"<image>\n{QUESTION}"[{ENTRY}]',
        f"{QUESTION}\n{ENTRY}\n",
        f"<image>\n{QUESTION}'[{ENTRY}]'",
        f"<image>\n{QUESTION.replace('water bodies', 'waterbody')}{ENTRY}",
        f"<image>\n{QUESTION}[{ENTRY}]".replace("'", '"'),
        f"<image>\n{QUESTION}[{ENTRY}]".replace("'", "\\'"),
        f"<image>\n{QUESTION}[{ENTRY.replace('0.0]', '0]')}]",
    ],
)
def test_every_published_spelling_is_read(text: str) -> None:
    parsed = parse_prompt(text)
    assert (parsed.target, parsed.regions) == ("water", (EXAMPLE,))


def test_no_region_has_a_prompt_of_its_own() -> None:
    text = build_prompt("vegetation", [])
    assert "no vegetation regions were found" in text
    assert "[" not in text
    assert parse_prompt(text).regions == ()


def test_richer_attributes_come_only_on_request() -> None:
    mask = np.zeros((10, 10), bool)
    mask[:5] = True
    regions = find_regions(mask, index=np.full((10, 10), 0.25))
    assert "Share" not in build_prompt("water", regions)
    rich = build_prompt("water", regions, rich=True)
    assert "'Mean index': 0.25, 'Share': 0.5" in rich
    assert parse_prompt(rich).regions == (region_attributes(regions[0], rich=True),)


def test_regions_are_named_largest_first_whatever_their_order() -> None:
    mask = np.zeros((9, 9), bool)
    mask[0, 0] = True
    mask[4:7, 4:7] = True
    regions = find_regions(mask)
    assert build_prompt("water", regions[::-1]) == build_prompt("water", regions)


def test_a_token_budget_drops_the_smallest_regions_and_says_so() -> None:
    regions = regions_of([9, 5, 3])
    two = build_prompt("water", regions[:2])
    with pytest.warns(PromptWarning, match="the 2 largest of 3 regions"):
        assert build_prompt("water", regions, max_tokens=estimate_tokens(two)) == two
    assert build_prompt("water", regions, max_tokens=10_000) == build_prompt("water", regions)


def test_the_tokenizer_counts_where_it_is_given() -> None:
    with pytest.warns(PromptWarning, match="1 largest of 2"):
        build_prompt("water", [EXAMPLE, EXAMPLE], max_tokens=300, count_tokens=len)


def test_a_budget_that_holds_no_region_is_refused() -> None:
    with pytest.raises(PromptError, match="Allow more tokens"):
        build_prompt("water", [EXAMPLE], max_tokens=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extract the water", "Make prompts with build_prompt"),
        (f"{QUESTION}[{{'Size of area': 'vast'}}]", "Bounding box"),
        (f"{QUESTION}[{ENTRY.replace('huge', 'vast')}]", "'vast'"),
        (f"{QUESTION}[{ENTRY.replace('center', 'far away')}]", "'far away'"),
        (f"{QUESTION}[{ENTRY.replace('0.48', '1e999')}]", "two numbers"),
        (f"{QUESTION}[{ENTRY.replace(', [0.09, 0.963]', '')}]", "4 corners"),
        ("x" * 100_001, "at most 100000 characters"),
        (f"{QUESTION}[{'[' * 50_000}", ""),
    ],
)
def test_what_is_no_prompt_is_refused_or_holds_no_region(text: str, message: str) -> None:
    if not message:
        assert parse_prompt(text).regions == ()
        return
    with pytest.raises(PromptError, match=message):
        parse_prompt(text)


def test_an_unknown_target_is_refused_with_the_nearest() -> None:
    with pytest.raises(TargetError, match="Did you mean water"):
        build_prompt("watr", [])
    with pytest.raises(TargetError, match="Unknown target"):
        parse_prompt(QUESTION.replace("water bodies", "ship"))


def test_targets_are_known_by_id_word_and_variant() -> None:
    assert get_target("Waterbody") is get_target("water") is get_target(" water bodies ")


@given(st.lists(attributes, max_size=6), st.integers(1, 4))
def test_a_prompt_keeps_its_first_regions(regions: list[Attributes], most: int) -> None:
    kept = keep_regions(build_prompt("water", regions), most)
    assert kept == build_prompt("water", regions[:most])
