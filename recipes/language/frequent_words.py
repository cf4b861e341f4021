"""Build the filters of frequent words in spex_nb/language/data/frequent from the lists of the package wordfreq.

Run it where wordfreq 3.1 is installed, with jieba for Chinese; the project itself needs neither:
``PYTHONPATH=. python recipes/language/frequent_words.py``. It also writes, for reading, which of the 30,000 most
frequent words are land covers: tests/language/frequent_land_covers.json. A word there that is none in everyday speech
has no place among the names of concepts.
"""

from __future__ import annotations

import json
from pathlib import Path

from wordfreq import top_n_list

from spex_nb.language.concepts import concept_of
from spex_nb.language.frequent_words import build_filter
from spex_nb.language.languages import LANGUAGES, fold

WORDS = 50_000
"""Words of each filter, or fewer where the list is shorter: Hindi has about 26,000."""
READ = 30_000
"""Words of each language among which land covers are read."""
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "spex_nb" / "language" / "data" / "frequent"
LAND_COVERS = ROOT / "tests" / "language" / "frequent_land_covers.json"


def frequent_words(code: str, count: int = WORDS) -> list[str]:
    """Return the most frequent words of a language, folded, without numbers and signs."""
    words = (fold(word) for word in top_n_list(code, 2 * count))
    return list(dict.fromkeys(word for word in words if not any(char.isdigit() for char in word)))[:count]


def frequent_land_covers(code: str) -> list[str]:
    """Return the most frequent words that are land covers, the most frequent first."""
    concepts = ((word, concept_of(word, code)) for word in frequent_words(code, READ))
    return [word for word, concept in concepts if concept and concept.target]


if __name__ == "__main__":
    for code in LANGUAGES:
        (FOLDER / f"{code}.bin").write_bytes(build_filter(frequent_words(code)))
    land_covers = {code: " ".join(frequent_land_covers(code)) for code in LANGUAGES}
    LAND_COVERS.write_text(json.dumps(land_covers, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
