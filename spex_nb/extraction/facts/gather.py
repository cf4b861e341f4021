"""The list of typed facts of one target: everything that a result knows of it, and what it does not know."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from spex_nb.extraction.facts.cut_regions import edges_touched
from spex_nb.extraction.facts.dates import date_of, latitude_of, season_of
from spex_nb.extraction.facts.doubt import DoubtPlace
from spex_nb.extraction.facts.nearest_size import NearestRegion
from spex_nb.extraction.facts.quality import Quality
from spex_nb.extraction.facts.sums import BAND_ORDER, BINS, FactSums, measured_iou
from spex_nb.language.explanation.points import AREA_FACT, HIDDEN_FACT, is_possible
from spex_nb.scene.guard import QUESTION
from spex_nb.types import LEAST_MARGIN, Evidence, Fact, FactSource, Prior, Region

HALF = 0.5
FAILING_IOU = 0.3
"""A model that reached less than this in such scenes is known to fail there."""
LABELS_ALIKE = re.compile(r"whose labels know [\w ]+ by (\w+) too")
"""What the reason of a rule says where it was measured on labels that rest on an index of their own."""
MENTIONED = 3
"""Regions that facts describe one by one."""


@dataclass(frozen=True)
class Specks:
    """Pixels of a target in regions that are too small to count."""

    area_px: int
    limit_px: int
    """Pixels of the smallest region that counts."""


@dataclass(frozen=True)
class FactContext:
    """What facts of one target are made of.

    Attributes:
        evidence: Of the mask, after the filters of the instruction.
        sums: What the rows of the scene added up to.
        scene: The scene, for its description; no pixel is read.
        source_name: Where the scene comes from.
        by_index: Whether the spectral rule decided, and no model.
        model_id: Name of the model.
        prior: The rule of the target in these bands; None without one.
        candidates: The regions before the filters; None where they are those of the mask.
        quality: Of the model in such scenes.
        extreme: How near the index came to its threshold anywhere, and the highest probability.
        doubt: Where most of the doubt lies; None where there is none.
        specks: What was left out for being too small.
        asks_for_large: Whether a filter leaves out what is too small.
        nearest: The region that comes nearest to a size that none has; None where no size is asked for, or one has it.
        request: What the instruction says of the target, as facts.
    """

    evidence: Evidence
    sums: FactSums
    scene: xr.Dataset
    source_name: str
    by_index: bool
    model_id: str
    prior: Prior | None = None
    candidates: Sequence[Region] | None = None
    quality: Quality = field(default_factory=Quality)
    extreme: Mapping[str, float] = field(default_factory=dict)
    doubt: DoubtPlace | None = None
    specks: Specks | None = None
    nearest: NearestRegion | None = None
    asks_for_large: bool = False
    request: Sequence[Fact] = ()


def gather_facts(context: FactContext) -> tuple[Fact, ...]:
    """Return all facts of a target. A fact whose value is None is one that nobody knows."""
    facts = tuple(fact for part in PARTS for fact in part(context))
    return (*facts, *_trust(facts, context))


def _ground(name: str, area_px: int, area_m2: float | None, region: str, source: FactSource = "mask") -> Fact:
    """Return an area on the ground, or in pixels where there is no map position."""
    if area_m2 is None:
        return Fact(name, float(area_px), "px", region, source)
    return Fact(name, area_m2, "m2", region, source)


def _m2_of(area_px: float, context: FactContext) -> float | None:
    """Return the ground area of some pixels; the pixels of one scene are taken as equal."""
    evidence, gsd_m = context.evidence, context.scene.spex.gsd_m
    if evidence.area_m2 is None or gsd_m is None:
        return None
    return area_px * (evidence.area_m2 / evidence.area_px if evidence.area_px else gsd_m**2)


def _area(context: FactContext) -> Iterator[Fact]:
    evidence = context.evidence
    yield Fact("target", evidence.target, "target", "mask", "instruction")
    yield _ground("area", evidence.area_px, evidence.area_m2, "mask")
    yield Fact("area_px", float(evidence.area_px), "px", "mask", "mask")
    yield Fact("valid_px", float(evidence.valid_px), "px", "scene", "scene")
    yield Fact("share", evidence.share_frac, "frac", "mask", "mask")
    yield Fact("number", float(evidence.number), "patch", "mask", "mask")
    for name, tally in (("small", context.sums.small), ("cut", context.sums.cut)):
        if tally.number:
            yield Fact(f"{name}.number", float(tally.number), "patch", "mask", "mask")
            yield Fact(f"{name}.share", tally.area_px / max(evidence.area_px, 1), "frac", "mask", "mask", "of the area")


def _trust(facts: Sequence[Fact], context: FactContext) -> Iterator[Fact]:
    """Yield why the whole answer cannot be trusted: impossible numbers, or a model that is known to fail here."""
    iou = context.quality.iou
    if QUESTION in context.scene.attrs or not all(map(is_possible, facts)):
        yield Fact("trust", "numbers", "name", "scene", "scene")
    elif not context.by_index and iou is not None and iou < FAILING_IOU:
        yield Fact("trust", "quality", "name", "scene", "table", f"IoU below {FAILING_IOU}")


def _doubt(context: FactContext) -> Iterator[Fact]:
    """Yield the part of the picture where most of the doubt lies."""
    if context.doubt is not None:
        yield Fact("doubt.place", context.doubt.location, "place", "scene", "rule")
        yield Fact("doubt.share", context.doubt.share_frac, "frac", "scene", "rule", "of the pixels of most doubt")


def _estimate(context: FactContext) -> Iterator[Fact]:
    yield from estimate_facts(context.evidence)


def estimate_facts(evidence: Evidence) -> tuple[Fact, ...]:
    """Return the area that checked points give, with its interval; nothing where no points were checked.

    The margin is the longer side of the interval, so that area and margin together hold it.
    """
    interval = evidence.area_interval
    if interval is None:
        return ()
    sides = interval.high_frac - interval.share_frac, interval.share_frac - interval.low_frac
    margin_frac = max(*sides, LEAST_MARGIN * interval.share_frac)
    is_on_map = interval.valid_m2 is not None
    whole, unit = (interval.valid_m2 or 0.0, "m2") if is_on_map else (float(interval.valid_px), "px")
    rule = f"{interval.confidence:.0%} interval"
    return (
        Fact("estimate.area", whole * interval.share_frac, unit, "scene", "points", rule, whole * margin_frac),
        Fact("estimate.points", float(interval.points), "points", "scene", "points"),
        Fact("estimate.low", interval.low_frac, "frac", "scene", "points", rule),
        Fact("estimate.high", interval.high_frac, "frac", "scene", "points", rule),
    )


def _candidates(context: FactContext) -> Iterator[Fact]:
    """Yield what there was before the filters of the instruction."""
    regions, evidence = context.candidates, context.evidence
    if regions is None:
        return
    area_px = sum(region.area_px for region in regions)
    area_m2 = None if evidence.area_m2 is None else sum(region.area_m2 or 0.0 for region in regions)
    yield Fact("candidates.number", float(len(regions)), "patch", "candidates", "mask")
    yield _ground("candidates.area", area_px, area_m2, "candidates")
    yield Fact("candidates.share", area_px / max(evidence.valid_px, 1), "frac", "candidates", "mask")
    if area_px:
        yield Fact("candidates.kept", evidence.area_px / area_px, "frac", "mask", "mask", "share of the candidates")
    if context.sums.cuts_dropped and context.asks_for_large:
        yield Fact("candidates.cut", "yes", "name", "candidates", "mask", "left out where a size is asked for")
    if context.nearest is not None:
        nearest, name = context.nearest.region, "nearest" if context.nearest.meets_the_rest else "nearest_other"
        yield _ground(f"candidates.{name}", nearest.area_px, nearest.area_m2, "candidates")


def _specks(context: FactContext) -> Iterator[Fact]:
    """Yield what was left out because its regions are too small."""
    specks = context.specks
    if specks is not None and specks.area_px:
        yield Fact("specks.limit", float(specks.limit_px), "px", "candidates", "instruction")
        yield _ground("specks.area", specks.area_px, _m2_of(specks.area_px, context), "candidates")


def _request(context: FactContext) -> Iterator[Fact]:
    yield from context.request


def _largest(context: FactContext) -> Iterator[Fact]:
    evidence = context.evidence
    for number, region in enumerate(evidence.regions[:MENTIONED], start=1):
        where, name = f"region {number}", f"region.{number}"
        yield _ground(f"{name}.area", region.area_px, region.area_m2, where)
        yield Fact(f"{name}.share", region.area_px / evidence.area_px, "frac", where, "mask", "share of the target")
        yield Fact(f"{name}.place", region.location, "place", where, "mask")
        if (ratio := length_to_width(region)) is not None:
            yield Fact(f"{name}.elongation", ratio, "times", where, "mask", "length by width")
        sides = edges_touched(region)
        if any(context.sums.beside_gap[number - 1 : number]):
            sides.append(_kind_of_gap(context))
        if sides:
            yield Fact(f"{name}.edges", " ".join(sides), "sides", where, "mask")


def _kind_of_gap(context: FactContext) -> str:
    """Return what lies where there is no data: what is hidden, what was not asked for, or either of them."""
    request = {fact.id: fact.value for fact in context.request}
    if AREA_FACT not in request:
        return "clouded" if _masks_clouds(context.scene) else "hidden"
    return "unexamined" if request.get(HIDDEN_FACT) else "area"


def _regions(context: FactContext) -> Iterator[Fact]:
    """Yield how sure each of the largest regions is."""
    sums = context.sums
    probability, rule = sums.means("probability"), sums.means("rule")
    for number in range(min(len(sums.regions), MENTIONED)):
        where, name = f"region {number + 1}", f"region.{number + 1}"
        if not context.by_index and np.isfinite(probability[number]):
            yield Fact(f"{name}.probability", float(probability[number]), "probability", where, "model")
        if not context.by_index and np.isfinite(rule[number]):
            yield Fact(f"{name}.rule", float(rule[number]), "frac", where, "rule", _rule_text(context))


def _spectrum(context: FactContext) -> Iterator[Fact]:
    """Yield means of bands and index, inside and outside."""
    evidence = context.evidence
    for band in BAND_ORDER:
        for side, region, (count, total) in zip(
            ("inside", "outside"), ("mask", "outside"), context.sums.bands.get(band, np.zeros((2, 2))), strict=True
        ):
            if count:
                value, unit = _band_value(band, float(total / count), context)
                yield Fact(f"band.{band}.{side}", value, unit, region, "bands")
    if evidence.index_name is not None:
        yield Fact("index.name", evidence.index_name, "name", "scene", "bands")
        for side, spread in (("inside", evidence.inside), ("outside", evidence.outside)):
            if spread is not None and math.isfinite(spread.mean):
                region = "mask" if side == "inside" else "outside"
                yield Fact(f"index.{side}", spread.mean, "index", region, "bands", evidence.index_name)
                yield Fact(f"index.{side}.spread", spread.std, "index", region, "bands", evidence.index_name)


def _band_value(band: str, mean: float, context: FactContext) -> tuple[float, str]:
    """Return the mean of a band and its unit: what is no reflectance as the file holds it, where that is known."""
    if not context.evidence.is_relative:
        return mean, "reflectance"
    attributes = context.scene[band].attrs if band in context.scene else {}
    scale, offset = attributes.get("scale"), attributes.get("offset")
    if not scale or offset is None:
        return mean, "relative"
    return (mean - float(offset)) / float(scale), "counts"


def _rule_text(context: FactContext) -> str:
    prior = context.prior
    if prior is None:
        return ""
    cut = f"{prior.index_name} {'>' if prior.side == 'above' else '<'} {prior.threshold:g}"
    return "; ".join([cut, *filter(None, prior.guard.split(" and "))])


def _rule(context: FactContext) -> Iterator[Fact]:
    prior, sums = context.prior, context.sums
    decided = "rule" if context.by_index else "model"
    yield Fact("decided_by", decided, "name", "mask", "instruction")
    if not context.by_index:
        yield Fact("model", context.model_id, "name", "mask", "model")
    if prior is None:
        return
    rule = _rule_text(context)
    yield Fact("rule", rule, "rule", "scene", "rule", rule)
    yield Fact("rule.threshold", prior.threshold, "index", "scene", "rule", rule)
    yield Fact("rule.iou", measured_iou(prior), "frac", "scene", "table", rule)
    if (alike := LABELS_ALIKE.search(prior.why)) is not None:
        yield Fact("rule.labels", alike[1], "name", "scene", "table", rule)
    inside, outside = map(int, sums.rule_px)
    yield _ground("rule.area", inside + outside, _m2_of(inside + outside, context), "scene", "rule")
    if context.by_index or not sums.inside_px:
        return
    yield Fact("rule.inside", inside / sums.inside_px, "frac", "mask", "rule", rule)
    if context.candidates is None:
        yield Fact("rule.agreement", inside / (sums.inside_px + outside), "frac", "scene", "rule", "IoU with the mask")


def _probability(context: FactContext) -> Iterator[Fact]:
    evidence, sums = context.evidence, context.sums
    counted = int(sums.probabilities.sum())
    if counted:
        median_step = int(np.searchsorted(np.cumsum(sums.probabilities), counted * HALF))
        if not context.by_index:
            yield Fact("probability.mean", sums.probability_sum / counted, "probability", "mask", "model")
            yield Fact("probability.median", (median_step + 1) / BINS, "probability", "mask", "model", "at most")
    if counted or (context.by_index and evidence.area_px):
        yield from _near(context)
    yield Fact("threshold", sums.threshold, "probability", "scene", "instruction")
    if not evidence.area_px:
        for name, value in context.extreme.items():
            yield Fact(f"extreme.{name}", value, "probability" if name == "probability" else "index", "scene", "bands")


def _near(context: FactContext) -> Iterator[Fact]:
    """Yield how much lies near the limit: of a model's probability, or of the rule that decided."""
    sums, area_px = context.sums, max(context.evidence.area_px, 1)
    source: FactSource = "rule" if context.by_index else "model"
    below_px, above_px = sums.just_below_px, sums.just_above_px
    if context.by_index:
        below_px, above_px = sums.just_missed_px, sums.just_met_px
    figures = {"above": (above_px, "mask")}
    if context.candidates is None:  # what lies beside regions that filters left out is none of this area
        figures |= {"below": (below_px, "outside"), "area": (below_px + above_px, "scene")}
    for name, (number_px, region) in figures.items():
        yield _ground(f"near.{name}", number_px, _m2_of(number_px, context), region, source)
        yield Fact(f"near.{name}_px", float(number_px), "px", region, source)
    yield Fact("near.above_frac", above_px / area_px, "frac", "mask", source)
    if context.candidates is None:
        yield Fact("near.frac", below_px / area_px, "frac", "outside", source)


