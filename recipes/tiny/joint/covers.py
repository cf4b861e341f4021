"""The classes that a pixel can be, and the labels of nine sets as the classes that each pixel may be."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from spex_nb.model.layers.joint_readout import TargetTree

Array = NDArray[np.float32]
Allowed = NDArray[np.uint8]
"""Bit sets [H, W] of `Cover`: which classes the label of a pixel allows."""


class Cover(IntFlag):
    """The finest classes, and the sets of them that labels tell."""

    WATER = 1
    TREES = 2
    LOW_PLANTS = 4
    BARE_SOIL = 8
    BUILDING = 16
    ROAD = 32
    OTHER_SEALED = 64
    OTHER = 128
    PLANTS = TREES | LOW_PLANTS
    BUILT_UP = BUILDING | ROAD | OTHER_SEALED
    DRY_GROUND = BARE_SOIL | BUILT_UP | OTHER
    ANY = 255


TREE = TargetTree(
    ("water", "vegetation", "built_up", "bare_soil", "building", "road", "tree_cover", "low_vegetation"),
    {"building": "built_up", "road": "built_up", "tree_cover": "vegetation", "low_vegetation": "vegetation"},
    complete=("vegetation",),
)
"""The targets of the joint read-out. Its last two have queries and labels, and no words yet."""
COVER_OF_LEAF = {
    ("water", None): Cover.WATER,
    ("bare_soil", None): Cover.BARE_SOIL,
    (None, None): Cover.OTHER,
    ("building", "built_up"): Cover.BUILDING,
    ("road", "built_up"): Cover.ROAD,
    (None, "built_up"): Cover.OTHER_SEALED,
    ("tree_cover", "vegetation"): Cover.TREES,
    ("low_vegetation", "vegetation"): Cover.LOW_PLANTS,
}
COVER_OF_TARGET = {
    "water": Cover.WATER,
    "vegetation": Cover.PLANTS,
    "built_up": Cover.BUILT_UP,
    "bare_soil": Cover.BARE_SOIL,
    "building": Cover.BUILDING,
    "road": Cover.ROAD,
    "tree_cover": Cover.TREES,
    "low_vegetation": Cover.LOW_PLANTS,
}

WORLDCOVER_TREES, WORLDCOVER_BUILT, WORLDCOVER_SNOW = 10, 50, 70
WORLDCOVER_LOW, WORLDCOVER_MAY_BE_BARE, WORLDCOVER_WET = (20, 30, 40), (20, 30, 40, 60), (80, 90)
NLCD_WATER, NLCD_BUILT, NLCD_TREES = 1, 2, 4
NLCD_LOW, NLCD_MAY_BE_BARE = (5, 6, 7), (3, 5, 6, 7)
GREEN_NDVI, BARE_NDVI = 0.40, 0.22
"""Of surface reflectance; see `spex_nb.spie.date_labels`."""
GREEN_NDVI_TOA, BARE_NDVI_TOA = 0.38, 0.20
"""Through the air, which adds light to the red band."""
GARDEN_NDVI = 0.50
"""From this greenness on, the edge of a mapped town may be a garden."""
SURE_PLANT, SURE_OTHER = 0.2, 0.0
"""NDVI of the digital numbers of one flight, between which nothing is told but that it is no water."""
SURE_GLI = 0.10
"""GLI of display values above which only plants were seen."""
CROWN_PX = 3
DARK = 1e-4
"""Sum of two bands below which their ratio is noise."""


def difference(first: Array, second: Array) -> Array:
    """Return the normalised difference of two bands; 0 where both are dark."""
    total = first + second
    bright = total > DARK
    return np.where(bright, (first - second) / np.where(bright, total, 1), 0).astype(np.float32)


def is_within(allowed: Allowed, cover: Cover) -> NDArray[np.bool_]:
    """Return where a label says that a pixel is one of some classes."""
    return (allowed & ~np.uint8(cover)) == 0


def is_known(allowed: Allowed, cover: Cover) -> NDArray[np.bool_]:
    """Return where a label says whether a pixel is one of some classes."""
    return is_within(allowed, cover) | ((allowed & np.uint8(cover)) == 0)


def allowed_hls(
    bands: dict[str, Array], water: Allowed, worldcover: Allowed | None, *, is_plausible: bool = False
) -> Allowed:
    """Return what HLS tiles may be by flood mask, WorldCover, and the greenness of the date.

    Water that every index contradicts is not told, unless the flood mask of the tile is plausible: then it is a shore.
    What every index calls water, and the flood mask does not, is not told either.
    """
    ndvi = difference(bands["nir"], bands["red"])
    ndwi, mndwi = difference(bands["green"], bands["nir"]), difference(bands["green"], bands["swir16"])
    green, bare = ndvi >= GREEN_NDVI, ndvi <= BARE_NDVI
    looks_wet, is_wet = (ndwi > 0) | (mndwi > 0), (ndwi > 0) & (mndwi > 0)
    allowed = np.where(green, Cover.PLANTS, np.where(bare, Cover.DRY_GROUND, ~Cover.WATER & Cover.ANY))
    if worldcover is not None:
        allowed = _worldcover(allowed, worldcover, ndvi, looks_wet)
    flooded = water == 1
    allowed[~flooded & is_wet] = Cover.ANY
    allowed[flooded] = np.where(looks_wet[flooded] | is_plausible, Cover.WATER, Cover.ANY)
    return allowed.astype(np.uint8)


def _worldcover(allowed: Allowed, worldcover: Allowed, ndvi: Array, looks_wet: NDArray[np.bool_]) -> Allowed:
    green, bare, built = ndvi >= GREEN_NDVI, ndvi <= BARE_NDVI, worldcover == WORLDCOVER_BUILT
    allowed[~green & ~bare] = Cover.PLANTS | Cover.BARE_SOIL | Cover.OTHER
    allowed[green & (worldcover == WORLDCOVER_TREES)] = Cover.TREES
    allowed[green & np.isin(worldcover, WORLDCOVER_LOW)] = Cover.LOW_PLANTS
    allowed[bare & np.isin(worldcover, WORLDCOVER_MAY_BE_BARE) & ~looks_wet] = Cover.BARE_SOIL
    allowed[bare & np.isin(worldcover, (WORLDCOVER_TREES, *WORLDCOVER_WET))] = Cover.DRY_GROUND
    allowed[worldcover == WORLDCOVER_SNOW] = Cover.OTHER
    allowed[binary_dilation(built) & ~built] |= Cover.BUILT_UP  # edges of another resolution
    allowed[built] = Cover.BUILT_UP
    allowed[built & ~binary_erosion(built) & (ndvi >= GARDEN_NDVI)] |= Cover.PLANTS
    return allowed


def allowed_nlcd(bands: dict[str, Array], classes: Allowed, valid: NDArray[np.bool_]) -> Allowed:
    """Return what a Landsat scene may be by NLCD, which is some years older, and the greenness of the date."""
    ndvi, ndwi = difference(bands["nir"], bands["red"]), difference(bands["green"], bands["nir"])
    green, bare, built = ndvi >= GREEN_NDVI_TOA, ndvi <= BARE_NDVI_TOA, classes == NLCD_BUILT
    between = Cover.PLANTS | Cover.BARE_SOIL | Cover.OTHER
    allowed = np.where(green, Cover.PLANTS, np.where(bare, Cover.DRY_GROUND, between))
    allowed[green & (classes == NLCD_TREES)] = Cover.TREES
    allowed[green & np.isin(classes, NLCD_LOW)] = Cover.LOW_PLANTS
    allowed[bare & np.isin(classes, NLCD_MAY_BE_BARE) & (ndwi < 0)] = Cover.BARE_SOIL
    allowed[binary_dilation(built)] |= Cover.BUILT_UP
    in_town = np.where(green, Cover.PLANTS, 0) | np.where(bare, Cover.BARE_SOIL, 0) | Cover.BUILT_UP
    allowed[built] = in_town[built]
    is_water, is_wet = classes == NLCD_WATER, ndwi > 0
    allowed[is_water] = np.where(is_wet[is_water], Cover.WATER, Cover.ANY)
    allowed[(~is_water & is_wet) | ~valid | (classes == 0)] = Cover.ANY
    return allowed.astype(np.uint8)


def allowed_chesapeake(bands: dict[str, Array], classes: Allowed, buildings: Allowed) -> Allowed:
    """Return what tiles of Chesapeake Land Cover may be; low plants are green as the trees beside them."""
    ndvi, trees = difference(bands["nir"], bands["red"]), classes == 2  # noqa: PLR2004 (a code of the set)
    least = (np.quantile(ndvi[trees], 0.1) if trees.sum() > 500 else 0.1) - 0.08  # noqa: PLR2004
    dry = Cover.LOW_PLANTS | Cover.BARE_SOIL | Cover.OTHER
    meaning = {1: Cover.WATER, 2: Cover.TREES, 4: Cover.BARE_SOIL, 5: Cover.BUILT_UP & ~Cover.ROAD, 6: Cover.ROAD}
    allowed = np.full(classes.shape, Cover.ANY, np.uint8)
    for code, cover in meaning.items():
        allowed[classes == code] = cover
    low = classes == 3  # noqa: PLR2004
    allowed[low] = np.where(ndvi >= least, Cover.LOW_PLANTS, dry)[low]
    allowed[buildings == 1] = Cover.BUILDING
    return allowed


def allowed_naip(bands: dict[str, Array], tops: NDArray[np.bool_]) -> Allowed:
    """Return what aerial scenes of dry towns may be where an index is sure, and at tree tops that people marked."""
    ndvi, ndwi = difference(bands["nir"], bands["red"]), difference(bands["green"], bands["nir"])
    not_water = Cover.ANY & ~Cover.WATER
    allowed = np.where(ndvi > SURE_PLANT, Cover.PLANTS, np.where(ndvi < SURE_OTHER, Cover.DRY_GROUND, not_water))
    brightness = np.mean([bands["red"], bands["green"], bands["blue"]], axis=0)
    allowed[(ndwi > 0.25) & (brightness < 0.25)] = Cover.ANY  # noqa: PLR2004 (pools and deep shadow)
    allowed[binary_dilation(tops, iterations=CROWN_PX) & (ndvi > SURE_OTHER)] = Cover.TREES
    return allowed.astype(np.uint8)


def allowed_single(bands: dict[str, Array], label: Allowed, cover: Cover) -> Allowed:
    """Return what pictures may be whose label knows one class only; what is surely green there is a plant."""
    gli = difference(2 * bands["green"], bands["red"] + bands["blue"])
    allowed = np.full(label.shape, Cover.ANY, np.uint8)
    allowed[label == 0] = Cover.ANY & ~cover
    allowed[(label == 0) & (gli > SURE_GLI)] = Cover.PLANTS
    allowed[label == 1] = cover
    return allowed
