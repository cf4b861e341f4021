"""Clauses of an explanation: the subject of each, and the relations between its words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from spex_nb.language.claim_tokens import Sentence, Token

RANKS = ("second", "third", "largest", "smallest")
"""Words that name a single region; ``second`` before ``largest``, which is part of it."""
SIDES = ("inside", "outside")
NEAR = 3
"""Most words between a number and the noun that it counts, or between ``no`` and its noun."""


@dataclass(frozen=True, slots=True)
class Role:
    """The pixels and the statistic of a value of an index."""

    side: str
    """``inside`` or ``outside`` of the mask."""
    is_spread: bool


class Clause:
    """A clause and its subject."""

    def __init__(self, tokens: list[Token], subject: str) -> None:
        self.tokens = tokens
        self.kinds = {kind for token in tokens for kind in token.senses}
        self.subject = subject
        """A rank, ``others``, or nothing in particular."""
        self.targets = {token.senses["target"] for token in tokens if "target" in token}

    @cached_property
    def units(self) -> set[str]:
        """The units that the clause names."""
        return {token.senses["unit"] for token in self.tokens if "unit" in token}

    @cached_property
    def descriptions(self) -> list[Token]:
        """The words for sizes and places, each meaning once."""
        words = (token for token in self.tokens if "size" in token or "place" in token)
        return list({(token.senses.get("size"), token.senses.get("place")): token for token in words}.values())

    @cached_property
    def denials(self) -> tuple[int, int]:
        """Positions of the first word that denies what follows, and of the last that denies what comes before."""
        places = range(len(self.tokens))
        first = next((i for i in places if self.tokens[i].senses.keys() & {"not", "no"}), len(self.tokens))
        last = next((i for i in reversed(places) if self.tokens[i].senses.keys() & {"not", "no_after"}), -1)
        return first, last

    def has(self, *kinds: str) -> bool:
        """Say whether the clause has a word of one of these kinds."""
        return any(kind in self.kinds for kind in kinds)

    def before(self, position: int, distance: int) -> list[Token]:
        """Return the tokens before a position, nearest first."""
        return self.tokens[max(0, position - distance) : position][::-1]

    def after(self, position: int, distance: int) -> list[Token]:
        """Return the tokens after a position, nearest first."""
        return self.tokens[position + 1 : position + 1 + distance]


def read_clauses(sentence: Sentence) -> list[Clause]:
    """Give each clause its subject: the last in it or before it, or else the first of the sentence."""
    marks = (*RANKS, "others")
    sentence = [part for tokens in sentence for part in _apart(tokens, marks)]
    named = [_ranks_in(tokens, marks) for tokens in sentence]
    subject = next((kinds[0] for kinds in named if kinds), "")
    clauses, has_begun = [], False
    for tokens, kinds in zip(sentence, named, strict=True):
        first = next((token for token in tokens if "target" in token or "unit" in token or "fraction" in token), None)
        has_noun = first is not None and "target" in first  # not ``80 % of the water``
        if kinds:
            subject = kinds[-1]
        elif has_noun and has_begun:  # another lake is the subject now
            subject = ""
        has_begun = True
        clauses.append(Clause(tokens, subject))
    return clauses


def _apart(tokens: list[Token], marks: tuple[str, ...]) -> list[list[Token]]:
    """Cut a clause where a further rank begins: ``the largest has 676 ha and the second 98 ha`` are two."""
    parts: list[list[Token]] = [[]]
    has_rank = has_figure = False
    for token in tokens:
        is_rank = any(kind in token for kind in marks)
        if is_rank and has_rank and has_figure:
            parts.append([])
            has_figure = False
        has_rank = has_rank or is_rank
        has_figure = has_figure or (has_rank and token.figure is not None)
        parts[-1].append(token)
    return parts


def _ranks_in(tokens: list[Token], marks: tuple[str, ...]) -> list[str]:
    """Return the ranks that a clause names; the ``largest`` right behind ``second`` or ``third`` is part of it."""
    ranks: list[str] = []
    latest = -NEAR - 1
    for position, token in enumerate(tokens):
        kinds = [kind for kind in marks if kind in token]
        is_part = "largest" in kinds and ranks[-1:] in (["second"], ["third"]) and position - latest <= NEAR
        if kinds and not is_part:
            ranks += kinds
            latest = position
    return ranks


def index_roles(clauses: list[Clause]) -> dict[int, Role]:
    """Return the role of each number of a sentence: inside or outside of the mask, mean or spread."""
    roles: dict[int, Role] = {}
    fronted = ""  # ``Inside, it is 0.4``: a clause with a side and no number gives its side to the next clause
    for clause in clauses:
        sides = [side for side in map(_side_of, clause.tokens) if side]
        numbers = [t for t in clause.tokens if t.figure is not None]
        if not numbers:
            fronted = sides[-1] if sides else fronted
            continue
        roles |= _roles_in(clause, fronted or "inside")
        fronted = ""
    return roles


def _roles_in(clause: Clause, default: str) -> dict[int, Role]:
    """Give numbers of a clause their sides: the side before them, or after them where numbers come first."""
    roles: dict[int, Role] = {}
    side, is_taken, latest, owed = "", False, default, ""
    for position, token in enumerate(clause.tokens):
        if named := _side_of(token):
            side, is_taken, owed = named, named == owed, ""
        if token.figure is None:
            continue
        if position and "pm" in clause.tokens[position - 1]:
            roles[token.start] = Role(latest, is_spread=True)
            continue
        following = _next_side(clause.tokens, position + 1)
        is_before = bool(side) and not is_taken
        latest = side if is_before else following or side or default
        is_taken, owed = True, "" if is_before else following
        roles[token.start] = Role(latest, _is_spread(clause, position))
    return roles


def _side_of(token: Token) -> str:
    return next((side for side in SIDES if side in token), "")


def _next_side(tokens: list[Token], start: int) -> str:
    """Return the side between a position after a number and the next mean, or an empty string."""
    for position in range(start, len(tokens)):
        if tokens[position].figure is not None and "pm" not in tokens[position - 1]:
            return ""
        if side := _side_of(tokens[position]):
            return side
    return ""


def _is_spread(clause: Clause, position: int) -> bool:
    """Say whether the words before a number call it a standard deviation; ``0.43 ± 0.05`` begins with the mean."""
    if any("pm" in t for t in clause.after(position, 1)):
        return False
    for token in clause.before(position, 2 * NEAR):
        if "spread" in token or token.figure is not None:
            return "spread" in token
    return False


def comparison_at(clause: Clause, position: int) -> str:
    """Return the word of comparison beside a number: before it, or after its unit."""
    for token in clause.before(position, 2):
        for how in ("at_least", "at_most", "more", "less", "about"):
            if how in token:
                return how
        if token.senses.keys() - {"fillers"}:
            break
    for token in clause.after(position, 2):
        for how in ("more", "less"):
            if f"{how}_after" in token:
                return how
    return ""


def is_denied_at(clause: Clause, position: int) -> bool:
    """Say whether the word before a position denies it."""
    return any(t.senses.keys() & {"not", "no"} for t in clause.before(position, 1))


def denial(clause: Clause) -> str:
    """Return ``not `` if a clause denies its statement, else an empty string."""
    return "not " if clause.has("not", "no", "none", "absent", "no_after") else ""
