"""The 50,000 most frequent words of each language, as ribbon filters: a frequent word is no typing error.

A filter never misses a word of its list. It takes about one other word in 64 for a frequent one, and that typing error
is not mended. Words in Latin letters are looked up in five filters, so that it is one in 13 of theirs. A filter is the
solution of linear equations over bits, one for each word and column: the bits that a word selects add up to its
fingerprint. Source: P. Dillinger and S. Walzer, Ribbon filter: practically smaller than Bloom and Xor (2021),
https://doi.org/10.48550/arXiv.2103.02515.
`recipes/language/frequent_words.py` builds the filters; ``data/frequent/LICENSE.txt`` names the licence of the lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import files

from spex_nb.errors import LanguageError, nearest
from spex_nb.language.languages import LANGUAGES, fold, read_data

COLUMNS = 6
"""Bits of a fingerprint: one other word in 2 ** 6 has that of a frequent one by chance."""
RIBBON = 128
"""Bits in a row of which each word selects some."""
SALT = b"4"
"""Of the hash: one with which common typing errors are no chance hits."""
SPARE = 1.02
"""Rows of the first trial, as a multiple of the words; each further trial takes this many times the rows."""


@lru_cache(maxsize=4096)  # each language that reads a text asks for its words
def is_frequent(word: str, code: str) -> bool:
    """Say whether a word is among the most frequent ones of a language. Capitals and accents do not count.

    Raises:
        LanguageError: If the language is not among `LANGUAGES`.
    """
    columns = _filter(code)
    start, selected, fingerprint = _equation(fold(word), len(columns[0]) * 8)
    first, last, shift = start >> 3, (start + RIBBON + 7) >> 3, start & 7
    for number, column in enumerate(columns):
        chosen = int.from_bytes(column[first:last], "little") >> shift & selected
        if chosen.bit_count() & 1 != fingerprint >> number & 1:
            return False
    return True


@cache
def foreign_words() -> frozenset[str]:
    """Return frequent words of other languages that no word of the nine is, folded."""
    return frozenset(map(fold, read_data("other_languages")["words"]))


def build_filter(words: Iterable[str]) -> bytes:
    """Return the filter that holds some words: its columns of bits, one after the other."""
    keys = sorted({fold(word) for word in words})
    rows = len(keys) + RIBBON
    while (equations := _eliminated(keys, _whole_bytes(rows))) is None:
        rows = int(rows * SPARE)
    return b"".join(_solution(equations))


def _whole_bytes(bits: int) -> int:
    return -(-bits // 8) * 8


def _equation(key: str, rows: int) -> tuple[int, int, int]:
    """Return the first row of a word, the rows from there on that it selects, as bits, and its fingerprint."""
    digest = blake2b(key.encode(), digest_size=RIBBON // 8 + 8, salt=SALT).digest()
    selected = int.from_bytes(digest[:-8], "little") | 1
    rest = int.from_bytes(digest[-8:], "little")
    return (rest >> COLUMNS) % (rows - RIBBON + 1), selected, rest & (1 << COLUMNS) - 1


def _eliminated(keys: Iterable[str], rows: int) -> list[tuple[int, int]] | None:
    """Return for each row the equation that starts there, by Gaussian elimination; None if there are too few rows."""
    equations = [(0, 0)] * rows
    for key in keys:
        row, selected, fingerprint = _equation(key, rows)
        while selected:
            skipped = (selected & -selected).bit_length() - 1
            row, selected = row + skipped, selected >> skipped
            other, of_other = equations[row]
            if not other:
                equations[row] = (selected, fingerprint)
                break
            selected, fingerprint = selected ^ other, fingerprint ^ of_other
        if not selected and fingerprint:
            return None
    return equations


def _solution(equations: list[tuple[int, int]]) -> Iterator[bytes]:
    """Yield each column of bits that meets all equations, from the last row to the first."""
    for number in range(COLUMNS):
        solved = 0
        bits = bytearray(len(equations) // 8)
        for row in range(len(equations) - 1, -1, -1):
            selected, fingerprint = equations[row]
            solved = solved << 1 & (1 << RIBBON) - 1
            bit = (solved & selected).bit_count() & 1 ^ fingerprint >> number & 1
            solved |= bit
            bits[row >> 3] |= bit << (row & 7)
        yield bytes(bits)


@cache
def _filter(code: str) -> tuple[bytes, ...]:
    """Return the columns of a language's filter."""
    if code not in LANGUAGES:
        raise LanguageError(
            "This language has no list of frequent words",
            found=repr(code),
            expected=f"one of {', '.join(LANGUAGES)}",
            fix=nearest(code, LANGUAGES) or "Use one of these codes.",
        )
    data = files("spex_nb.language").joinpath("data", "frequent", f"{code}.bin").read_bytes()
    size = len(data) // COLUMNS
    return tuple(data[size * number : size * (number + 1)] for number in range(COLUMNS))
