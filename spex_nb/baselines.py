"""What any model is measured against, by name: thresholds, boosting and a U-Net, fitted on the train split."""

from __future__ import annotations

from collections.abc import Sequence

from spex_nb.baselines_thresholds import fit_otsu, fit_tuned, fixed_models
from spex_nb.baselines_training import TrainTiles
from spex_nb.errors import DatasetError, nearest
from spex_nb.extras import require_extra
from spex_nb.mask_models import IndexModel
from spex_nb.spie.dataset import SpieDataset
from spex_nb.types import MaskModel

BASELINES = ("index", "fixed", "tuned", "otsu", "boosting", "unet")
"""The spectral prior; thresholds of the literature, tuned, of each tile; boosting of pixels; a network."""


def fit_baselines(
    names: Sequence[str],
    dataset: SpieDataset,
    targets: Sequence[str],
    *,
    bands: Sequence[str] | None = None,
    seed: int = 0,
    max_parameters: int | None = None,
    progress: bool = True,
) -> list[MaskModel]:
    """Fit baselines on the train split.

    Args:
        names: Out of `BASELINES`.
        dataset: Opened.
        targets: Ids.
        bands: That they may see; all that the train tiles share if not given.
        seed: Of samples and networks.
        max_parameters: Of a network: as many as the model has that it is compared with.
        progress: Whether to show how a network trains.

    Returns:
        The models in the order of the names; ``fixed`` gives several.

    Raises:
        DatasetError: If a name is unknown, or the train split holds nothing to fit on.
        MissingExtraError: If a baseline needs packages that are not installed.
    """
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise DatasetError(
            "There is no such baseline", found=", ".join(unknown), expected=f"some of {', '.join(BASELINES)}",
            fix=nearest(unknown[0], BASELINES) or "Name one of these.",
        )  # fmt: skip
    found: list[MaskModel] = []
    for name in dict.fromkeys(names):
        if name == "index":
            found.append(IndexModel())
        elif name == "fixed":
            found += fixed_models(targets)
        else:
            found.append(_fit(name, TrainTiles.of(dataset, targets, bands), targets, seed, max_parameters, progress))
    return found


def _fit(
    name: str, tiles: TrainTiles, targets: Sequence[str], seed: int, max_parameters: int | None, progress: bool
) -> MaskModel:
    if name == "tuned":
        return fit_tuned(tiles, targets, seed)
    if name == "otsu":
        return fit_otsu(tiles, targets)
    if name == "boosting":
        require_extra("evaluation", "The baseline 'boosting'")
        from spex_nb.baselines_boosting import fit_boosting

        return fit_boosting(tiles, targets, seed)
    require_extra("model", "The baseline 'unet'")
    from spex_nb.baselines_unet import fit_unet

    return fit_unet(tiles, targets, seed=seed, max_parameters=max_parameters, progress=progress)
