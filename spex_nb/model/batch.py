"""The images of a batch, which may be of several sizes: taken apart by size, so that none is filled up for another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

STRIDE = 32
"""The side of an image is filled up to a multiple of this; what is filled is cut from the mask again."""
CELL = 16
"""Pixels of the image under one cell of the map that language model and mask decoder share."""


def language_cells(size: Sequence[int], grid: int | None) -> tuple[int, int]:
    """Return how many rows and columns of visual tokens an image (height, width) has in a prompt."""
    rows, columns = (-(-side // STRIDE) * STRIDE // CELL for side in size)
    return (rows, columns) if grid is None else (min(rows, grid), min(columns, grid))


class Images(NamedTuple):
    """What `SpexModel.encode_image` takes: pixels, and what is known of them."""

    pixel_values: Tensor
    """float [M, B, H, W], normalised; NaN where there is no data."""
    wavelengths_um: Tensor | None = None
    """float [B, 2] or [M, B, 2], centre and width of the bands."""
    index_values: Tensor | None = None
    """float [M, I, H, W], see `stem.INDICES` and `stem.PRIOR_TARGETS`."""
    gsd_m: Tensor | None = None
    """float [M], ground sampling distance, NaN where unknown."""

    def hidden(self, where: Tensor) -> Images:
        """Return the images without some pixels, bool [M, 1, H, W]."""
        indices = self.index_values
        return self._replace(
            pixel_values=self.pixel_values.masked_fill(where, torch.nan),
            index_values=None if indices is None else indices.masked_fill(where, torch.nan),
        )

    def by_size(self, sizes: Tensor) -> Iterator[tuple[Tensor, Images]]:
        """Yield the images of each size, cut to it, behind their numbers, int [m].

        Args:
            sizes: int [M, 2], (height, width) of each image, the upper left part of its pixels.

        Raises:
            ValueError: If sizes are not those of the images, or larger than their pixels.
        """
        self._require_inside(sizes)
        for size in torch.unique(sizes, dim=0):
            members = (sizes == size).all(1).nonzero()[:, 0]
            yield members, self._part(members, *size.tolist())

    def _require_inside(self, sizes: Tensor) -> None:
        count, most = len(self.pixel_values), self.pixel_values.shape[-2:]
        if tuple(sizes.shape) != (count, 2) or (sizes < 1).any() or (sizes > sizes.new_tensor(most)).any():
            raise ValueError(
                f"image_sizes is {sizes.tolist()}; expected (height, width) of each of {count} images, from (1, 1) to "
                f"{tuple(most)}, which their pixels are."
            )

    def _part(self, members: Tensor, height: int, width: int) -> Images:
        waves, indices, gsd = self.wavelengths_um, self.index_values, self.gsd_m
        return Images(
            self.pixel_values[members, :, :height, :width],
            waves if waves is None or waves.ndim == 2 or len(waves) == 1 else waves[members],  # noqa: PLR2004 ([B, 2])
            None if indices is None else indices[members, :, :height, :width],
            None if gsd is None else gsd[members],
        )


def require_device(given: Tensor, name: str, model: PreTrainedModel) -> None:
    """Raise unless an input is where its model is; one that accelerate has spread gets its inputs moved.

    Raises:
        ValueError: If it is elsewhere.
    """
    if given.device.type != model.device.type and getattr(model, "hf_device_map", None) is None:
        raise ValueError(
            f"{name} is on {given.device}, the model on {model.device}; expected the same device. Move it with "
            ".to(model.device)."
        )
