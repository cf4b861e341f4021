"""What a model says of a mask, held against the mask: claims that agree are marked, others corrected in brackets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import xarray as xr

from spex_nb.language.answers import write_answer
from spex_nb.language.claims import check_explanation
from spex_nb.language.prompts import build_prompt
from spex_nb.types import Claim, Evidence, MaskModel

AGREES, DIFFERS = "✓", "✗"


@dataclass(frozen=True)
class Explanation:
    """What is said of one target.

    Attributes:
        target: Its id.
        prompt: What the model read: the regions that were found.
        text: The model's own words; empty where it has none.
        claims: What they state, each with its verdict.
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
    """Return a text with a mark after each claim that was checked, and what was measured where it differs."""
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


def faithfulness(claims: Sequence[Claim]) -> float | None:
    """Return the share of the claims that hold, among those that can be checked; None where there are none."""
    verdicts = [claim.verdict for claim in claims if claim.verdict != "cannot be checked"]
    return verdicts.count("holds") / len(verdicts) if verdicts else None


@dataclass(frozen=True)
class Listener:
    """Who hears an explanation while it is written.

    Attributes:
        hear: Told each piece.
        is_cancelled: TargetAssignment before each piece; if so, the text ends there.
    """

    hear: Callable[[str], None] = lambda _: None
    is_cancelled: Callable[[], bool] = lambda: False


def explain_targets(
    model: MaskModel,
    overview: xr.Dataset,
    evidence: Mapping[str, Evidence],
    by_model: Sequence[str],
    language: str,
    seed: int,
    listener: Listener,
) -> tuple[list[Explanation], list[str]]:
    """Let a model speak of what was found, and hold it against the evidence.

    Args:
        model: TargetAssignment about the targets in ``by_model``; the index has nothing to say beyond the evidence.
        overview: The scene, thinned.
        evidence: Of each target.
        by_model: Targets that the model answers.
        language: ISO 639-1 code.
        seed: Chooses among the wordings of the sentences that are written from evidence.
        listener: Hears the model's text.

    Returns:
        An explanation of each target, and what did not go as usual.
    """
    step = max(1, -(-max(overview.spex.shape) // model.card.tile_px))
    thin = overview.isel(y=slice(None, None, step), x=slice(None, None, step))
    said, notes = [], []
    for target, figures in evidence.items():
        prompt, text = build_prompt(target, figures.regions), ""
        if target in by_model:
            text, trouble = _heard(_words(model, thin, prompt, language, figures), listener)
            notes += [f"The model's explanation of {target} {trouble}."] if trouble else []
        claims = tuple(check_explanation(text, figures, language)) if text else ()
        said.append(Explanation(target, prompt, text, claims, write_answer(figures, language, seed).text))
    return said, notes


def _words(model: MaskModel, thin: xr.Dataset, prompt: str, language: str, figures: Evidence) -> Iterator[str]:
    """Yield what a model says; one that fills in measured figures is given them."""
    if model.card.explains_evidence:
        yield from model.explain(thin, prompt, language, evidence=figures)  # type: ignore[call-arg]
    else:
        yield from model.explain(thin, prompt, language)


def _heard(words: Iterator[str], listener: Listener) -> tuple[str, str]:
    """Return what was said, and what went wrong; each piece is passed on as it comes."""
    pieces: list[str] = []
    while True:
        try:
            piece = next(words, None)
        except Exception as error:  # noqa: BLE001 (the mask stands without the text, and the result says so)
            return "", f"failed ({type(error).__name__}: {error})"
        if piece is not None and listener.is_cancelled():
            return "".join(pieces).strip(), "was cut short, because the run was cancelled"
        if piece is None:
            return "".join(pieces).strip(), ""
        listener.hear(piece)
        pieces.append(piece)
