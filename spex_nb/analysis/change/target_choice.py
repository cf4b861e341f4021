"""What is compared between dates: ids of targets, or an instruction that names them."""

from __future__ import annotations

from collections.abc import Sequence

from spex_nb.errors import TargetError, nearest
from spex_nb.language.change_requests import parse_change
from spex_nb.types import Instruction
from spex_nb.types.targets import TARGETS


def compared_targets(targets: str | Sequence[str], *, with_filters: bool = False) -> Instruction:
    """Return what is compared, as an instruction.

    Args:
        targets: Ids of land covers, such as ``water``; one or several. Or an instruction about dates in any of the nine
            languages.
        with_filters: Whether the filters of an instruction are applied; else they are refused (default: no).

    Raises:
        TargetError: If there is no such target, or none is given.
        InstructionError: If the instruction is not understood.
    """
    if isinstance(targets, str) and _is_sentence(targets):
        return parse_change(targets, with_filters=with_filters)
    names = _require_targets(targets)
    words = ", ".join(TARGETS[name].word for name in names)
    return Instruction(text=words, language="en", targets=names, meaning=words)


def _is_sentence(text: str) -> bool:
    """Say whether an instruction is given; ids are single words of Latin letters."""
    return " " in text.strip() or not text.isascii()


def _require_targets(targets: str | Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys([targets] if isinstance(targets, str) else targets))
    unknown = [name for name in names if name not in TARGETS]
    if unknown or not names:
        raise TargetError(
            "These are no targets" if unknown else "No target is given",
            found=", ".join(map(repr, unknown)) or "none",
            expected=f"one or several of {', '.join(TARGETS)}",
            fix=nearest(str(unknown[0]) if unknown else "", [*TARGETS]) or "Name one of these.",
        )
    return names
