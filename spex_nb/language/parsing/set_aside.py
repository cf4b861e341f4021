"""Words that have no part in the meaning: greetings, who asks, what for. The parser sets them aside and says so."""

from __future__ import annotations

from collections.abc import Sequence

from spex_nb.language.parsing.tokens import Token

_EMPTY = frozenset(
    {
        "all", "and", "article", "ask", "comma", "contrast", "every", "filler", "from", "in", "modal", "of", "or",
        "particle", "purpose", "purpose_after", "request", "scene", "those", "time", "to", "unknown", "which",
    }
)  # fmt: skip
"""Kinds of words that say nothing about regions."""
_ASIDE = frozenset({"unknown", "time", "concept"})
"""Kinds of words that can be without a part in the meaning."""
_AFTER_PURPOSE = frozenset({"unknown", "concept", "filler", "article", "of", "those"})


def places_set_aside(tokens: Sequence[Token]) -> frozenset[int]:
    """Return the places of unknown words that have no part in the meaning.

    They stand before a request ("I am a planner and need all lakes"), or name a purpose ("for my inventory"). A word
    beside a land cover or a filter is never set aside: it may change what is meant.
    """
    kinds = [token.sense.kind for token in tokens]
    places = [place for place, kind in enumerate(kinds) if kind in _ASIDE]
    return frozenset(place for place in places if _is_before_request(kinds, place) or _is_purpose(kinds, place))


def _is_before_request(kinds: Sequence[str], place: int) -> bool:
    """Say whether a request for a land cover follows, and nothing stands beside the word that it could belong to."""
    if any(kind not in _EMPTY and kind != "concept" for kind in kinds[:place]):
        return False
    after = kinds[place + 1 :]
    request = after.index("request") if "request" in after else len(after)
    start = next((i for i, kind in enumerate(after[:request]) if kind == "comma"), request)
    is_bare = all(kind in _EMPTY or kind == "concept" for kind in after[:start])
    return is_bare and "request" in after and "target" in after[start:]


def _is_purpose(kinds: Sequence[str], place: int) -> bool:
    if kinds[place] == "time" or kinds[place + 1 : place + 2] == ["target"]:
        return False
    before = next((kind for kind in reversed(kinds[:place]) if kind not in _AFTER_PURPOSE), "")
    return before == "purpose"