def _quality(context: FactContext) -> Iterator[Fact]:
    """Yield the model's measured quality; unknown where its table has no row for such a scene."""
    if context.by_index:
        return
    for name in ("precision", "recall", "iou"):
        yield Fact(f"quality.{name}", getattr(context.quality, name), "frac", "mask", "table")


def _rivals(context: FactContext) -> Iterator[Fact]:
    """Yield the other target that most of the mask, and most of its border, looks like."""
    sums = context.sums
    for name, counts, whole_px in (("rival", sums.rivals, sums.inside_px), ("beside", sums.border, sums.border_px)):
        if not counts or not whole_px or not max(counts.values()):
            continue
        target = max(counts, key=lambda other: counts[other])
        region = "mask" if name == "rival" else "border"
        yield Fact(f"{name}.target", target, "target", region, "rule")
        yield Fact(f"{name}.share", counts[target] / whole_px, "frac", region, "rule")
        if name == "rival":
            yield _ground("rival.area", counts[target], _m2_of(counts[target], context), region, "rule")


def _scene(context: FactContext) -> Iterator[Fact]:
    scene = context.scene
    gsd_m = scene.spex.gsd_m
    yield Fact("gsd", gsd_m, "m", "scene", "scene")
    yield Fact("relative", "yes" if scene.spex.is_relative else "no", "name", "scene", "scene")
    yield Fact("bands", " ".join(scene.spex.bands), "bands", "scene", "scene")
    yield Fact("clouds_masked", "yes" if _masks_clouds(scene) else "no", "name", "scene", "scene")
    date = date_of(scene, context.source_name)
    yield Fact("date", None if date is None else date[0], "date", "scene", "scene", "" if date is None else date[1])
    season = None if date is None else season_of(date[0], latitude_of(scene))
    yield Fact("season", season, "season", "scene", "scene", "meteorological")


def _masks_clouds(scene: xr.Dataset) -> bool:
    """Say whether the pixels of clouds were taken out of a scene."""
    return "no cloud" in str(scene.attrs.get("valid_reason", ""))


def length_to_width(region: Region) -> float | None:
    """Return how many times a region is as long as wide, by its rectangle of least area; None without a width."""
    a, b, c, _ = region.rectangle_px
    sides = sorted((math.dist(a, b), math.dist(b, c)))
    return sides[1] / sides[0] if sides[0] > 0 else None


PARTS = (
    _area,
    _estimate,
    _candidates,
    _specks,
    _request,
    _largest,
    _regions,
    _spectrum,
    _rule,
    _probability,
    _quality,
    _rivals,
    _doubt,
    _scene,
)
"""What the list of facts is made of, in its order."""
