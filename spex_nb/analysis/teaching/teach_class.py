"""From a few examples to a class: features of the examples, a classifier, its calibration, its assessment."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.analysis.teaching.assessment import Assessment, assess, band_overlaps
from spex_nb.analysis.teaching.committee import fit_committee
from spex_nb.analysis.teaching.examples import mark_weights, marked_pixels, places_of
from spex_nb.analysis.teaching.features import FeatureSpace, Kind, band_names, fitted_space, kind_of, shares_of
from spex_nb.analysis.teaching.logistic import Vector, logits_of
from spex_nb.analysis.teaching.scene_sample import PixelFeatures, features_at, sample_scene_features
from spex_nb.analysis.teaching.taught import Examples, Lesson, Taught
from spex_nb.errors import TeachingError
from spex_nb.language.languages import LANGUAGES
from spex_nb.scene.open import open_scene
from spex_nb.scene.reopen import as_scene
from spex_nb.spectral.priors import spectral_prior
from spex_nb.types.targets import TARGETS, get_target

COLOR = "#882255"
"""Of a class whose user names none; no target has it."""
LONGEST_NAME = 60
LEAST_TOTAL = 1e-6
"""Divisor of a normalised difference of two dark bands."""
TARGET_PX = 40
"""Pixels that an existing target gives as negatives, at most."""
TARGET_WEIGHT = 2.0
"""What they count together, in clicks."""
FAR = 10_000
"""Added to the numbers of places of the next scene, in pixels: places of two scenes are never one."""


@dataclass(frozen=True)
class Naming:
    """How a class is called and drawn, checked."""

    name: str
    names: Mapping[str, tuple[str, ...]]
    definition: str
    color: str


def teach(  # noqa: PLR0913 (the one door to all that a class can be)
    scenes: Any,
    name: str,
    *,
    yes: Any,
    no: Any = None,
    other_than: Sequence[str] = (),
    crs: Any = None,
    names: Mapping[str, str | Sequence[str]] | None = None,
    definition: str = "",
    color: str = COLOR,
    seed: int = 0,
    samples: Sequence[PixelFeatures] | None = None,
) -> Taught:
    """Teach a class by a few examples.

    Args:
        scenes: A path or whatever `open_scene` takes, or a Dataset of named bands [H, W]; or a list of several.
        name: What the class is called, such as ``reeds``; instructions name it so.
        yes: Examples of the class: positions (x, y) or boxes (left, top, right, bottom) in pixels; a brushed mask bool
            [H, W]; geometries, a GeoDataFrame or a vector file of them. For several scenes a list of these.
        no: Examples of everything else, in the same forms.
        other_than: Ids of existing targets that the class is not, such as ``water``: pixels where their spectral rule
            holds are further negatives.
        crs: Of geometries that state none; that of the scene by default.
        names: Further names by ISO 639-1 code of their language, such as ``{"de": "Schilf"}``.
        definition: What the class means, in words (default: nothing).
        color: How it is drawn, as ``#rrggbb``.
        seed: Of the draw of pixels from large examples and from the scene.
        samples: Features of pixels of each scene from `sample_scene_features`, where they are there already.

    Returns:
        The class, ready to be asked, saved and shared.

    Raises:
        TeachingError: If there is no example of yes, or none of no, or name, names or colour are not usable.
        RegionError, GridError: If an example lies outside of the scene, or cannot be placed on it.
        TargetError, MissingBandError: If a target of ``other_than`` is unknown, or its rule needs other bands.
        SceneError: If a scene cannot be opened.
    """
    naming = checked_naming(name, names or {}, definition, color)
    opened, sources = _opened(scenes)
    marks = _by_scene(yes, len(opened)), _by_scene(no, len(opened))
    kind, bands = _shared_kind(opened)
    pools = [sample_scene_features(scene, kind, bands, seed) for scene in opened] if samples is None else [*samples]
    space = fitted_space(kind, bands, np.concatenate([pool.raw for pool in pools]))
    targets = tuple(dict.fromkeys(get_target(target).id for target in other_than))
    parts = [
        _examples_of(number, scene, (marks[0][number], marks[1][number]), space, (targets, crs, seed), pools[number])
        for number, scene in enumerate(opened)
    ]
    lesson = Lesson(sources, opened[0].spex.gsd_m, bool(opened[0].spex.is_relative), targets, seed)
    return fit_class(naming, space, _joined(parts), pools, lesson)


def fit_class(
    naming: Naming, space: FeatureSpace, examples: Examples, pools: Sequence[PixelFeatures], lesson: Lesson
) -> Taught:
    """Fit a classifier to examples, calibrate and assess it.

    Args:
        naming: How the class is called and drawn.
        space: Its features.
        examples: Of yes and no.
        pools: Features of pixels from all over each scene.
        lesson: Where the examples come from.

    Raises:
        TeachingError: If there is no example of yes, or none of no.
    """
    _require_both(examples)
    features = space.scaled(examples.raw)
    committee = fit_committee(
        features, space.scales, shares_of(space.kind), examples.truth, examples.weights, examples.places
    )
    calibrated = committee.solution
    pool = np.concatenate([pool.raw for pool in pools])
    cover_frac = float((logits_of(space.scaled(pool), calibrated) > 0).mean())
    clicked = examples.is_clicked
    assessment = _assessed(committee.held_out, examples, clicked, space, cover_frac, lesson.seed)
    return Taught(
        naming.name, naming.names, naming.definition, naming.color, space, calibrated, examples, assessment, lesson
    )


def _assessed(
    logits: Vector, examples: Examples, clicked: NDArray[np.bool_], space: FeatureSpace, cover_frac: float, seed: int
) -> Assessment:
    """Assess by what the user marked; negatives that a rule gave are no evidence."""
    truth, light = examples.truth[clicked], examples.light[clicked]
    overlaps = band_overlaps(*_telling_layers(light, space.bands), truth)
    return assess(logits[clicked], truth, examples.places[clicked], cover_frac, overlaps, seed)


def _telling_layers(light: NDArray[np.float32], bands: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return bands and normalised differences by name, and their values [N, K]."""
    columns = dict(zip(bands, light.T, strict=True))
    pairs = {"NDVI": ("nir", "red"), "NDWI": ("green", "nir"), "NDMI": ("nir", "swir16")}
    for index, (first, second) in pairs.items():
        if first in columns and second in columns:
            total = columns[first] + columns[second]
            columns[index] = (columns[first] - columns[second]) / np.where(
                np.abs(total) < LEAST_TOTAL, LEAST_TOTAL, total
            )
    return tuple(columns), np.stack([*columns.values()], axis=1)


