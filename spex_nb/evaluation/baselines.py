"""Baselines to measure a model against: thresholds, boosting and a U-Net, fitted on the train split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import xarray as xr

from spex_nb.errors import DatasetError, MissingBandError, nearest, require_extra
from spex_nb.evaluation.pixel_features import TrainTiles
from spex_nb.evaluation.threshold_models import fit_otsu, fit_tuned, fixed_models
from spex_nb.extraction.mask_models import EvidenceExplainer, IndexModel
from spex_nb.spie.dataset import SpieDataset
from spex_nb.types import MaskModel, ModelCard

UNFITTED, FITTED = ("index", "fixed"), ("tuned", "otsu", "boosting", "unet")
BASELINES = (*UNFITTED, *FITTED)
"""The spectral prior; thresholds of the literature, tuned, of each tile; boosting of pixels; a network."""
UNET_STEPS = 700
"""Some eight minutes in one thread."""


@dataclass(frozen=True)
class Fitting:
    """How baselines are fitted.

    Attributes:
        seed: Seed of samples and networks.
        unet_steps: Training steps of a network.
        max_parameters: Most parameters of a network, those of the compared model; None for no limit.
        progress: Whether to show the training of a network.
    """

    seed: int = 0
    unet_steps: int = UNET_STEPS
    max_parameters: int | None = None
    progress: bool = True


def fit_baselines(
    names: Iterable[str],
    dataset: SpieDataset,
    targets: Sequence[str],
    bands: Sequence[Sequence[str]],
    fitting: Fitting = Fitting(),
) -> list[MaskModel]:
    """Fit baselines on the train split, once for each set of bands that tiles may have.

    Args:
        names: Names of baselines, out of `BASELINES`.
        dataset: The opened dataset; only its train split is used.
        targets: Ids of the targets to fit for.
        bands: Sets of bands. A fit sees the train tiles that have all bands of its set, and nothing but these bands.
        fitting: Settings of the fit, such as seed and steps.

    Returns:
        The models in the order of the names; ``fixed`` gives several.

    Raises:
        DatasetError: If a name is unknown, or the train split holds nothing to fit on.
        MissingExtraError: If a baseline needs packages that are not installed.
    """
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in BASELINES]
    if unknown:
        raise DatasetError(
            "There is no such baseline",
            found=", ".join(unknown),
            expected=f"some of {', '.join(BASELINES)}",
            fix=nearest(unknown[0], BASELINES) or "Name one of these.",
        )
    models: list[MaskModel] = []
    for name in wanted:
        if name == "index":
            models.append(IndexModel())
        elif name == "fixed":
            models += fixed_models(targets)
        else:
            models.append(_fit_each(name, dataset, targets, bands, fitting))
    return models


def _fit_each(
    name: str, dataset: SpieDataset, targets: Sequence[str], bands: Sequence[Sequence[str]], fitting: Fitting
) -> MaskModel:
    """Fit a baseline for each set of bands; a note names the sets that no train tile has."""
    members: dict[frozenset[str], MaskModel] = {}
    notes = []
    failed: DatasetError | None = None
    for some in bands:
        try:
            tiles = TrainTiles.of(dataset, targets, some)
            member = members[frozenset(some)] = _fit(name, tiles, targets, fitting)
            note = f"{len(tiles)} train tiles. {getattr(member, 'note', '')}"
        except DatasetError as error:
            failed, note = error, f"{error.problem}."
        notes.append(f"{name} of {', '.join(some)}: {note}".strip())
    if failed is not None and not members:
        raise failed
    return BandwiseBaseline(name, members, "\n".join(notes))


def _fit(name: str, tiles: TrainTiles, targets: Sequence[str], fitting: Fitting) -> MaskModel:
    if name == "tuned":
        return fit_tuned(tiles, targets, fitting.seed)
    if name == "otsu":
        return fit_otsu(tiles, targets)
    if name == "boosting":
        require_extra("evaluation", "The baseline 'boosting'")
        from spex_nb.evaluation.boosting import fit_boosting

        return fit_boosting(tiles, targets, fitting.seed)
    require_extra("model", "The baseline 'unet'")
    from spex_nb.evaluation.unet import fit_unet

    return fit_unet(
        tiles,
        targets,
        steps=fitting.unet_steps,
        seed=fitting.seed,
        max_parameters=fitting.max_parameters,
        progress=fitting.progress,
    )


@dataclass
class BandwiseBaseline(EvidenceExplainer):
    """A baseline fitted once for each set of bands; it reads no prompt, prior or click.

    Attributes:
        id: What all members are called.
        members: By the bands that they were fitted for.
        note: What was chosen for each.
    """

    id: str
    members: Mapping[frozenset[str], MaskModel]
    note: str = ""

    @cached_property
    def card(self) -> ModelCard:
        """The targets of all members, and as many parameters as the largest of them has."""
        cards = [member.card for member in self.members.values()]
        sizes = [card.parameters for card in cards if card.parameters is not None]
        return ModelCard(
            targets=tuple(dict.fromkeys(target for card in cards for target in card.targets)),
            explains_evidence=True,
            reads_prompts=False,
            parameters=max(sizes, default=None),
        )

    def predict(self, tile: xr.Dataset, targets: Sequence[str], prompts: Sequence[str], *_: Any, **__: Any) -> Any:
        """Return what the member for the bands of a tile predicts: mask logits float32 [T, H, W].

        Raises:
            ValueError: If targets and prompts do not pair.
            TargetError: If this member was not fitted for a target.
            MissingBandError: If there is no member for these bands.
        """
        member = self.members.get(frozenset(tile.spex.bands))
        if member is None:
            raise MissingBandError(
                f"The baseline {self.id!r} was not fitted for tiles of these bands",
                found=", ".join(tile.spex.bands),
                expected=" or ".join(", ".join(sorted(bands)) for bands in self.members),
                fix="Fit it on a dataset whose train split has tiles with these bands.",
            )
        return member.predict(tile, targets, prompts)
