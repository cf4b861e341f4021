"""What an agent is answered: sentences with what stands behind each, and every figure that they say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spex_nb.analysis.change import Change
    from spex_nb.extraction import Explanation, Extraction
    from spex_nb.types import Fact

SUPPORT: Mapping[str, str] = {
    "independent": "held against something other than the mask",
    "mask": "measured on the mask, with the errors of the mask",
    "none": "doubt, general knowledge, or unknown",
}
"""What stands behind a sentence, in words."""


def answer_of(result: Extraction) -> dict[str, Any]:
    """Return the short answer of a result, as JSON can hold it."""
    return {
        "instruction": result.instruction.text,
        "understood_as": result.instruction.meaning,
        "can_be_trusted": not result.is_untrusted,
        "targets": [_target(explanation, is_brief=True) for explanation in result.explanations],
        "notes": list(result.notes),
        "failed_tiles": len(result.failures),
        "model": result.provenance.get("model"),
    }


def evidence_of(result: Extraction, target: str | None = None) -> dict[str, Any]:
    """Return all that is known of the targets of a result, or of one of them."""
    explanations = [entry for entry in result.explanations if target in (None, entry.target)]
    return {
        "instruction": result.instruction.text,
        "can_be_trusted": not result.is_untrusted,
        "targets": [_target(explanation, is_brief=False) for explanation in explanations],
        "notes": list(result.notes),
        "provenance": {name: result.provenance.get(name) for name in ("scene", "model", "model_hash", "made")},
    }


def change_answer(change: Change) -> dict[str, Any]:
    """Return what a comparison of two dates says."""
    return {"explanation": change.explanation, "targets": [_plain(entry) for entry in change.targets.values()]}


def _target(explanation: Explanation, *, is_brief: bool) -> dict[str, Any]:
    statements = explanation.brief if is_brief else explanation.statements
    named = {fact for statement in statements for fact in statement.facts}
    facts = [fact for fact in explanation.facts if not is_brief or fact.id in named]
    return {
        "target": explanation.target,
        "sentences": [
            {"text": statement.text, "support": SUPPORT[statement.support], "facts": list(statement.facts)}
            for statement in statements
        ],
        "facts": [_fact(fact) for fact in facts],
    }


def _fact(fact: Fact) -> dict[str, Any]:
    entry = {"id": fact.id, "value": fact.value, "unit": fact.unit, "about": fact.region, "source": fact.source}
    return entry | ({"rule": fact.rule} if fact.rule else {}) | ({} if fact.margin is None else {"±": fact.margin})


def _plain(value: Any) -> Any:
    """Return figures in dataclasses as objects; what is no number is null, since JSON has none."""
    from dataclasses import fields, is_dataclass

    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