def _examples_of(
    number: int,
    scene: xr.Dataset,
    marks: tuple[Any, Any],
    space: FeatureSpace,
    choices: tuple[tuple[str, ...], Any, int],
    pool: PixelFeatures,
) -> Examples:
    targets, crs, seed = choices
    marked = marked_pixels(scene, *marks, crs=crs, seed=seed)
    pixels = features_at(scene, marked.positions, space.kind, space.bands)
    order = {tuple(position): place for place, position in enumerate(marked.positions.tolist())}
    numbers = np.array([order[tuple(position)] for position in pixels.positions.tolist()], np.int64)
    truth, weights = marked.truth[numbers], mark_weights(marked.marks)[numbers]
    clicked = _examples(number, pixels, truth, weights, is_clicked=True)
    negatives = [_negatives(number, scene, target, pool, pixels.positions[truth], seed) for target in targets]
    return _joined([clicked, *negatives])


def _examples(
    number: int, pixels: PixelFeatures, truth: NDArray[np.bool_], weights: Vector, *, is_clicked: bool
) -> Examples:
    count = len(pixels)
    return Examples(
        pixels.raw,
        pixels.light,
        truth,
        weights,
        places_of(pixels.positions) + number * FAR,
        pixels.positions,
        np.full(count, number, np.int64),
        np.full(count, is_clicked),
    )


def _negatives(
    number: int, scene: xr.Dataset, target: str, pool: PixelFeatures, yes: NDArray[np.int64], seed: int
) -> Examples:
    """Return pixels of the sample where the rule of a target holds, away from the examples of the class."""
    bands = [band for band in scene.spex.bands if band in scene]
    line = {
        band: (("y", "x"), column[None].astype(np.float32)) for band, column in zip(bands, pool.light.T, strict=False)
    }
    mask = spectral_prior(xr.Dataset(line, attrs=scene.attrs), target).mask.values[0]
    examples = {tuple(position) for position in yes.tolist()}
    numbers = [place for place in np.flatnonzero(mask) if tuple(pool.positions[place].tolist()) not in examples]
    order = np.random.default_rng(seed).permutation(len(numbers))[:TARGET_PX]
    chosen = np.array(numbers, np.int64)[order]
    pixels = PixelFeatures(pool.positions[chosen], pool.raw[chosen], pool.light[chosen])
    weights = np.full(len(chosen), TARGET_WEIGHT / max(len(chosen), 1))
    return _examples(number, pixels, np.zeros(len(chosen), bool), weights, is_clicked=False)


def _joined(parts: Sequence[Examples]) -> Examples:
    columns = [
        [getattr(part, name) for part in parts]
        for name in ("raw", "light", "truth", "weights", "places", "positions", "scenes", "is_clicked")
    ]
    return Examples(*(np.concatenate(column) for column in columns))


