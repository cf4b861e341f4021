"""The explanation of a result: sentences from its facts, and a model's prose where it has some, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from spex_nb.language.claims import check_explanation
from spex_nb.language.explanation.numerals import StatedUnit, read_wording, stated_unit
from spex_nb.language.explanation.wording import explain_facts
from spex_nb.language.languages import get_language, join_sentences
from spex_nb.language.prompts import write_prompt
from spex_nb.types import SQUARE_METRES, AreaFilter, Claim, Evidence, Fact, Instruction, MaskModel, Statement
from spex_nb.types.targets import target_or_class

if TYPE_CHECKING:
    from spex_nb.extraction.planning.plan import Plan

INDEPENDENT, MEASURED, DIFFERS = "✓", "▫", "✗"
"""Marks: held against something that is not the mask itself; measured on the mask; contradicted."""
PARTS = ("answer", "why", "sureness", "confusion", "next")


@dataclass(frozen=True)
class Explanation:
    """What a result says of one target.

    Attributes:
        target: Its id.
        prompt: What the model read: the regions of the mask.
        text: The model's own prose; empty where it has none.
        claims: What that prose states, each with its verdict.
        statements: Sentences written from facts, in their order.
        facts: Everything that is known of the target.
        language: ISO 639-1 code of the sentences.
    """

    target: str
    prompt: str
    text: str
    claims: tuple[Claim, ...]
    statements: tuple[Statement, ...]
    facts: tuple[Fact, ...] = ()
    language: str = "en"

    @property
    def brief(self) -> tuple[Statement, ...]:
        """The sentences of the short explanation."""
        return tuple(statement for statement in self.statements if statement.is_brief)

    @property
    def answer(self) -> str:
        """The short explanation, without marks."""
        return join_sentences([statement.text for statement in self.brief], self.language)

    @property
    def whole(self) -> str:
        """All sentences with their marks, a paragraph for each part."""
        return "\n".join(
            " ".join(filter(None, [heading, self._marked(statements)])) for heading, statements in self.paragraphs()
        )

    def paragraphs(self) -> Iterator[tuple[str, tuple[Statement, ...]]]:
        """Yield each part that has sentences: its heading, empty for the answer, and the sentences."""
        headings = read_wording(self.language)["parts"]
        for part in PARTS:
            statements = tuple(statement for statement in self.statements if statement.part == part)
            if statements:
                yield headings[part], statements

    def __str__(self) -> str:
        prose = marked(self.text, self.claims)
        return "\n".join(part for part in (prose, self._marked(self.brief)) if part)

    def _marked(self, statements: Sequence[Statement]) -> str:
        return join_sentences([*map(with_mark, statements)], self.language)


def support_mark(statement: Statement) -> str:
    """Return the mark of what stands behind a sentence; nothing for doubts and general knowledge."""
    return {"independent": INDEPENDENT, "mask": MEASURED, "none": ""}[statement.support]


def with_mark(statement: Statement) -> str:
    """Return a sentence and its mark."""
    mark = support_mark(statement)
    return f"{statement.text} {mark}" if mark else statement.text


def mark_legend(language: str) -> str:
    """Return in a language what the marks of sentences mean, as one line."""
    meanings = read_wording(language)["legend"]
    return f"{INDEPENDENT} {meanings['independent']} · {MEASURED} {meanings['mask']}"


def marked(text: str, claims: Sequence[Claim]) -> str:
    """Return a text with a mark after each claim that was checked, and the measured figure where they differ."""
    for claim in sorted(claims, key=lambda claim: -claim.start):
        end = claim.start + len(claim.text)
        text = text[:end] + mark_of(claim) + text[end:]
    return text


def css_class(claim: Claim) -> str:
    """Return how a claim of a model's prose is drawn: ``holds measured contradicts cannot``."""
    return "measured" if mark_of(claim).strip() == MEASURED else claim.verdict.split()[0]


def mark_of(claim: Claim) -> str:
    """Return what stands after a claim of a model's prose; nothing where it cannot be checked.

    Only an index is measured on something else than the mask: on the bands.
    """
    if claim.verdict == "holds":
        return f" {INDEPENDENT if claim.kind == 'index' else MEASURED}"
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


def write_explanation(
    prompt: str, text: str, evidence: Evidence, facts: Sequence[Fact], instruction: Instruction
) -> Explanation:
    """Write the sentences of a target from its facts, and check a model's prose against its evidence.

    Args:
        prompt: What the model read.
        text: What it wrote; empty where it has no prose.
        evidence: Of the target.
        facts: Of the target.
        instruction: Its language is that of the sentences, and its unit that of areas.
    """
    language = instruction.language
    claims = tuple(check_explanation(text, evidence, language)) if text else ()
    statements = explain_facts(facts, language, question=instruction.question, unit=unit_of(instruction))
    return Explanation(evidence.target, prompt, text, claims, statements, tuple(facts), language)


def unit_of(instruction: Instruction) -> str | StatedUnit | None:
    """Return the unit of area on the ground that the user wrote, that of a question first; None without one."""
    wanted = instruction.unit
    if wanted is not None:
        if wanted.name in SQUARE_METRES:
            return wanted.name
        behind_number = get_language(instruction.language).instructions["phrases"]["quantity"].format("", wanted.name)
        return StatedUnit(behind_number, wanted.square_metres)
    rules = [rule for rule in instruction.filters if isinstance(rule, AreaFilter) and rule.unit != "px"]
    if not rules:
        return None
    first = rules[0]
    if not first.stated:
        return first.unit
    return stated_unit(first.stated, first.amount * SQUARE_METRES[first.unit], instruction.language)


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
    plan: Plan,
    overview: xr.Dataset,
    evidence: Mapping[str, Evidence],
    facts: Mapping[str, Sequence[Fact]],
    stream: ExplanationStream,
) -> tuple[list[Explanation], list[str]]:
    """Explain each target from its facts, and let a model with prose of its own add that, checked.

    A model that only puts measured figures into its sentences is not asked: facts say more than it can.

    Args:
        plan: What was asked for.
        overview: The scene, thinned.
        evidence: Of each target.
        facts: Of each target.
        stream: Gets the model's prose.

    Returns:
        An explanation of each target, and what did not go as usual.
    """
    model, language = plan.model, plan.instruction.language
    step = max(1, -(-max(overview.spex.shape) // model.card.tile_px))
    thin = overview.isel(y=slice(None, None, step), x=slice(None, None, step))
    explanations, notes = [], []
    for target, figures in evidence.items():
        prompt, text = write_prompt(target_or_class(target).word, figures.regions), ""
        if target in plan.assignment.explained_by_model and not model.card.explains_evidence:
            text, problem = _streamed(_prose(model, thin, prompt, language), stream)
            notes += [f"The model's explanation of {target} {problem}."] if problem else []
        explanations.append(write_explanation(prompt, text, figures, facts[target], plan.instruction))
    return explanations, notes


def _prose(model: MaskModel, thin: xr.Dataset, prompt: str, language: str) -> Iterator[str]:
    """Yield what a model writes; nothing is asked of it before the first piece is."""
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
