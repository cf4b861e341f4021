"""The land covers that can be asked for: what each means, its word in the prompt, parent, colour and indices."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from spex_nb.errors import TargetError, nearest

EVERYTHING_ELSE = "everything_else"
"""The one class of an instruction that only names what to leave out."""
OTHER_COLOR = "#f0e442"
"""The colour of a class that is no target."""


@dataclass(frozen=True, slots=True)
class Target:
    """One land cover. Colours are those of Okabe and Ito, and of Tol, which readers without red or green tell apart."""

    id: str
    word: str
    """How the prompt names it."""
    color: str
    """Wherever it is drawn: ``#rrggbb``."""
    indices: tuple[str, ...]
    """Indices that figures about it are given in, best known first; the first that a scene allows is used."""
    variants: tuple[str, ...] = ()
    """Other spellings seen in prompts."""
    parent: str | None = None
    """Id of the wider target: each building is built-up area, and built-up area may hold a building."""
    definition: str = ""
    """What is visible on the date of the picture where the target is."""
    not_meant: str = ""
    """What looks like it, or what maps call so, and is another land cover."""
    largest_gsd_m: float | None = None
    """Pixels larger than this hold no single one of them: a mask then shows parts of the parent. None for any pixel."""
    is_state: bool = False
    """Whether it is a state that any ground can be in, rather than a land cover of its own."""


TARGETS = {
    target.id: target
    for target in (
        Target(
            "water",
            "water bodies",
            color="#0072b2",
            indices=("NDWI", "MNDWI", "IKAW"),
            variants=("waterbody", "waterbodies", "water body"),
            definition="open water surface on the date, flooded or permanent",
            not_meant="wet soil, cloud shadow, dark roofs, asphalt",
        ),
        Target(
            "vegetation",
            "vegetation",
            color="#009e73",
            indices=("NDVI", "GNDVI", "GLI"),
            definition="green plants that cover about half of the pixel or more on the date",
            not_meant="bare fields, dry stubble and grass, desert, sandbars, whatever a land-cover map says",
        ),
        Target(
            "building",
            "building",
            color="#d55e00",
            indices=("NDBI", "NDVI", "BCC"),
            variants=("buildings",),
            parent="built_up",
            definition="roofs",
            not_meant="roads, yards",
            largest_gsd_m=5.0,
        ),
        Target(
            "built_up",
            "built-up area",
            color="#cc79a7",
            indices=("NDBI", "NDVI", "BCC"),
            variants=("built-up areas", "built-up"),
            definition="sealed ground of a settlement: buildings, roads, yards",
            not_meant="bare soil",
        ),
        Target(
            "bare_soil",
            "bare soil",
            color="#e69f00",
            indices=("BI", "NDVI", "BITM"),
            definition="ground without plants, water or sealing: ploughed, fallow, sand, rock",
            not_meant="roofs, roads, dry grass",
        ),
        Target(
            "road",
            "road",
            color="#56b4e9",
            indices=("NDBI", "NDVI", "BCC"),
            variants=("roads",),
            parent="built_up",
            definition="carriageway",
            not_meant="paths, yards, roofs",
            largest_gsd_m=5.0,
        ),
        Target(
            "snow",
            "snow",
            color="#ffffff",
            indices=("NDSI", "BITM"),
            definition="snow or ice on the ground",
            not_meant="cloud, salt, white roofs",
        ),
        Target(
            "burn",
            "burned area",
            color="#000000",
            indices=("NBR", "BAI"),
            variants=("burned areas", "burnt area"),
            definition="ground that a fire has left charred",
            not_meant="dark soil, water, shadow",
            is_state=True,
        ),
        Target(
            "tree_cover",
            "tree cover",
            color="#117733",
            indices=("NDVI", "GNDVI", "GLI"),
            variants=("trees", "forest"),
            parent="vegetation",
            definition="green crowns that close over the pixel",
            not_meant="grass, crops, low shrubs",
        ),
        Target(
            "low_vegetation",
            "low vegetation",
            color="#999933",
            indices=("NDVI", "GNDVI", "GLI"),
            parent="vegetation",
            definition="grass, crops and shrubs that are green on the date",
            not_meant="trees, bare or dry fields",
        ),
    )
}
"""By id."""

_BY_WORD = {word.lower(): t for t in TARGETS.values() for word in (t.id, t.word, *t.variants)}


def get_target(name: str) -> Target:
    """Return a target by its id or by a word that prompts use.

    Raises:
        TargetError: If there is none.
    """
    target = _BY_WORD.get(str(name).strip().lower())
    if target is None:
        raise TargetError(
            "Unknown target",
            found=repr(name),
            expected=f"one of {', '.join(TARGETS)}, or a word that prompts use",
            fix=nearest(str(name), _BY_WORD) or "Name one of these.",
        )
    return target


def target_or_class(name: str) -> Target:
    """Return a target by its id, or a class that a user taught as one: its name is its word, and it has no parent."""
    return _BY_WORD.get(str(name).strip().lower()) or Target(name, name, OTHER_COLOR, USUAL_INDICES)


USUAL_INDICES = ("NDVI", "NDWI", "GLI")
"""Indices that figures about a taught class are given in; the first that a scene allows is used."""


def overlap(first: str, second: str) -> bool:
    """Say whether two targets may name the same ground: built-up area is no neighbour of its buildings."""
    return first == second or _family(first) == _family(second)


def are_exclusive(first: str, second: str) -> bool:
    """Say whether no pixel can be two targets at once: two land covers that are no parts of each other.

    A burned area is a state, which any land cover can be in. Of a taught class nothing is known.
    """
    if first not in TARGETS or second not in TARGETS:
        return False
    is_state = any(TARGETS[name].is_state for name in (first, second))
    return not is_state and not _are_nested(first, second) and first != second


def stand_in(name: str, answerable: Collection[str], gsd_m: float | None) -> str:
    """Return the target that answers for another: itself, or its parent where it cannot be seen or nothing knows it.

    Args:
        name: Id of the target that is asked for.
        answerable: Ids of the targets that something answers.
        gsd_m: Ground sampling distance in metres; None where it is unknown, which hides nothing.
    """
    target = TARGETS.get(name)
    if target is None or target.parent is None:
        return name
    is_too_small = gsd_m is not None and target.largest_gsd_m is not None and gsd_m > target.largest_gsd_m
    return target.parent if is_too_small or (name not in answerable and target.parent in answerable) else name


def class_rgb(name: str, stated: object = None) -> tuple[int, int, int]:
    """Return the colour of a class: red, green and blue in 0..255.

    Args:
        name: Id of the class.
        stated: ``#rrggbb``, for a class that is no target; anything else is no colour, and `OTHER_COLOR` is taken.
    """
    stated_color = stated if isinstance(stated, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", stated) else OTHER_COLOR
    color = TARGETS[name].color if name in TARGETS else stated_color
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


def class_color(name: str) -> tuple[float, float, float]:
    """Return the colour of a class: red, green and blue in 0..1."""
    red, green, blue = class_rgb(name)
    return red / 255, green / 255, blue / 255


def _are_nested(first: str, second: str) -> bool:
    """Say whether one of two targets is a part of the other."""
    parents = {name: TARGETS[name].parent for name in (first, second) if name in TARGETS}
    return parents.get(first) == second or parents.get(second) == first


def _family(name: str) -> str:
    parent = TARGETS[name].parent if name in TARGETS else None
    return parent or name