def _opened(scenes: Any) -> tuple[list[xr.Dataset], tuple[str, ...]]:
    """Return scenes, lazy where they are files, and their names."""
    several = list(scenes) if isinstance(scenes, list | tuple) else [scenes]
    if not several:
        raise TeachingError(
            "There is no scene to teach on", found="an empty list", expected="at least one scene", fix="Pass a scene."
        )
    in_memory = (np.ndarray, xr.DataArray, xr.Dataset)
    opened = [as_scene(scene) if isinstance(scene, in_memory) else open_scene(scene) for scene in several]
    return opened, tuple(str(scene.attrs.get("source", "a scene in memory")) for scene in opened)


def _by_scene(examples: Any, count: int) -> list[Any]:
    """Return the examples of each scene."""
    if count == 1:
        return [examples]
    if examples is None:
        return [None] * count
    if not isinstance(examples, list | tuple) or len(examples) != count:
        raise TeachingError(
            "The examples do not pair with the scenes",
            found=f"{count} scenes, and {len(examples) if hasattr(examples, '__len__') else type(examples).__name__}",
            expected="a list with the examples of each scene, or None for a scene without any",
            fix="Give yes= and no= one entry for each scene.",
        )
    return list(examples)


def _shared_kind(scenes: Sequence[xr.Dataset]) -> tuple[Kind, tuple[str, ...]]:
    """Return the features that all scenes allow, and the bands for them."""
    kind: Kind = "covers" if all(kind_of(scene) == "covers" for scene in scenes) else "pixels"
    shared = [band for band in band_names(scenes[0], kind) if all(band in scene.spex.bands for scene in scenes)]
    mixed = len({bool(scene.spex.is_relative) for scene in scenes}) > 1
    if not shared or mixed:
        raise TeachingError(
            "These scenes cannot teach one class together",
            found="digital numbers and reflectance" if mixed else "scenes that share no band",
            expected="scenes of the same kind of values with bands in common",
            fix="Teach on scenes of one sensor.",
        )
    return kind, tuple(shared)


def _require_both(examples: Examples) -> None:
    yes, no = int(examples.truth.sum()), int((~examples.truth).sum())
    if yes and no:
        return
    raise TeachingError(
        "A class cannot be taught like this",
        found=f"{yes} pixels of yes and {no} of no, of those with data",
        expected="at least one of each",
        fix="Mark a place where the class is not, or name a target that it is not: other_than=['water']."
        if yes
        else "Mark a place where the class is, on a pixel with data.",
    )


def checked_name(name: object) -> str:
    """Return the name of a class without blanks at its ends.

    Raises:
        TeachingError: If it is no text of 1 to 60 characters, holds signs that no word has, or is a target already.
    """
    text = name.strip() if isinstance(name, str) else ""
    plain = all(char == " " or char in "-'’" or unicodedata.category(char)[0] in "LMN" for char in text)
    has_letter = any(unicodedata.category(char)[0] == "L" for char in text)
    if not (plain and has_letter and len(text) <= LONGEST_NAME):
        raise TeachingError(
            "This is no name for a class",
            found=repr(name)[: LONGEST_NAME + 20],
            expected=f"words of letters and digits, up to {LONGEST_NAME} characters",
            fix="Name what is seen, such as 'reeds' or 'solar panels'.",
        )
    if text.casefold() in {word.casefold() for t in TARGETS.values() for word in (t.id, t.word, *t.variants)}:
        raise TeachingError(
            "A class needs another name than an existing target",
            found=repr(text),
            expected=f"a name that is none of {', '.join(TARGETS)}",
            fix=f"Say how it differs, such as 'shallow {text}'.",
        )
    return text


def checked_naming(name: str, names: Mapping[str, str | Sequence[str]], definition: str, color: str) -> Naming:
    """Return how a class is called and drawn.

    Args:
        name: Of the class.
        names: Further names by ISO 639-1 code of their language.
        definition: What it means, in words.
        color: How it is drawn, as ``#rrggbb``.

    Raises:
        TeachingError: If a name, a language or the colour is not usable.
    """
    strange = [code for code in names if code not in LANGUAGES]
    if strange:
        raise TeachingError(
            "A name is in a language that is not spoken here",
            found=", ".join(map(repr, strange)),
            expected=f"some of {', '.join(LANGUAGES)}",
            fix="Use one of these codes.",
        )
    listed = {code: [words] if isinstance(words, str) else [*words] for code, words in names.items()}
    by_language = {code: tuple(map(checked_name, words)) for code, words in listed.items()}
    if not isinstance(color, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise TeachingError(
            "This is no colour", found=repr(color), expected="six hexadecimal digits", fix=f"Write it as {COLOR}."
        )
    return Naming(checked_name(name), by_language, str(definition), color.lower())
