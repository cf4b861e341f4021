"""Prompts for the language model: written from a target and its regions, and read back.

The form is that of SPEX (https://doi.org/10.1109/TGRS.2026.3670308).
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spex_nb.errors import PromptError, PromptWarning
from spex_nb.regions.find import LOCATIONS, SIZE_WORDS, region_attributes
from spex_nb.types import Attributes, Point, Region
from spex_nb.types.targets import get_target

IMAGE_TOKEN = "<image>"
ASK = (
    "Based on the provided image and the attributes of the {word} regions, please provide a detailed description of "
    "them:"
)
ASK_WITHOUT_REGIONS = (
    "Based on the provided image, in which no {word} regions were found beforehand, please say whether there are any, "
    "and provide a detailed description of them."
)
MAX_LENGTH = 100_000
_WITH_REGIONS = re.compile(r"attributes of the (?P<word>.{1,40}?) regions?\b", re.IGNORECASE)
_WITHOUT_REGIONS = re.compile(r"in which no (?P<word>.{1,40}?) regions were found beforehand", re.IGNORECASE)
_ENTRY = re.compile(r"\{([^{}]*)\}")
_NUMBER = r"[-+]?\d{1,12}(?:\.\d{0,12})?(?:e-?\d{1,3})?"
_POINT = rf"[\[(]\s*({_NUMBER})\s*,\s*({_NUMBER})\s*[\])]"
_TOKEN = re.compile(r"\d|[^\W\d]{1,6}|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Prompt:
    """The meaning of a prompt."""

    target: str
    """Id of the target."""
    regions: tuple[Attributes, ...]
    """As the prompt lists them: largest first."""


def build_prompt(
    target: str,
    regions: Sequence[Region | Attributes],
    *,
    rich: bool = False,
    max_tokens: int | None = None,
    count_tokens: Callable[[str], int] | None = None,
) -> str:
    """Write the prompt of a target and its regions.

    Args:
        target: Id of a target (``water``), or the word that prompts use (``water bodies``).
        regions: Regions in any order, which the prompt lists largest first; or Attributes, largest first.
        rich: Whether the prompt lists index, mean index and share too. The published prompts of SPEX do not.
        max_tokens: The prompt drops its smallest regions until it has at most this many tokens.
        count_tokens: The tokenizer's count of a text. The default is an estimate that is rather too high.

    Returns:
        The image token, and on the next line the question with the list of attributes. Without regions, the question
        says that there are none.

    Raises:
        TargetError: If the target is unknown.
        PromptError: If not even the question fits into ``max_tokens``.

    Warns:
        PromptWarning: If the prompt drops regions, with their number.
    """
    return write_prompt(get_target(target).word, regions, rich=rich, max_tokens=max_tokens, count_tokens=count_tokens)


def write_prompt(
    word: str,
    regions: Sequence[Region | Attributes],
    *,
    rich: bool = False,
    max_tokens: int | None = None,
    count_tokens: Callable[[str], int] | None = None,
) -> str:
    """Write the prompt of a word and its regions: that of a target, or the name of a class that a user taught.

    Args and errors are those of `build_prompt`, but for the target.
    """
    by_size = sorted(regions, key=lambda region: -region.area_px if isinstance(region, Region) else 0)
    entries = [_entry(_attributes(region, rich)) for region in by_size]
    text = _write(word, entries)
    if max_tokens is None or (count := count_tokens or estimate_tokens)(text) <= max_tokens:
        return text
    for number in range(len(entries) - 1, 0, -1):
        text = _write(word, entries[:number])
        if count(text) <= max_tokens:
            _warn_of_dropped_regions(len(entries), number, max_tokens)
            return text
    raise PromptError(
        "The prompt does not fit",
        found=f"{count(text)} tokens with {min(len(entries), 1)} region",
        expected=f"at most {max_tokens}",
        fix="Allow more tokens.",
    )


def keep_regions(prompt: str, most: int) -> str:
    """Return a prompt with at most this many regions: its first, which are the largest."""
    entries = list(_ENTRY.finditer(prompt))
    if len(entries) <= most:
        return prompt
    return prompt[: entries[most - 1].end()] + prompt[entries[-1].end() :]


def in_language(prompt: str, language: str) -> str:
    """Return a prompt that asks for an answer in a language, by its ISO 639-1 code; English needs no word."""
    return prompt if language == "en" else f"{prompt}\n[{language}]"


def parse_prompt(text: str) -> Prompt:
    """Read a prompt: ours, or in any of the spellings of the published SPIE records.

    Raises:
        PromptError: If the text is no such prompt.
        TargetError: If its target is unknown.
    """
    if len(text) > MAX_LENGTH:
        raise _no_prompt(f"{len(text)} characters", f"at most {MAX_LENGTH} characters")
    flat = text.replace("\\n", "\n").replace("\\'", "'")
    without = _WITHOUT_REGIONS.search(flat)
    if without:
        return Prompt(get_target(without["word"]).id, ())
    question = _WITH_REGIONS.search(flat)
    if question is None:
        raise _no_prompt(repr(text[:60]), "'… the attributes of the water bodies regions …'")
    target = get_target(question["word"].strip("\"' ")).id
    if flat.count("{") != flat.count("}"):
        raise _no_prompt(repr(text[-60:]), "a list of attributes that is not cut off")
    return Prompt(target, tuple(_read_entry(entry) for entry in _ENTRY.findall(flat[question.end() :])))


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a text takes: one for each digit, mark, and six letters at most."""
    return len(_TOKEN.findall(text))


