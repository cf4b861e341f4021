"""Quantities that are no single figure: fractions, ratios, averages, comparisons of regions, "all" and "most".

Each is read over a whole sentence and held against the regions of the evidence. A word of quantity that is not read
keeps its clause from any tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from spex_nb.language.claim_clauses import RANKS, Clause, comparison_at, denial
from spex_nb.language.claim_facts import lies_in
from spex_nb.language.claim_tokens import Token
from spex_nb.types import SQUARE_METRES, Evidence, Region, Verdict
from spex_nb.types.targets import overlap

LOOSE = 0.12
"""Largest error of a fraction, a ratio or an average in words, as a share of the measured one."""
HALF = 0.5
LONGEST_SENTENCE = 300
"""Words and figures of the longest sentence that is read, so that time grows with the length of a text only."""
NEAR = 3
ADJACENT = 1
QUANTITY_WORDS = ("fraction", "ratio", "fold", "average", "all", "most")
BOUNDS = ("more", "at_least", "less", "at_most")


@dataclass(frozen=True)
class Reading:
    """A quantity that was read.

    Attributes:
        span: Its first and last token.
        kind: Kind of the claim.
        stated: What the sentence says.
        measured: The figure of the evidence; empty where it has none.
        verdict: Whether they agree.
        tokens: Starts of all tokens that were read with it; nothing else reads them.
    """

    span: tuple[Token, Token]
    kind: str
    stated: str
    measured: str
    verdict: Verdict
    tokens: frozenset[int]


class SentenceQuantities:
    """Reads the quantities of one sentence.

    Args:
        clauses: Its clauses.
        evidence: Figures measured on the mask.
        is_spectral: Whether the sentence is about an index; averages are those of the index then.
    """

    def __init__(self, clauses: Sequence[Clause], evidence: Evidence, *, is_spectral: bool) -> None:
        self._clauses, self._evidence, self._is_spectral = clauses, evidence, is_spectral
        self._kinds = {kind for clause in clauses for kind in clause.kinds}
        self._regions = evidence.regions if len(evidence.regions) == evidence.number else ()

    def readings(self) -> list[Reading]:
        """Return what was read, in the order of the clauses; nothing of a sentence longer than anyone writes."""
        if sum(len(clause.tokens) for clause in self._clauses) > LONGEST_SENTENCE:
            return []
        readers = (
            self._foreign,
            self._averages,
            self._ratios,
            self._top,
            self._bounded,
            self._rest,
            self._fractions,
            self._compared_places,
            self._compared_sides,
            self._most_of_border,
        )
        readings: list[Reading] = []
        taken: set[int] = set()
        for clause in self._clauses:
            for reader in readers:
                for reading in reader(clause):
                    if not taken & reading.tokens:
                        readings.append(reading)
                        taken |= reading.tokens
        return readings

    # --- another land cover ------------------------------------------------------------------------------------------

    def _foreign(self, clause: Clause) -> Iterator[Reading]:
        """Find a quantity that is stated of another land cover: the evidence has none of it."""
        covered = self._evidence.target
        foreign = [t for t in clause.tokens if "target" in t and not overlap(t.senses["target"], covered)]
        has_own = any(overlap(name, covered) for name in clause.targets)
        is_about_border = bool(self._kinds & {"border", "outside"})
        if not foreign or has_own or is_about_border or self._is_spectral or clause.has("foreign"):
            return
        # Where the sentence never names the land cover of the mask, its other clauses speak of the foreign one too.
        is_alone = not any(overlap(name, covered) for other in self._clauses for name in other.targets)
        stating = self._clauses if is_alone else [clause]
        if not any(_states_quantity(other) for other in stating):
            return
        token = foreign[0]
        yield Reading(
            (token, token),
            "other",
            f"of {token.senses['target']}",
            f"the mask shows {covered}",
            "contradicts",
            frozenset(),
        )

    # --- averages, ratios, bounds ------------------------------------------------------------------------------------

    def _averages(self, clause: Clause) -> Iterator[Reading]:
        """Hold an average area against the total by the number of regions."""
        average = self._average_word(clause)
        if average is None or self._is_spectral:
            return
        for figure, unit, position in _areas_in(clause):
            measured = self._mean_area(unit.senses["unit"])
            token = clause.tokens[position]
            stated = f"on average {figure:g} {unit.senses['unit']}"
            verdict = _verdict(figure, measured, comparison_at(clause, position))
            text = "" if measured is None else f"average area: {measured:.4g} {unit.senses['unit']}"
            yield Reading((token, unit), "area", stated, text, verdict, _starts(average, token, unit))

    def _average_word(self, clause: Clause) -> Token | None:
        """Return the word for an average in a clause, or before its comma: ``On average, …``."""
        position = self._clauses.index(clause)
        before = self._clauses[position - 1].tokens if position else []
        fronted = [] if any(token.figure is not None for token in before) else before
        return next((t for t in (*clause.tokens, *fronted) if "average" in t), None)

    def _mean_area(self, unit: str) -> float | None:
        evidence = self._evidence
        total = _area_of(evidence, unit)
        return None if total is None or not evidence.number else total / evidence.number

    def _ratios(self, clause: Clause) -> Iterator[Reading]:
        """Hold a ratio of two regions against their areas, the larger by the smaller."""
        for position, token in enumerate(clause.tokens):
            value, first = _ratio_at(clause, position)
            if value is None:
                continue
            measured, name = self._ratio_of(clause)
            verdict = _verdict(value, measured, comparison_at(clause, clause.tokens.index(first)))
            text = "" if measured is None else f"{name}: {measured:.3g}"
            yield Reading((first, token), "area", f"{value:g} times", text, verdict, _starts(first, token))

    def _ratio_of(self, clause: Clause) -> tuple[float | None, str]:
        """Return the ratio of the two regions that a sentence compares, at least 1."""
        pair = self._placed_pair(clause) or self._ranked_pair()
        if pair is None:
            return None, ""
        larger, smaller = sorted(pair, reverse=True)
        return (larger / smaller if smaller else None), "ratio of the areas"

    def _ranked_pair(self) -> tuple[float, float] | None:
        areas = [_size(region) for region in self._evidence.regions]
        is_listed = len(areas) == self._evidence.number
        if len(areas) < 2 or not self._kinds & {*RANKS, "region", "target"}:  # noqa: PLR2004
            return None
        if "others" in self._kinds and is_listed:
            return areas[0], sum(areas[1:])
        if "smallest" in self._kinds:
            return (areas[0], areas[-1]) if is_listed else None
        if "third" in self._kinds:
            return areas[1 if "second" in self._kinds and "largest" not in self._kinds else 0], areas[2] if len(
                areas
            ) > 2 else 0.0  # noqa: PLR2004
        return areas[0], areas[1]

    def _placed_pair(self, clause: Clause) -> tuple[float, float] | None:
        """Return the areas of the largest regions in the two places that a clause names."""
        places = list(dict.fromkeys(t.senses["place"] for t in clause.tokens if "place" in t))
        if len(places) != 2 or not self._regions:  # noqa: PLR2004
            return None
        sizes = [[_size(r) for r in self._regions if lies_in(r, place)] for place in places]
        return (max(sizes[0]), max(sizes[1])) if all(sizes) else None

    def _bounded(self, clause: Clause) -> Iterator[Reading]:
        """Hold "all", "most", "two of them", "none" with a bound of area against the regions."""
        if self._is_spectral or clause.subject in RANKS or clause.has("total", "average"):
            return
        for figure, unit, position in _areas_in(clause):
            how = _bound_at(clause, position)
            counted = _counter_of(clause, position)
            if how not in BOUNDS or counted is None or not clause.has("region", "target", "others", "all", "numeral"):
                continue
            token, name, is_right = counted
            measured, verdict = self._count_beyond(figure, unit.senses["unit"], how, is_right)
            stated = f"{name} {how} {figure:g} {unit.senses['unit']}"
            tokens = _starts(*token, clause.tokens[position], unit)
            yield Reading((clause.tokens[position], unit), "area", stated, measured, verdict, tokens)

    def _count_beyond(
        self, figure: float, unit: str, how: str, is_right: Callable[[int, int], bool]
    ) -> tuple[str, Verdict]:
        """Count the regions beyond a bound, and judge the count."""
        areas = [_area_of(region, unit) for region in self._regions]
        known_areas = [area for area in areas if area is not None]
        if not known_areas or len(known_areas) != self._evidence.number:
            return "", "cannot be checked"
        is_above = how in ("more", "at_least")
        hits = sum(area > figure if is_above else area < figure for area in known_areas)
        verdict: Verdict = "holds" if is_right(hits, len(known_areas)) else "contradicts"
        return f"such regions: {hits} of {len(known_areas)}", verdict

    def _top(self, clause: Clause) -> Iterator[Reading]:
        """Read ``the two largest``: their area together, where the clause states one."""
        for position, token in enumerate(clause.tokens):
            number = _number_of(token)
            following = clause.after(position, 2)
            if number is None or "unit" in {*(following[0].senses if following else ())}:
                continue
            if not any("largest" in t for t in following):
                continue
            areas = list(_areas_in(clause))
            if not areas or clause.has("ratio", "fold") or number > len(self._regions):
                yield Reading((token, token), "other", f"{number} largest", "", "cannot be checked", _starts(token))
                continue
            figure, unit, place = areas[0]
            measured = [_area_of(region, unit.senses["unit"]) for region in self._regions[:number]]
            total = None if None in measured else sum(area for area in measured if area is not None)
            verdict = _verdict(figure, total, _bound_at(clause, place), LOOSE / 2)
            text = "" if total is None else f"area of the {number} largest: {total:.4g} {unit.senses['unit']}"
            stated = f"{number} largest {figure:g} {unit.senses['unit']}"
            yield Reading(
                (clause.tokens[place], unit), "area", stated, text, verdict, _starts(token, clause.tokens[place])
            )

    def _rest(self, clause: Clause) -> Iterator[Reading]:
        """Hold the area of all but the largest region, taken together."""
        if clause.subject != "others" or not clause.has("total") or not self._regions:
            return
        joint = next(t for t in clause.tokens if "total" in t)
        for figure, unit, position in _areas_in(clause):
            areas = [_area_of(region, unit.senses["unit"]) for region in self._regions[1:]]
            measured = None if None in areas else sum(area for area in areas if area is not None)
            how = _bound_at(clause, position)
            verdict = _verdict(figure, measured, how, LOOSE / 2)
            text = "" if measured is None else f"area of the others: {measured:.4g} {unit.senses['unit']}"
            token = clause.tokens[position]
            stated = f"others {how} {figure:g} {unit.senses['unit']}"
            yield Reading((token, unit), "area", stated, text, verdict, _starts(joint, token, unit))

    # --- fractions ---------------------------------------------------------------------------------------------------

    def _fractions(self, clause: Clause) -> Iterator[Reading]:
        for position, token in enumerate(clause.tokens):
            if not _is_fraction(clause, position) or self._is_spectral:
                continue
            value = float(token.senses["fraction"])
            how = comparison_at(clause, position)
            candidates = self._wholes(clause)
            denied = bool(denial(clause)) and how not in BOUNDS
            judged = [(text, _verdict(value, measured, how)) for text, measured in candidates]
            agreeing = [text for text, verdict in judged if verdict == "holds"]
            verdict: Verdict = "cannot be checked" if denied or not judged else "contradicts"
            verdict = "holds" if agreeing and not denied else verdict
            measured_text = (agreeing or [text for text, _ in judged] or [""])[0]
            kind = "neighbour" if "border" in self._kinds else "share"
            yield Reading((token, token), kind, f"{how} {value:.3g}".strip(), measured_text, verdict, _starts(token))

    def _wholes(self, clause: Clause) -> list[tuple[str, float]]:
        """Return the shares that a fraction in a clause may mean."""
        evidence = self._evidence
        if "border" in self._kinds:
            return self._border_wholes()
        if any(not overlap(name, evidence.target) for name in clause.targets):
            return []
        named = self._named(clause)
        if named is None or not evidence.area_px:
            return [("share of the scene", evidence.share_frac)]
        if clause.has("scene") and not _counts_of(clause):
            return [("share of the scene", evidence.share_frac * sum(r.area_px for r in named) / evidence.area_px)]
        wholes = [("share of the target", sum(region.area_px for region in named) / evidence.area_px)]
        if clause.subject not in RANKS and evidence.number:
            wholes.append(("share of the regions", len(named) / evidence.number))
        return wholes

    def _named(self, clause: Clause) -> list[Region] | None:
        """Return the regions that a fraction is about: one by its rank, or those in a place; None for all."""
        subject = clause.subject
        subject = subject or next((other.subject for other in self._clauses if other.subject), "")
        ranks = {"largest": 0, "second": 1, "third": 2}
        if subject in ranks:
            return list(self._evidence.regions[ranks[subject] : ranks[subject] + 1])
        if subject == "smallest":
            return list(self._regions[-1:])
        places = [t.senses["place"] for other in self._clauses for t in other.tokens if "place" in t]
        if places and self._regions:
            return [region for region in self._regions if any(lies_in(region, place) for place in places)]
        if subject == "others" and self._regions:
            return list(self._regions[1:])
        return None

    def _border_wholes(self) -> list[tuple[str, float]]:
        """Return the share of the border of the other target that a sentence names; nothing if it was not measured.

        Where the measured neighbours leave no room for it, the share is what they leave.
        """
        names = {t.senses["target"] for clause in self._clauses for t in clause.tokens if "target" in t}
        others = [name for name in names if name != self._evidence.target]
        if len(others) != 1:
            return []
        shares = self._evidence.neighbours
        if others[0] in shares:
            return [(f"border with {others[0]}", shares[others[0]])]
        return (
            [(f"border left by {', '.join(shares)}", 1 - sum(shares.values()))] if sum(shares.values()) > HALF else []
        )

    def _most_of_border(self, clause: Clause) -> Iterator[Reading]:
        """Hold "mostly" against the share of the border, or of the area in a place."""
        token = next((t for t in clause.tokens if "most" in t), None)
        if token is None or self._is_spectral or clause.has("fraction"):
            return
        wholes = self._wholes(clause)
        if not wholes or (wholes[0][0] == "share of the scene" and not clause.has("scene", "target")):
            return
        text, measured = max(wholes, key=lambda whole: whole[1])
        verdict: Verdict = "holds" if (measured > HALF) != bool(denial(clause)) else "contradicts"
        yield Reading((token, token), "share", "most", f"{text}: {100 * measured:.3g} %", verdict, _starts(token))

    # --- regions held against each other -----------------------------------------------------------------------------

    def _compared_places(self, clause: Clause) -> Iterator[Reading]:
        """Hold "the lake in one place is larger than the one in another" against their areas."""
        how = next((t for t in clause.tokens if t.senses.keys() & {"more", "less"}), None)
        if how is None or any(t.figure is not None for t in clause.tokens):
            return
        pair = self._placed_pair(clause)
        if pair is None:
            return
        first, second = pair
        is_more = "more" in how
        is_right = (first > second if is_more else first < second) != bool(denial(clause))
        verdict: Verdict = "holds" if is_right else "contradicts"
        tokens = [how, *(t for t in clause.tokens if "place" in t)]
        stated = "larger" if is_more else "smaller"
        yield Reading((how, how), "area", stated, f"areas: {first:.4g} and {second:.4g}", verdict, _starts(*tokens))

    def _compared_sides(self, clause: Clause) -> Iterator[Reading]:
        """Hold "the index is higher inside than outside" against its means."""
        inside, outside = self._evidence.inside, self._evidence.outside
        how = next((t for t in clause.tokens if t.senses.keys() & {"more", "less"}), None)
        sides = [side for token in clause.tokens for side in ("inside", "outside") if side in token]
        has_figure = any(t.figure is not None for t in clause.tokens)
        if how is None or has_figure or len(sides) != 2 or inside is None or outside is None:  # noqa: PLR2004
            return
        if not self._is_spectral or sides[0] == sides[1]:
            return
        first, second = (inside, outside) if sides[0] == "inside" else (outside, inside)
        is_right = first.mean > second.mean if "more" in how else first.mean < second.mean
        verdict: Verdict = "holds" if is_right != bool(denial(clause)) else "contradicts"
        text = f"means: {inside.mean:.3g} inside, {outside.mean:.3g} outside"
        yield Reading((how, how), "index", "higher" if "more" in how else "lower", text, verdict, _starts(how))


def unread_words(clause: Clause, taken: set[int], *, is_spectral: bool) -> list[Token]:
    """Return the words of quantity in a clause that nothing has read; the average of an index is read elsewhere."""
    return [
        token
        for position, token in enumerate(clause.tokens)
        if token.start not in taken
        and any(kind in token for kind in QUANTITY_WORDS)
        and not _is_harmless(clause, position)
        and not (is_spectral and "average" in token)
    ]


def _is_harmless(clause: Clause, position: int) -> bool:
    """Say whether a word of quantity changes nothing, such as ``all`` of a place, or the upper half of a picture."""
    token = clause.tokens[position]
    if "fraction" in token:
        return not _is_fraction(clause, position)
    if "all" in token:
        return clause.has("place", "size") or not clause.has("unit") or clause.subject in RANKS
    return "fold" in token and not any(t.figure is not None or "numeral" in t for t in clause.before(position, 1))


def _is_fraction(clause: Clause, position: int) -> bool:
    """Say whether a token is a fraction: no half of the picture, and no number word that looks the same."""
    token = clause.tokens[position]
    if "fraction" not in token:
        return False
    beside = clause.before(position, ADJACENT) + clause.after(position, ADJACENT)
    if abs(float(token.senses["fraction"]) - HALF) < 1e-6 and any("place" in t for t in beside):  # noqa: PLR2004
        return False
    if "numeral" in token:  # Arabic writes a seventh and seven alike
        following = clause.after(position, ADJACENT)
        return bool(following) and bool(following[0].senses.keys() & {"scene", "total", "border", "parts"})
    return True


def _counts_of(clause: Clause) -> bool:
    """Say whether a fraction counts regions in a place: ``half of the lakes lie in the upper part of the picture``."""
    for position in range(len(clause.tokens)):
        if _is_fraction(clause, position):
            return clause.has("place") and any("target" in t or "region" in t for t in clause.after(position, 2))
    return False


def _number_of(token: Token) -> int | None:
    """Return the whole number that a token writes in digits or as a word; None if it writes none."""
    if "numeral" in token:
        return int(float(token.senses["numeral"]))
    is_whole = token.figure is not None and token.figure.value.is_integer()
    return int(token.figure.value) if is_whole and token.figure is not None else None


def _states_quantity(clause: Clause) -> bool:
    """Say whether a clause states how much or how many; lengths are no area."""
    return clause.has("fraction", "unit", "number", "numeral") and not clause.units & {"m", "km"}


def _areas_in(clause: Clause) -> Iterator[tuple[float, Token, int]]:
    """Yield each area of a clause: its number, its unit, and the position of the number."""
    for position, token in enumerate(clause.tokens[:-1]):
        unit = clause.tokens[position + 1]
        if unit.senses.get("unit") in (*SQUARE_METRES, "px"):
            if token.figure is not None:
                yield token.figure.value, unit, position
            elif "numeral" in token:
                yield float(token.senses["numeral"]), unit, position


def _ratio_at(clause: Clause, position: int) -> tuple[float | None, Token]:
    """Return the ratio that ends at a position, and its first token; None if there is none."""
    token = clause.tokens[position]
    if "ratio" in token:
        return float(token.senses["ratio"]), token
    before = clause.before(position, 1)
    if "fold" in token and before:
        if before[0].figure is not None:
            return before[0].figure.value, before[0]
        if "numeral" in before[0]:
            return float(before[0].senses["numeral"]), before[0]
    return None, token


def _bound_at(clause: Clause, position: int) -> str:
    """Return the bound of an area: beside it, or anywhere before it in its clause."""
    how = comparison_at(clause, position)
    if how:
        return how
    earlier = [kind for token in clause.tokens[:position] for kind in BOUNDS if kind in token]
    return earlier[-1] if earlier else ""


def _counter_of(clause: Clause, position: int) -> tuple[tuple[Token, ...], str, Callable[[int, int], bool]] | None:
    """Return the word that counts regions in a clause with a bound, its name, and what it demands of the count."""
    for place, token in enumerate(clause.tokens):
        if place == position:
            continue
        if "numeral" in token and _counts(clause, place) and place + 1 != position:
            number = int(float(token.senses["numeral"]))
            return (token,), str(number), partial(_is_number, number)
        if token.senses.keys() & {"no", "none"}:
            return (token,), "none", partial(_is_number, 0)
        if "all" in token:
            return (token,), "all", lambda hits, every: hits == every
        if "most" in token:
            return (token,), "most", lambda hits, every: hits > every * HALF
    return None


def _is_number(number: int, hits: int, _every: int) -> bool:
    return hits == number


def _counts(clause: Clause, position: int) -> bool:
    """Say whether a number word counts regions: a noun for them stands near, and no unit directly behind."""
    following = clause.after(position, NEAR)
    is_unit = bool(following) and "unit" in following[0]
    return not is_unit and any("region" in t or "target" in t for t in following)


def _verdict(stated: float, measured: float | None, how: str, slack: float = LOOSE) -> Verdict:
    """Judge a stated value."""
    if measured is None:
        return "cannot be checked"
    if how in ("more", "at_least"):
        return "holds" if measured > stated * (1 - slack / 4) else "contradicts"
    if how in ("less", "at_most"):
        return "holds" if measured < stated * (1 + slack / 4) else "contradicts"
    return "holds" if abs(stated - measured) <= slack * abs(measured) else "contradicts"


def _area_of(measured: Evidence | Region, unit: str) -> float | None:
    if unit == "px":
        return float(measured.area_px)
    return None if measured.area_m2 is None else measured.area_m2 / SQUARE_METRES[unit]


def _size(region: Region) -> float:
    return float(region.area_px) if region.area_m2 is None else region.area_m2


def _starts(*tokens: Token) -> frozenset[int]:
    return frozenset(token.start for token in tokens)
