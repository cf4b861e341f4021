"""Outputs of runs that go on after a kill: what is done so far lies in a folder beside the output."""

from __future__ import annotations

from pathlib import Path

from spex_nb.output.files import output_exists, remove_leftovers


def partial_folder(out: Path) -> Path:
    """Return where the finished parts of an unfinished output lie."""
    return out.with_name(f"{out.name}.partial")


def require_free(out: Path, overwrite: bool, reader: str) -> None:
    """Remove what killed writers of an output left, and raise if it exists and no unfinished run lies beside it.

    Args:
        out: The output.
        overwrite: Whether it may be replaced.
        reader: The function that reads such outputs.

    Raises:
        OutputError: If it exists.
    """
    remove_leftovers(out.absolute().parent, out.name)
    if out.exists() and not overwrite and not partial_folder(out).exists():
        raise output_exists(out, reader)
