"""One reading of the scene under a finished mask, row by row: evidence, figures of every region, an overview.

`language.evidence.measure_evidence` gives the same evidence for arrays in memory. The code differs for two reasons.
A spread from deviations needs the pixels twice. Here each pixel is read once, so that squares are summed.
Masks of other targets may overlap there. Here classes exclude each other, so that one pass counts all their borders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from spex_nb.errors import MissingBandError
from spex_nb.extraction.facts.cut_regions import RegionTally, beside_gaps, cut_regions
from spex_nb.extraction.facts.doubt import doubt_of_rows
from spex_nb.extraction.facts.packed_rows import PackedRows
from spex_nb.extraction.facts.sums import BAND_ORDER, FactSums, Rows, rule_masks, rules_of
from spex_nb.language.evidence import readable_index
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.regions.runs import RegionSums, row_blocks
from spex_nb.scene.windows.reader import BandHash, SceneReader
from spex_nb.spectral.indices import compute_index, compute_indices, within_range
from spex_nb.spectral.priors import near_rule
from spex_nb.types import MASK_NODATA, Evidence, Region, Spread
from spex_nb.types.targets import EVERYTHING_ELSE

OVERVIEW_PX = 1024
"""Longest side of the thinned scene that a result keeps, in pixels."""
EVIDENCE_REGIONS = 10
"""Number of regions that evidence describes one by one; the others are counted."""
FEW_PX = 10
"""Regions of fewer pixels are counted as small ones: a pixel more or less changes them much."""
BESIDE_GAP = "beside a gap"
"""Layer that shows which pixels have one without data beside them."""
USUAL_INDICES = ("NDVI", "NDWI")
"""Measured in every region where the bands allow it, beside the index that describes the target."""


@dataclass(frozen=True)
class MeasuredLayer:
    """What is measured: a class of the mask, or a target beside it.

    Attributes:
        name: Of the class or target.
        regions: All of its regions, largest first.
        mask_of: Gives where it is, bool [h, W], in some rows.
        number: Its number among the layers of probability, from 0; None without one.
        dropped_of: Gives where the filters of the instruction left regions out, bool [h, W]; None where they left out
            none. Such pixels are neither inside nor outside.
        threshold: Probability above which a pixel belongs to it.
        is_by_rule: Whether its spectral rule decided, and no model.
    """

    name: str
    regions: Sequence[Region]
    mask_of: Callable[[slice], NDArray[np.bool_]]
    number: int | None = None
    dropped_of: Callable[[slice], NDArray[np.bool_]] | None = None
    threshold: float = 0.5
    is_by_rule: bool = False


@dataclass(frozen=True)
class SceneStatistics:
    """What was measured."""

    evidence: dict[str, Evidence]
    """By target; equal to what `measure_evidence` gives for the whole scene at once."""
    facts: dict[str, FactSums]
    """By target: sums for its facts."""
    figures: dict[str, dict[str, NDArray[np.float64]]]
    """By class: mean probability and mean indices of each region, [N] each."""
    overview: xr.Dataset
    """Every n-th pixel of the scene."""
    scene_hash: str
    """Of all pixels of the scene; empty where they were not hashed."""
    doubt: PackedRows
    """Of uint8 [H, W]: 0 none ... 250 as much as can be, 255 no data."""
    asked_px: int
    """Pixels that were asked for, with and without data: of the scene, or of the area of interest."""


def measure_scene(
    reader: SceneReader,
    mask: NDArray[np.uint8],
    layers: Sequence[MeasuredLayer],
    probability_of: Callable[[int, int], NDArray[np.float32]],
    *,
    hashes_scene: bool = True,
) -> SceneStatistics:
    """Read a scene once, and measure the layers of a mask.

    Args:
        reader: Of the scene.
        mask: uint8 [H, W]: 0 none, 1 ... n classes, 255 no data.
        layers: What to measure.
        probability_of: Gives probabilities float32 [n, h, W] from a first row and a number of rows.
        hashes_scene: Whether to hash all pixels; a mask that changes on the same scene needs no second hash.
    """
    scene = reader.scene
    pixel = scene.isel(y=slice(0, 1), x=slice(0, 1))  # one pixel shows which indices the bands allow
    usual = [name for name in USUAL_INDICES if _allows(pixel, name)]
    has_gaps = any((mask[rows] == MASK_NODATA).any() for rows in row_blocks(mask.shape))
    sums = [_LayerSums.of(layer, pixel, usual, mask.shape, has_gaps=has_gaps) for layer in layers]
    indices = list(dict.fromkeys(name for layer_sums in sums for name in layer_sums.indices))
    rules = [*rules_of(pixel, [layer.name for layer in layers])]
    overview, pixels = _Thinned(scene), BandHash(scene.spex.bands)
    valid_px, asked_px = 0, 0
    doubt, thresholds = PackedRows(mask.shape[1]), _thresholds(layers)
    for top, part in reader.rows():
        rows = slice(top, top + part.sizes["y"])
        has_data = mask[rows] != MASK_NODATA
        overview.add(top, part)
        asked_px += _asked_px(reader, rows)
        if hashes_scene:
            pixels.add(part)
        if not has_data.any():
            doubt.add(mask[rows])
            continue
        valid_px += int(has_data.sum())
        probability = probability_of(top, part.sizes["y"])
        near = {layer.name: near_rule(part, layer.name) for layer in layers if layer.is_by_rule}
        gaps = beside_gaps(mask, rows) if has_gaps else None
        measured = _Measured(
            _index_values(part, indices), probability, _bands(part), rule_masks(part, rules), near, gaps
        )
        for layer_sums in sums:
            layer_sums.add(rows, has_data, measured)
        doubt.add(doubt_of_rows(mask, probability, thresholds, measured.rules, top))
    borders = class_borders(mask, [layer.name for layer in layers if layer.number is not None])
    is_on_map = EqualAreaGrid.of(scene) is not None
    evidence = {
        layer_sums.layer.name: replace(
            layer_sums.evidence(mask.shape, valid_px, is_on_map=is_on_map),
            neighbours=borders.get(layer_sums.layer.name, {}),
            is_relative=scene.spex.is_relative,
        )
        for layer_sums in sums
        if layer_sums.layer.name != EVERYTHING_ELSE
    }
    return SceneStatistics(
        evidence=evidence,
        facts={layer_sums.layer.name: facts for layer_sums in sums if (facts := layer_sums.counted_facts) is not None},
        figures={layer_sums.layer.name: layer_sums.figures for layer_sums in sums},
        overview=overview.scene,
        doubt=doubt,
        scene_hash=pixels.hexdigest() if hashes_scene else "",
        asked_px=asked_px,
    )


def _asked_px(reader: SceneReader, rows: slice) -> int:
    """Return how many pixels of some rows were asked for: all of them, or those of the area of interest."""
    height, width = rows.stop - rows.start, reader.scene.spex.shape[1]
    if reader.area is None:
        return int(height * width)
    return int(reader.area.inside((rows.start, 0, height, width)).sum())


def _thresholds(layers: Sequence[MeasuredLayer]) -> dict[str, float]:
    """Return the threshold of each class of the mask, in the order of their numbers."""
    classes = sorted((layer.number, layer) for layer in layers if layer.number is not None)
    return {layer.name: layer.threshold for _, layer in classes}


def _index_values(part: xr.Dataset, indices: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Return the values of indices, [h, W] each, by name."""
    if not indices:
        return {}
    return {str(name): within_range(index).values for name, index in compute_indices(part, indices).items()}


