"""Sentences in the language of an instruction: its meaning, said back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from spex_nb.language.languages import Language
from spex_nb.types import (
    SQUARE_METRES,
    AdjacentFilter,
    AreaFilter,
    AreaUnit,
    BetweenFilter,
    ChangeRequest,
    DirectionFilter,
    DrawnFilter,
    EdgeFilter,
    EnclosedFilter,
    Filter,
    NearFilter,
    PlaceFilter,
    Question,
    RankFilter,
    Shape,
    ShapeFilter,
)

KM = 1000
SIGNIFICANT = 7
"""Digits of a quantity."""
_LEADS = " –—:：\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
"""What parts a question from the words before it."""
_DIGITS = "0123456789.,"
ECHOED = 3
"""Digits of a quantity that stands beside the one that the user wrote."""


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a meaning adds about single words."""

    narrower: Mapping[str, str] = field(default_factory=dict)
    """Narrower words -> the targets that answer them."""
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """Words of one shape, such as lake -> ``compact``."""
    mended: Sequence[tuple[str, str]] = ()
    """Typing errors: (as typed, as read)."""
    set_aside: Sequence[str] = ()
    """Words without a part in the meaning."""
    parted: frozenset[str] = frozenset()
    """Targets of which words of one shape are left out: the sentence then says the shape that remains."""


def describe(  # noqa: PLR0913 (one argument for each part of an instruction)
    language: Language,
    targets: Sequence[str],
    excluded: Sequence[str] = (),
    filters: Sequence[Filter] = (),
    *,
    own_filters: Mapping[str, Sequence[Filter]] | None = None,
    question: Question = "",
    unit: AreaUnit | None = None,
    change: ChangeRequest | None = None,
    remarks: Remarks | None = None,
) -> str:
    """Write the meaning of an instruction as a sentence.

    Args:
        language: The language of the sentence.
        targets: Ids of the wanted targets; none for everything but ``excluded``.
        excluded: Ids of the targets to leave out.
        filters: The filters of regions.
        own_filters: Filters of single targets; shapes among them are part of the remarks.
        question: What is asked.
        unit: In which the answer is wanted.
        change: What is asked of two dates.
        remarks: Narrower, mended and unused words.

    Returns:
        Such as ``water bodies between 1 and 5 ha – how many are there?; “pond” is treated as a water body``.
    """
    writer = _Writer(language, targets)
    remarks = remarks or Remarks()
    own_filters = {
        name: [f for f in of if name in remarks.parted or not isinstance(f, ShapeFilter)]
        for name, of in (own_filters or {}).items()
    }
    own_filters = {name: of for name, of in own_filters.items() if of}
    if change is None:
        sentence = writer.subject(targets, excluded, filters, own_filters) + writer.question(question, unit)
    else:  # the filters hold for what was gained or lost, and not for the land covers
        sentence = writer.subject(targets, excluded, (), own_filters) + writer.change(change, filters)
        sentence += writer.further_question(question, unit)
    sentence = sentence if targets or excluded else sentence.lstrip(_LEADS)
    return str(writer.phrases["stop"]).join([sentence, *writer.remarks(remarks)])


def describe_filter(wanted: Filter, language: Language, targets: Sequence[str] = ()) -> str:
    """Write the condition of one filter of some targets."""
    return _Writer(language, targets).condition(wanted)


def describe_word(word: str, target: str, language: Language) -> str:
    """Write what a word that is narrower than its target is taken for."""
    (remark,) = _Writer(language, [target]).remarks(Remarks({word: target}))
    return remark


