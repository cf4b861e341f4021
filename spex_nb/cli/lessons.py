"""The lessons as notebooks for a class, solved ones for its teacher, and the command ``spex lessons`` that writes them.

A lesson ends with exercises. Each has an empty cell with the tag ``answer``. A script of the same name holds the
solutions, in `jupytext's percent format <https://jupytext.readthedocs.io/en/latest/formats-scripts.html>`_. Its cell
``Exercise n``, with all cells that follow, belongs into the n-th empty cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spex_nb.errors import SourceNotFoundError, nearest, require_extra
from spex_nb.output.files import write_whole

if TYPE_CHECKING:
    from nbformat import NotebookNode

ANSWER, SOLUTION = "answer", "solution"
"""Tags of the cells that wait for an answer, and of those that give it."""


@dataclass(frozen=True)
class Lesson:
    """One lesson: its notebook, and the script of its solutions."""

    notebook: Path
    solutions: Path

    @property
    def name(self) -> str:
        """The name of its files, such as ``02_spectral_indices``."""
        return self.notebook.stem

    def read(self) -> NotebookNode:
        """Return the lesson as learners get it."""
        import nbformat

        notebook: NotebookNode = nbformat.read(self.notebook, as_version=4)
        return notebook

    def solved(self) -> NotebookNode:
        """Return the lesson with solutions where the answers belong.

        Raises:
            MissingExtraError: If jupytext is not installed.
        """
        require_extra("notebook", "Reading solutions")
        import jupytext

        return _solved(self.read(), jupytext.read(self.solutions).cells)


@click.command("lessons")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, metavar="[LESSON]...")
@click.option("--solutions", is_flag=True, help="With the exercises solved.")
@click.option("--overwrite", is_flag=True, help="Replace notebooks of the same name, and what was written into them.")
def lessons(out: Path, names: tuple[str, ...], solutions: bool, overwrite: bool) -> None:
    """Write the lessons into the folder OUT; all of them, or those that are named by number or name."""
    paths = copy_lessons(out, names, solutions=solutions, overwrite=overwrite)
    click.echo(f"{len(paths)} lesson{'' if len(paths) == 1 else 's'} written to {out}", err=True)


def list_lessons() -> list[Lesson]:
    """Return all lessons, in the order in which they are taught."""
    folder = _folder()
    return [
        Lesson(notebook, folder / "solutions" / f"{notebook.stem}.py")
        for notebook in sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    ]


def find_lessons(names: Sequence[str]) -> list[Lesson]:
    """Return the lessons whose names begin so, all of them for no name.

    Raises:
        SourceNotFoundError: If a name fits none.
    """
    every_lesson = list_lessons()
    for name in names:
        if not any(lesson.name.startswith(name) for lesson in every_lesson):
            known_names = [lesson.name for lesson in every_lesson]
            raise SourceNotFoundError(
                "There is no such lesson",
                found=repr(name),
                expected=", ".join(known_names),
                fix=nearest(name, known_names) or "Name one by its number, such as 02.",
            )
    return [lesson for lesson in every_lesson if lesson.name.startswith(tuple(names) or "")]


def copy_lessons(
    out: str | Path, names: Sequence[str] = (), *, solutions: bool = False, overwrite: bool = False
) -> list[Path]:
    """Copy lessons into a folder.

    Args:
        out: The folder; made if it does not exist.
        names: How the names of the wanted lessons begin; all of them for none.
        solutions: Whether the exercises are solved (default: no).
        overwrite: Whether notebooks of the same name are replaced, with what somebody wrote into them (default: no).

    Returns:
        The notebooks that were written.

    Raises:
        SourceNotFoundError: If there is no such lesson.
        MissingExtraError: If jupytext is not installed.
        OutputError: If a notebook exists and may not be overwritten, or the folder cannot be written.
    """
    require_extra("notebook", "Copying lessons")
    import nbformat

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = find_lessons(names)
    for lesson in chosen:
        with write_whole(folder / lesson.notebook.name, overwrite) as part:
            nbformat.write(lesson.solved() if solutions else lesson.read(), part)
    return [folder / lesson.notebook.name for lesson in chosen]


def _solved(lesson: NotebookNode, solutions: Sequence[NotebookNode]) -> NotebookNode:
    answers = _by_exercise(solutions)
    waiting = [cell for cell in lesson.cells if ANSWER in cell.metadata.get("tags", ())]
    answer_of = {cell.id: answer for cell, answer in zip(waiting, answers, strict=True)}
    lesson.cells = [new for cell in lesson.cells for new in answer_of.get(cell.id, [cell])]
    return lesson


def _by_exercise(cells: Sequence[NotebookNode]) -> list[list[NotebookNode]]:
    """Return the cells of each solution; what stands above the first is a note to its author."""
    groups: list[list[NotebookNode]] = []
    for cell in cells:
        if cell.metadata.get("title", "").startswith("Exercise"):
            groups.append([])
        if groups:
            cell.id = f"{SOLUTION}-{len(groups)}-{len(groups[-1]) + 1}"
            cell.metadata = {"tags": [SOLUTION]}
            groups[-1].append(cell)
    return groups


def _folder() -> Path:
    """Return where the lessons lie: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "notebooks"
    return inside if inside.is_dir() else package.parent / "notebooks"
