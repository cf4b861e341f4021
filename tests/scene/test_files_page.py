"""The page "Which files open, and how": each row names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "files.md"


def test_each_row_is_backed_by_a_test() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    heads = [line for line in rows if line.endswith("| test |")]
    named = [re.search(r"`(test_\w+\.py)::(test_\w+)` \|$", line) for line in rows if line not in heads]
    assert len(named) > 30
    for row, match in zip([line for line in rows if line not in heads], named, strict=True):
        assert match, row
        assert f"def {match[2]}(" in (HERE / match[1]).read_text(encoding="utf-8"), row
