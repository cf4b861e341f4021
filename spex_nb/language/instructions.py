"""Instructions in nine languages become targets, exclusions and filters. The parser refuses what it does not know."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter

from spex_nb.errors import InstructionError
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.language.parsing.change import change_refusal, split_change, with_changed_targets
from spex_nb.language.parsing.checks import require_clear, require_known, require_possible
from spex_nb.language.parsing.grammar import Mention, Statement, parse_tokens
from spex_nb.language.parsing.lexicon import Reading, read_text
from spex_nb.language.parsing.paraphrase import Remarks, describe
from spex_nb.language.parsing.questions import asked_question, asked_unit
from spex_nb.language.parsing.refusals import ASK, refusal
from spex_nb.language.parsing.scope import add_shapes, assign_filters, shapes_of
from spex_nb.language.parsing.sentences import require_plain_sentence, require_present
from spex_nb.language.parsing.spoken import familiarity, foreign_refusal, is_foreign
from spex_nb.language.parsing.tokens import join_words
from spex_nb.language.proposals.door import with_proposal
from spex_nb.language.proposals.settings import configured_server
from spex_nb.spectral.priors import NO_INDEX, RULES
from spex_nb.types import ChangeRequest, Instruction
from spex_nb.types.targets import stand_in

TWO_DATES = 2
"""Scenes that a change takes."""
LONGEST = 2_000
"""Characters: far above any instruction, and below what takes long to read."""
_SCRIPTS = {"ar": "ARABIC", "hi": "DEVANAGARI", "ru": "CYRILLIC", "zh": "CJK"}


def parse_instruction(
    text: str,
    targets: Collection[str] = (),
    *,
    scenes: int = 1,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Instruction:
    """Parse what a user typed.

    The language is the one whose words fit best. The parser skips a closed list of words ("please", "show me"). Every
    other word must have its place in the meaning, or the parser refuses the instruction. Filters hold for all targets
    together. Distances include their bound: "closer than 500 m" is "within 500 m".

    Args:
        text: An instruction of 1 to 2,000 characters in Arabic, Chinese, English, French, German, Hindi, Portuguese,
            Russian or Spanish.
        targets: Ids of the targets that a model answers, beside those that spectral indices are about. A word such as
            forest means the narrowest of them: tree cover where the model knows it, else vegetation.
        scenes: How many scenes there are to answer it. What was gained, lost or changed takes two: with one it is
            refused, with two `Instruction.change` says it (default: 1).
        classes: By the id of each taught class its names in any language. Their words are then targets too, whatever
            else they mean (default: none).

    Returns:
        Targets, exclusions and filters. `Instruction.meaning` is a sentence of them in the user's language; it names
        narrower words and mended typing errors.

    Raises:
        InstructionError: If the parser does not know a word, the meaning contradicts itself or is ambiguous, or no
            extraction can do it. Where `configure` names a language model, its proposal is the first suggestion.
    """
    _require_text(text)
    server = configured_server()
    if server is None:
        return _parsed(text, targets, scenes, classes)
    try:
        return _parsed(text, targets, scenes, classes)
    except InstructionError as refused:
        code = _closest_language(text, classes)
        parse = partial(_parsed, targets=targets, scenes=scenes, classes=classes)
        raise with_proposal(refused, text, code, server, parse) from None


def _closest_language(text: str, classes: Mapping[str, Sequence[str]] | None) -> str:
    """Return the code of the language whose words fit a text best."""
    readings = sorted(_readings(text, classes), key=attrgetter("cost"))
    best = [reading for reading in readings if reading.cost == readings[0].cost]
    return max(best, key=familiarity).language.code


def _parsed(
    text: str, targets: Collection[str], scenes: int, classes: Mapping[str, Sequence[str]] | None
) -> Instruction:
    """Parse what a user typed; nobody else is asked."""
    answerable = {*targets, *RULES, *NO_INDEX}
    readings = [_answered(reading, answerable) for reading in sorted(_readings(text, classes), key=attrgetter("cost"))]
    best = [reading for reading in readings if reading.cost == readings[0].cost]
    changes = [reading for reading in best if split_change(reading)[0]]
    is_native = not (readings[0].unknown and is_foreign(readings))
    for reading in best if is_native else ():
        require_present(reading)
    if changes and scenes < TWO_DATES:
        raise change_refusal(changes[0])  # though another language may read no change in it
    if is_native:
        require_plain_sentence(max(best, key=familiarity), is_change=bool(changes))
    refusals = []
    for reading in sorted(best, key=familiarity, reverse=True) if len(best) > 1 else best:
        try:
            require_plain_sentence(reading, is_change=bool(changes))
            return _parse(text, reading)
        except InstructionError as refused:
            refusals.append(refused)
    if readings[0].unknown and is_foreign(readings):
        raise foreign_refusal(text)
    raise refusals[0]


def _parse(text: str, reading: Reading) -> Instruction:
    change, reading = split_change(reading)
    if not reading.is_known:
        require_known(reading, _understood(text, reading))
    words = reading.language.instructions
    statements = parse_tokens(reading.tokens, words["relations"], words["orders"])
    if change:
        statements = with_changed_targets(statements)
    require_clear(statements, reading, needs_target=change is None)
    return _instruction(text, statements, reading, change)


def _answered(reading: Reading, answerable: Collection[str]) -> Reading:
    """Return a reading whose narrower words mean targets that something answers."""
    tokens = []
    for token in reading.tokens:
        sense = token.sense
        if sense.kind == "target" and sense.lemma:
            sense = replace(sense, value=stand_in(sense.value, answerable, None))
        tokens.append(replace(token, sense=sense))
    return replace(reading, tokens=tuple(tokens))


def _understood(text: str, reading: Reading) -> str:
    """Return the meaning of the known words alone; empty if they have none."""
    if any(char.isdigit() for word in reading.unknown for char in word):
        return ""
    try:
        meaning = _parse(text, reading.without_unknown())
    except InstructionError:
        return ""
    return describe(
        reading.language,
        meaning.targets,
        meaning.excluded,
        meaning.filters,
        own_filters=meaning.own_filters,
        question=meaning.question,
        unit=meaning.unit,
    )


def _readings(text: str, classes: Mapping[str, Sequence[str]] | None = None) -> list[Reading]:
    """Read a text in every language of its scripts."""
    scripts = {unicodedata.name(char, "").split(" ")[0] for char in unicodedata.normalize("NFKC", text)}
    codes = [code for code in LANGUAGES if _SCRIPTS.get(code, "LATIN") in scripts]
    if "LATIN" in scripts and "hi" not in codes:
        codes.append("hi")  # which is also written in Latin letters
    if not codes:
        raise InstructionError(
            "There are no words that can be read",
            found=repr(text),
            expected=f"an instruction in {', '.join(get_language(code).endonym for code in LANGUAGES)}",
            fix=ASK,
        )
    return [read_text(text, code, classes) for code in codes]


def _instruction(
    text: str, statements: Sequence[Statement], reading: Reading, change: ChangeRequest | None
) -> Instruction:
    mentions = [s.meaning for s in statements if isinstance(s.meaning, Mention)]
    targets = tuple(dict.fromkeys(m.token.sense.value for m in mentions if not m.excluded))
    left_out = (m.token.sense.value for m in mentions if m.excluded)
    excluded = tuple(name for name in dict.fromkeys(left_out) if name not in targets)  # else shapes part them
    filters, own_filters = assign_filters(statements, reading)
    if change and not {m.token.sense.value for m in mentions if m.excluded}.isdisjoint(targets):
        raise refusal(reading, "both", join_words([mention.token.text for mention in mentions]))
    shapes = {} if change else shapes_of(mentions)  # a lake that shrinks loses its shore, and that is no lake
    require_possible(targets, filters, reading, shapes)
    for filters_of_target in own_filters.values():
        require_possible((), (*filters, *filters_of_target), reading)
    question, unit = asked_question(statements, reading), asked_unit(statements)
    if change and question == "presence":
        question = ""  # "has the lake shrunk?" asks for the change, and not for a lake
    senses = [token.sense for token in reading.tokens if token.sense.lemma]
    narrower = {sense.lemma: sense.value for sense in senses}
    word_shapes = {sense.lemma: sense.shape for sense in senses if not change}
    parted = {mention.token.sense.value for mention in mentions if mention.excluded} & {*targets}
    remarks = Remarks(narrower, word_shapes, reading.mended, reading.set_aside, frozenset(parted))
    own_filters = add_shapes(own_filters, shapes)
    meaning = describe(
        reading.language,
        targets,
        excluded,
        filters,
        own_filters=own_filters,
        question=question,
        unit=unit,
        change=change,
        remarks=remarks,
    )
    return Instruction(
        text,
        reading.language.code,
        targets,
        excluded,
        filters,
        narrower,
        meaning,
        question=question,
        own_filters=own_filters,
        set_aside=reading.set_aside,
        unit=unit,
        change=change,
    )


def _require_text(text: object) -> None:
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        raise InstructionError(
            "This is no instruction",
            found=f"{len(text)} characters" if isinstance(text, str) else type(text).__name__,
            expected=f"a text of 1 to {LONGEST:,} characters",
            fix=ASK,
        )