class _Writer:
    """Writes in one language about some targets, whose gender words agree with."""

    def __init__(self, language: Language, targets: Sequence[str]) -> None:
        self.language, self.targets = language, targets
        self.data = language.instructions
        self.phrases: Mapping[str, Any] = self.data["phrases"]

    def subject(
        self,
        targets: Sequence[str],
        excluded: Sequence[str],
        filters: Sequence[Filter],
        own_filters: Mapping[str, Sequence[Filter]],
    ) -> str:
        """Write targets, exclusions and filters."""
        if own_filters:
            parts = [
                _Writer(self.language, [name]).subject([name], (), own_filters.get(name, ()), {}) for name in targets
            ]
            joined = self.phrases["pause"].join([self.phrases["stop"].join(parts), *self.conditions(filters)])
            return str(joined + (self.phrases["pause"] + self._without("", excluded) if excluded else ""))
        nouns = self._without(self.nouns(targets), excluded) if excluded else self.nouns(targets)
        conditions = self.conditions(filters)
        if self.data.get("order") == "filters first" and targets:
            return self._behind(nouns, filters, conditions)
        if not conditions:
            return nouns
        # Without a pause the filters would seem to belong to the last noun.
        lead = self.phrases["pause"] if excluded or isinstance(filters[0], _PARTED) else self.phrases["lead"]
        return f"{nouns}{lead}{self.phrases['pause'].join(conditions)}"

    def _behind(self, nouns: str, filters: Sequence[Filter], conditions: Sequence[str]) -> str:
        """Put the targets behind their filters, but for ranks and conditions with a verb."""
        is_after = [isinstance(wanted, _PARTED) for wanted in self._merged(filters)]
        before = [text for text, after in zip(conditions, is_after, strict=True) if not after]
        behind = [text for text, after in zip(conditions, is_after, strict=True) if after]
        whole = f"{self.phrases['pause'].join(before)} {nouns}" if before else nouns
        return str(self.phrases["pause"]).join([whole, *behind])

    def conditions(self, filters: Sequence[Filter]) -> list[str]:
        """Write each filter, two bounds of an area as one range."""
        return [
            self.condition(wanted) if not isinstance(wanted, tuple) else self._range(*wanted)
            for wanted in self._merged(filters)
        ]

    def _merged(self, filters: Sequence[Filter]) -> list[Any]:
        """Return filters, with a lower and an upper bound of one unit as a pair."""
        merged: list[Any] = list(filters)
        for low, high in pairwise(filters):
            if _is_range(low, high) and low in merged:
                place = merged.index(low)
                merged[place : place + 2] = [(low, high)]
        return merged

    def condition(self, wanted: Filter) -> str:  # noqa: C901, PLR0911 (one case for each kind of filter)
        """Write the condition of one filter."""
        match wanted:
            case AreaFilter(comparison, amount, unit):
                return self._agreeing(comparison).format(self._echoed(wanted.stated, self.area(amount, unit, wanted)))
            case NearFilter(target, metres, within):
                distance = self._echoed(wanted.stated, self.distance(metres, ECHOED if wanted.stated else SIGNIFICANT))
                phrase = self._agreeing("near" if within else "far")
                return phrase.format(distance=distance, target=self.nouns([target], "oblique"))
            case PlaceFilter(place, inside):
                return self._unless(inside, self.data["words"]["place"][place][0])
            case RankFilter():
                return self._rank(wanted)
            case DrawnFilter(inside):
                return str(self.phrases["inside drawn" if inside else "outside drawn"])
            case EdgeFilter(touching):
                return self._agreeing("touching" if touching else "not touching")
            case AdjacentFilter(target, inside):
                return self._unless(inside, self._agreeing("adjacent").format(self.nouns([target], "oblique")))
            case EnclosedFilter(target, inside):
                return self._unless(inside, self._agreeing("enclosed").format(self.nouns([target], "oblique")))
            case DirectionFilter(target, direction, inside):
                phrase = self.phrases["direction"][direction]
                return self._unless(inside, phrase.format(self.nouns([target], "oblique")))
            case BetweenFilter(first, second, inside):
                nouns = [self._noun(name, "between") for name in (first, second)]
                return self._unless(inside, self._agreeing("between").format(*nouns))
            case ShapeFilter(shape):
                return str(self.phrases["shape"][shape or "compact"])

    def question(self, question: Question, unit: AreaUnit | None = None) -> str:
        """Write what is asked, with the unit of the answer before the question mark."""
        if not question:
            return ""
        sentence = self._choose(self.phrases["question"][question])
        if unit is None:
            return sentence
        return self._before_mark(sentence, self.language.units.get(unit.name, (unit.name,))[0])

    def _before_mark(self, sentence: str, addition: str) -> str:
        """Put an addition in brackets before the mark that ends a sentence."""
        text = sentence[:-1].rstrip()
        return str(self.phrases["echo"]).format(text, addition) + sentence[len(text) :] if addition else sentence

    def further_question(self, question: Question, unit: AreaUnit | None) -> str:
        """Write a question that follows another one, as a sentence of its own."""
        text = self.question(question, unit).lstrip(_LEADS)
        start = next((place for place, char in enumerate(text) if char.isalpha()), 0)
        space = "" if self.language.code == "zh" else " "
        return space + text[:start] + text[start : start + 1].upper() + text[start + 1 :] if text else ""

    def change(self, change: ChangeRequest, filters: Sequence[Filter] = ()) -> str:
        """Write what is asked of two dates, with filters and years before the question mark."""
        sentence = self._choose(self.phrases["change"][change.kind])
        years = "–".join(change.dates)
        years = self.phrases["since"].format(years) if years and change.is_open else years
        return self._before_mark(sentence, self.phrases["pause"].join(filter(None, [*self.conditions(filters), years])))

    def remarks(self, remarks: Remarks) -> list[str]:
        """Write what is to be said about single words."""
        notes = [
            self._narrower(word, target, remarks.shapes.get(word, "")) for word, target in remarks.narrower.items()
        ]
        notes += [self.phrases["mended"].format(typed=typed, word=word) for typed, word in remarks.mended]
        return notes + [self.phrases["set aside"].format(words) for words in remarks.set_aside]

    def nouns(self, targets: Sequence[str], case: str = "plain") -> str:
        """List targets in one grammatical case."""
        names = [self._noun(target, case) for target in targets]
        first, last = self.phrases["comma"].join(names[:-1]), names[-1] if names else ""
        return self.phrases["and"].join([first, last]) if first else last

    def area(self, amount: float, unit: str, wanted: AreaFilter) -> str:
        """Write an area; one beside the user's own quantity in a unit that suits it, with few digits."""
        if not wanted.stated:
            return self.quantity(amount, unit)
        unit = next(
            u for u in ("km2", "ha", "m2") if amount >= SQUARE_METRES[u] / (1 if u != "ha" else 10) or u == "m2"
        )
        return self.quantity(amount / SQUARE_METRES[unit], unit, ECHOED)

    def distance(self, metres: float, significant: int = SIGNIFICANT) -> str:
        """Write a distance in metres, or in kilometres from one on."""
        return self.quantity(metres / KM, "km", significant) if metres >= KM else self.quantity(metres, "m", 4)

    def quantity(self, amount: float, unit: str, significant: int = SIGNIFICANT) -> str:
        """Write an amount with its unit, which agrees with it where the language has such forms."""
        digits = self._digits(amount, significant)
        if forms := self.data.get("counted", {}).get(unit):
            return str(forms[_plural(amount)]).format(digits)
        return str(self.phrases["quantity"]).format(digits, self.language.units[unit][0])

    def _digits(self, amount: float, significant: int = SIGNIFICANT) -> str:
        decimals = max(0, significant - len(str(int(amount))) + (int(amount) == 0))
        digits = f"{amount:.{decimals}f}"
        digits = digits.rstrip("0").rstrip(".") if decimals else digits
        return digits.replace(".", self.language.decimal)

    def _echoed(self, stated: str, quantity: str) -> str:
        return str(self.phrases["echo"]).format(self._stated(stated), quantity) if stated else quantity

    def _stated(self, stated: str) -> str:
        """Return the user's own quantity with its unit as the number asks: three dunums, and twelve dunum in Arabic."""
        if not stated[:1].isdigit():
            return stated
        number, _, unit = stated.partition(" ")
        units: Mapping[str, Sequence[str]] = self.data["words"]["unit"]
        name = next((name for name, forms in units.items() if unit in forms), "")
        if forms := self.data.get("counted", {}).get(name):
            return str(forms[_plural(float(number))]).format(number.replace(".", self.language.decimal))
        return stated.replace(".", self.language.decimal)

    def _range(self, low: AreaFilter, high: AreaFilter) -> str:
        phrase = self._agreeing("range")
        if low.stated and high.stated:
            start, end = self._stated(low.stated), self._stated(high.stated)
            if low.stated.split()[1:] == high.stated.split()[1:]:
                start = low.stated.split()[0].replace(".", self.language.decimal)
            least, most = (self.area(bound.amount, bound.unit, bound) for bound in (low, high))
            unit = most.lstrip(_DIGITS)
            least = least.removesuffix(unit) if least.lstrip(_DIGITS) == unit else least
            return str(self.phrases["echo"]).format(phrase.format(start, end), f"{least}–{most}")
        return phrase.format(self._digits(low.amount), self.quantity(high.amount, high.unit))

    def _rank(self, wanted: RankFilter) -> str:
        name = wanted.order if wanted.inside else f"out {wanted.order}"
        if wanted.first > 1:
            if not wanted.inside:
                return str(self.phrases["out nth"]).format(wanted.first)
            forms = self.phrases[f"nth {wanted.order}"]
            return self._choose(forms.get(str(wanted.first), forms["other"])).format(wanted.first)
        if wanted.count == 1:
            return self._agreeing(name)
        count = self.data.get("count_words", {}).get(str(wanted.count), wanted.count)
        return self._agreeing(f"{name} n").format(count)

    def _unless(self, inside: bool, text: str) -> str:
        return text if inside else self._agreeing("not").format(text)

    def _without(self, nouns: str, excluded: Sequence[str]) -> str:
        form: str = self.phrases["without" if self.targets else "everything except"]
        names = {"excluded": "plain", "oblique": "oblique", "definite": "definite", "excluded_acc": "accusative"}
        without = form.format(targets=nouns, **{name: self.nouns(excluded, case) for name, case in names.items()})
        return without.strip(" ,，、،")

    def _narrower(self, word: str, target: str, shape: Shape) -> str:
        names = {case: self._noun(target, case) for case in ("one", "definite", "dative")}
        phrase = self.phrases[shape or "narrower"]
        return str(phrase.format(word=word, target=self._noun(target, "plain"), **names))

    def _noun(self, target: str, case: str) -> str:
        usual = self.language.targets.get(target, (target,))[0]
        if case == "between":
            case = (
                "instrumental" if "instrumental" in self.data else ("oblique" if self._has_case_after_between else "")
            )
        if case == "dative":
            case = "oblique"
        return str(self.data.get(case, {}).get(target, usual)) if case else usual

    @property
    def _has_case_after_between(self) -> bool:
        return self.language.code in ("de", "hi")

    def _agreeing(self, name: str) -> str:
        return self._choose(self.phrases[name])

    def _choose(self, phrase: Any) -> str:
        """Return the form of a phrase that agrees with the targets."""
        if isinstance(phrase, str):
            return phrase
        classes = {self.data["classes"].get(target, "mass") for target in self.targets}
        kind = classes.pop() if len(classes) == 1 else "mass"
        usual = phrase.get("count") if kind != "mass" else phrase.get("mass", phrase.get("m"))
        return str(phrase.get(kind) or usual or phrase.get("mass") or phrase["m"])


_LEAST_M2 = {"km2": 1e6, "ha": 1e3}
"""From how many square metres on an area is said in a larger unit."""
_PARTED = (RankFilter, EdgeFilter, DrawnFilter)
"""Filters that a pause parts from the targets."""


def _is_range(low: Filter, high: Filter) -> bool:
    """Say whether two filters are the bounds of one range."""
    return (
        isinstance(low, AreaFilter)
        and isinstance(high, AreaFilter)
        and (low.comparison, high.comparison) == (">=", "<=")
        and low.unit == high.unit
        and bool(low.stated) == bool(high.stated)
    )


def _plural(amount: float) -> str:
    """Return the Arabic plural category of a number, as CLDR defines it."""
    if amount != int(amount):
        return "other"
    if amount in (1, 2):
        return "one" if amount == 1 else "two"
    rest = int(amount) % 100
    if 3 <= rest <= 10:  # noqa: PLR2004
        return "few"
    return "many" if rest > 10 else "other"  # noqa: PLR2004
