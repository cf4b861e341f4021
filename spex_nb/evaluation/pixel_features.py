"""What fitted baselines share: bands of all train tiles, indices of them, a sample of pixels, what they refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.errors import DatasetError, MissingBandError, TargetError
from spex_nb.evaluation.tiles import tile_records, with_bands
from spex_nb.spectral.catalogue import index_info
from spex_nb.spectral.indices import compute_indices
from spex_nb.spie.dataset import SpieDataset
from spex_nb.spie.records import Record

CLASSIC = ("NDVI", "NDWI", "MNDWI", "NDBI")
"""Indices that networks and boosting see beside the bands, where the bands allow them."""
SAMPLE_PX = 300_000
"""Pixels of the train split that pixel-wise baselines are fitted on."""
UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class TrainTiles:
    """The train split of a dataset, in the bands that all of its tiles have."""

    dataset: SpieDataset
    bands: tuple[str, ...]
    records: Mapping[str, Sequence[Record]]
    """By tile."""

    @classmethod
    def of(cls, dataset: SpieDataset, targets: Sequence[str], bands: Sequence[str] | None = None) -> TrainTiles:
        """Return the train tiles that know at least one of the targets.

        Args:
            dataset: Opened.
            targets: Ids.
            bands: To keep, of the tiles that have them all; those that all tiles share if not given.

        Raises:
            DatasetError: If there is no such tile, or the tiles share no band.
        """
        records = tile_records(dataset, "train", targets)
        has = {tile: str(dataset.index.loc[group[0].id, "bands"]).split() for tile, group in records.items()}
        shared = reduce(set.intersection, map(set, has.values()))
        chosen = tuple(band for band in next(iter(has.values())) if band in shared) if bands is None else tuple(bands)
        fit = {tile: group for tile, group in records.items() if set(chosen) <= set(has[tile])}
        if not chosen or not fit:
            raise DatasetError(
                "No train tile has the bands that baselines are to see",
                found=f"in all of them: {', '.join(sorted(shared)) or 'none'}",
                expected="at least one band in common" if bands is None else ", ".join(bands),
                fix="Keep fewer bands, or narrow the dataset to one sensor.",
            )
        return cls(dataset, chosen, fit)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[tuple[xr.Dataset, dict[str, Any]]]:
        """Yield each tile with its labels."""
        return (self.tile(name) for name in self.records)

    def tile(self, name: str) -> tuple[xr.Dataset, dict[str, Any]]:
        """Return a tile, and for each target that its label knows int8 [H, W]: 1 target, 0 not, -1 unknown."""
        group = self.records[name]
        scene = with_bands(self.dataset.tile(group[0]), self.bands)
        return scene, {record.target: self._label(record, scene.spex.valid.values) for record in group}

    def _label(self, record: Record, valid: Any) -> Any:
        mask, is_known = self.dataset.mask(record)
        return np.where(is_known & valid, mask.astype(np.int8), np.int8(UNKNOWN))


@dataclass(frozen=True, eq=False)
class PixelSample:
    """Pixels drawn from train tiles, each as likely as the other."""

    layers: dict[str, Any]
    """Bands and indices by name: float32 [N], NaN where undefined."""
    truth: dict[str, Any]
    """By target: int8 [N], 1 target, 0 not, -1 unknown."""

    def share(self, target: str) -> float:
        """Return the share of a target in the pixels that are known; NaN without any."""
        is_known = self.truth[target][self.truth[target] != UNKNOWN]
        return float(is_known.mean()) if is_known.size else float("nan")


def sample_pixels(
    tiles: TrainTiles, targets: Sequence[str], indices: Sequence[str], *, seed: int = 0, count: int = SAMPLE_PX
) -> PixelSample:
    """Draw pixels evenly from all train tiles.

    Args:
        tiles: To draw from.
        targets: Ids.
        indices: To compute beside the bands.
        seed: Of the draw.
        count: About how many pixels, all tiles together.
    """
    generator = np.random.default_rng(seed)
    parts = []
    for scene, labels in tiles:
        valid = np.flatnonzero(scene.spex.valid.values)
        drawn = generator.choice(valid, min(len(valid), -(-count // len(tiles))), replace=False)
        layers = {name: layer.ravel()[drawn] for name, layer in layers_of(scene, tiles.bands, indices).items()}
        unknown = np.full(len(drawn), UNKNOWN, np.int8)
        truth = {name: labels[name].ravel()[drawn] if name in labels else unknown for name in targets}
        parts.append((layers, truth))
    return PixelSample(_joined([layers for layers, _ in parts]), _joined([truth for _, truth in parts]))


def layers_of(scene: xr.Dataset, bands: Sequence[str], indices: Sequence[str]) -> dict[str, Any]:
    """Return bands and indices by name: float32 [H, W], NaN where there are no data or the index is undefined."""
    valid = scene.spex.valid.values
    layers = {band: np.where(valid, scene[band].values, np.float32(np.nan)).astype(np.float32) for band in bands}
    index_layers = compute_indices(scene, list(indices)) if indices else {}
    return layers | {name: index_layers[name].values for name in indices}


def possible(indices: Sequence[str], bands: Sequence[str]) -> tuple[str, ...]:
    """Return those of the indices that need no other bands."""
    return tuple(name for name in dict.fromkeys(indices) if set(index_info(name).bands) <= set(bands))


def positive_weight(share: float) -> float:
    """Return what a pixel of the target weighs, for others to weigh 1: sqrt((1 - f) / f) for its share f.

    Full balance, (1 - f) / f, paints rare targets everywhere; none at all leaves them out.
    """
    return float(np.sqrt((1 - share) / share))


def require_askable(model: Any, tile: xr.Dataset, targets: Sequence[str], prompts: Sequence[str]) -> None:
    """Refuse what a baseline was not fitted for.

    Raises:
        ValueError: If targets and prompts do not pair.
        TargetError: If it was not fitted for a target.
        MissingBandError: If the tile lacks a band.
    """
    if len(targets) != len(prompts) or not targets:
        raise ValueError(f"{len(targets)} targets and {len(prompts)} prompts; expected one prompt for each target.")
    unknown = [target for target in targets if target not in model.card.targets]
    if unknown:
        raise TargetError(
            f"The baseline {model.id!r} was not fitted for a target",
            found=", ".join(unknown),
            expected=f"some of {', '.join(model.card.targets) or 'none'}",
            fix="Fit it on a dataset whose train split knows this target.",
        )
    missing = [band for band in model.card.required_bands if band not in tile.spex.bands]
    if missing:
        raise MissingBandError(
            f"The baseline {model.id!r} was fitted on bands that the tile lacks",
            found=", ".join(tile.spex.bands),
            expected=", ".join(model.card.required_bands),
            fix="Fit it on the bands that all tiles have: bands=…",
        )


def _joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
