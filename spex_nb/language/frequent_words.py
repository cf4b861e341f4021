"""The 50,000 most frequent words of each language, as Bloom filters: a frequent word is no typing error.

A filter never misses a word of its list. It takes about one other word in 40 for a frequent one, so that one typing
error in 40 is not mended. Source: B. Bloom, Space/time trade-offs in hash coding with allowable errors (1970),
https://doi.org/10.1145/362686.362692. `recipes/language/frequent_words.py` builds the filters;
``data/frequent/LICENSE.txt`` names the licence of the lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from importlib.resources import files

from spex_nb.errors import LanguageError, nearest
from spex_nb.language.languages import LANGUAGES, fold, read_data

BITS_PER_WORD = 7.6
"""Size of a filter."""
HASHES = 5
"""Bits that each word sets: the best number for this size, 7.6 ln 2."""


def is_frequent(word: str, code: str) -> bool:
    """Say whether a word is among the most frequent ones of a language. Capitals and accents do not count.

    Raises:
        LanguageError: If the language is not among `LANGUAGES`.
    """
    bits = _filter(code)
    return all(bits[place >> 3] >> (place & 7) & 1 for place in _places(fold(word), len(bits)))


@cache
def foreign_words() -> frozenset[str]:
    """Return frequent words of other languages that no word of the nine is, folded."""
    return frozenset(map(fold, read_data("other_languages")["words"]))


def build_filter(words: Iterable[str]) -> bytes:
    """Return the filter that holds some words."""
    keys = {fold(word) for word in words}
    bits = bytearray(int(len(keys) * BITS_PER_WORD / 8) + 1)
    for key in keys:
        for place in _places(key, len(bits)):
            bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def _places(key: str, size: int) -> Iterator[int]:
    """Yield the bits of a word: double hashing, A. Kirsch and M. Mitzenmacher (2006)."""
    digest = blake2b(key.encode(), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1
    return ((first + i * step) % (size * 8) for i in range(HASHES))


@cache
def _filter(code: str) -> bytes:
    if code not in LANGUAGES:
        raise LanguageError(
            "This language has no list of frequent words",
            found=repr(code),
            expected=f"one of {', '.join(LANGUAGES)}",
            fix=nearest(code, LANGUAGES) or "Use one of these codes.",
        )
    return files("spex_nb.language").joinpath("data", "frequent", f"{code}.bin").read_bytes()
