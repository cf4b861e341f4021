"""What each prompt of a batch sees and where it goes in the prompt: features of images, one size at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from spex_nb.model.batch import Images
from spex_nb.model.outputs import ImageFeatures


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

    def among(self, kept: Tensor) -> Sight:
        """Return the sight of some of all prompts, bool [N], which are numbered anew."""
        own = kept[self.rows]
        return Sight((kept.cumsum(0) - 1)[self.rows[own]], self.features.of(own.nonzero()[:, 0]))


def look(
    encode: Callable[..., ImageFeatures],
    images: Images | None,
    features: ImageFeatures | None,
    image_index: Tensor | None = None,
    image_sizes: Tensor | None = None,
) -> list[Sight]:
    """Return what the prompts see: a `Sight` for each size of image.

    Args:
        encode: `SpexModel.encode_image`.
        images: Pixels and what is known of them; or
        features: What was made of them before.
        image_index: int [N], the image of each prompt; one each if not given.
        image_sizes: int [M, 2], see `Images.by_size`.

    Raises:
        ValueError: If there are both pixels and features, or neither; or an image is named that is not there.
    """
    if (images is None) == (features is None):
        raise ValueError("Pass either pixel_values or features.")
    known = len(features.tokens) if images is None else len(images.pixel_values)  # type: ignore[union-attr]
    _require_known(image_index, known)
    if images is None or image_sizes is None:
        seen = (features or encode(*images)).of(image_index)  # type: ignore[misc]
        return [Sight(torch.arange(len(seen.tokens), device=seen.tokens.device), seen)]
    index = torch.arange(known, device=image_sizes.device) if image_index is None else image_index
    sights = []
    for members, own in images.by_size(image_sizes):
        rows = torch.isin(index, members).nonzero()[:, 0]
        sights.append(Sight(rows, encode(*own).of(torch.searchsorted(members, index[rows]))))
    return sights


def _require_known(image_index: Tensor | None, count: int) -> None:
    if image_index is not None and len(image_index) and not 0 <= image_index.min() <= image_index.max() < count:
        raise ValueError(f"image_index is {image_index.tolist()}; expected numbers from 0 to {count - 1}.")


def require_pairs(seen: Sequence[Sight], prompts: int) -> None:
    """Raise unless each prompt sees an image.

    Raises:
        ValueError: If there are more or fewer.
    """
    images = sum(len(rows) for rows, _ in seen)
    if images != prompts:
        raise ValueError(
            f"{prompts} prompts see {images} images; expected an image each, or image_index, which names the image of "
            "each prompt by its number from 0 on."
        )


def require_wanted(mask_wanted: Tensor, prompts: int) -> None:
    """Raise unless it says of each prompt whether a mask is wanted, and of one at least that it is.

    Raises:
        ValueError: If it does not.
    """
    if mask_wanted.dtype != torch.bool or mask_wanted.shape != (prompts,) or not mask_wanted.any():
        raise ValueError(f"mask_wanted is {mask_wanted.tolist()}; expected bool [{prompts}] with one True at least.")


def insert_visual(embedded: Tensor, is_image: Tensor, rows: Tensor, visual: Tensor) -> Tensor:
    """Put the visual tokens of some prompts in the place of their image tokens.

    Args:
        embedded: float [N, L, D], tokens of all prompts.
        is_image: bool [N, L].
        rows: int [n], the prompts.
        visual: float [n, S, D], the cells of the image of each.

    Returns:
        float [N, L, D].

    Raises:
        ValueError: If one of them has another number of image tokens than its image has cells.
    """
    counts, cells = is_image[rows].sum(1), visual.shape[1]
    if (counts != cells).any():
        raise ValueError(
            f"The prompts hold {counts.tolist()} image tokens, the image has {cells} cells. Prompts need the image "
            "placeholder once; SpexProcessor repeats it as often as there are cells."
        )
    own = torch.zeros_like(is_image)
    own[rows] = is_image[rows]
    return embedded.masked_scatter(own.unsqueeze(-1), visual.to(embedded.dtype))
