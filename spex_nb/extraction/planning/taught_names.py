"""Names of taught classes, by which instructions call them, and the hashes of those that one names."""

from __future__ import annotations

from collections.abc import Sequence

from spex_nb.errors import TeachingError
from spex_nb.types import Instruction, TaughtClass, neighbouring_targets


def names_of_classes(taught: Sequence[TaughtClass]) -> dict[str, tuple[str, ...]]:
    """Return all names of taught classes, by the name that is their id.

    Raises:
        TeachingError: If two classes share a name.
    """
    names = {
        taught_class.name: tuple(
            dict.fromkeys([taught_class.name, *(word for words in taught_class.names.values() for word in words)])
        )
        for taught_class in taught
    }
    words = [word.casefold() for of_class in names.values() for word in of_class]
    twice = sorted({word for word in words if words.count(word) > 1})
    if len(names) < len(taught) or twice:
        raise TeachingError(
            "Two taught classes share a name",
            found=", ".join(twice) or ", ".join(taught_class.name for taught_class in taught),
            expected="a name for each class",
            fix="Teach one of them under another name.",
        )
    return names


def hashes_of_classes(taught: Sequence[TaughtClass], instruction: Instruction) -> list[list[str]]:
    """Return name and hash of the weights of each taught class that an instruction names."""
    names = {*instruction.targets, *instruction.excluded, *neighbouring_targets(instruction)}
    return [[taught_class.name, taught_class.card.fingerprint] for taught_class in taught if taught_class.name in names]
