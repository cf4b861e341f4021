"""One baseline for tiles of different bands: each tile is given to the member that was fitted on all that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from spex_nb.errors import MissingBandError
from spex_nb.extraction.mask_models import TILE_PX, EvidenceExplainer
from spex_nb.types import MaskModel


@dataclass
class ByBands(EvidenceExplainer):
    """A baseline fitted once for each set of bands; it reads no prompt, prior or click.

    Attributes:
        id: What all members are called.
        members: By the bands that they were fitted for.
        note: What was chosen for each.
    """

    id: str
    members: Mapping[frozenset[str], MaskModel]
    note: str = ""
    required_bands: tuple[str, ...] = ()
    gsd_m: float | None = None
    tile_px: int = TILE_PX

    def __post_init__(self) -> None:
        """Take targets from the members."""
        self.targets = tuple(dict.fromkeys(target for one in self.members.values() for target in one.targets))

    @property
    def parameters(self) -> int | None:
        """How many the largest member has; None where they do not say."""
        sizes = [size for one in self.members.values() if (size := getattr(one, "parameters", None)) is not None]
        return max(sizes, default=None)

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
