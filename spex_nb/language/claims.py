"""Claims of an explanation: found in free text, and checked against the evidence one by one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter

from spex_nb.language.claim_clauses import (
    NEAR,
    RANKS,
    Clause,
    comparison_at,
    denial,
    index_roles,
    is_denied_at,
    read_clauses,
)
from spex_nb.language.claim_facts import OF_REGION, Fact, Facts, area_fact, count_such, lies_in, part_of, percent_fact
from spex_nb.language.claim_quantities import SentenceQuantities, unread_words
from spex_nb.language.claim_tokens import Figure, Sentence, Token, read_sentences
from spex_nb.language.languages import get_language
from spex_nb.types import SQUARE_METRES, Claim, Evidence, Region, Verdict

TOLERANCES = {
    "area": 0.05,
    "share": 0.05,
    "neighbour": 0.05,
    "number": 0.0,
    "index": 0.0,
    "about": 0.1,
}
"""Largest error of a figure that holds, as a share of the measured one; ``about`` is for figures of any kind that are
called approximate. Half a unit of the last digit is always allowed, except for counts, and `INDEX_SLACK` more for an
index. So ``3 ha`` holds for 2.5 ha; `answers.write_answer` writes ``3.0 ha`` where it means that."""
INDEX_SLACK = 0.01
POSITION_SLACK = 0.02
"""Of the tile's width and height."""
HOLDS: Verdict = "holds"
CONTRADICTS: Verdict = "contradicts"
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_BOUNDS = ("more", "less", "at_least", "at_most")
UNKNOWN: Verdict = "cannot be checked"


def check_explanation(text: str, evidence: Evidence, language: str = "en") -> list[Claim]:
    """Find the claims of a text about a mask, and check each of them.

    Claims are areas, shares, counts, values of the index, size words, places, positions, presence and absence, and
    neighbours along the border. A number of unclear meaning is a claim that cannot be checked. Compass words are read
    as on a picture whose top is north.

    Args:
        text: An explanation by any author; it may hold anything.
        evidence: Figures measured on the mask.
        language: ISO 639-1 code of the text's language.

    Returns:
        The claims in the order of the text.

    Raises:
        LanguageError: If the language is not spoken here.
    """
    get_language(language)
    plain = _MARKUP.sub(lambda tag: " " * len(tag.group()), text)
    sentences = read_sentences(plain, language, evidence.index_name or "")
    claims = (claim for sentence in sentences for claim in _judged(_SentenceCheck(text, sentence, evidence).claims()))
    return sorted(claims, key=attrgetter("start"))


def _judged(claims: Iterable[Claim]) -> list[Claim]:
    """Let no claim of a sentence hold if another one of it is wrong: a tick would vouch for the sentence."""
    listed = list(claims)
    if all(claim.verdict != CONTRADICTS for claim in listed):
        return listed
    return [replace(claim, verdict=UNKNOWN) if claim.verdict == HOLDS else claim for claim in listed]


def same_figures(original: str, rewritten: str, evidence: Evidence, language: str = "en") -> bool:
    """Say whether a rewritten explanation still holds every figure of the original, and no other.

    Args:
        original: An explanation, such as `answers.write_answer` gives.
        rewritten: The same in other words.
        evidence: Figures of the mask that both describe.
        language: ISO 639-1 code of both.

    Returns:
        True if each figure, size word, place and statement of presence that holds in the original is in the rewritten
        text with the same meaning, and the rewritten text neither contradicts the evidence nor has a number that cannot
        be checked.
    """
    before = check_explanation(original, evidence, language)
    required = {(claim.kind, claim.measured) for claim in before if claim.verdict == HOLDS}
    after = check_explanation(rewritten, evidence, language)
    is_sound = not any(claim.verdict == CONTRADICTS or _is_loose_number(claim) for claim in after)
    return is_sound and required <= {(claim.kind, claim.measured) for claim in after}


def _is_loose_number(claim: Claim) -> bool:
    return claim.verdict == UNKNOWN and claim.kind not in ("size", "place", "presence")


