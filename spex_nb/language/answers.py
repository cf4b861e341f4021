"""Answers in prose from evidence: area, number, place, neighbours and spectral figures of a target."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spex_nb.language.languages import get_language, read_section
from spex_nb.types import Evidence, Spread

FEWEST_SENTENCES = 3
SIGNIFICANT = 3
"""Digits of an area: a reader compares no more."""
FEWEST_DIGITS = 2
"""Zeros at the end are dropped only beyond these digits. A reader takes ``3 ha`` for 2.5 to 3.5 ha. Half a unit of the
second digit is within the tolerance of a claim (`claims.TOLERANCES`)."""
GROUPED_FROM = 10_000
SMALLEST_PERCENT = 0.01
"""Smaller shares are written as "less than" this."""
HECTARES_FROM_M2 = 10_000
SQUARE_KILOMETRES_FROM_M2 = 10_000_000
INDEX_DECIMALS = 2
MINUS, LEFT_TO_RIGHT = "\N{MINUS SIGN}", "\N{LEFT-TO-RIGHT MARK}"
FIGURES = (
    "share",
    "area",
    "largest_area",
    "n",
    "regions",
    "valid",
    "zero_share",
    "zero_area",
    "neighbours",
    "index",
    "inside",
    "outside",
    "relative",
    "size",
    "place",
)
"""Slots that a template leaves open."""
_SLOT = re.compile(r"\{(\w+)\}")
_SENTENCE_END = re.compile(r"(?<=[.!?。।؟])(?=\s|[^\s.!?。।؟\d])")
_CHOICE = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the variants of its sentences."""

    text: str
    template: str
    """Slots in their order, each with the number of its variant, such as ``found3.count0.largest7.index2``."""


def write_answer(evidence: Evidence, language: str = "en", seed: int = 0) -> Answer:
    """Write evidence as three to five sentences.

    Every figure comes from the evidence, rounded. An empty mask gives an answer too: the target is absent.

    Args:
        evidence: Figures of one mask.
        language: ISO 639-1 code of one of `languages.LANGUAGES`.
        seed: Chooses the variant of each sentence, and their order. The same seed gives the same answer.

    Returns:
        The text and the variants of its sentences.

    Raises:
        LanguageError: If the language is not spoken here.
    """
    get_language(language)
    words = _Writer(evidence, language)
    sentences, variants = [], []
    for slot in _order(_slots(evidence), seed):
        number = _choose(f"{seed}:{slot}", len(words.variants(slot)))
        sentences.append(words.sentence(slot, number, seed))
        variants.append(f"{slot}{number}")
    return Answer(words.space.join(sentences), ".".join(variants))


def answer_template(evidence: Evidence, language: str = "en", seed: int = 0) -> str:
    """Write an answer with slots such as ``{share}`` in place of its figures; `fill_answer` fills them.

    A small language model learns sentences, but copies figures badly and learns sizes and places slowly. So it writes
    slots for all of these.

    Args:
        evidence: Decides which sentences there are.
        language: As in `write_answer`.
        seed: As in `write_answer`.

    Raises:
        LanguageError: If the language is not spoken here.
    """
    get_language(language)
    words = _Writer(evidence, language, is_open=True)
    slots = _order(_slots(evidence), seed)
    return words.space.join(
        words.sentence(slot, _choose(f"{seed}:{slot}", len(words.variants(slot))), seed) for slot in slots
    )


def fill_answer(pieces: Iterable[str], evidence: Evidence, language: str = "en") -> Iterator[str]:
    """Fill the slots of an answer while a model writes it.

    Args:
        pieces: The answer, in pieces of any length.
        evidence: The source of the figures.
        language: ISO 639-1 code of the answer.

    Yields:
        Each sentence when it is complete. A sentence with a slot that the evidence cannot fill is left out.

    Raises:
        LanguageError: If the language is not spoken here.
    """
    get_language(language)
    figures = _Writer(evidence, language).figures()
    waiting = ""
    for piece in pieces:
        *whole, waiting = _SENTENCE_END.split(waiting + piece)
        yield from filter(None, (_filled(sentence, figures) for sentence in whole))
    yield from filter(None, [_filled(waiting, figures)])


def _filled(sentence: str, figures: Mapping[str, str]) -> str:
    """Return a sentence with its figures, or an empty string if one of them is missing."""
    slots = set(_SLOT.findall(sentence))
    return _SLOT.sub(lambda slot: figures[slot[1]], sentence) if slots <= figures.keys() else ""


