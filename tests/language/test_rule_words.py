"""Reasons of spectral rules in nine languages: every rule has its words, with the figures of the English ones."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr

from spex_nb.language.explanation.rule_words import rule_in_words
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.spectral.priors import RULES, spectral_prior
from spex_nb.types import Prior

NO_INDEX = xr.DataArray(np.zeros((1, 1), np.float32))
PRIORS = [
    Prior(target, NO_INDEX > 0, NO_INDEX, rule.index, rule.threshold, rule.side, str(rule), "", rule.guard, rule.why)
    for target, rules in RULES.items()
    for rule in rules
]


def figures(text: str, decimal: str) -> list[str]:
    """Return the figures of a text, in order of size, but for those of an address."""
    plain = re.sub(r"https?://\S+", "", text)
    plain = re.sub(rf"(?<=\d){re.escape(decimal)}(?=\d)", ".", plain)
    return sorted(number.rstrip(".") for number in re.findall(r"\d+(?:\.\d+)?", plain))


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_every_reason_has_words_with_its_figures(code: str) -> None:
    mark = get_language(code).decimal
    for prior in PRIORS:
        text = rule_in_words(prior, code)
        assert figures(text, mark) == figures(f"{prior.reason}; {prior.why}", "."), text
        assert "{" not in text
        assert prior.index_name in text


def test_english_has_the_reason_itself() -> None:
    assert rule_in_words(PRIORS[0], "en") == PRIORS[0].reason


def test_the_better_rules_that_do_not_fit_are_named() -> None:
    bands = {name: (("y", "x"), np.full((2, 2), 0.1, np.float32)) for name in ("green", "nir")}
    prior = spectral_prior(xr.Dataset(bands), "water")
    assert (prior.index_name, prior.better_indices) == ("NDWI", ("MuWIR",))
    text = rule_in_words(prior, "de")
    assert text.startswith("Regel (Gewässer): NDWI > \N{MINUS SIGN}0,05; nir < 0,2. Wie gut sie ist: IoU 0,85")
    assert text.endswith("Bessere Regeln passen nicht zu diesen Bändern oder Werten: MuWIR.")


def test_a_reason_without_words_is_noticed() -> None:
    prior = Prior("water", NO_INDEX > 0, NO_INDEX, "NDWI", 0.0, "above", "", "", why="as the crow flies")
    with pytest.raises(ValueError, match="crow"):
        rule_in_words(prior, "de")
