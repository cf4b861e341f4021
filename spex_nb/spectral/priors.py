"""The first mask of a target: one index and one threshold, chosen by measurement for the bands of the scene.

The module knows no instruction and no model. docs/priors.md shows how the rules were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import MissingBandError, TargetError, nearest
from spex_nb.scene.accessor import RELATIVE_NOTE
from spex_nb.spectral.catalogue import index_info
from spex_nb.spectral.indices import compute_indices
from spex_nb.spectral.thresholds import threshold_index
from spex_nb.types import Prior, Side

if TYPE_CHECKING:
    import pandas as pd

Radiometry = Literal["any", "reflectance", "surface reflectance", "relative"]
NEAR_FRAC, LEAST_NEAR = 0.1, 0.02
"""How far from a bound a value is near it: this share of the bound, and at least this much."""
TOP_OF_ATMOSPHERE_SENSORS = ("sentinel2_l1c",)


@dataclass(frozen=True)
class Guard:
    """A second condition: an index or band that must lie on one side of a bound."""

    name: str
    bound: float
    side: Side

    def __str__(self) -> str:
        return f"{self.name} {'>' if self.side == 'above' else '<'} {self.bound:g}"


@dataclass(frozen=True)
class Rule:
    """An index, a threshold and guards that show one target.

    Attributes:
        index: Name in the catalogue.
        threshold: Threshold in units of the index.
        side: Side of the threshold that belongs to the target.
        why: The measurement behind the rule, and its weakness.
        guards: Further conditions; a pixel must meet all of them.
        radiometry: Pixel values that the threshold holds for.
    """

    index: str
    threshold: float
    side: Side
    why: str
    guards: tuple[Guard, ...] = ()
    radiometry: Radiometry = "any"

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that index and guards need, by STAC common name."""
        names = [*index_info(self.index).bands]
        for guard in self.guards:
            names += [guard.name] if guard.name.islower() else index_info(guard.name).bands
        return tuple(dict.fromkeys(names))

    @property
    def guard(self) -> str:
        """The guards in words, joined by ``and``; empty without any."""
        return " and ".join(map(str, self.guards))

    def __str__(self) -> str:
        cut = str(Guard(self.index, self.threshold, self.side))
        return f"{cut} and {self.guard}" if self.guards else cut


DRY = Guard("NDWI", -0.1, "below")
SPARSE = Guard("NDVI", 0.5, "below")
DARK = Guard("CSISWIR", 0.12, "below")
BRIGHT = Guard("nir", 0.08, "above")
NOT_GREEN = Guard("EVI2", 0.1, "below")

