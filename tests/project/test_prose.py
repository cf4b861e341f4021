"""The project's prose: short sentences in plain words.

Sentences of pages and lessons are measured without tables, code and lists of links. Dialect words count everywhere but
in code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import jupytext
import pytest
from markdown_it.token import Token

from spex_nb.cli.lessons import Lesson, list_lessons
from tests.project.test_links import MARKDOWN, ROOT, pages, text_of

LONGEST_SENTENCE = 35
DIALECT = re.compile(
    r"\b(anew|likewise|of (?:its|their|his|her|one's) own|heed\w*|tellings?|told(?! apart)|bunch(?:es)?|said|sights?"
    r"|wordless|asked tiles?|doubtful)\b",
    re.IGNORECASE,
)
ABBREVIATION = re.compile(r"\b(et al|e\.g|i\.e|vs|No|Fig|cf)\.")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]*”]*\s+(?=\S)|\s·\s")  # a middle dot parts the items of a list
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def shown(part: Token) -> str:
    """Return what a reader sees of an inline part; code counts as one word."""
    if part.type == "code_inline":
        return "code"
    return " " if part.type in ("softbreak", "hardbreak") else part.content


def is_list_of_links(block: Token) -> bool:
    """Return whether half or more of a block's words stand in links."""
    in_link, words, linked = False, 0, 0
    for part in block.children or ():
        in_link = part.type == "link_open" or (in_link and part.type != "link_close")
        count = len(shown(part).split())
        words, linked = words + count, linked + count * in_link
    return words > 0 and linked * 2 >= words


def prose_of(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the text of each block, and whether its sentences count: not in tables and lists of links."""
    in_table = False
    for block in MARKDOWN.parse(FRONT_MATTER.sub("", text)):
        if block.type in ("table_open", "table_close"):
            in_table = block.type == "table_open"
        if block.type == "inline":
            yield "".join(map(shown, block.children or ())), not in_table and not is_list_of_links(block)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a paragraph."""
    return SENTENCE_END.split(ABBREVIATION.sub(r"\1", text))


def words_of(sentence: str) -> list[str]:
    """Return the words of a sentence: what holds a letter or a digit."""
    return [word for word in sentence.split() if re.search(r"\w", word)]


def faults_of(text: str, longest: int = LONGEST_SENTENCE) -> list[str]:
    """Return the sentences of a page that are too long, and its dialect words."""
    faults = []
    for block, counts in prose_of(text):
        faults += [f"dialect: {match[0]!r} in {block[:60]!r}" for match in DIALECT.finditer(block)]
        sentences = sentences_of(block) if counts else []
        faults += [f"{len(words)} words: {s}" for s in sentences if len(words := words_of(s)) > longest]
    return faults


@pytest.mark.parametrize("page", sorted(pages()))
def test_a_page_is_written_in_short_sentences_of_plain_words(page: str) -> None:
    assert faults_of(text_of(ROOT / page)) == []


@pytest.mark.parametrize("lesson", list_lessons(), ids=lambda lesson: lesson.name)
def test_a_solution_is_explained_in_short_sentences_of_plain_words(lesson: Lesson) -> None:
    cells = jupytext.read(lesson.solutions).cells
    assert faults_of("\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")) == []


LONG = " ".join(["word"] * 36) + "."


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (LONG, 1),
        (f"A short one. {LONG}", 1),
        (f"- {LONG}", 1),
        (f"> {LONG}", 1),
        ("Si et al. (2026) wrote " + " ".join(["word"] * 30) + ". The next one follows.", 0),
        (f"| head |\n|---|\n| {LONG} |", 0),
        ("| head |\n|---|\n| made anew |", 1),
        (f"```\n{LONG} anew\n```", 0),
        (f"[{LONG}](docs/setup.md) and more", 0),
        (LONG.replace(" ", " · "), 0),
        ("A map of its own is drawn anew, likewise.", 3),
        ("Its own map is drawn again.", 0),
        ("`told` is a name.", 0),
        (f"---\nlicense: {LONG}\n---\nText.", 0),
    ],
)
def test_faults_are_seen(text: str, faults: int) -> None:
    assert len(faults_of(text)) == faults