def _phrases(language: str) -> Mapping[str, Any]:
    return read_section(language, "answers")


def _slots(evidence: Evidence) -> list[tuple[str, ...]]:
    """Return the slots of the sentences that this evidence can fill, in blocks that stay together."""
    index = _index_slot(evidence)
    if not evidence.area_px:
        return [("absent",), ("examined",), (index or "zero",)]
    blocks = [("found",), _region_slots(evidence)]
    if evidence.neighbours:
        blocks.append(("neighbours",))
    if index:
        blocks.append((index,))
    missing = FEWEST_SENTENCES - sum(map(len, blocks))
    return [*blocks, ("examined",)] if missing > 0 else blocks


def _region_slots(evidence: Evidence) -> tuple[str, ...]:
    if not evidence.number:
        return ("scattered",)
    if evidence.largest is None:
        return ("count",)
    if evidence.number > 1:
        return ("count", "largest")
    is_whole = evidence.largest.area_px == evidence.area_px  # or there are others, too small to be counted
    return ("single",) if is_whole else ("largest",)


def _index_slot(evidence: Evidence) -> str:
    inside, outside = _is_known(evidence.inside), _is_known(evidence.outside)
    if evidence.index_name is None or not (inside or outside):
        return ""
    if not evidence.area_px:
        return "index_absent" if outside else ""
    return "" if not inside else "index" if outside else "index_inside"


def _is_known(spread: Spread | None) -> bool:
    return spread is not None and math.isfinite(spread.mean) and math.isfinite(spread.std)


def _order(blocks: list[tuple[str, ...]], seed: int) -> list[str]:
    """Return the slots: the first block, then the other blocks in an order that the seed chooses."""
    first, *others = blocks
    others.sort(key=lambda block: _hash(f"{seed}:order:{block[0]}"))
    return [slot for block in (first, *others) for slot in block]


def _choose(key: str, number: int) -> int:
    return _hash(key) % number


