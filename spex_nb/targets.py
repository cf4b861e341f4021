"""The land covers that can be asked for: id, word in the prompt, parent, colour, and the indices that show them."""

from __future__ import annotations

from dataclasses import dataclass

from spex_nb.errors import TargetError, nearest

OTHER_COLOR = "#f0e442"
"""The colour of a class that is no target."""


@dataclass(frozen=True, slots=True)
class Target:
    """One land cover. Its colour is one of Okabe and Ito's, which readers without red or green tell apart."""

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


TARGETS = {
    target.id: target
    for target in (
        Target(
            "water",
            "water bodies",
            color="#0072b2",
            indices=("NDWI", "MNDWI", "IKAW"),
            variants=("waterbody", "waterbodies", "water body"),
        ),
        Target("vegetation", "vegetation", color="#009e73", indices=("NDVI", "GNDVI", "GLI")),
        Target(
            "building",
            "building",
            color="#d55e00",
            indices=("NDBI", "NDVI", "BCC"),
            variants=("buildings",),
            parent="built_up",
        ),
        Target(
            "built_up",
            "built-up area",
            color="#cc79a7",
            indices=("NDBI", "NDVI", "BCC"),
            variants=("built-up areas", "built-up"),
        ),
        Target("bare_soil", "bare soil", color="#e69f00", indices=("BI", "NDVI", "BITM")),
        Target(
            "road", "road", color="#56b4e9", indices=("NDBI", "NDVI", "BCC"), variants=("roads",), parent="built_up"
        ),
        Target("snow", "snow", color="#ffffff", indices=("NDSI", "BITM")),
        Target("burn", "burned area", color="#000000", indices=("NBR", "BAI"), variants=("burned areas", "burnt area")),
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


def overlap(first: str, second: str) -> bool:
    """Say whether two targets may name the same ground: built-up area is no neighbour of its buildings."""
    return first == second or _family(first) == _family(second)


def class_rgb(name: str) -> tuple[int, int, int]:
    """Return the colour of a class: red, green and blue in 0..255. A class that is no target has `OTHER_COLOR`."""
    color = TARGETS[name].color if name in TARGETS else OTHER_COLOR
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


def class_color(name: str) -> tuple[float, float, float]:
    """Return the colour of a class: red, green and blue in 0..1."""
    red, green, blue = class_rgb(name)
    return red / 255, green / 255, blue / 255


def _family(name: str) -> str:
    parent = TARGETS[name].parent if name in TARGETS else None
    return parent or name
