"""Sentences whose words all have a meaning, but together none that a picture shows: the future, land for a house."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

from spex_nb.errors import InstructionError
from spex_nb.language.languages import fold, get_language
from spex_nb.language.parsing.lexicon import Reading
from spex_nb.language.parsing.paraphrase import describe
from spex_nb.language.parsing.refusals import concept_refusal, refusal
from spex_nb.language.parsing.tokens import Sense, Token, join_words
from spex_nb.types import ChangeRequest

FUTURE = "forecast"
"""The concept whose refusal says that a picture shows one day."""
_SITES_TAKE = frozenset({"building", "built_up", "road"})
"""Targets that somebody looks for land for."""
_IDLE = frozenset({"all", "article", "of", "in", "particle"})
"""Kinds of words that may stand between two that belong together."""


def require_present(reading: Reading) -> None:
    """Refuse a question about the future, with one scene or with two.

    Raises:
        InstructionError: With the words that speak of it.
    """
    if words := _words(reading, "future"):
        raise _future(reading, words)


def require_plain_sentence(reading: Reading, *, is_change: bool) -> None:
    """Refuse a sentence that no filter can do as a whole, though each of its words means something.

    Args:
        reading: The text as it was read.
        is_change: Whether it asks what changed between two dates; then what happened may be named.

    Raises:
        InstructionError: For land to build on, an event in time, "not only water", "one of the lakes", a double
            negation, "not all", a question about all, a denied change, and one land cover that became another one.
    """
    for problem, refuse in _REFUSALS.items():
        words = "" if problem == "event" and is_change else _words(reading, problem)
        if words and (error := refuse(reading, words)):
            raise error
    if words := _beside(reading.tokens, _DOUBLED):
        raise refusal(reading, "fit", words)
    if is_change and (words := _beside(reading.tokens, _DENIED_CHANGES)):
        raise refusal(reading, "except", words)


def _words(reading: Reading, problem: str) -> str:
    """Return the words of a sentence that its language lists for a problem; empty if there are none."""
    pattern = _pattern(reading.language.code, problem)
    for text in (reading.text.casefold(), fold(reading.text)):
        if pattern and (match := pattern.search(text)):
            typed = reading.text if len(text) == len(reading.text) else text  # as typed, where folding keeps places
            return typed[slice(*match.span())].strip()
    return ""


@cache
def _pattern(code: str, problem: str) -> re.Pattern[str] | None:
    text = get_language(code).instructions["sentences"].get(problem, "")
    return re.compile(text) if text else None


def _future(reading: Reading, words: str) -> InstructionError:
    return concept_refusal(reading, Token(Sense("concept", FUTURE), words))


def _site(reading: Reading, words: str) -> InstructionError | None:
    """Refuse "land for a house", which asks for no house."""
    taken = (token.text for token in reading.tokens if token.sense.value in _SITES_TAKE)
    return _future(reading, words) if any(fold(text) in fold(words) for text in taken) else None


def _event(reading: Reading, words: str) -> InstructionError:
    return refusal(reading, "time", words)


def _alone(reading: Reading, words: str) -> InstructionError:
    """Refuse "not only water" without what else."""
    return refusal(reading, "alone", words)


def _choice(reading: Reading, words: str) -> InstructionError:
    """Refuse "one of the lakes" and "both lakes" without what chooses them."""
    return refusal(reading, "choice", words)


def _doubled(reading: Reading, words: str) -> InstructionError:
    return refusal(reading, "fit", words)


def _became(reading: Reading, words: str) -> InstructionError | None:
    """Refuse "forest that became fields", with the two questions that can be asked."""
    return _turned(reading, words, _targets(reading))


def _formerly(reading: Reading, words: str) -> InstructionError | None:
    """Refuse "houses where forest was", with the two questions that can be asked."""
    return _turned(reading, words, _targets(reading)[::-1])


def _turned(reading: Reading, words: str, targets: Sequence[str]) -> InstructionError | None:
    if len(targets) < 2:  # noqa: PLR2004
        return None
    changes = ((targets[1], ChangeRequest("gained")), (targets[0], ChangeRequest("lost")))
    texts = [describe(reading.language, [name], change=change) for name, change in changes]
    return refusal(reading, "became", words, instead=texts)


_REFUSALS: dict[str, Callable[[Reading, str], InstructionError | None]] = {
    "site": _site,
    "event": _event,
    "alone": _alone,
    "choice": _choice,
    "doubled": _doubled,
    "became": _became,
    "formerly": _formerly,
}
"""By the name under which a language lists the words of a sentence."""


def _targets(reading: Reading) -> list[str]:
    return [token.sense.value for token in reading.tokens if token.sense.kind == "target"]


_DOUBLED = frozenset({("except", "not"), ("not", "except")})
"""Kinds of words that deny twice: everything except not water."""
_DENIED_CHANGES = frozenset(
    {("not", "change"), ("except", "change"), ("change", "not_after"), ("change", "except_after")}
)
"""Kinds of words that deny a change: no change in the forest."""


def _beside(tokens: Sequence[Token], pairs: frozenset[tuple[str, str]]) -> str:
    """Return the first two words of two kinds that stand side by side but for idle words; empty if there are none."""
    spoken = [token for token in tokens if token.sense.kind not in _IDLE]
    for first, second in pairwise(spoken):
        if (first.sense.kind, second.sense.kind) in pairs:
            return join_words([first.text, second.text])
    return ""
