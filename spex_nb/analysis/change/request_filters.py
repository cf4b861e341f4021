"""The filters of an instruction about two dates, applied to the regions that were gained or lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.analysis.change.result import GAINED, LOST
from spex_nb.errors import RegionError
from spex_nb.language.explanation.change_words import ChangeWords
from spex_nb.regions.filters import filter_classes
from spex_nb.spectral.priors import spectral_prior
from spex_nb.types import DrawnFilter, Instruction, Region, neighbouring_targets
from spex_nb.types.targets import TARGETS

KINDS = {"gained": (GAINED,), "lost": (LOST,), "changed": (GAINED, LOST)}


@dataclass(frozen=True, eq=False)
class DatedLayer:
    """What filters need of one date.

    Attributes:
        scene: Bands [H, W] on the shared grid.
        mask: uint8 [H, W] of this date: 0 none, 1 ... n the targets, 255 no data.
    """

    scene: xr.Dataset
    mask: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ChangeQuestion:
    """What is asked of two dates.

    Attributes:
        instruction: With its filters, which hold for regions of the change.
        drawn: What the user drew.
    """

    instruction: Instruction
    drawn: Any = None

    @property
    def has_filters(self) -> bool:
        """Whether regions are chosen."""
        return bool(self.instruction.filters or self.instruction.own_filters)

    @property
    def of_one_date(self) -> Instruction:
        """What is extracted from each scene: the targets alone."""
        return replace(self.instruction, change=None, filters=(), own_filters={})

    @property
    def identity(self) -> dict[str, Any]:
        """What the choice of regions depends on, as JSON."""
        return {"request": self.instruction.text, "drawn": None if self.drawn is None else self.drawn.wkt}


def other_years(instruction: Instruction, before: str | None, after: str | None, words: ChangeWords) -> Iterator[str]:
    """Say that an instruction names years of which the scenes are not.

    Args:
        instruction: About two dates.
        before: Date of the scene before; None where it is not known.
        after: Date of the scene after.
        words: Of the language of the user.
    """
    years = () if instruction.change is None else instruction.change.dates
    if before is None or after is None or all(before.startswith(year) or after.startswith(year) for year in years):
        return
    yield words.sentence("other_years", years=words.listed(years), first=before, second=after)


def classes_of(instruction: Instruction) -> tuple[int, ...]:
    """Return which classes of change an instruction asks for; both where it says none."""
    return KINDS[instruction.change.kind] if instruction.change is not None else (GAINED, LOST)


def require_filters(instruction: Instruction, scenes: Sequence[xr.Dataset], drawn: Any) -> None:
    """Raise before the work if the filters of an instruction could not be applied after it.

    Args:
        instruction: About two dates.
        scenes: Both, on the shared grid.
        drawn: What the user drew.

    Raises:
        RegionError: If a filter speaks of a drawn area and there is none.
        TargetError, MissingBandError: If a filter speaks of a target that no index can show in such scenes.
    """
    filters = [*instruction.filters, *chain.from_iterable(instruction.own_filters.values())]
    if drawn is None and any(isinstance(wanted, DrawnFilter) for wanted in filters):
        raise RegionError(
            "The drawn area is not known",
            found=instruction.text,
            expected="an area that was drawn",
            fix="Pass drawn=, a shapely geometry in the CRS of the scenes.",
        )
    for target in neighbouring_targets(instruction):
        for scene in scenes if target not in instruction.targets else ():
            spectral_prior(scene.isel(y=slice(0, 1), x=slice(0, 1)), target)


def regions_that_match(
    regions: Mapping[str, Sequence[Region]],
    number: int,
    instruction: Instruction,
    layer: DatedLayer,
    drawn: Any = None,
) -> dict[str, NDArray[np.bool_]]:
    """Return which regions an instruction asks for.

    Filters mean the regions of the change: the size of what was gained, and the place of what was lost. Other targets
    that they speak of are those of the date on which the region is there: after for a gain, before for a loss.

    Args:
        regions: By target, all regions of one class of change.
        number: `GAINED` or `LOST`.
        instruction: About two dates.
        layer: Of the date on which the regions are there.
        drawn: What the user drew, as of `apply_filters`.

    Returns:
        By target, bool [N]: none where the instruction asks for the other class.

    Raises:
        RegionError, TargetError, MissingBandError: As `apply_filters`.
    """
    if number not in classes_of(instruction):
        return {target: np.zeros(len(of_target), bool) for target, of_target in regions.items()}
    names = [*regions]
    request = replace(
        instruction,
        targets=tuple(names),
        own_filters={_answered(name, names): filters for name, filters in instruction.own_filters.items()},
    )
    masks = {target: layer.mask == code for code, target in enumerate(names, start=1)}
    matches = filter_classes(regions, request, layer.scene, drawn=drawn, masks=masks)
    return {
        target: np.isin([id(region) for region in regions[target]], [id(region) for region in of_target])
        for target, of_target in zip(names, matches, strict=True)
    }


def _answered(name: str, targets: Sequence[str]) -> str:
    """Return the target that answers: the parent of what such a scene does not show."""
    return name if name in targets else str(TARGETS[name].parent)
