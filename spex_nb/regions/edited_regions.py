"""Which regions of an edited mask still meet the instruction, and which parts of it nobody can test again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import xarray as xr
from numpy.typing import ArrayLike

from spex_nb.errors import BandError, RegionError, TargetError
from spex_nb.regions.filters import filter_classes
from spex_nb.types import Filter, Instruction, RankFilter, Region, neighbouring_targets

Regions = dict[str, list[Region]]
"""Regions by class."""


@dataclass(frozen=True)
class EditedRegions:
    """The regions of an edited mask, held against the instruction.

    Attributes:
        kept_regions: By class, those that count.
        left_out: By class, those that the instruction does not ask for.
        untested: By class, filters that only the whole extraction can test; regions stay in spite of them.
        by_index: Other targets that filters speak of, as far as only a spectral index showed where they are.
    """

    kept_regions: Regions
    left_out: Regions
    untested: Mapping[str, tuple[Filter, ...]] = field(default_factory=dict)
    by_index: tuple[str, ...] = ()


def hold_filters(
    before: Mapping[str, Sequence[Region]],
    after: Mapping[str, Sequence[Region]],
    instruction: Instruction,
    scene: xr.Dataset,
    *,
    drawn: Any = None,
    masks: Mapping[str, ArrayLike] | None = None,
) -> EditedRegions:
    """Hold the filters of an instruction for a mask that was edited by hand.

    A region that no edit touched met the filters before, and stays. All others are tested again. "The largest" counts
    among the regions that are left. "The second largest" and "all but the largest" cannot be counted again, since the
    mask lacks the regions that the extraction left out.

    Args:
        before: By class, the regions of the mask as it was extracted.
        after: By class, those of the edited mask.
        instruction: That the mask was extracted by.
        scene: The scene whose grid the regions lie on.
        drawn: The area that the user drew, as of `apply_filters`.
        masks: bool [H, W] of other targets by id. `spectral_prior` gives those that are missing.
    """
    edited = _Edited({name: list(regions) for name, regions in after.items()}, instruction, scene, drawn, masks or {})
    untouched = {name: {region.runs.tobytes() for region in regions} for name, regions in before.items()}
    touched = {
        name: [region for region in regions if region.runs.tobytes() not in untouched.get(name, ())]
        for name, regions in edited.kept_regions.items()
    }
    ranks: list[tuple[str, RankFilter]] = []
    for name, wanted in _filters_by_class(instruction, list(after)):
        if isinstance(wanted, RankFilter):
            ranks.append((name, wanted))
        else:
            edited.test(name, wanted, touched)
    for name, wanted in ranks if any(touched.values()) else ():
        edited.rank(name, wanted)
    counted = {id(region) for regions in edited.kept_regions.values() for region in regions}
    left_out = {name: [region for region in regions if id(region) not in counted] for name, regions in after.items()}
    untested = {name: tuple(filters) for name, filters in edited.untested.items()}
    return EditedRegions(edited.kept_regions, left_out, untested, tuple(edited.by_index))


def _filters_by_class(instruction: Instruction, names: Sequence[str]) -> list[tuple[str, Filter]]:
    """Return each filter with the class that it holds for; an empty name is all classes together."""
    own_filters = [(name, wanted) for name in names for wanted in instruction.own_filters.get(name, ())]
    return [*own_filters, *(("", wanted) for wanted in instruction.filters)]


@dataclass
class _Edited:
    """Regions that are tested filter after filter."""

    kept_regions: Regions
    instruction: Instruction
    scene: xr.Dataset
    drawn: Any
    masks: Mapping[str, ArrayLike]
    untested: dict[str, list[Filter]] = field(default_factory=dict)
    by_index: dict[str, None] = field(default_factory=dict)

    def test(self, name: str, wanted: Filter, touched: Mapping[str, Sequence[Region]]) -> None:
        """Drop the touched regions that do not meet a filter."""
        for of_class in [name] if name else list(self.kept_regions):
            doubtful = {id(region) for region in touched[of_class]}
            changed_regions = [region for region in self.kept_regions[of_class] if id(region) in doubtful]
            if not changed_regions:
                continue
            try:
                (passed,) = self._filtered({of_class: changed_regions}, wanted)
            except (BandError, RegionError, TargetError):  # no index shows the other target
                self._leave_untested(of_class, wanted)
                continue
            self._note_neighbours(wanted)
            good = {id(region) for region in passed}
            self.kept_regions[of_class] = [
                region for region in self.kept_regions[of_class] if id(region) not in doubtful or id(region) in good
            ]

    def rank(self, name: str, wanted: RankFilter) -> None:
        """Keep the first of the regions that are left."""
        names = [name] if name else list(self.kept_regions)
        if wanted.first != 1 or not wanted.inside:
            for of_class in names:
                self._leave_untested(of_class, wanted)
            return
        passed = self._filtered({of_class: self.kept_regions[of_class] for of_class in names}, wanted)
        self.kept_regions.update(zip(names, passed, strict=True))

    def _filtered(self, regions: Regions, wanted: Filter) -> list[list[Region]]:
        alone = replace(self.instruction, filters=(wanted,), own_filters={})
        return filter_classes(regions, alone, self.scene, drawn=self.drawn, masks=self.masks)

    def _note_neighbours(self, wanted: Filter) -> None:
        names = neighbouring_targets(replace(self.instruction, filters=(wanted,), own_filters={}))
        self.by_index.update(dict.fromkeys(name for name in names if name not in self.masks))

    def _leave_untested(self, name: str, wanted: Filter) -> None:
        self.untested.setdefault(name, []).append(wanted)
