"""Sentences in the language of an instruction: its meaning, or its refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spex_nb.language.languages import Language
from spex_nb.types import AreaFilter, DrawnFilter, EdgeFilter, Filter, NearFilter, PlaceFilter, RankFilter

KM = 1000
SIGNIFICANT = 7
"""Digits of a quantity: a reader of 4046.856 m² recognises an acre."""


def describe(
    language: Language,
    targets: Sequence[str],
    excluded: Sequence[str] = (),
    filters: Sequence[Filter] = (),
    *,
    narrower: Mapping[str, str] | None = None,
    mended: Sequence[tuple[str, str]] = (),
) -> str:
    """Write the meaning of an instruction as a sentence.

    Args:
        language: The language of the sentence.
        targets: Ids of the wanted targets; none for everything but ``excluded``.
        excluded: Ids of the targets to leave out.
        filters: The filters of regions.
        narrower: Narrower words -> the targets that answer them.
        mended: Typing errors: (as typed, as read).

    Returns:
        Such as ``water bodies larger than 2 ha, in the north-west; "lake" is answered as water bodies``.
    """
    phrases = language.instructions["phrases"]
    sentence = _subject(language, targets, excluded)
    if filters:
        # Without a pause the filters would seem to belong to the last noun.
        lead = phrases["pause" if excluded or isinstance(filters[0], RankFilter) else "lead"]
        sentence += lead + phrases["pause"].join(describe_filter(wanted, language) for wanted in filters)
    notes = [
        phrases["narrower"].format(word=word, target=language.targets[target][0])
        for word, target in (narrower or {}).items()
    ]
    notes += [phrases["mended"].format(typed=typed, word=word) for typed, word in mended]
    return str(phrases["stop"]).join([sentence, *notes])


def describe_filter(wanted: Filter, language: Language) -> str:
    """Write the condition of one filter."""
    phrases: Mapping[str, str] = language.instructions["phrases"]
    match wanted:
        case AreaFilter(comparison, amount, unit):
            return phrases[comparison].format(_quantity(amount, unit, language))
        case NearFilter(target, metres, within):
            goal = _nouns(language, [target], "oblique")
            return phrases["near" if within else "far"].format(distance=_distance(metres, language), target=goal)
        case PlaceFilter(place, inside):
            words: Mapping[str, Sequence[str]] = language.instructions["words"]["place"]
            return words[place][0] if inside else phrases["not"].format(words[place][0])
        case RankFilter(order, count):
            return phrases[order] if count == 1 else phrases[f"{order} n"].format(count)
        case DrawnFilter(inside):
            return phrases["inside drawn" if inside else "outside drawn"]
        case EdgeFilter(touching):
            return phrases["touching" if touching else "not touching"]


def refuse(language: Language, words: str) -> str:
    """Write in a language that the parser does not know some words, with an example of what it knows."""
    sentence: str = language.instructions["phrases"]["refusal"]
    return sentence.format(words)


def _subject(language: Language, targets: Sequence[str], excluded: Sequence[str]) -> str:
    phrases = language.instructions["phrases"]
    nouns = _nouns(language, targets, "plain")
    if not excluded:
        return nouns
    form = phrases["without"] if targets else phrases["everything except"]
    without: str = form.format(
        targets=nouns, excluded=_nouns(language, excluded, "plain"), oblique=_nouns(language, excluded, "oblique")
    )
    return without


def _nouns(language: Language, targets: Sequence[str], case: str) -> str:
    """List targets in one grammatical case."""
    oblique: Mapping[str, str] = language.instructions["oblique"] if case == "oblique" else {}
    names = [oblique.get(target, language.targets[target][0]) for target in targets]
    phrases = language.instructions["phrases"]
    first, last = phrases["comma"].join(names[:-1]), names[-1] if names else ""
    return phrases["and"].join([first, last]) if first else last


def _distance(metres: float, language: Language) -> str:
    return _quantity(metres / KM, "km", language) if metres >= KM else _quantity(metres, "m", language)


def _quantity(amount: float, unit: str, language: Language) -> str:
    decimals = max(0, SIGNIFICANT - len(str(int(amount))))
    digits = f"{amount:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{amount:.0f}"
    digits = digits.replace(".", language.decimal)
    sentence: str = language.instructions["phrases"]["quantity"]
    return sentence.format(digits, language.units[unit][0])
