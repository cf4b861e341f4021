"""The lessons have one form, each exercise has a solution, and whoever runs them learns what fails.

What their cells do is tested by `make lessons`, which runs them all.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner

from spex_nb.cli.command import main
from spex_nb.cli.lessons import ANSWER, SOLUTION, Lesson, copy_lessons, find_lessons, list_lessons
from spex_nb.errors import OutputError, SourceNotFoundError
from tests.run_lessons import run, sections_without_picture

pytestmark = pytest.mark.slow

FIRST = ["Questions", "Objectives"]
LAST = ["Exercises", "What can go wrong", "Key points", "References"]
FEWEST_SECTIONS = 3
LONGEST_CELL, WIDEST_LINE = 12, 120
LESSONS = pytest.mark.parametrize("lesson", list_lessons(), ids=lambda lesson: lesson.name)


def headings(notebook: Any, level: str = "##") -> list[str]:
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return re.findall(rf"^{level} (.+)$", "\n".join(texts), re.MULTILINE)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def has_tag(cell: Any, tag: str) -> bool:
    return tag in cell.metadata.get("tags", ())


def test_the_course_has_its_lessons() -> None:
    assert [lesson.name[:2] for lesson in list_lessons()] == [f"{number:02d}" for number in range(14)]


@LESSONS
def test_a_lesson_asks_teaches_and_sums_up(lesson: Lesson) -> None:
    notebook = lesson.read()
    assert headings(notebook, "#")[0].startswith(f"{int(lesson.name[:2])} · ")
    titles = headings(notebook)
    assert titles[:2] == FIRST
    assert titles[-4:] == LAST
    assert len(titles[2:-4]) >= FEWEST_SECTIONS
    assert [title for title in titles[2:-4] if not title.endswith("?")] == []


@LESSONS
def test_a_lesson_says_how_long_it_takes_and_what_it_needs(lesson: Lesson) -> None:
    head = "\n".join([cell.source for cell in lesson.read().cells if cell.cell_type == "markdown"][:2])
    assert "| to teach | to run | memory |" in head
    assert re.search(r"^\| \d\d minutes \| under [\d½]+ minutes? \| \d\.\d GB \|$", head, re.MULTILINE)


@LESSONS
def test_sources_are_stripped_of_output(lesson: Lesson) -> None:
    notebook = lesson.read()
    nbformat.validate(notebook)
    assert [cell.id for cell in code(notebook) if cell.outputs or cell.execution_count is not None] == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@LESSONS
def test_cells_are_short_and_call_what_they_need(lesson: Lesson) -> None:
    for cell in code(lesson.read()):
        lines = cell.source.splitlines()
        assert len(lines) <= LONGEST_CELL, cell.source
        assert max(map(len, lines)) <= WIDEST_LINE, cell.source
        assert not re.search(r"^\s*(async def|def|class)\s", cell.source, re.MULTILINE), cell.source


@LESSONS
def test_a_lesson_names_its_sources(lesson: Lesson) -> None:
    text = lesson.read().cells[-1].source
    assert text.startswith("## References")
    listed = [line for line in text.splitlines() if line.startswith("- ")]
    assert listed
    assert [line for line in listed if not re.search(r"<https://doi\.org/10\.\S+>$", line)] == []


@LESSONS
def test_every_exercise_waits_for_an_answer_and_has_a_solution(lesson: Lesson) -> None:
    notebook = lesson.read()
    start = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith("## Exercises"))
    asked, after = notebook.cells[start + 1 :], code(notebook)
    exercises = [cell for cell in asked if re.match(r"### \d · ", cell.source)]
    answers = [cell for cell in after if has_tag(cell, ANSWER)]
    assert len(answers) == len(exercises) >= 2
    # Whatever a solution changes comes too late for the lesson.
    assert [cell for cell in asked if cell.cell_type == "code"] == answers
    solved = lesson.solved()
    assert [cell for cell in solved.cells if has_tag(cell, ANSWER)] == []
    solutions = [cell.id for cell in solved.cells if has_tag(cell, SOLUTION)]
    assert {name.split("-")[1] for name in solutions} == {str(n) for n in range(1, len(exercises) + 1)}
    assert len(set(solutions)) == len(solutions)


def test_lessons_are_copied_without_solutions_or_with_them(tmp_path: Path) -> None:
    (plain,) = copy_lessons(tmp_path / "class", ["02"])
    (solved,) = copy_lessons(tmp_path / "teacher", ["02_spectral"], solutions=True)
    assert [any(has_tag(cell, SOLUTION) for cell in nbformat.read(path, 4).cells) for path in (plain, solved)] == [
        False,
        True,
    ]
    assert plain.name == solved.name == "02_spectral_indices.ipynb"


def test_what_a_learner_wrote_is_kept(tmp_path: Path) -> None:
    (mine,) = copy_lessons(tmp_path, ["01"])
    mine.write_text("my answers")
    with pytest.raises(OutputError, match="allow overwriting"):
        copy_lessons(tmp_path, ["01"], solutions=True)
    assert mine.read_text() == "my answers"
    copy_lessons(tmp_path, ["01"], overwrite=True)
    assert "Open a scene" in mine.read_text()


def test_an_unknown_lesson_is_refused() -> None:
    with pytest.raises(SourceNotFoundError, match="02_spectral_indices"):
        find_lessons(["02_spectral_index"])


def test_the_command_writes_lessons(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["lessons", str(tmp_path / "course"), "--solutions"])
    assert done.exit_code == 0, done.output
    assert "14 lessons written to" in done.output
    assert len(list((tmp_path / "course").glob("*.ipynb"))) == 14


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """Return a lesson of three cells, the second of which shows nothing."""
    cells = [
        nbformat.v4.new_markdown_cell("## Is there a picture?"),
        nbformat.v4.new_code_cell("from spex_nb.output import plot_maps\nplot_maps({'one': [[0, 1]]})"),
        nbformat.v4.new_markdown_cell("## And here?"),
        nbformat.v4.new_code_cell("1 + 1"),
        nbformat.v4.new_markdown_cell("## Exercises\n\n### 1 · Divide"),
        nbformat.v4.new_code_cell("# Your answer", metadata={"tags": [ANSWER]}),
    ]
    made = Lesson(tmp_path / "00_made.ipynb", tmp_path / "00_made.py")
    nbformat.write(nbformat.v4.new_notebook(cells=cells), made.notebook)
    return made


def test_a_run_tells_what_it_took_and_which_section_lacks_a_picture(lesson: Lesson, tmp_path: Path) -> None:
    lesson.solutions.write_text("# %% Exercise 1\n1 / 2\n")
    done = run(lesson, tmp_path / "out")
    assert done.wrong == "No picture in: And here?\n"
    assert done.seconds > 0
    assert done.peak_mb > 20
    given = nbformat.read(tmp_path / "out" / "00_made.ipynb", 4)
    assert [len(cell.outputs) for cell in code(given)] == [1, 1, 0]
    solved = nbformat.read(tmp_path / "out" / "solutions" / "00_made.ipynb", 4)
    assert code(solved)[-1].outputs[0].data["text/plain"] == "0.5"
    assert sections_without_picture(given) == ["And here?"]


def test_a_solution_that_fails_fails_its_lesson(lesson: Lesson, tmp_path: Path) -> None:
    lesson.solutions.write_text("# %% Exercise 1\n1 / 0\n")
    assert "ZeroDivisionError" in run(lesson, tmp_path / "out").wrong
