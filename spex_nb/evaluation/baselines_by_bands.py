"""One baseline for tiles of different bands: each tile is given to the member that was fitted on all that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import xarray as xr

from spex_nb.errors import MissingBandError
from spex_nb.extraction.mask_models import EvidenceExplainer
from spex_nb.types import MaskModel, ModelCard


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
