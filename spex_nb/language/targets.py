"""The land covers that can be asked for: id, word in the prompt, and the indices that people read them by."""

from __future__ import annotations

from dataclasses import dataclass

from spex_nb.errors import TargetError, nearest


@dataclass(frozen=True, slots=True)
class Target:
    """One land cover."""

    id: str
    word: str
    """How the prompt names it."""
    variants: tuple[str, ...]
    """Other spellings seen in prompts."""
    indices: tuple[str, ...]
    """Indices that figures about it are given in, best known first; the first that a scene allows is used."""


TARGETS = {
    target.id: target
    for target in (
        Target("water", "water bodies", ("waterbody", "waterbodies", "water body"), ("NDWI", "MNDWI", "IKAW")),
        Target("vegetation", "vegetation", (), ("NDVI", "GNDVI", "GLI")),
        Target("building", "building", ("buildings",), ("NDBI", "NDVI", "BCC")),
        Target("built_up", "built-up area", ("built-up areas", "built-up"), ("NDBI", "NDVI", "BCC")),
        Target("bare_soil", "bare soil", (), ("BI", "NDVI", "BITM")),
        Target("road", "road", ("roads",), ("NDBI", "NDVI", "BCC")),
        Target("snow", "snow", (), ("NDSI", "BITM")),
        Target("burn", "burned area", ("burned areas", "burnt area"), ("NBR", "BAI")),
    )
}
"""By id."""

PARENT = {"building": "built_up", "road": "built_up"}
"""What is one is the other too; what is the other may be the one."""

_BY_WORD = {word.lower(): t for t in TARGETS.values() for word in (t.id, t.word, *t.variants)}


def get_target(name: str) -> Target:
    """Return a target by its id or by a word that prompts use.

    Raises:
        TargetError: If there is none.
    """
    found = _BY_WORD.get(str(name).strip().lower())
    if found is None:
        raise TargetError(
            "Unknown target",
            found=repr(name),
            expected=f"one of {', '.join(TARGETS)}, or a word that prompts use",
            fix=nearest(str(name), _BY_WORD) or "Name one of these.",
        )
    return found


def overlap(one: str, other: str) -> bool:
    """Whether two targets may name the same ground: what is built on is no neighbour of its buildings."""
    return one == other or {one, other} <= {*PARENT, *PARENT.values()}
