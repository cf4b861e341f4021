"""A model's text about a mask, checked against the mask: claims that hold get a mark, others the measured figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from spex_nb.language.answers import write_answer
from spex_nb.language.claims import check_explanation
from spex_nb.language.prompts import build_prompt
from spex_nb.types import Claim, Evidence, MaskModel

if TYPE_CHECKING:
    from spex_nb.extraction.plan import Plan

AGREES, DIFFERS = "✓", "✗"


@dataclass(frozen=True)
class Explanation:
    """What a result says of one target.

    Attributes:
        target: Its id.
        prompt: What the model read: the regions of the mask.
        text: The model's own words; empty where it has none.
        claims: What the text states, each with its verdict.
        answer: Sentences written from the evidence alone.
    """

    target: str
    prompt: str
    text: str
    claims: tuple[Claim, ...]
    answer: str

    def __str__(self) -> str:
        return "\n".join(part for part in (marked(self.text, self.claims), self.answer) if part)


def marked(text: str, claims: Sequence[Claim]) -> str:
    """Return a text with a mark after each claim that was checked, and the measured figure where they differ."""
    for claim in sorted(claims, key=lambda claim: -claim.start):
        end = claim.start + len(claim.text)
        text = text[:end] + mark_of(claim) + text[end:]
    return text


def mark_of(claim: Claim) -> str:
    """Return what stands after a claim; nothing where it cannot be checked."""
    if claim.verdict == "holds":
        return f" {AGREES}"
    if claim.verdict == "contradicts":
        return f" {DIFFERS} [{claim.measured or 'not so'}]"
    return ""


def marked_pieces(text: str, claims: Sequence[Claim]) -> Iterator[tuple[str, Claim | None]]:
    """Yield a text in pieces, each with the claim that it states or None; a claim within another is left out."""
    end = 0
    for claim in sorted(claims, key=lambda claim: claim.start):
        if claim.start >= end:
            yield text[end : claim.start], None
            yield claim.text, claim
            end = claim.start + len(claim.text)
    yield text[end:], None


def faithfulness(claims: Iterable[Claim]) -> float | None:
    """Return the share of the claims that hold, among those that can be checked; None where there are none."""
    verdicts = [claim.verdict for claim in claims if claim.verdict != "cannot be checked"]
    return verdicts.count("holds") / len(verdicts) if verdicts else None


def faithfulness_of(explanations: Iterable[Explanation]) -> float | None:
    """Return the faithfulness of all claims of some explanations together."""
    return faithfulness(claim for explanation in explanations for claim in explanation.claims)


def check_text(prompt: str, text: str, evidence: Evidence, language: str, seed: int) -> Explanation:
    """Check a model's text against evidence, and write sentences from the evidence beside it.

    Args:
        prompt: What the model read.
        text: What it wrote; empty where it has no words.
        evidence: Of the target.
        language: ISO 639-1 code.
        seed: Chooses among the wordings of the sentences.
    """
    claims = tuple(check_explanation(text, evidence, language)) if text else ()
    return Explanation(evidence.target, prompt, text, claims, write_answer(evidence, language, seed).text)


@dataclass(frozen=True)
class ExplanationStream:
    """Where an explanation goes while it is written.

    Attributes:
        on_text: Called with each piece.
        is_cancelled: Called before each piece; if it returns True, the text ends there.
    """

    on_text: Callable[[str], None] = lambda _: None
    is_cancelled: Callable[[], bool] = lambda: False


def explain_targets(
    plan: Plan, overview: xr.Dataset, evidence: Mapping[str, Evidence], stream: ExplanationStream
) -> tuple[list[Explanation], list[str]]:
    """Let the model explain each target that it answered, and check its text against the evidence.

    Args:
        plan: What was asked for; the index has nothing to say beyond the evidence.
        overview: The scene, thinned.
        evidence: Of each target.
        stream: Gets the model's text.

    Returns:
        An explanation of each target, and what did not go as usual.
    """
    model, language = plan.model, plan.instruction.language
    step = max(1, -(-max(overview.spex.shape) // model.card.tile_px))
    thin = overview.isel(y=slice(None, None, step), x=slice(None, None, step))
    explanations, notes = [], []
    for target, figures in evidence.items():
        prompt, text = build_prompt(target, figures.regions), ""
        if target in plan.assignment.explained_by_model:
            text, problem = _streamed(_words(model, thin, prompt, language, figures), stream)
            notes += [f"The model's explanation of {target} {problem}."] if problem else []
        explanations.append(check_text(prompt, text, figures, language, plan.choices.seed))
    return explanations, notes


def _words(model: MaskModel, thin: xr.Dataset, prompt: str, language: str, figures: Evidence) -> Iterator[str]:
    """Yield what a model writes; one that fills in measured figures gets them."""
    if model.card.explains_evidence:
        yield from model.explain(thin, prompt, language, evidence=figures)  # type: ignore[call-arg]
    else:
        yield from model.explain(thin, prompt, language)


def _streamed(words: Iterator[str], stream: ExplanationStream) -> tuple[str, str]:
    """Return the whole text, and what went wrong; each piece is passed on as it comes."""
    pieces: list[str] = []
    while True:
        try:
            piece = next(words, None)
        except Exception as error:  # noqa: BLE001 (the mask stands without the text, and the result says so)
            return "", f"failed ({type(error).__name__}: {error})"
        if piece is not None and stream.is_cancelled():
            return "".join(pieces).strip(), "was cut short, because the run was cancelled"
        if piece is None:
            return "".join(pieces).strip(), ""
        stream.on_text(piece)
        pieces.append(piece)