RULES: dict[str, tuple[Rule, ...]] = {
    "water": (
        Rule("MuWIR", 0.5, "above", "IoU 0.95 on places held back, 3 % of cloud shadow called water",
             (DARK, NOT_GREEN), "reflectance"),
        Rule("NDWI", -0.05, "above", "IoU 0.85 on places held back, 4 % of cloud shadow called water",
             (Guard("nir", 0.2, "below"),), "reflectance"),
        Rule("MNDWI", 0.1, "above", "IoU 0.84 on places held back, 5 % of cloud shadow called water, 9 % "
             "at 0", radiometry="reflectance"),
        Rule("NDWI", 0.3, "above", "1-2 % of dry aerial tiles called water, where 0 calls 60 % water; what it misses "
             "is not measured", radiometry="relative"),
    ),
    "vegetation": (
        Rule("NDVI", 0.40, "above", "IoU 0.97 on places held back, whose labels know green plants by NDVI too: it "
             "keeps the definition, and shows no more", (BRIGHT,), "reflectance"),
        Rule("GNDVI", 0.44, "above", "IoU 0.94 on places held back; a red band would help", (BRIGHT,), "reflectance"),
        Rule("GLI", 0.02, "above", "finds 87 % of the vegetation of one flight and 95 % of the tree tops of another; "
             "NDVI of uncalibrated bands has no threshold that serves both", radiometry="relative"),
        Rule("NGRDI", -0.07, "above", "IoU 0.64 on places held back: a near infrared band would help",
             (Guard("GLI", 0.04, "above"),)),
    ),
    "built_up": (
        Rule("IKAW", 0.24, "below", "IoU 0.26 on places held back, 4 of 10 pixels right: a hint, not a map; haze makes "
             "it call dry fields built-up", (DRY, SPARSE, Guard("NDWI", -0.46, "above"),
             Guard("swir16", 0.11, "above")), "surface reflectance"),
        Rule("IKAW", 0.24, "below", "IoU 0.25 on places held back, 4 of 10 pixels right: a hint, not a map; haze makes "
             "it call dry fields built-up", (DRY, SPARSE, Guard("NDWI", -0.46, "above")), "surface reflectance"),
        Rule("VrNIRBI", 0.25, "above", "finds a third of the sealed ground of one flight; gains differ from flight to "
             "flight", (Guard("NDWI", 0.4, "below"),), "relative"),
    ),
    "bare_soil": (
        Rule("NDVI", 0.22, "below", "IoU 0.94 on places held back, whose labels know bare ground by NDVI too; grey "
             "soil is missed, as grey as roofs", (DRY, Guard("IKAW", 0.25, "above"), Guard("swir16", 0.11, "above")),
             "surface reflectance"),
        Rule("NDVI", 0.22, "below", "IoU 0.95 on places held back, whose labels know bare ground by NDVI too; grey "
             "soil is missed, and turbid water passes", (DRY, Guard("IKAW", 0.25, "above")), "surface reflectance"),
        Rule("NDVI", 0.22, "below", "IoU 0.91 on places held back, whose labels know bare ground by NDVI too; roofs, "
             "cloud and cloud shadow pass", (DRY,), "reflectance"),
        Rule("GLI", 0.04, "below", "IoU 0.81 on places held back; a near infrared band would help",
             (Guard("IKAW", 0.2, "above"), Guard("BITM", 0.08, "above")), "reflectance"),
    ),
    "snow": (
        Rule("NDSI", 0.4, "above", "the literature's threshold and guard (Hall et al. 1995, "
             "https://doi.org/10.1016/0034-4257(95)00137-P), not measured here: no labelled snow",
             (Guard("nir", 0.11, "above"),), "reflectance"),
        Rule("NDSI", 0.4, "above", "the literature's threshold for reflectance, without its near infrared guard: water "
             "may pass; not measured here"),
        Rule("BITM", 0.5, "above", "not measured: bright in all visible bands; cloud, salt and white roofs pass, a "
             "swir16 band would help", radiometry="reflectance"),
    ),
    "burn": (
        Rule("NBR", -0.2, "below", "not measured on burnt ground: no labels; 1 % of unburnt land falls below it, 6 % "
             "below -0.1. A scene from before the fire says more",
             (Guard("NDWI", 0.0, "below"),), "reflectance"),
        Rule("MIRBI", 2.0, "above", "not measured on burnt ground: no labels; 1 % of unburnt land lies above it",
             radiometry="reflectance"),
        Rule("BAI", 200.0, "above", "not measured on burnt ground: no labels; 4 % of unburnt land, shadow above all, "
             "lies above it", (Guard("NDWI", 0.0, "below"),), "reflectance"),
    ),
}  # fmt: skip
"""The rules of each target, best first. `spectral_prior` takes the first whose bands and radiometry fit."""

NO_INDEX = {
    "road": "only its shape shows a road: its surface has the spectrum of roofs, yards and gravel",
    "building": "only its shape shows a building: its roof has the spectrum of roads, yards and rock",
}


def spectral_prior(scene: xr.Dataset, target: str, threshold: float | None = None) -> Prior:
    """Make the first mask of a target, from the best measured index that the scene's bands allow.

    Thresholds are fixed. A threshold that is estimated from the scene, such as Otsu's, finds the target in every scene,
    even where there is none. Here a scene without the target gives a mask that is all False.

    Args:
        scene: Any Dataset of named bands [H, W], reflectance or DN; lazy or not.
        target: ``water``, ``vegetation``, ``built_up``, ``bare_soil``, ``snow`` or ``burn``.
        threshold: Threshold in units of the index, instead of the measured one; the guards stay.

    Returns:
        Mask bool [H, W] and index float32 [H, W], lazy if the scene is lazy, with the threshold and the reason.

    Raises:
        TargetError: If the target is unknown, has no index (``road``, ``building``), or has none for uncalibrated values.
        MissingBandError: If no index of the target can be computed from the bands. It names the bands that would help.
    """
    _require_target(target)
    rejected: list[str] = []
    for rule in RULES[target]:
        obstacle = _obstacle(rule, scene)
        if not obstacle:
            if threshold is not None:
                rule = replace(rule, threshold=threshold, why="a threshold set by hand")  # noqa: PLW2901
            return _apply(rule, scene, target, rejected)
        rejected.append(f"{rule.index} {obstacle}")
    raise _no_rule(scene, target, rejected)


