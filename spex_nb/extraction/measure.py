"""One look at the scene under a finished mask, row by row: evidence, figures of every region, a thinned picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine

from spex_nb.errors import MissingBandError
from spex_nb.language.evidence import readable_index
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.regions.runs import BLOCK_PX, RegionSums
from spex_nb.scene.reader import BandHash, SceneReader
from spex_nb.spectral.indices import compute_index, compute_indices
from spex_nb.targets import TARGETS
from spex_nb.types import MASK_NODATA, Evidence, Region, Spread

OVERVIEW_PX = 1024
"""Longest side of the thinned scene that is kept with a result."""
EVIDENCE_REGIONS = 10
"""Regions that evidence knows one by one; the others are counted."""
USUAL_INDICES = ("NDVI", "NDWI")
"""Measured in every region where the bands allow it, beside the index that the target is read by."""


@dataclass(frozen=True)
class Shown:
    """What is measured: a class of the mask, or a target beside it.

    Attributes:
        name: Of the class or target.
        regions: All of it, largest first.
        mask_of: Gives where it is, bool [h, W], in some rows.
        layer: Its number among the layers of probability; None without one.
    """

    name: str
    regions: Sequence[Region]
    mask_of: Callable[[slice], Any]
    layer: int | None = None


@dataclass(frozen=True)
class Survey:
    """What was measured."""

    evidence: dict[str, Evidence]
    """By target; equal to what `measure_evidence` says of the whole."""
    figures: dict[str, dict[str, Any]]
    """By class: mean probability and mean indices of each region, float64 [N] each."""
    overview: xr.Dataset
    """Every n-th pixel of the scene."""
    scene_hash: str
    """Of all its pixels; empty where they were not hashed."""


def survey(
    reader: SceneReader,
    mask: Any,
    shown: Sequence[Shown],
    probability_of: Callable[[int, int], Any],
    *,
    hashes_scene: bool = True,
) -> Survey:
    """Read a scene once, and measure what is shown of it.

    Args:
        reader: Of the scene.
        mask: uint8 [H, W]: 0 none, 1 ... n classes, 255 no data.
        shown: What to measure.
        probability_of: Gives probabilities float32 [n, h, W] from a first row and a number of rows.
        hashes_scene: Whether to hash all pixels; a mask that changes on the same scene needs no second hash.
    """
    scene = reader.scene
    pixel = scene.isel(y=slice(0, 1), x=slice(0, 1))  # which indices there are, one pixel tells
    usual = [name for name in USUAL_INDICES if _allows(pixel, name)]
    gathered = [_Gathered.of(one, pixel, usual) for one in shown]
    indices = list(dict.fromkeys(name for one in gathered for name in one.indices))
    overview, pixels, valid_px = _Thinned(scene), BandHash(scene.spex.bands), 0
    for top, part in reader.rows():
        rows = slice(top, top + part.sizes["y"])
        valid = mask[rows] != MASK_NODATA
        valid_px += int(valid.sum())
        values = {str(name): layer.values for name, layer in compute_indices(part, indices).items()} if indices else {}
        probability = probability_of(top, part.sizes["y"])
        for one in gathered:
            one.add(rows, valid, values, probability)
        overview.add(top, part)
        if hashes_scene:
            pixels.add(part)
    borders = class_borders(mask, [one.name for one in shown if one.layer is not None])
    ground = EqualAreaGrid.of(scene)
    return Survey(
        evidence={
            one.shown.name: replace(
                one.evidence(mask.shape, valid_px, is_on_map=ground is not None),
                neighbours=borders.get(one.shown.name, {}), is_relative=scene.spex.is_relative,
            )
            for one in gathered if one.shown.name in TARGETS
        },
        figures={one.shown.name: one.figures for one in gathered},
        overview=overview.scene,
        scene_hash=pixels.hexdigest() if hashes_scene else "",
    )  # fmt: skip


def class_borders(mask: Any, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the share of the border of each class, towards other pixels with data, behind which each other class lies.

    Args:
        mask: uint8 [H, W]: 0 none, 1 ... n the named classes, 255 no data.
        names: Of the classes, in the order of their numbers.
    """
    count = len(names) + 1
    edges = np.zeros((count, count), np.int64)
    rows = max(1, BLOCK_PX // mask.shape[1])
    for top in range(0, mask.shape[0], rows):
        block = mask[top : top + rows + 1]  # one row more, which is above the next block's first
        inner = block[:rows]
        for one, other in ((inner[:, :-1], inner[:, 1:]), (block[:-1], block[1:])):
            differ = (one != other) & (one != MASK_NODATA) & (other != MASK_NODATA)
            pairs = one[differ].astype(np.int64) * count + other[differ]
            edges += np.bincount(pairs, minlength=count * count).reshape(count, count)
    edges += edges.T
    return {
        name: {names[j - 1]: float(edges[i, j] / edges[i].sum()) for j in range(1, count) if edges[i, j] and j != i}
        for i, name in enumerate(names, start=1)
    }


@dataclass
class _Moments:
    """Count, sum and sum of squares of some pixels."""

    sums: Any = field(default_factory=lambda: np.zeros(3))

    def add(self, values: Any) -> None:
        known = values[np.isfinite(values)].astype(np.float64)
        self.sums += known.size, known.sum(), (known**2).sum()

    @property
    def spread(self) -> Spread:
        count, total, squares = self.sums
        if not count:
            return Spread(np.nan, np.nan)
        return Spread(float(total / count), float(np.sqrt(max(squares / count - (total / count) ** 2, 0))))


@dataclass
class _Gathered:
    """What was gathered so far of one class or target."""

    shown: Shown
    index_name: str | None
    """The index that its figures are given in."""
    sums: RegionSums
    layers: Sequence[str]
    """What is measured in each region: the probability and indices."""
    inside: _Moments = field(default_factory=_Moments)
    outside: _Moments = field(default_factory=_Moments)
    area_px: int = 0

    @classmethod
    def of(cls, shown: Shown, scene: xr.Dataset, usual: Sequence[str]) -> _Gathered:
        own = readable_index(scene, shown.name) if shown.name in TARGETS else None
        name = None if own is None else str(own.name)
        runs = [region.runs for region in shown.regions]
        wanted = [*(["probability"] if shown.layer is not None else []), *([name] if name else []), *usual]
        layers = list(dict.fromkeys(wanted))
        return cls(shown, name, RegionSums(runs, layers), layers)

    @property
    def indices(self) -> list[str]:
        return [name for name in self.layers if name != "probability"]

    @property
    def figures(self) -> dict[str, Any]:
        return {name: self.sums.means(name) for name in self.layers}

    def add(self, rows: slice, valid: Any, values: Mapping[str, Any], probability: Any) -> None:
        inside = self.shown.mask_of(rows) & valid
        self.area_px += int(inside.sum())
        own = {} if self.shown.layer is None else {"probability": probability[self.shown.layer]}
        self.sums.add(rows.start, {**values, **own})
        if self.index_name is not None:
            self.inside.add(values[self.index_name][inside])
            self.outside.add(values[self.index_name][valid & ~inside])

    def evidence(self, shape: tuple[int, int], valid_px: int, *, is_on_map: bool) -> Evidence:
        return Evidence(
            target=self.shown.name,
            shape=shape,
            area_px=self.area_px,
            valid_px=valid_px,
            share_frac=self.area_px / valid_px if valid_px else 0.0,
            area_m2=sum(region.area_m2 or 0.0 for region in self.shown.regions) if is_on_map else None,
            number=len(self.shown.regions),
            regions=self._largest(),
            index_name=self.index_name,
            inside=None if self.index_name is None else self.inside.spread,
            outside=None if self.index_name is None else self.outside.spread,
        )

    def _largest(self) -> tuple[Region, ...]:
        regions = self.shown.regions[:EVIDENCE_REGIONS]
        if self.index_name is None:
            return tuple(regions)
        means, spreads = self.sums.means(self.index_name), self.sums.spreads(self.index_name)
        return tuple(
            replace(region, index_name=self.index_name, mean_index=float(mean), spread_index=float(spread))
            for region, mean, spread in zip(regions, means, spreads, strict=False)
        )


class _Thinned:
    """Every n-th row and column of a scene, gathered from its rows."""

    def __init__(self, scene: xr.Dataset) -> None:
        self._step = max(1, -(-max(scene.spex.shape) // OVERVIEW_PX))
        self._transform = scene.spex.transform if scene.spex.crs is not None else None
        self._parts: list[xr.Dataset] = []

    def add(self, top: int, part: xr.Dataset) -> None:
        rows = slice(-top % self._step, None, self._step)
        self._parts.append(part.isel(y=rows, x=slice(None, None, self._step)).copy(deep=True))

    @property
    def scene(self) -> xr.Dataset:
        joined: xr.Dataset = xr.concat(self._parts, "y", data_vars="all", coords="minimal", compat="override")
        if self._transform is None:
            return joined
        placed: xr.Dataset = joined.rio.write_transform(self._transform @ Affine.scale(self._step))
        return placed


def _allows(scene: xr.Dataset, index: str) -> bool:
    try:
        compute_index(scene, index)
    except MissingBandError:
        return False
    return True
