"""The tiles of a dataset with all that is asked of each: as recorded, or perturbed to see what a mask follows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import xarray as xr

from spex_nb.errors import DatasetError, MissingBandError, PromptWarning, nearest
from spex_nb.language.prompts import build_prompt
from spex_nb.regions.find import find_regions
from spex_nb.spectral.priors import RULES, prior_of
from spex_nb.spie.dataset import SpieDataset
from spex_nb.spie.records import Record
from spex_nb.spie.settings import Settings
from spex_nb.spie.validate import FAIR_SOURCES
from spex_nb.types import Prior

Told = Literal["index", "withheld", "swapped"]
"""What a model is told of a target beforehand: what its index shows, nothing, or what another target's index shows."""
TOLD: tuple[str, ...] = get_args(Told)


@dataclass(frozen=True)
class Asking:
    """How tiles are asked about.

    Attributes:
        priors: Of what the dense priors are made.
        attributes: Of what the regions in the prompts are made; the question always keeps the target's own word.
        bands: The bands that a model may see, and that priors and attributes are made of; None for all.
    """

    priors: Told = "index"
    attributes: Told = "index"
    bands: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            DatasetError: If priors or attributes are of no known kind, or no band is left.
        """
        for name, told in (("priors", self.priors), ("attributes", self.attributes)):
            if told not in TOLD:
                raise DatasetError(
                    f"Tiles cannot be asked about with {name} like this", found=repr(told),
                    expected=f"one of {', '.join(TOLD)}", fix=nearest(str(told), TOLD) or "Use 'index'.",
                )  # fmt: skip
        if self.bands is not None and not self.bands:
            raise DatasetError(
                "No band is left", found="bands=()", expected="at least one band, or None for all", fix="Name bands."
            )


@dataclass(frozen=True, eq=False)
class AskedTile:
    """A tile, and for each target its prompt, its prior, and the truth."""

    name: str
    dataset: str
    """Id of the dataset that it came from."""
    sensor: str
    place: str
    scene: xr.Dataset
    targets: tuple[str, ...]
    prompts: tuple[str, ...]
    priors: tuple[Any, ...]
    """Each bool [H, W], or None."""
    labels: tuple[Any, ...]
    """Each bool [H, W]."""
    known: tuple[Any, ...]
    """Where there are data and the label says something: each bool [H, W]."""


def tile_records(dataset: SpieDataset, split: str, targets: Sequence[str] | None = None) -> dict[str, list[Record]]:
    """Return the records of a split by tile.

    Args:
        dataset: Opened.
        split: ``train``, ``val`` or ``test``.
        targets: Ids; all that are asked for if not given.

    Raises:
        DatasetError: If there is no such split, or no such record in it.
    """
    tiles = dataset.index["tile"]
    found: dict[str, list[Record]] = {}
    for record in dataset.records(split):
        if targets is None or record.target in targets:
            found.setdefault(str(tiles[record.id]), []).append(record)
    if not found:
        asked = "any target" if targets is None else ", ".join(targets)
        raise DatasetError(
            f"The split {split!r} holds nothing to look at", found=f"no record of {asked} in {dataset.folder}",
            expected="at least one", fix="Name another split or target, or build with other shares of the places.",
        )  # fmt: skip
    return found


def require_fair(records: Mapping[str, Sequence[Record]]) -> None:
    """Refuse records whose attributes were made from their label, or do not say what from: they may tell the answer.

    Raises:
        DatasetError: If there is one.
    """
    unfair = [record for group in records.values() for record in group if record.source not in FAIR_SOURCES]
    if unfair:
        sources = sorted({record.source or "they do not say what" for record in unfair})
        raise DatasetError(
            "The prompts tell the answer: a model that copies them would score well",
            found=f"{len(unfair)} records with attributes made from {', '.join(sources)}, such as {unfair[0].id}",
            expected=f"attributes made from {', '.join(FAIR_SOURCES)}",
            fix="Build the dataset with attributes='index' to evaluate on it.",
        )


def ask(dataset: SpieDataset, records: Sequence[Record], asking: Asking) -> AskedTile:
    """Read a tile, and make what a model is told of it.

    Args:
        dataset: Opened.
        records: All of one tile.
        asking: How.

    Raises:
        MissingBandError: If the tile lacks a band that ``asking`` names.
        DatasetError: If something is to be swapped, but no other target has an index in these bands.
    """
    row = dataset.index.loc[records[0].id]
    scene = with_bands(dataset.tile(records[0]), asking.bands)
    desk = _Desk(scene, tuple(record.target for record in records), dataset.settings)
    valid = scene.spex.valid.values
    truth = [dataset.mask(record) for record in records]
    return AskedTile(
        name=str(row["tile"]),
        dataset=str(row["dataset"]),
        sensor=str(row["sensor"]),
        place=str(row["place"]),
        scene=scene,
        targets=desk.targets,
        prompts=tuple(desk.prompt(record, asking) for record in records),
        priors=tuple(_mask_of(desk.told(target, asking.priors)) for target in desk.targets),
        labels=tuple(mask for mask, _ in truth),
        known=tuple(known & valid for _, known in truth),
    )


def with_bands(scene: xr.Dataset, bands: Sequence[str] | None) -> xr.Dataset:
    """Return a scene with these bands only, valid where it was; the scene itself for None.

    Raises:
        MissingBandError: If it lacks one of them.
    """
    if bands is None:
        return scene
    missing = [band for band in bands if band not in scene.spex.bands]
    if missing:
        raise MissingBandError(
            "The scene lacks bands that are to be kept",
            found=", ".join(scene.spex.bands),
            expected=", ".join(bands),
            fix=f"Leave {', '.join(missing)} out, or choose scenes that have them.",
        )
    return scene[list(bands)].assign(valid=scene.spex.valid)


class _Desk:
    """A tile whose priors are made once, whichever of its targets they are told of."""

    def __init__(self, scene: xr.Dataset, targets: tuple[str, ...], settings: Settings) -> None:
        self.scene, self.targets, self._settings = scene, targets, settings
        self._priors: dict[str, Prior | None] = {}

    def told(self, target: str, how: Told) -> Prior | None:
        """Return the prior that a model is told to be the target's."""
        if how == "withheld":
            return None
        return self._prior(target) if how == "index" else self._other(target)

    def prompt(self, record: Record, asking: Asking) -> str:
        """Return the record's prompt; one with other regions where it is to be asked otherwise than recorded."""
        if asking.attributes == "index" and asking.bands is None:
            return record.prompt
        prior, settings = self.told(record.target, asking.attributes), self._settings
        regions = [] if prior is None else self._regions(prior)
        with warnings.catch_warnings(action="ignore", category=PromptWarning):  # as when the dataset was built
            return build_prompt(record.target, regions, rich=settings.rich, max_tokens=settings.max_tokens)

    def _regions(self, prior: Prior) -> Any:
        valid, smallest = self.scene.spex.valid.values, self._settings.min_area_px
        return find_regions(prior.mask.values, valid, index=prior.index, min_area_px=smallest)

    def _prior(self, target: str) -> Prior | None:
        """Return the prior of a target; None where no index shows it in these bands."""
        if target not in self._priors:
            self._priors[target] = prior_of(self.scene, target)
        return self._priors[target]

    def _other(self, target: str) -> Prior:
        """Return the prior of the next target of this tile, or else of any target, whose rules are not the same."""
        place = self.targets.index(target)
        for other in (*self.targets[place + 1 :], *self.targets[:place], *RULES):
            is_other = RULES.get(other) is not RULES.get(target)  # buildings and built-up area share theirs
            if is_other and (prior := self._prior(other)) is not None:
                return prior
        raise DatasetError(
            f"Nothing can be swapped for {target!r}",
            found=f"bands {', '.join(self.scene.spex.bands)}",
            expected="bands that the index of another target can be computed from",
            fix="Withhold instead of swapping, or keep more bands.",
        )


def _mask_of(prior: Prior | None) -> Any:
    return None if prior is None else prior.mask.values
