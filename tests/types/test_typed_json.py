"""JSON from elsewhere: texts that no file and no page can hold are refused, wherever they stand."""

from __future__ import annotations

from typing import Any

import pytest

from spex_nb.types.typed_json import parse_json, require_writable


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('"\\udca1"', "a text holds"),
        ('{"notes": ["good", "half \\ud83d of one"]}', r"notes\[1\] holds"),
        ('{"a": {"b\\udfff": 1}}', "a key of a holds"),
        ('[[["\\ud800"]]]', r"\[0\]\[0\]\[0\] holds"),
    ],
)
def test_half_a_character_is_refused_by_its_place(text: str, where: str) -> None:
    with pytest.raises(ValueError, match=f"^{where} half a character"):
        parse_json(text)


@pytest.mark.parametrize("tree", [{"name": "湖 🌊"}, ["\ud7ff", "\ue000"], None, 1.5, {"a": [{}, []]}])
def test_whole_characters_pass(tree: Any) -> None:
    require_writable(tree)


def test_both_halves_of_a_character_are_that_character() -> None:
    assert parse_json('"\\ud83c\\udf0a"') == "🌊"
