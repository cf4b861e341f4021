"""Tiles to evaluate on, with prompts and priors as recorded, or changed to see what a mask follows."""

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

PriorSource = Literal["index", "withheld", "swapped"]
"""Source of the priors of a target: its own index, none, or the index of another target."""
PRIOR_SOURCES: tuple[str, ...] = get_args(PriorSource)


@dataclass(frozen=True)
class PromptCondition:
    """The condition under which tiles are evaluated: what prompts contain, and which bands a model sees.

    Attributes:
        priors: Source of the dense priors.
        attributes: Source of the regions in the prompts; the instruction always names the target itself.
        bands: Bands that a model sees, and that priors and attributes are made of; None for all.
    """

    priors: PriorSource = "index"
    attributes: PriorSource = "index"
    bands: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the condition.

        Raises:
            DatasetError: If priors or attributes are of no known kind, or no band is left.
        """
        for name, source in (("priors", self.priors), ("attributes", self.attributes)):
            if source not in PRIOR_SOURCES:
                raise DatasetError(
                    f"Tiles cannot be asked about with {name} like this",
                    found=repr(source),
                    expected=f"one of {', '.join(PRIOR_SOURCES)}",
                    fix=nearest(str(source), PRIOR_SOURCES) or "Use 'index'.",
                )
        if self.bands is not None and not self.bands:
            raise DatasetError(
                "No band is left", found="bands=()", expected="at least one band, or None for all", fix="Name bands."
            )


@dataclass(frozen=True, eq=False)
class EvaluationTile:
    """A tile, and for each target its prompt, prior and label."""

    name: str
    dataset: str
    """Id of the dataset that the tile came from."""
    sensor: str
    place: str
    scene: xr.Dataset
    targets: tuple[str, ...]
    prompts: tuple[str, ...]
    priors: tuple[Any, ...]
    """Each bool [H, W], or None."""
    labels: tuple[Any, ...]
    """Each bool [H, W]."""
    counted: tuple[Any, ...]
    """Pixels with data that the label knows: each bool [H, W]."""


def tile_records(dataset: SpieDataset, split: str, targets: Sequence[str] | None = None) -> dict[str, list[Record]]:
    """Return the records of a split by tile.

    Args:
        dataset: Opened.
        split: ``train``, ``val`` or ``test``.
        targets: Ids of targets; all targets of the split if not given.

    Raises:
        DatasetError: If there is no such split, or no such record in it.
    """
    tiles = dataset.index["tile"]
    records: dict[str, list[Record]] = {}
    for record in dataset.records(split):
        if targets is None or record.target in targets:
            records.setdefault(str(tiles[record.id]), []).append(record)
    if not records:
        wanted = "any target" if targets is None else ", ".join(targets)
        raise DatasetError(
            f"The split {split!r} holds nothing to look at",
            found=f"no record of {wanted} in {dataset.folder}",
            expected="at least one",
            fix="Name another split or target, or build with other shares of the places.",
        )
    return records


def require_fair(records: Mapping[str, Sequence[Record]]) -> None:
    """Refuse records whose attributes come from their label or an unknown source: they may give the answer away.

    Raises:
        DatasetError: If there is one.
    """
    unfair = [record for group in records.values() for record in group if record.source not in FAIR_SOURCES]
    if unfair:
        sources = sorted({record.source or "they do not say what" for record in unfair})
        raise DatasetError(
            "The prompts give the answer away: a model that copies them would score well",
            found=f"{len(unfair)} records with attributes made from {', '.join(sources)}, such as {unfair[0].id}",
            expected=f"attributes made from {', '.join(FAIR_SOURCES)}",
            fix="Build the dataset with attributes='index' to evaluate on it.",
        )


def load_tile(dataset: SpieDataset, records: Sequence[Record], condition: PromptCondition) -> EvaluationTile:
    """Read a tile, and make its prompts and priors.

    Args:
        dataset: Opened.
        records: All records of the tile.
        condition: Source of prompts and priors, and the bands.

    Raises:
        MissingBandError: If the tile lacks a band that ``condition`` names.
        DatasetError: If priors or attributes are to be swapped, but no other target has an index in these bands.
    """
    row = dataset.index.loc[records[0].id]
    scene = with_bands(dataset.tile(records[0]), condition.bands)
    tile_prompts = _TilePrompts(scene, tuple(record.target for record in records), dataset.settings)
    valid = scene.spex.valid.values
    labels = [dataset.mask(record) for record in records]
    return EvaluationTile(
        name=str(row["tile"]),
        dataset=str(row["dataset"]),
        sensor=str(row["sensor"]),
        place=str(row["place"]),
        scene=scene,
        targets=tile_prompts.targets,
        prompts=tuple(tile_prompts.prompt(record, condition) for record in records),
        priors=tuple(_mask_of(tile_prompts.prior(target, condition.priors)) for target in tile_prompts.targets),
        labels=tuple(mask for mask, _ in labels),
        counted=tuple(is_known & valid for _, is_known in labels),
    )


def with_bands(scene: xr.Dataset, bands: Sequence[str] | None) -> xr.Dataset:
    """Return a scene with these bands only, and unchanged ``valid``; the scene itself for None.

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


class _TilePrompts:
    """Prompts and priors of a tile; each prior is computed once."""

    def __init__(self, scene: xr.Dataset, targets: tuple[str, ...], settings: Settings) -> None:
        self.scene, self.targets, self._settings = scene, targets, settings
        self._priors: dict[str, Prior | None] = {}

    def prior(self, target: str, source: PriorSource) -> Prior | None:
        """Return the prior that a model receives for a target; None where it receives none."""
        if source == "withheld":
            return None
        return self._index_prior(target) if source == "index" else self._other_prior(target)

    def prompt(self, record: Record, condition: PromptCondition) -> str:
        """Return the prompt of a record, with other regions where the condition differs from the recorded one."""
        if condition.attributes == "index" and condition.bands is None:
            return record.prompt
        prior, settings = self.prior(record.target, condition.attributes), self._settings
        regions = [] if prior is None else self._regions(prior)
        with warnings.catch_warnings(action="ignore", category=PromptWarning):  # as when the dataset was built
            return build_prompt(record.target, regions, rich=settings.rich, max_tokens=settings.max_tokens)

    def _regions(self, prior: Prior) -> Any:
        valid, smallest = self.scene.spex.valid.values, self._settings.min_area_px
        return find_regions(prior.mask.values, valid, index=prior.index, min_area_px=smallest)

    def _index_prior(self, target: str) -> Prior | None:
        """Return the prior of a target; None where no index shows it in these bands."""
        if target not in self._priors:
            self._priors[target] = prior_of(self.scene, target)
        return self._priors[target]

    def _other_prior(self, target: str) -> Prior:
        """Return the prior of the next target of this tile with other rules; of any target if there is none."""
        place = self.targets.index(target)
        for other in (*self.targets[place + 1 :], *self.targets[:place], *RULES):
            is_other = RULES.get(other) is not RULES.get(target)  # buildings and built-up area share theirs
            if is_other and (prior := self._index_prior(other)) is not None:
                return prior
        raise DatasetError(
            f"Nothing can be swapped for {target!r}",
            found=f"bands {', '.join(self.scene.spex.bands)}",
            expected="bands that the index of another target can be computed from",
            fix="Withhold instead of swapping, or keep more bands.",
        )


def _mask_of(prior: Prior | None) -> Any:
    return None if prior is None else prior.mask.values