def prior_of(scene: xr.Dataset, target: str) -> Prior | None:
    """Return the spectral prior of a target; None where no index shows it in these bands."""
    try:
        return spectral_prior(scene, target)
    except (TargetError, MissingBandError):
        return None


def prior_mask(scene: xr.Dataset, target: str) -> NDArray[np.bool_] | None:
    """Return the mask of a target's spectral prior, bool [H, W]; None if no index shows it in these bands."""
    prior = prior_of(scene, target)
    return None if prior is None else prior.mask.to_numpy()


def near_rule(scene: xr.Dataset, target: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Return which pixels only just miss the rule of a target, and which only just meet it.

    Every bound of the rule is moved outwards, then inwards, by a tenth of itself, by 0.02 at least.

    Args:
        scene: Bands [H, W].
        target: Id of the target.

    Returns:
        Two masks bool [H, W]; None if no index shows the target in these bands.
    """
    rule = next((rule for rule in RULES.get(target, ()) if not _obstacle(rule, scene)), None)
    if rule is None:
        return None
    indices = _indices_of(rule, scene)
    wide, exact, narrow = (_cut(_moved(rule, sign), scene, indices).to_numpy() for sign in (1, 0, -1))
    return wide & ~exact, exact & ~narrow


def _moved(rule: Rule, sign: int) -> Rule:
    """Return a rule whose bounds are wider (1) or narrower (-1)."""

    def moved(bound: float, side: Side) -> float:
        step = sign * max(NEAR_FRAC * abs(bound), LEAST_NEAR)
        return bound - step if side == "above" else bound + step

    guards = tuple(replace(guard, bound=moved(guard.bound, guard.side)) for guard in rule.guards)
    return replace(rule, threshold=moved(rule.threshold, rule.side), guards=guards)


def mask_by_rules(scene: xr.Dataset, rules: Sequence[Rule]) -> NDArray[np.bool_] | None:
    """Return the mask of the first of some rules whose bands and radiometry fit, bool [H, W]; None if none fits."""
    rule = next((rule for rule in rules if not _obstacle(rule, scene)), None)
    return None if rule is None else _mask_of(rule, scene)[1].to_numpy()


def prior_table() -> pd.DataFrame:
    """Return every rule, best first within its target: one row each, with bands, radiometry, reference and why."""
    import pandas as pd

    rows = [
        {
            "target": target,
            "index": rule.index,
            "threshold": rule.threshold,
            "side": rule.side,
            "guard": rule.guard,
            "bands": ", ".join(rule.bands),
            "values": rule.radiometry,
            "reference": index_info(rule.index).reference,
            "why": rule.why,
        }
        for target, rules in RULES.items()
        for rule in rules
    ]
    return pd.DataFrame(rows)


def _obstacle(rule: Rule, scene: xr.Dataset) -> str:
    """Say why a rule does not fit a scene; an empty string if it does."""
    missing = [band for band in rule.bands if band not in scene.spex.bands]
    if missing:
        return f"needs {', '.join(missing)}"
    if rule.radiometry != "any" and (rule.radiometry == "relative") != _is_uncalibrated(scene):
        return f"has its threshold for {rule.radiometry} values"
    if rule.radiometry == "surface reflectance" and scene.attrs.get("sensor") in TOP_OF_ATMOSPHERE_SENSORS:
        return "needs surface reflectance"
    return ""


def _is_uncalibrated(scene: xr.Dataset) -> bool:
    """Say whether the values are digital numbers: the scene is marked so, or its type is an integer."""
    return scene.spex.is_relative or any(scene[band].dtype.kind in "iu" for band in scene.spex.bands)


def _apply(rule: Rule, scene: xr.Dataset, target: str, rejected: list[str]) -> Prior:
    """Return the prior of a rule."""
    index, mask = _mask_of(rule, scene)
    mask = mask.rename(target).assign_attrs(
        target=target, index=rule.index, threshold=rule.threshold, side=rule.side, guard=rule.guard
    )
    return Prior(
        target=target,
        mask=mask,
        index=index,
        index_name=rule.index,
        threshold=rule.threshold,
        side=rule.side,
        reason=_reason(rule, scene, target, rejected),
        reference=index_info(rule.index).reference,
        guard=rule.guard,
        why=rule.why,
        better_indices=tuple(dict.fromkeys(text.split(" ")[0] for text in rejected)),
    )


def _mask_of(rule: Rule, scene: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Cut the rule's index, and leave out the pixels that fail a guard; return the index and the mask."""
    indices = _indices_of(rule, scene)
    return indices[rule.index], _cut(rule, scene, indices)


def _indices_of(rule: Rule, scene: xr.Dataset) -> xr.Dataset:
    """Return the index of a rule, and the indices among its guards."""
    named = [rule.index, *(guard.name for guard in rule.guards if guard.name not in scene.spex.bands)]
    return compute_indices(scene, named)


def _cut(rule: Rule, scene: xr.Dataset, indices: xr.Dataset) -> xr.DataArray:
    """Return where indices and bands meet all conditions of a rule."""
    mask = threshold_index(indices[rule.index], "fixed", rule.threshold, rule.side)
    for guard in rule.guards:
        values = (scene if guard.name in scene.spex.bands else indices)[guard.name]
        mask = mask.copy(data=mask.data & threshold_index(values.data, "fixed", guard.bound, guard.side))
    return mask


def _reason(rule: Rule, scene: xr.Dataset, target: str, rejected: list[str]) -> str:
    """Return in sentences the rule, the better rules that do not fit, and the weakness of the rule."""
    sentences = [f"{target} is where {rule}: {rule.why}."]
    if rejected:
        sentences.append(f"A fallback: {'; '.join(dict.fromkeys(rejected))}.")
    if _is_uncalibrated(scene):
        sentences.append(RELATIVE_NOTE)
    return " ".join(sentences)


def _require_target(target: str) -> None:
    """Refuse a target that has no rules."""
    if target in NO_INDEX:
        raise TargetError(
            f"No spectral index shows the target {target!r}",
            found=NO_INDEX[target],
            expected=f"one of {', '.join(RULES)}",
            fix="Use a model that was trained on it, or ask for 'built_up': all sealed ground.",
        )
    if target not in RULES:
        raise TargetError(
            "Unknown target",
            found=repr(target),
            expected=f"one of {', '.join(RULES)}",
            fix=nearest(str(target), [*RULES, *NO_INDEX]) or "Name one of these.",
        )


def _no_rule(scene: xr.Dataset, target: str, rejected: list[str]) -> TargetError | MissingBandError:
    """Return the error of a scene that no rule fits: for want of calibration, or of bands."""
    computable = [rule for rule in RULES[target] if set(rule.bands) <= set(scene.spex.bands)]
    bands = f"bands {', '.join(scene.spex.bands)}; {'; '.join(dict.fromkeys(rejected))}"
    if computable:
        radiometry = dict.fromkeys(rule.radiometry for rule in computable)
        calibrate = "Open the scene with scale= and offset=, which turn its digital numbers into reflectance."
        return TargetError(
            f"No index shows the target {target!r} in such values",
            found=f"{bands}; values that are {'not ' if _is_uncalibrated(scene) else ''}calibrated to reflectance",
            expected=" or ".join(f"{kind} values" for kind in radiometry),
            fix=calibrate if _is_uncalibrated(scene) else "Use a model that was trained on it.",
        )
    return MissingBandError(
        f"No index of the target {target!r} can be computed",
        found=bands,
        expected=" or ".join(f"{rule.index} ({', '.join(rule.bands)})" for rule in RULES[target]),
        fix=f"Open a scene that also has {_helpful_bands(scene, target)}.",
    )


def _helpful_bands(scene: xr.Dataset, target: str) -> str:
    """Return the shortest list of bands that would make a rule possible."""
    wanted = [[b for b in rule.bands if b not in scene.spex.bands] for rule in RULES[target]]
    shortest: list[str] = min(wanted, key=len)
    return " and ".join(shortest)
