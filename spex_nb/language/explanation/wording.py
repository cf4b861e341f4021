"""Points of an outline as sentences of one language. Every figure comes from a fact."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from spex_nb.language.explanation.numerals import Numerals, StatedUnit, read_wording
from spex_nb.language.explanation.outline import Outline
from spex_nb.language.explanation.points import AREA_FACT, HIDDEN_FACT, Point
from spex_nb.language.languages import Language, get_language, read_section
from spex_nb.types import Fact, Statement

HIDDEN_FROM = 0.01
"""Share without data from which figures are said to be of the visible part."""
TIMES_WHOLE_FROM = 10
EDGES = ("top", "bottom", "left", "right")
BRIEF_SENTENCES = 4
QUOTAS = {"answer": 2, "why": 1, "sureness": 1}
"""Sentences of each part in the short explanation."""
ALWAYS = (
    "hint",
    "untrusted_quality",
    "untrusted_numbers",
    "impossible_bands",
    "impossible_index",
    "word",
    "stand_in",
    "hidden",
    "hidden_clouds",
    "cut",
    "cut_one",
    "edge",
    "edge_single",
    "estimate_high",
    "estimate_low",
)
"""Sentences that the short explanation has wherever they matter, and that count for no quota."""
DOUBTS = (
    "quality",
    "quality_both",
    "agree_little",
    "agree_inside_little",
    "probability_low",
    "near_much",
    "near_rule",
    "near_rule_met",
    "near_rule_missed",
    "doubt_place",
)
"""Of how sure it is, the short explanation says a doubt rather than a comfort, the gravest one first."""
OF_WHAT_IS_SEEN = (
    "found",
    "found_px",
    "candidates",
    "absent",
    "asked_all",
    "asked_any",
    "asked_count",
    "none_kept",
    "rest",
    "left_out",
    "neither_specks",
    "neither_filters",
    "neither_edit",
)
"""Sentences that speak of the whole scene: of the area of interest, and of its visible part, where that is less."""
OF_THE_WHOLE = ("hidden", "hidden_clouds")
"""Sentences that speak of the scene or the area of interest, whether or not all of it is visible."""
_CHOICE = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")


def explain_facts(
    facts: Sequence[Fact], language: str = "en", *, question: str = "", unit: str | StatedUnit | None = None
) -> tuple[Statement, ...]:
    """Write the explanation of one target from its facts.

    Args:
        facts: All facts of the target.
        language: ISO 639-1 code.
        question: What the user asked, such as ``count``; it is answered first.
        unit: Unit of areas that the user wrote: ``m2``, ``ha``, ``km2`` or another one.

    Returns:
        Sentences in their order; those of the short explanation are marked.

    Raises:
        LanguageError: If the language is not spoken here.
    """
    points = shorten(Outline(facts, question).points())
    realiser = Realiser(language, facts, unit)
    return tuple(
        Statement(realiser.sentence(point), point.part, point.facts, point.support, point.is_brief) for point in points
    )


def shorten(points: Sequence[Point]) -> list[Point]:
    """Mark the points of the short explanation: at most four sentences beside the warnings that always stand."""
    ranked = sorted(range(len(points)), key=lambda place: (_gravity(points[place]), place))
    quotas, chosen = dict(QUOTAS), set()
    for place in ranked:
        point = points[place]
        if point.is_brief and point.key not in ALWAYS and quotas.get(point.part, 0):
            quotas[point.part] -= 1
            chosen.add(place)
    for place, point in enumerate(points):
        if point.is_brief and point.key not in ALWAYS and len(chosen) < BRIEF_SENTENCES:
            chosen.add(place)
    chosen |= {place for place, point in enumerate(points) if point.is_brief and point.key in ALWAYS}
    return [replace(point, is_brief=place in chosen) for place, point in enumerate(points)]


def _gravity(point: Point) -> int:
    return DOUBTS.index(point.key) if point.key in DOUBTS else len(DOUBTS)


def _sides(sides: Sequence[str]) -> list[str]:
    """Return the sides of a picture; all four of them as one."""
    others = [side for side in sides if side not in EDGES]
    return ["all", *others] if len(sides) - len(others) == len(EDGES) else [*sides]


def _replaced(text: str, words: Mapping[str, str]) -> str:
    """Return a text with words in place of others, the longest ones first, each place once."""
    pattern = "|".join(re.escape(words_before) for words_before in sorted(words, key=len, reverse=True))
    return re.sub(pattern, lambda match: words[match[0]], text)


class Realiser:
    """Writes points in one language about one target.

    Args:
        language: ISO 639-1 code.
        facts: Of the target.
        unit: Unit of areas; see `explain_facts`.
    """

    def __init__(self, language: str, facts: Sequence[Fact], unit: str | StatedUnit | None = None) -> None:
        self._language: Language = get_language(language)
        self._wording, self._answers = read_wording(language), read_section(language, "answers")
        self._numerals = Numerals(language, unit)
        values = {fact.id: fact.value for fact in facts}
        self._has_area, self._hides = AREA_FACT in values, float(values.get(HIDDEN_FACT) or 0) >= HIDDEN_FROM
        self._target = next(str(fact.value) for fact in facts if fact.id == "target")

    def sentence(self, point: Point) -> str:
        """Return a point as a sentence."""
        noun = self._noun(self._target)
        words: dict[str, str] = {name: form for name, form in noun.items() if isinstance(form, str)}
        for slot, filler in point.slots.items():
            words |= self._filled(slot, filler)
        template: str = self._wording["sentences"][point.key]
        agreed = _CHOICE.sub(lambda choice: choice[1 + int(noun["form"])], template)
        text = agreed.format_map(words)
        for apart, contracted in self._wording.get("contractions", {}).items():
            text = text.replace(apart, contracted)
        for section in self._sections(point):
            text = _replaced(text, self._wording[section])
        text = text[:-1] if text.endswith("..") else text  # a unit with a stop at the end of a sentence
        return text[:1].upper() + text[1:]

    def _sections(self, point: Point) -> Iterator[str]:
        """Yield the sections of words that take the place of others in a sentence."""
        if point.key in OF_WHAT_IS_SEEN and self._hides:
            yield "visible_part_of_area" if self._has_area else "visible_part"
        elif point.key in (*OF_WHAT_IS_SEEN, *OF_THE_WHOLE) and self._has_area:
            yield "area_of_interest"
        if point.key.startswith("raw_") and any(fact.unit == "relative" for fact in point.listed("inside")):
            yield "scaled_values"

    def _filled(self, slot: str, filler: Fact | Sequence[Fact]) -> dict[str, str]:
        """Return the words of a slot, in all cases that the language has for it."""
        if isinstance(filler, Sequence):
            # The bands are named once: with the values inside.
            written = [self._value(fact) if slot == "outside" else self._band(fact) for fact in filler]
            return {slot: self._list(written)}
        if filler.unit == "target" and slot != "name":
            forms = self._noun(str(filler.value))
            nouns = {f"{slot}_{case}": form for case, form in forms.items() if isinstance(form, str)}
            return nouns | {slot: str(forms["name"])}
        if filler.unit == "patch" and isinstance(filler.value, int | float):
            cases: dict[str, Any] = {key: forms for key, forms in self._wording.items() if key.startswith("patch")}
            return {
                key.replace("patch", slot, 1): self._numerals.counted(filler.value, forms)
                for key, forms in cases.items()
            }
        if slot == "name" or filler.value is None:
            return {}
        return {slot: self._value(filler)}

    def _noun(self, target: str) -> Mapping[str, Any]:
        """Return the grammatical forms of a target."""
        overrides, usual = self._wording.get("targets", {}), self._answers["targets"]
        forms: Mapping[str, Any] = overrides.get(target) or usual.get(target, {})
        name = self._language.targets.get(target, (target,))[0]
        is_plural = target not in usual and self._language.code == "en" and name.endswith("s")
        return {
            "form": int(is_plural),
            "name": name,
            "acc": name,
            "dat": name,
            "gen": name,
            "the": name,
            "obl": name,
        } | dict(forms)

    def _value(self, fact: Fact) -> str:
        """Return the value of a fact in its unit."""
        value = fact.value
        if not isinstance(value, int | float):
            return self._word(fact.unit, str(value))
        writers: dict[str, Callable[[float], str]] = {
            "px": lambda number: self._numerals.pixels(number, fact.margin),
            "frac": self._numerals.percent,
            "part": self._numerals.exact_percent,
            **dict.fromkeys(("probability", "reflectance"), self._numerals.coarse_percent),
            **dict.fromkeys(("index", "relative", "number"), lambda number: self._numerals.decimal(number, 2)),
            "points": lambda number: self._numerals.integer(round(number)),
            "times": lambda number: self._numerals.decimal(number, 1 if number < TIMES_WHOLE_FROM else 0),
        }
        if fact.unit == "m2":
            return self._numerals.area(value, fact.margin)
        return writers.get(fact.unit, self._numerals.rounded)(value)

    def _word(self, unit: str, value: str) -> str:
        match unit:
            case "place":
                place: str = self._wording.get("places", {}).get(value) or self._language.places[value][0]
                return place
            case "sides":
                return self._list([self._wording["sides"][side] for side in _sides(value.split())])
            case "season":
                season: str = self._wording["seasons"][value]
                return season
            case "rule":
                return self._list([self._condition(cut) for cut in value.split("; ")])
        return value

    def _condition(self, cut: str) -> str:
        """Return one condition of a rule with the decimal mark and the minus of the language."""
        name, sign, bound = cut.split(" ")
        digits = len(bound.partition(".")[2])
        return f"{name} {sign} {self._numerals.decimal(float(bound), digits)}"

    def _band(self, fact: Fact) -> str:
        form: str = self._wording["bands"][fact.id.split(".")[1]]
        return form.format(self._value(fact))

    def _list(self, words: Sequence[str]) -> str:
        """Join words as the language lists them."""
        *first, last = words
        joined = str(self._answers["comma"]).join(first)
        return str(self._answers["and"]).join([joined, last]) if first else last
