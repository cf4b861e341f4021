"""What an instruction asks of the regions, and in which unit the answer is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from spex_nb.language.parsing.grammar import Fault, Mention, QuestionPart, Statement, UnitPart
from spex_nb.language.parsing.lexicon import Reading
from spex_nb.language.parsing.refusals import refusal
from spex_nb.language.parsing.tokens import Sense, Token, join_words
from spex_nb.types import AreaUnit, Question, RankFilter

_MARKS = ("?", "？", "؟")
_GENERAL = ("presence", "amount")
"""Questions that are part of every other one."""
_COUNTED = frozenset({"building", "built_up", "road"})
"""Targets whose names are of single things, where the form of a name shows no number."""
_NO_QUESTION = frozenset({"modal", "request", "which"})
"""Kinds of words of a sentence with a question mark that does not ask whether there is any: "can you", "which"."""


def require_one_question(statements: Sequence[Statement], reading: Reading) -> None:
    """Refuse two different questions, and a unit that belongs to none.

    Raises:
        InstructionError: With the words of both questions, or with the unit.
    """
    questions = [s for s in statements if isinstance(s.meaning, QuestionPart) and s.meaning.question not in _GENERAL]
    units = [s for s in statements if isinstance(s.meaning, UnitPart)]
    kinds = {s.meaning.question for s in questions if isinstance(s.meaning, QuestionPart)} | set(
        map(_question_of, units)
    )
    if "share" in kinds and (_asks_how_large_a_share(statements) or any(_question_of(s) == "share" for s in units)):
        kinds -= {"area"}  # "how much, in percent"
    if len(kinds) > 1 or len({s.meaning for s in units}) > 1:
        raise refusal(reading, "questions", join_words([_words(s) for s in statements if s in (*questions, *units)]))
    is_asked = any(isinstance(s.meaning, QuestionPart) and s.meaning.question != "presence" for s in statements)
    for statement in units:
        if isinstance(statement.meaning, UnitPart) and statement.meaning.is_bare and not is_asked:
            raise refusal(reading, "bare_unit", _words(statement), statements)


def _asks_how_large_a_share(statements: Sequence[Statement]) -> bool:
    """Say whether a share follows the question for a size at once: "how large is the share of forest?"."""
    parts = [s.meaning for s in statements if not _is_idle(s)]
    questions = [part.question if isinstance(part, QuestionPart) else "" for part in parts]
    return ("area", "share") in pairwise(questions)


def _is_idle(statement: Statement) -> bool:
    return isinstance(statement.meaning, Token) and statement.meaning.sense.kind in ("of", "article", "in")


def asked_question(statements: Sequence[Statement], reading: Reading) -> Question:
    """Return what is asked; whether there is any gives way to every other question."""
    parts = [s.meaning.question for s in statements if isinstance(s.meaning, QuestionPart)]
    parts += [_question_of(s) for s in statements if isinstance(s.meaning, UnitPart)]
    exact = [question for question in parts if question not in _GENERAL]
    if exact:
        return "share" if "share" in exact else exact[0]  # type: ignore[return-value]  # none of them is general
    if "amount" in parts:
        return _how_many_or_how_much(statements)
    return "presence" if parts or _asks_whether(statements, reading) else ""


def asked_unit(statements: Sequence[Statement]) -> AreaUnit | None:
    """Return the unit of area in which the answer is wanted."""
    return next((s.meaning.unit for s in statements if isinstance(s.meaning, UnitPart)), None)


def _question_of(statement: Statement) -> Question:
    """Return the question that a unit belongs to."""
    assert isinstance(statement.meaning, UnitPart)
    return "area" if statement.meaning.unit else "share"


def _how_many_or_how_much(statements: Sequence[Statement]) -> Question:
    """Return the question of words such as ``combien``, which the first land cover decides: lakes are counted."""
    senses = [s.meaning.token.sense for s in statements if isinstance(s.meaning, Mention)]
    return "count" if senses and _is_counted(senses[0]) else "area"


def _is_counted(sense: Sense) -> bool:
    if sense.plural is not None:
        return sense.plural
    return bool(sense.shape) or sense.value in _COUNTED


def _asks_whether(statements: Sequence[Statement], reading: Reading) -> bool:
    """Say whether a sentence is a question that only yes or no answers: ``snow?``, ``图上有雪吗``."""
    is_open = reading.text.rstrip(" \t\n\"'”»)").endswith(_MARKS) or "ask" in reading.dropped
    is_selective = any(isinstance(s.meaning, RankFilter | Fault) for s in statements)
    return is_open and not is_selective and not (_NO_QUESTION & reading.dropped)


def _words(statement: Statement) -> str:
    return join_words([token.text for token in statement.tokens if token.sense.kind != "comma"])
