"""The lessons that come along: notebooks for a class, and their solutions, which lie apart until they are asked for.

A lesson ends with exercises; each has an empty cell with the tag ``answer``. The lesson's solutions are a script in
`jupytext's percent format <https://jupytext.readthedocs.io/en/latest/formats-scripts.html>`_ of the same name, in which
a cell called ``Exercise n``, with all that follows it, belongs into the n-th of these cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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


def list_lessons() -> list[Lesson]:
    """Return all lessons, in the order in which they are taught."""
    folder = _folder()
    return [
        Lesson(notebook, folder / "solutions" / f"{notebook.stem}.py") for notebook in sorted(folder.glob("*.ipynb"))
    ]


def find_lessons(names: Sequence[str]) -> list[Lesson]:
    """Return the lessons whose names begin so, all of them for no name.

    Raises:
        SourceNotFoundError: If a name fits none.
    """
    lessons = list_lessons()
    for name in names:
        if not any(lesson.name.startswith(name) for lesson in lessons):
            raise SourceNotFoundError(
                "There is no such lesson", found=repr(name), expected=", ".join(lesson.name for lesson in lessons),
                fix=nearest(name, [lesson.name for lesson in lessons]) or "Name one by its number, such as 02.",
            )  # fmt: skip
    return [lesson for lesson in lessons if lesson.name.startswith(tuple(names) or "")]


def copy_lessons(
    out: str | Path, names: Sequence[str] = (), *, solutions: bool = False, overwrite: bool = False
) -> list[Path]:
    """Copy lessons into a folder, which is made if need be.

    Args:
        out: The folder.
        names: How the names of the wanted lessons begin; all of them if not given.
        solutions: Whether the exercises are solved.
        overwrite: Whether notebooks of the same name are replaced, with whatever somebody wrote into them.

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
    lessons = find_lessons(names)
    for lesson in lessons:
        with write_whole(folder / lesson.notebook.name, overwrite) as part:
            nbformat.write(lesson.solved() if solutions else lesson.read(), part)
    return [folder / lesson.notebook.name for lesson in lessons]


def _solved(lesson: NotebookNode, solutions: Sequence[NotebookNode]) -> NotebookNode:
    answers = _by_exercise(solutions)
    waiting = [cell for cell in lesson.cells if ANSWER in cell.metadata.get("tags", ())]
    given = {cell.id: answer for cell, answer in zip(waiting, answers, strict=True)}
    lesson.cells = [one for cell in lesson.cells for one in given.get(cell.id, [cell])]
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