def _hash(key: str) -> int:
    """Return a number that is the same on every machine and in every version of Python."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


class _Writer:
    """Puts the figures of one evidence into the sentences of one language."""

    def __init__(self, evidence: Evidence, language: str, *, is_open: bool = False) -> None:
        self._evidence, self._is_open = evidence, is_open
        self._language = get_language(language)
        self._phrases = _phrases(language)
        self.space: str = self._phrases["space"]

    def variants(self, slot: str) -> list[str]:
        """Return the variants of a sentence."""
        variants: list[str] = self._phrases["sentences"][slot]
        return variants

    def sentence(self, slot: str, number: int, seed: int) -> str:
        """Return one variant of a sentence, filled."""
        target = self._phrases["targets"][self._evidence.target]
        words = {**target, **self.figures(seed)}
        if self._is_open:
            words |= {figure: f"{{{figure}}}" for figure in FIGURES}
        if slot == "largest":
            words["area"] = words["largest_area"]
        agreed = _CHOICE.sub(lambda choice: choice[1 + target["form"]], self.variants(slot)[number])
        text = agreed.format_map(words)
        if slot.startswith("index"):
            text = text[:-1] + words["relative"] + text[-1]
        return text[0].upper() + text[1:]

    def figures(self, seed: int = 0) -> dict[str, str]:
        """Return the figures of the evidence, by slot."""
        evidence = self._evidence
        remarks = self._phrases["sentences"]["relative"]
        largest = {"largest_area": self._area_of_largest()} | self._place_and_size()
        figures = self._totals() | self._spectral() | largest
        remark = remarks[_choose(f"{seed}:relative", len(remarks))] if evidence.is_relative else ""
        return {name: text for name, text in figures.items() if text} | {"relative": remark}

    def _totals(self) -> dict[str, str]:
        evidence = self._evidence
        return {
            "share": self._percent(evidence.share_frac),
            "area": self._area(evidence.area_px, evidence.area_m2),
            "n": self._integer(evidence.number),
            "regions": self._regions(evidence.number),
            "valid": self._unit("px", self._integer(evidence.valid_px)),
            "zero_share": self._phrases["percent"].format("0"),
            "zero_area": self._unit("px", "0"),
            "neighbours": self._neighbours(),
        }

    def _place_and_size(self) -> dict[str, str]:
        region = self._evidence.largest
        if region is None:
            return {}
        return {
            "size": self._phrases["sizes"][region.size],
            "place": self._language.places[region.location][0],
        }

    def _area_of_largest(self) -> str:
        region = self._evidence.largest
        return "" if region is None else self._area(region.area_px, region.area_m2)

    def _spectral(self) -> dict[str, str]:
        spreads = {"inside": self._evidence.inside, "outside": self._evidence.outside}
        return {"index": self._evidence.index_name or ""} | {
            name: self._spread(spread) for name, spread in spreads.items() if spread is not None and _is_known(spread)
        }

    def _neighbours(self) -> str:
        """Return the neighbours, longest border first: ``vegetation (34%) and roads (5%)``."""
        shares = sorted(self._evidence.neighbours.items(), key=lambda item: -item[1])
        targets = self._phrases["targets"]
        beside: str = self._phrases["beside"]
        *first, last = [beside.format(targets[name]["name"], self._percent(share)) for name, share in shares] or [""]
        return str(self._phrases["and"].join([self._phrases["comma"].join(first), last] if first else [last]))

    def _regions(self, number: int) -> str:
        """Return number and noun in the plural form of the number, in languages that have several."""
        forms = self._phrases.get("regions")
        return str(forms[_plural(number)].format(self._integer(number))) if forms else ""

    def _area(self, area_px: int, area_m2: float | None) -> str:
        if area_m2 is None:
            return self._unit("px", self._integer(area_px))
        if area_m2 < HECTARES_FROM_M2:
            return self._unit("m2", self._rounded(area_m2))
        if area_m2 < SQUARE_KILOMETRES_FROM_M2:
            return self._unit("ha", self._rounded(area_m2 / 1e4))
        return self._unit("km2", self._rounded(area_m2 / 1e6))

    def _unit(self, unit: str, number: str) -> str:
        text: str = self._phrases["units"][unit]
        return text.format(number)

    def _percent(self, frac: float) -> str:
        percent = 100 * frac
        if 0 < percent < SMALLEST_PERCENT:
            smallest = self._phrases["percent"].format(self._decimal(SMALLEST_PERCENT, 2))
            return str(self._phrases["below"].format(smallest))
        digits = self._without_zeros(self._decimal(percent, 1 if percent >= 1 else 2))
        return str(self._phrases["percent"].format(digits))

    def _spread(self, spread: Spread) -> str:
        return f"{self._index(spread.mean)} ± {self._index(spread.std)}"

    def _index(self, value: float) -> str:
        """Return a value of an index, without decimals where it runs to thousands."""
        return self._decimal(value, INDEX_DECIMALS) if abs(value) < GROUPED_FROM else self._integer(round(value))

    def _rounded(self, value: float) -> str:
        """Return a positive number with three significant digits, or all of them before the decimal mark."""
        digits = SIGNIFICANT - 1 - math.floor(math.log10(value)) if value > 0 else 0
        return self._without_zeros(self._decimal(value, max(digits, 0)))

    def _without_zeros(self, text: str) -> str:
        """Drop zeros behind the decimal mark, as far as the remaining digits show the precision."""
        mark = self._language.decimal
        while mark in text and text[-1] == "0" and len(text.replace(mark, "").lstrip("0")) > FEWEST_DIGITS:
            text = text[:-1]
        return text.removesuffix(mark)

    def _decimal(self, value: float, digits: int) -> str:
        text = f"{abs(value):,.{digits}f}"
        is_negative = value < 0 and float(text.replace(",", "")) != 0
        whole, _, part = text.partition(".")
        grouped = self._integer(int(whole.replace(",", "")))
        minus = MINUS if self._language.code != "ar" else LEFT_TO_RIGHT + MINUS  # or it would stand behind the number
        return (minus if is_negative else "") + grouped + (self._language.decimal + part if part else "")

    def _integer(self, number: int) -> str:
        if abs(number) < GROUPED_FROM:
            return str(number)
        return f"{number:,}".replace(",", self._phrases["group"])


def _plural(number: int) -> str:
    """Return the plural category of an integer in Russian (CLDR), the one language here that needs it."""
    last, tens = number % 10, number % 100 // 10
    if tens == 1 or last not in (1, 2, 3, 4):
        return "many"
    return "one" if last == 1 else "few"