class _SentenceCheck:
    """Finds and checks the claims of one sentence."""

    def __init__(self, text: str, sentence: Sentence, evidence: Evidence) -> None:
        self._text = text
        self._evidence = evidence
        self._clauses = read_clauses(sentence)
        self._kinds = {kind for clause in self._clauses for kind in clause.kinds}
        self._targets = set().union(*(clause.targets for clause in self._clauses))
        self._is_spectral = bool(self._kinds & {"index", "inside", "outside"})
        self._facts = Facts(evidence, self._clauses)
        self._roles = index_roles(self._clauses)
        self._earlier = dict(zip(self._clauses[1:], self._clauses, strict=False))
        named = (t.senses["index"] for clause in self._clauses for t in clause.tokens if "index" in t)
        self._index_name = next(named, evidence.index_name or "")
        self._readings = SentenceQuantities(self._clauses, evidence, is_spectral=self._is_spectral).readings()
        self._taken = {start for reading in self._readings for start in reading.tokens}

    def claims(self) -> Iterator[Claim]:
        """Return the claims, in no order."""
        for reading in self._readings:
            yield self._claim(reading.span, reading.kind, reading.stated, reading.measured, reading.verdict)
        for clause in self._clauses:
            clause_claims = list(self._claims_in(clause))
            is_whole = not unread_words(clause, self._taken, is_spectral=self._is_spectral) and not any(
                map(_is_unread_number, clause_claims)
            )
            yield from clause_claims if is_whole else map(_without_tick, clause_claims)

    def _claims_in(self, clause: Clause) -> Iterator[Claim]:
        yield from self._presence(clause)
        for position, token in enumerate(clause.tokens):
            if token.start not in self._taken:
                yield from self._claims_of(clause, position, token)

    def _claims_of(self, clause: Clause, position: int, token: Token) -> Iterator[Claim]:
        if token.figure is not None:
            yield self._number(clause, position, token, token.figure)
        elif token.pair is not None:
            yield self._position(clause, token, token.pair)
        elif "numeral" in token:
            yield from self._numeral(clause, position, token)
        elif "single" in token:
            yield self._single(token)
        elif "place" in token:
            yield self._place(clause, token)
        elif "size" in token and not self._is_spectral and "ignore" not in token:
            yield from self._size(clause, position, token)
        elif "target" in token and "border" in self._kinds and "percent" not in clause.units:
            yield from self._neighbour(clause, token)

    # --- numbers -----------------------------------------------------------------------------------------------------

    def _number(self, clause: Clause, position: int, token: Token, figure: Figure) -> Claim:
        """Read a number by the words around it: its unit, the noun that it counts, or the index."""
        if self._is_side_of_grid(clause, position, figure):
            return self._claim((token, token), "other", f"side {figure.value:g} px", _sides(self._evidence), HOLDS)
        after = clause.after(position, 2)
        scale = next((float(t.senses["scale"]) for t in after[:1] if "scale" in t), 1.0)
        unit = next((t for t in (after[1:] if scale != 1 else after[:1]) if "unit" in t), None)
        figure = Figure(figure.value * scale, figure.half_unit * scale)
        if unit is not None:
            return self._quantity(clause, position, (token, unit), figure)
        if position and self._is_percent_before(clause.tokens[position - 1]):
            return self._quantity(clause, position - 1, (clause.tokens[position - 1], token), figure, "percent")
        if figure.value.is_integer() and self._is_count(clause, position):
            return self._count(clause, position, token, figure)
        if self._is_spectral and token.start in self._roles:
            return self._index(clause, position, token, figure)
        return self._unclear(token)

    def _is_percent_before(self, token: Token) -> bool:
        """Say whether a token is a unit before its number, as in 百分之五."""
        return token.senses.get("unit") == "percent" and _is_chinese(self._text[token.start : token.end])

    def _quantity(
        self, clause: Clause, position: int, span: tuple[Token, Token], figure: Figure, unit: str = ""
    ) -> Claim:
        unit = unit or span[1].senses["unit"]
        stated = f"{figure.value:g} {unit}"
        if unit == "percent":
            return self._share(clause, position, span, figure, stated)
        if unit not in (*SQUARE_METRES, "px"):
            return self._claim(span, "other", stated, "", UNKNOWN)
        claim = self._compared(clause, position, span, "area", figure, stated, self._facts.areas(clause, unit))
        elsewhere = [str(area_fact(OF_REGION, r, unit)) for r in self._facts.elsewhere(clause)]
        return replace(claim, verdict=UNKNOWN) if claim.verdict == HOLDS and claim.measured in elsewhere else claim

    def _share(self, clause: Clause, position: int, span: tuple[Token, Token], figure: Figure, stated: str) -> Claim:
        if "border" in self._kinds:
            facts = self._facts.border_shares(span[0])
            return self._compared(clause, position, span, "neighbour", figure, f"{stated} of the border", facts)
        return self._compared(clause, position, span, "share", figure, stated, self._facts.shares(clause))

    def _count(self, clause: Clause, position: int, token: Token, figure: Figure) -> Claim:
        is_rest = clause.subject == "others"  # the other three of four
        facts = [Fact("regions", float(self._evidence.number - is_rest))]
        if clause.descriptions and not clause.has(*RANKS):
            number = count_such(self._evidence, clause.descriptions)
            near = [t for t in clause.after(position, NEAR) if "size" in t]
            facts = [Fact("such regions", number)] + ([] if near else facts)
        return self._compared(clause, position, (token, token), "number", figure, f"{figure.value:g}", facts)

    def _index(self, clause: Clause, position: int, token: Token, figure: Figure) -> Claim:
        role = self._roles[token.start]
        stated = f"{self._index_name} {part_of(role)} {role.side} {figure.value:g}"
        is_limit = clause.has("threshold") or comparison_at(clause, position) in ("more", "less", "at_least", "at_most")
        is_ours = self._index_name == self._evidence.index_name and not is_limit
        facts = self._facts.index_facts(clause, role) if is_ours else []
        return self._compared(clause, position, (token, token), "index", figure, stated, facts)

    def _numeral(self, clause: Clause, position: int, token: Token) -> Iterator[Claim]:
        """Check a number word; one that counts no noun of the evidence cannot be checked."""
        figure = Figure(float(token.senses["numeral"]), 0.0)
        following = clause.after(position, 1)
        if following and following[0].senses.get("unit") in (*SQUARE_METRES, "px", "percent"):
            yield self._quantity(clause, position, (token, following[0]), figure)
        elif self._is_count(clause, position):
            yield self._count(clause, position, token, figure)
        elif not _is_chinese(self._text[token.start : token.end]) or (following and "measure" in following[0]):
            yield self._unclear(token)

    def _single(self, token: Token) -> Claim:
        verdict = HOLDS if self._evidence.number == 1 else CONTRADICTS
        return self._claim((token, token), "number", "1", str(Fact("regions", self._evidence.number)), verdict)

    def _unclear(self, token: Token) -> Claim:
        return self._claim((token, token), "other", self._text[token.start : token.end], "", UNKNOWN)

    def _compared(
        self,
        clause: Clause,
        position: int,
        span: tuple[Token, Token],
        kind: str,
        figure: Figure,
        stated: str,
        facts: list[Fact],
    ) -> Claim:
        """Compare a figure with the facts that it may mean: one that agrees is enough."""
        measured = [fact for fact in facts if fact.value is not None and math.isfinite(fact.value)]
        denied = is_denied_at(clause, position) or (bool(figure.value) and _is_denied_around(clause, position))
        if not measured or not math.isfinite(figure.value) or denied:
            return self._claim(span, kind, stated, "; ".join(str(fact) for fact in measured), UNKNOWN)
        how = comparison_at(clause, position)
        agreeing = [fact for fact in measured if _agrees(kind, figure, fact.value or 0.0, how)]
        verdict = HOLDS if agreeing else CONTRADICTS
        return self._claim(span, kind, f"{how} {stated}".strip(), str((agreeing or measured)[0]), verdict)

    def _is_count(self, clause: Clause, position: int) -> bool:
        """Say whether the number at a position counts regions: ``5 lakes``, ``number of regions: 5``."""
        if _follows_number_of(clause, position):
            return True
        unknown = 0
        for token in clause.after(position, 2 * NEAR):
            if self._is_counted(token):
                return True
            if "target" in token or token.figure or unknown > 1:
                return False
            unknown += not ("fillers" in token or "size" in token)
        return self._is_counted_before(clause, position) and not unknown

    def _is_counted(self, token: Token) -> bool:
        return "region" in token or token.senses.get("target") == self._evidence.target

    def _is_counted_before(self, clause: Clause, position: int) -> bool:
        """Look back, over a colon too, for the noun that the number counts."""
        earlier = self._earlier.get(clause)
        if position or earlier is None:
            return all("fillers" in t for t in clause.after(position, 2)) and bool(
                position and "region" in clause.tokens[position - 1]
            )
        between = self._text[earlier.tokens[-1].end : clause.tokens[0].start]
        return between.rstrip().endswith((":", "：")) and (
            earlier.has("number_of") or self._is_counted(earlier.tokens[-1])
        )

    def _is_side_of_grid(self, clause: Clause, position: int, figure: Figure) -> bool:
        beside = clause.before(position, 1) + clause.after(position, 1)
        return any("times" in t for t in beside) and figure.value in self._evidence.shape

    # --- words -------------------------------------------------------------------------------------------------------

    def _position(self, clause: Clause, token: Token, pair: tuple[float, float]) -> Claim:
        """Check a point, in pixels or fractions of the tile, against centroids and corners."""
        height, width = self._evidence.shape
        is_frac = max(pair) <= 1
        x, y = pair if is_frac else (pair[0] / width, pair[1] / height)
        points = [p for r in self._facts.named(clause) for p in (r.centroid_px, *r.rectangle_px)]
        hits = (max(abs(px / width - x), abs(py / height - y)) <= POSITION_SLACK for px, py in points)
        verdict = UNKNOWN if not points else HOLDS if any(hits) else CONTRADICTS
        measured = "" if not points else f"centroid: ({points[0][0] / width:.3f}, {points[0][1] / height:.3f})"
        return self._claim((token, token), "position", f"({x:.3f}, {y:.3f})", measured, verdict)

    def _place(self, clause: Clause, token: Token) -> Claim:
        place = token.senses["place"]
        named = self._facts.named(clause)
        is_there = _holds_for(clause, (lies_in(region, place) for region in named))
        verdict = self._word_verdict(clause, is_there=is_there, could_be=clause.subject not in RANKS)
        return self._claim((token, token), "place", denial(clause) + place, _words_of(named, "location"), verdict)

    def _size(self, clause: Clause, position: int, token: Token) -> Iterator[Claim]:
        before = clause.before(position, 1)
        if before and "unit" in before[0] and not self._text[before[0].end : token.start].strip():
            return  # 30 ha large is no large region
        if any("parts" in t for t in clause.after(position, 2)):
            return  # a large part of the scene is not a large region
        size = token.senses["size"]
        named = self._facts.named(clause)
        is_so = _holds_for(clause, (region.size == size for region in named))
        if is_so and not any(region.size == size for region in self._facts.placed(clause, named)):
            yield self._claim((token, token), "size", denial(clause) + size, _words_of(named, "size"), UNKNOWN)
            return
        verdict = self._word_verdict(clause, is_there=is_so, could_be=clause.subject not in RANKS)
        yield self._claim((token, token), "size", denial(clause) + size, _words_of(named, "size"), verdict)

    def _word_verdict(self, clause: Clause, *, is_there: bool, could_be: bool) -> Verdict:
        """Judge a size or place of one region, or of any region where some may not be listed."""
        evidence = self._evidence
        if clause.subject in RANKS and not self._facts.named(clause) and evidence.number:
            return UNKNOWN
        if not is_there and could_be and evidence.number > len(evidence.regions):
            return UNKNOWN
        if not self._kinds & {"region", "target", "none", "single", "present", "others", *RANKS}:
            return UNKNOWN
        return HOLDS if is_there != bool(denial(clause)) else CONTRADICTS

    def _presence(self, clause: Clause) -> Iterator[Claim]:
        """Check a statement that the target is present or absent."""
        nouns = [t for t in clause.tokens if t.senses.get("target") == self._evidence.target]
        if self._says_absent(clause, nouns):
            subject = nouns or [t for t in clause.tokens if t.senses.keys() & {"absent", "none", "no"}]
            yield self._present(subject[0], "absent", is_right=self._evidence.area_px == 0)
        elif nouns and clause.has("present", "unit") and not clause.has("not", "no", "none", "absent", "border"):
            yield self._present(nouns[0], "present", is_right=self._evidence.area_px > 0)

    def _present(self, token: Token, stated: str, *, is_right: bool) -> Claim:
        measured = "present" if self._evidence.area_px else "absent"
        return self._claim((token, token), "presence", stated, measured, HOLDS if is_right else CONTRADICTS)

    def _says_absent(self, clause: Clause, nouns: list[Token]) -> bool:
        if clause.has("place", "size", "border", *RANKS):
            return False
        if any(t.figure is not None and comparison_at(clause, i) in _BOUNDS for i, t in enumerate(clause.tokens)):
            return False  # no lake is larger than 50 ha, but there are lakes
        if clause.targets and not nouns:
            return False
        is_about_it = bool(nouns) or clause.has("region") or self._evidence.target in self._targets
        if clause.has("absent", "none"):
            return is_about_it
        return any(self._is_denied(clause, position) for position in range(len(clause.tokens)))

    def _is_denied(self, clause: Clause, position: int) -> bool:
        token = clause.tokens[position]
        after = any(self._is_counted(t) for t in clause.after(position, NEAR))
        before = any(self._is_counted(t) for t in clause.before(position, NEAR))
        return ("no" in token and after) or ("no_after" in token and before)

    def _neighbour(self, clause: Clause, token: Token) -> Iterator[Claim]:
        """Check a statement that something lies along the border, without a figure."""
        name = token.senses["target"]
        if name == self._evidence.target or "border" not in self._kinds:
            return
        share = self._evidence.neighbours.get(name)
        denied = denial(clause)
        verdict = UNKNOWN if share is None else CONTRADICTS if denied else HOLDS
        measured = "" if share is None else str(percent_fact(f"border with {name}", 100 * share))
        yield self._claim((token, token), "neighbour", f"{denied}beside {name}", measured, verdict)

    def _claim(self, span: tuple[Token, Token], kind: str, stated: str, measured: str, verdict: Verdict) -> Claim:
        first, last = span
        return Claim(self._text[first.start : last.end], first.start, kind, stated, measured, verdict)  # type: ignore[arg-type]


