"""What the user asked for, as facts: filters in words, what a narrower word is taken for, and which parent answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spex_nb.language.explanation.note_words import NoteWriter
from spex_nb.language.languages import get_language
from spex_nb.language.parsing.paraphrase import describe, describe_word
from spex_nb.types import Fact, Filter, Instruction, ShapeFilter
from spex_nb.types.targets import TARGETS


def request_facts(instruction: Instruction, target: str) -> tuple[Fact, ...]:
    """Return what was asked of one target.

    Args:
        instruction: The parsed instruction.
        target: Id of the target.

    Returns:
        ``asked``, the targets with their filters in words, where there are filters; ``word.1`` and so on, what each
        narrower word is taken for.
    """
    language = get_language(instruction.language)
    filters = filters_of(instruction, target)
    facts = [_text("asked", describe(language, [target], (), filters))] if filters else []
    has_shape = any(isinstance(wanted, ShapeFilter) for wanted in filters)  # which says what the word means
    words = [word for word, answer in instruction.narrower.items() if answer == target and not has_shape]
    facts += [
        _text(f"word.{number}", describe_word(word, target, language)) for number, word in enumerate(words, start=1)
    ]
    return tuple(facts)


def filters_of(instruction: Instruction, target: str) -> tuple[Filter, ...]:
    """Return the filters that hold for a target: its own ones first."""
    return (*instruction.own_filters.get(target, ()), *instruction.filters)


def rest_in_words(instruction: Instruction) -> str:
    """Return "everything but" in words, with its filters."""
    language = get_language(instruction.language)
    return describe(language, (), instruction.excluded, instruction.filters)


def stand_in_sentences(
    stand_ins: Mapping[str, str], gsd_m: float | None, model_id: str, writer: NoteWriter
) -> tuple[str, ...]:
    """Return why parents answer for what cannot be seen in such pixels, or is not known to the model.

    Args:
        stand_ins: Id of the parent by that of what was asked for.
        gsd_m: Ground sampling distance; None where it is not known.
        model_id: Name of the model.
        writer: Of the language.
    """
    sentences = []
    for name, answer in stand_ins.items():
        words = {"word": writer.noun(name), "parent": writer.noun(answer)}
        largest = TARGETS[name].largest_gsd_m
        if gsd_m is not None and largest is not None and gsd_m > largest:
            sentences.append(writer.write("stand_in_pixel", gsd=writer.decimal(gsd_m, "g"), **words))
        else:
            sentences.append(writer.write("stand_in_unknown", model=model_id, **words))
    return tuple(sentences)


def stand_in_facts(sentences: Sequence[str]) -> tuple[Fact, ...]:
    """Return sentences about parents that answer as facts of the parent."""
    return tuple(_text(f"stand_in.{number}", text) for number, text in enumerate(sentences, start=1))


def _text(name: str, words: str) -> Fact:
    return Fact(name, words, "text", "mask", "instruction")
