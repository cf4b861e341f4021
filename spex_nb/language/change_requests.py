"""What an instruction about two dates asks for, as targets that two scenes can be compared by."""

from __future__ import annotations

from spex_nb.errors import InstructionError
from spex_nb.language.instructions import parse_instruction
from spex_nb.types import Instruction


def parse_change(text: str) -> Instruction:
    """Return the meaning of an instruction about two dates, such as ``what water was gained``.

    Args:
        text: In any of the nine languages.

    Raises:
        InstructionError: If it is not understood, names no target, or has filters: those hold for regions of one date.
    """
    parsed = parse_instruction(text, scenes=2)
    has_filters = bool(parsed.filters or parsed.own_filters or parsed.excluded)
    if parsed.targets and not has_filters:
        return parsed
    raise InstructionError(
        "Two scenes are compared by targets alone" if has_filters else "The instruction names no target",
        found=parsed.meaning,
        expected="such as: what water was gained",
        fix="Leave the filters out, and choose among the regions of the change."
        if has_filters
        else "Name a land cover.",
    )
