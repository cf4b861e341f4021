"""What an instruction about two dates asks for, as targets that two scenes can be compared by."""

from __future__ import annotations

from spex_nb.errors import InstructionError
from spex_nb.language.explanation.change_words import ChangeWords
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.languages import get_language
from spex_nb.language.parsing.paraphrase import describe
from spex_nb.types import Instruction


def parse_change(text: str, *, with_filters: bool = False) -> Instruction:
    """Return the meaning of an instruction about two dates, such as ``what water was gained``.

    Args:
        text: In any of the nine languages.
        with_filters: Whether the caller applies `Instruction.filters` and `own_filters`. They are those of one date, in
            the same order, and hold for the regions that were gained or lost (default: no, so that they are refused).

    Raises:
        InstructionError: If it is not understood, names no target, leaves land covers out, or has filters that the
            caller does not apply.
    """
    parsed = parse_instruction(text, scenes=2)
    has_filters = bool(parsed.filters or parsed.own_filters) and not with_filters
    if parsed.targets and not has_filters and not parsed.excluded:
        return parsed
    if has_filters or parsed.excluded:
        raise InstructionError(
            "Dates are compared by land covers as a whole",
            found=parsed.meaning,
            expected="such as: what water was gained",
            fix="Leave the filters out, or extract each scene by this instruction.",
            message=_refusal_of_filters(parsed),
            suggestions=[describe(get_language(parsed.language), parsed.targets)] if parsed.targets else (),
        )
    raise InstructionError(
        "The instruction names no target",
        found=parsed.meaning,
        expected="such as: what water was gained",
        fix="Name a land cover.",
    )


def _refusal_of_filters(parsed: Instruction) -> str:
    """Say in the user's language that filters and exclusions have no part in a comparison of dates."""
    language, own_filters = get_language(parsed.language), parsed.own_filters
    meaning = describe(language, parsed.targets, parsed.excluded, parsed.filters, own_filters=own_filters)
    return ChangeWords(parsed.language).sentence("series_filters", meaning=meaning)