def _is_unread_number(claim: Claim) -> bool:
    """Say whether a claim is a number that nobody could read or check."""
    return _is_loose_number(claim)


def _without_tick(claim: Claim) -> Claim:
    return replace(claim, verdict=UNKNOWN) if claim.verdict == HOLDS else claim


# --- comparing -------------------------------------------------------------------------------------------------------


def _agrees(kind: str, figure: Figure, measured: float, how: str) -> bool:
    """Say whether a figure agrees with the measured value."""
    slack = 0.0 if kind == "number" else figure.half_unit + (INDEX_SLACK if kind == "index" else 0.0)
    if how in ("more", "at_least"):
        return measured > figure.value - slack - (1e-9 if how == "at_least" else 0.0)
    if how in ("less", "at_most"):
        return measured < figure.value + slack + (1e-9 if how == "at_most" else 0.0)
    relative = TOLERANCES["about"] if how == "about" else TOLERANCES[kind]
    return abs(figure.value - measured) <= max(relative * abs(measured), slack) + 1e-9


def _follows_number_of(clause: Clause, position: int) -> bool:
    """Say whether ``number of regions`` stands before a number, with no other number between."""
    for token in clause.before(position, 2 * NEAR):
        if "number_of" in token:
            return True
        if token.figure is not None:
            return False
    return False


def _is_denied_around(clause: Clause, position: int) -> bool:
    """Say whether a clause denies the figure at a position: ``do not cover 45 ha``, ``45 ha nicht``."""
    first, last = clause.denials
    return first < position or position < last


def _holds_for(clause: Clause, agreeing: Iterable[bool]) -> bool:
    """Say whether a word is true of the regions that a clause means: of all of them, or of any."""
    verdicts = list(agreeing)
    if clause.has("all") and clause.subject not in RANKS:
        return bool(verdicts) and all(verdicts)
    return any(verdicts)


def _words_of(regions: tuple[Region, ...], attribute: str) -> str:
    return ", ".join(dict.fromkeys(str(getattr(region, attribute)) for region in regions))


def _sides(evidence: Evidence) -> str:
    height, width = evidence.shape
    return f"{width} x {height} px"


def _is_chinese(text: str) -> bool:
    return all("\u3400" <= char <= "\u9fff" for char in text)