def _bands(part: xr.Dataset) -> dict[str, NDArray[np.float32]]:
    return {name: part[name].values for name in BAND_ORDER if name in part.spex.bands}


@dataclass(frozen=True)
class _Measured:
    """What some rows hold, beside the mask."""

    indices: Mapping[str, NDArray[np.float32]]
    probability: NDArray[np.float32]
    """[n, h, W]."""
    bands: Mapping[str, NDArray[np.float32]]
    rules: Mapping[str, NDArray[np.bool_]]
    near_rules: Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]] | None]
    """Of targets whose rule decided; see `near_rule`."""
    beside_gaps: NDArray[np.bool_] | None = None
    """[h, W], see `beside_gaps`; None where the whole mask has data."""


def class_borders(mask: NDArray[np.uint8], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the share of the border of each class, towards other pixels with data, behind which each other class lies.

    Args:
        mask: uint8 [H, W]: 0 none, 1 ... n the named classes, 255 no data.
        names: Of the classes, in the order of their numbers.
    """
    count = len(names) + 1
    edges = np.zeros((count, count), np.int64)
    for rows in row_blocks(mask.shape):
        block = mask[rows.start : rows.stop + 1]  # one row more, which is above the next block's first
        inner = mask[rows]
        for first, second in ((inner[:, :-1], inner[:, 1:]), (block[:-1], block[1:])):
            differ = (first != second) & (first != MASK_NODATA) & (second != MASK_NODATA)
            pairs = first[differ].astype(np.int64) * count + second[differ]
            edges += np.bincount(pairs, minlength=count * count).reshape(count, count)
    edges += edges.T
    return {
        name: {names[j - 1]: float(edges[i, j] / edges[i].sum()) for j in range(1, count) if edges[i, j] and j != i}
        for i, name in enumerate(names, start=1)
    }


@dataclass
class _Moments:
    """Count, sum and sum of squares of some pixels."""

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    def add(self, values: NDArray[np.float32]) -> None:
        finite = values[np.isfinite(values)].astype(np.float64)
        self.sums += finite.size, finite.sum(), (finite**2).sum()

    @property
    def spread(self) -> Spread:
        count, total, squares = self.sums
        if not count:
            return Spread(np.nan, np.nan)
        return Spread(float(total / count), float(np.sqrt(max(squares / count - (total / count) ** 2, 0))))


@dataclass
class _LayerSums:
    """What the rows so far add up to, for one layer."""

    layer: MeasuredLayer
    index_name: str | None
    """The index that its evidence is given in."""
    regions: RegionSums
    names: Sequence[str]
    """What is measured in each region: the probability and indices."""
    inside: _Moments = field(default_factory=_Moments)
    outside: _Moments = field(default_factory=_Moments)
    area_px: int = 0
    facts: FactSums | None = None
    """None for a class that is no target."""
    has_gaps: bool = False
    """Whether some pixels of the mask have no data."""
    shape: tuple[int, int] = (0, 0)
    """Of the mask."""

    @classmethod
    def of(
        cls, layer: MeasuredLayer, scene: xr.Dataset, usual: Sequence[str], shape: tuple[int, ...], *, has_gaps: bool
    ) -> _LayerSums:
        """Begin to measure a layer.

        Args:
            layer: What to measure.
            scene: Any pixel of the scene.
            usual: Indices that are measured in every region.
            shape: (height, width) of the mask.
            has_gaps: Whether some pixels of the mask have no data.
        """
        index = readable_index(scene, layer.name) if layer.name != EVERYTHING_ELSE else None
        names = [] if layer.number is None else ["probability"]
        names += [] if index is None else [str(index.name)]
        names = list(dict.fromkeys([*names, *usual]))
        runs = [region.runs for region in layer.regions]
        index_name = None if index is None else str(index.name)
        sums = cls(layer, index_name, RegionSums(runs, [*names, *([BESIDE_GAP] if has_gaps else [])]), names)
        sums.has_gaps, sums.shape = has_gaps, (shape[0], shape[1])
        if layer.name != EVERYTHING_ELSE:
            sums.facts = FactSums(layer.name, layer.threshold, layer.regions[:EVIDENCE_REGIONS])
        return sums

    @property
    def indices(self) -> list[str]:
        return [name for name in self.names if name != "probability"]

    @property
    def figures(self) -> dict[str, NDArray[np.float64]]:
        return {name: self.regions.means(name) for name in self.names}

    def add(self, rows: slice, has_data: NDArray[np.bool_], measured: _Measured) -> None:
        """Add some rows."""
        inside = self.layer.mask_of(rows) & has_data
        outside = has_data & ~inside
        if self.layer.dropped_of is not None:
            is_dropped = self.layer.dropped_of(rows)
            outside &= ~is_dropped
            self._note_cut(is_dropped, rows, measured)
        self.area_px += int(inside.sum())
        number = self.layer.number
        probability = None if number is None else measured.probability[number]
        own_probability = {} if probability is None else {"probability": probability}
        gaps = {} if measured.beside_gaps is None else {BESIDE_GAP: measured.beside_gaps}
        self.regions.add(rows.start, {**measured.indices, **own_probability, **gaps})
        if self.index_name is not None:
            self.inside.add(measured.indices[self.index_name][inside])
            self.outside.add(measured.indices[self.index_name][outside])
        if self.facts is not None:
            near = measured.near_rules.get(self.layer.name)
            self.facts.add(rows.start, Rows(inside, outside, measured.bands, probability, measured.rules, near))

    def _note_cut(self, is_dropped: NDArray[np.bool_], rows: slice, measured: _Measured) -> None:
        """Note whether regions that the filters left out end only where nothing was examined."""
        if self.facts is None or self.facts.cuts_dropped:
            return
        height = self.shape[0]
        is_end = np.zeros_like(is_dropped) if measured.beside_gaps is None else measured.beside_gaps.copy()
        is_end[:, 0] = is_end[:, -1] = True
        if rows.start == 0:
            is_end[0] = True
        if rows.stop >= height:
            is_end[-1] = True
        self.facts.cuts_dropped = bool((is_dropped & is_end).any())

    @property
    def counted_facts(self) -> FactSums | None:
        """The sums for facts, with what was counted of all regions; None for a class that is no target."""
        if self.facts is None:
            return None
        regions = self.layer.regions
        is_beside_gap = np.zeros(len(regions), bool)
        if self.has_gaps:
            is_beside_gap = np.nan_to_num(self.regions.means(BESIDE_GAP)) > 0
        self.facts.beside_gap = is_beside_gap[: len(self.facts.regions)].tolist()
        self.facts.cut = RegionTally.of(cut_regions(regions, is_beside_gap))
        self.facts.small = RegionTally.of([region for region in regions if region.area_px < FEW_PX])
        return self.facts

    def evidence(self, shape: tuple[int, ...], valid_px: int, *, is_on_map: bool) -> Evidence:
        regions = self.layer.regions
        height, width = shape
        return Evidence(
            target=self.layer.name,
            shape=(height, width),
            area_px=self.area_px,
            valid_px=valid_px,
            share_frac=self.area_px / valid_px if valid_px else 0.0,
            area_m2=sum(region.area_m2 or 0.0 for region in regions) if is_on_map else None,
            number=len(regions),
            regions=self._largest(),
            index_name=self.index_name,
            inside=None if self.index_name is None else self.inside.spread,
            outside=None if self.index_name is None else self.outside.spread,
        )

    def _largest(self) -> tuple[Region, ...]:
        """Return the largest regions, each with its figures of the index."""
        regions = self.layer.regions[:EVIDENCE_REGIONS]
        if self.index_name is None:
            return tuple(regions)
        means, spreads = self.regions.means(self.index_name), self.regions.spreads(self.index_name)
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