def _attributes(region: Region | Attributes, rich: bool) -> Attributes:
    return region_attributes(region, rich=rich) if isinstance(region, Region) else region


def _write(word: str, entries: Sequence[str]) -> str:
    if not entries:
        return f"{IMAGE_TOKEN}\n{ASK_WITHOUT_REGIONS.format(word=word)}"
    return f"{IMAGE_TOKEN}\n{ASK.format(word=word)}[{', '.join(entries)}]"


def _entry(region: Attributes) -> str:
    attributes: dict[str, object] = {
        "Size of area": region.size,
        "Centroid": list(region.centroid_frac),
        "Location": region.location,
        "Bounding box": [list(corner) for corner in region.rectangle_frac],
    }
    rich = {"Index": region.index_name, "Mean index": region.mean_index, "Share": region.share_frac}
    return str(attributes | {name: value for name, value in rich.items() if value is not None})


def _read_entry(entry: str) -> Attributes:
    corners = [_point(pair) for pair in re.findall(_POINT, _part(entry, "Bounding box", r"[\[(].*?[\])]\s*[\])]"))]
    if len(corners) != 4:  # noqa: PLR2004 (a rectangle)
        raise _no_prompt(f"a bounding box of {len(corners)} corners", "4 corners")
    (centroid,) = re.findall(_POINT, _part(entry, "Centroid", _POINT)) or [("nan", "nan")]
    return Attributes(
        size=_word(entry, "Size of area", tuple(SIZE_WORDS)),
        centroid_frac=_point(centroid),
        location=_word(entry, "Location", LOCATIONS),
        rectangle_frac=(corners[0], corners[1], corners[2], corners[3]),
        index_name=_maybe(entry, "Index", r"\w+"),
        mean_index=_maybe_number(entry, "Mean index"),
        share_frac=_maybe_number(entry, "Share"),
    )


def _part(entry: str, key: str, pattern: str) -> str:
    value = _maybe(entry, key, pattern)
    if value is None:
        raise _no_prompt(f"{{{entry[:80]}}}", f"an entry with {key!r}")
    return value


def _maybe(entry: str, key: str, pattern: str) -> str | None:
    match = re.search(rf"""['"]{key}['"]\s*:\s*['"]?(?P<value>{pattern})""", entry, re.IGNORECASE | re.DOTALL)
    return match["value"].strip() if match else None


def _maybe_number(entry: str, key: str) -> float | None:
    digits = _maybe(entry, key, _NUMBER)
    return None if digits is None else float(digits)


def _word(entry: str, key: str, words: Sequence[str]) -> str:
    word = _part(entry, key, r"[a-z -]+").lower()
    if word not in words:
        raise _no_prompt(f"{key!r}: {word!r}", f"one of {', '.join(words)}")
    return word


def _point(pair: tuple[str, str]) -> Point:
    x, y = float(pair[0]), float(pair[1])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise _no_prompt(f"the point ({pair[0]}, {pair[1]})", "two numbers")
    return x, y


def _warn_of_dropped_regions(regions: int, listed: int, max_tokens: int) -> None:
    warnings.warn(
        f"The prompt names the {listed} largest of {regions} regions: more do not fit into {max_tokens} tokens.",
        PromptWarning,
        stacklevel=3,
    )


def _no_prompt(excerpt: str, expected: str) -> PromptError:
    return PromptError("This is no prompt", found=excerpt, expected=expected, fix="Make prompts with build_prompt.")
