"""What an instruction about two dates asks for, as targets that two scenes can be compared by."""

from __future__ import annotations

from spex_nb.errors import InstructionError
from spex_nb.language.instructions import parse_instruction
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
    raise InstructionError(
        "Two scenes are compared by targets alone"
        if has_filters or parsed.excluded
        else "The instruction names no target",
        found=parsed.meaning,
        expected="such as: what water was gained",
        fix="Name a land cover."
        if not (parsed.targets or parsed.excluded)
        else "Leave the filters out, and choose among the regions of the change.",
    )
