"""The images of a batch, which may be of several sizes: taken apart by size, so that none is filled up for another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from spex_nb.model.outputs import ImageFeatures


class Images(NamedTuple):
    """What `SpexModel.encode_image` takes: pixels, and what is known of them."""

    pixel_values: Tensor
    """float [M, B, H, W], normalised; NaN where there is no data."""
    wavelengths_um: Tensor | None = None
    """float [B, 2] or [M, B, 2], centre and width of the bands."""
    index_values: Tensor | None = None
    """float [M, 4, H, W], see `stem.INDICES`."""
    gsd_m: Tensor | None = None
    """float [M], ground sampling distance, NaN where unknown."""

    def hidden(self, where: Tensor) -> Images:
        """Return the images without some pixels, bool [M, 1, H, W]."""
        indices = self.index_values
        return self._replace(
            pixel_values=self.pixel_values.masked_fill(where, torch.nan),
            index_values=None if indices is None else indices.masked_fill(where, torch.nan),
        )

    def by_size(self, sizes: Tensor | None) -> Iterator[tuple[Tensor, Images]]:
        """Yield the images of each size, cut to it, behind their numbers, int [m].

        Args:
            sizes: int [M, 2], (height, width) of each image, the upper left part of its pixels; None for all of them.
        """
        everything = torch.arange(len(self.pixel_values), device=self.pixel_values.device)
        if sizes is None:
            yield everything, self
            return
        for size in torch.unique(sizes, dim=0):
            members = everything[(sizes == size).all(1)]
            yield members, self._part(members, *size.tolist())

    def _part(self, members: Tensor, height: int, width: int) -> Images:
        waves, indices, gsd = self.wavelengths_um, self.index_values, self.gsd_m
        return Images(
            self.pixel_values[members, :, :height, :width],
            waves if waves is None or waves.ndim == 2 or len(waves) == 1 else waves[members],  # noqa: PLR2004 ([B, 2])
            None if indices is None else indices[members, :, :height, :width],
            None if gsd is None else gsd[members],
        )


class Sight(NamedTuple):
    """What some prompts of a batch see: images of one size."""

    rows: Tensor
    """int [n], the prompts."""
    features: ImageFeatures
    """Of the image of each of them."""

    def repeated(self, copies: int) -> Sight:
        """Return the sight of as many prompts, each several times in a row."""
        steps = torch.arange(copies, device=self.rows.device)
        return Sight((self.rows[:, None] * copies + steps).flatten(), self.features.repeated(copies))
