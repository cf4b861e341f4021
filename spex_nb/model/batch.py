"""Images and prompts of a batch: images are grouped by size and prompts by length, so that padding costs little."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from spex_nb.model.outputs import ImageFeatures

LENGTH_BUCKETS = 4
"""Groups of a training batch by prompt length. More groups save little, and each costs a pass."""


class Images(NamedTuple):
    """The images of a batch, as `SpexModel.encode_image` takes them."""

    pixel_values: Tensor
    """float [M, B, H, W], normalised; NaN where there is no data."""
    wavelengths_um: Tensor | None = None
    """float [B, 2] or [M, B, 2], centre and width of the bands in micrometres."""
    index_values: Tensor | None = None
    """float [M, I, H, W], see `INDICES` and `PRIOR_TARGETS` in `runtime.channels`."""
    gsd_m: Tensor | None = None
    """float [M], ground sampling distance in metres, NaN where unknown."""

    def hidden(self, where: Tensor) -> Images:
        """Return the images with some pixels, bool [M, 1, H, W], set to no data."""
        indices = self.index_values
        return self._replace(
            pixel_values=self.pixel_values.masked_fill(where, torch.nan),
            index_values=None if indices is None else indices.masked_fill(where, torch.nan),
        )

    def by_size(self, sizes: Tensor) -> Iterator[tuple[Tensor, Images]]:
        """Yield the images of each size, cut to it, with their numbers in the batch, int [m].

        Args:
            sizes: int [M, 2], (height, width) of each image, which lies in the upper left corner of its pixels.

        Raises:
            ValueError: If there is not one size for each image, or a size exceeds the pixels.
        """
        self._require_inside(sizes)
        for size in torch.unique(sizes, dim=0):
            members = (sizes == size).all(1).nonzero()[:, 0]
            yield members, self._part(members, *size.tolist())

    def _require_inside(self, sizes: Tensor) -> None:
        count, largest = len(self.pixel_values), self.pixel_values.shape[-2:]
        if tuple(sizes.shape) != (count, 2) or (sizes < 1).any() or (sizes > sizes.new_tensor(largest)).any():
            raise ValueError(
                f"image_sizes is {sizes.tolist()}; expected (height, width) of each of {count} images, from (1, 1) to "
                f"{tuple(largest)}, the size of pixel_values."
            )

    def _part(self, members: Tensor, height: int, width: int) -> Images:
        waves, indices, gsd = self.wavelengths_um, self.index_values, self.gsd_m
        is_shared = waves is None or waves.ndim == 2 or len(waves) == 1  # noqa: PLR2004 ([B, 2])
        return Images(
            self.pixel_values[members, :, :height, :width],
            waves if waves is None or is_shared else waves[members],
            None if indices is None else indices[members, :, :height, :width],
            None if gsd is None else gsd[members],
        )


class PromptFeatures(NamedTuple):
    """The image features of those prompts whose images have one size."""

    rows: Tensor
    """int [n], numbers of the prompts in the batch."""
    features: ImageFeatures
    """Of the image of each of these prompts."""

    def repeated(self, copies: int) -> PromptFeatures:
        """Return the features of a batch in which every prompt stands ``copies`` times in a row."""
        steps = torch.arange(copies, device=self.rows.device)
        return PromptFeatures((self.rows[:, None] * copies + steps).flatten(), self.features.repeated(copies))

    def among(self, selected: Tensor) -> PromptFeatures:
        """Return the features of a batch of only the selected prompts, bool [N], numbered from 0 again."""
        is_selected = selected[self.rows]
        rows = (selected.cumsum(0) - 1)[self.rows[is_selected]]
        return PromptFeatures(rows, self.features.of(is_selected.nonzero()[:, 0]))


def encode_by_size(
    encode: Callable[..., ImageFeatures],
    images: Images | None,
    features: ImageFeatures | None,
    image_index: Tensor | None = None,
    image_sizes: Tensor | None = None,
) -> list[PromptFeatures]:
    """Encode the images of a batch, and assign the features to the prompts.

    Args:
        encode: `SpexModel.encode_image`.
        images: The pixels; None where ``features`` are given.
        features: Features that were computed before; None where ``images`` are given.
        image_index: int [N], the image of each prompt; prompt i has image i if not given.
        image_sizes: int [M, 2], see `Images.by_size`; all images fill their pixels if not given.

    Returns:
        One `PromptFeatures` for each size of image.

    Raises:
        ValueError: If there are both images and features, or neither; or if ``image_index`` names a missing image.
    """
    if (images is None) == (features is None):
        raise ValueError("Pass either pixel_values or features.")
    count = len(features.tokens) if images is None else len(images.pixel_values)  # type: ignore[union-attr]
    _require_numbers(image_index, count)
    if images is None or image_sizes is None:
        encoded = (features or encode(*images)).of(image_index)  # type: ignore[misc]
        return [PromptFeatures(torch.arange(len(encoded.tokens), device=encoded.tokens.device), encoded)]
    index = torch.arange(count, device=image_sizes.device) if image_index is None else image_index
    groups = []
    for members, group in images.by_size(image_sizes):
        rows = torch.isin(index, members).nonzero()[:, 0]
        groups.append(PromptFeatures(rows, encode(*group).of(torch.searchsorted(members, index[rows]))))
    return groups


def _require_numbers(image_index: Tensor | None, count: int) -> None:
    if image_index is not None and len(image_index) and not 0 <= image_index.min() <= image_index.max() < count:
        raise ValueError(f"image_index is {image_index.tolist()}; expected numbers from 0 to {count - 1}.")


def require_pairs(groups: Sequence[PromptFeatures], prompts: int) -> None:
    """Raise unless each prompt has an image.

    Raises:
        ValueError: If the numbers of prompts and of their images differ.
    """
    images = sum(len(rows) for rows, _ in groups)
    if images != prompts:
        raise ValueError(
            f"{prompts} prompts see {images} images; expected an image each, or image_index, which names the image of "
            "each prompt by its number from 0 on."
        )


def require_wanted(mask_wanted: Tensor, prompts: int) -> None:
    """Raise unless ``mask_wanted`` marks which of the prompts get a mask, at least one of them.

    Raises:
        ValueError: If it is not bool [prompts], or all False.
    """
    if mask_wanted.dtype != torch.bool or mask_wanted.shape != (prompts,) or not mask_wanted.any():
        raise ValueError(f"mask_wanted is {mask_wanted.tolist()}; expected bool [{prompts}] with one True at least.")


def insert_visual(embedded: Tensor, is_image: Tensor, rows: Tensor, visual: Tensor) -> Tensor:
    """Replace the image tokens of some prompts by visual tokens.

    Args:
        embedded: float [N, L, D], embedded tokens of all prompts.
        is_image: bool [N, L], True at image tokens.
        rows: int [n], the prompts.
        visual: float [n, S, D], the visual tokens of the image of each of these prompts.

    Returns:
        float [N, L, D].

    Raises:
        ValueError: If a prompt has another number of image tokens than its image has cells.
    """
    counts, cells = is_image[rows].sum(1), visual.shape[1]
    if (counts != cells).any():
        raise ValueError(
            f"The prompts hold {counts.tolist()} image tokens, the image has {cells} cells. Prompts need the image "
            "placeholder once; SpexProcessor repeats it as often as there are cells."
        )
    places = torch.zeros_like(is_image)
    places[rows] = is_image[rows]
    return embedded.masked_scatter(places.unsqueeze(-1), visual.to(embedded.dtype))


def length_buckets(attention_mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Group the prompts of a batch by their length.

    Args:
        attention_mask: int [N, L], 0 at padding, on either side.

    Yields:
        The prompts int [n, 1], and the places int [l] at which at least one of them has a token.
    """
    is_token = attention_mask.bool()
    for rows in is_token.sum(1).argsort().tensor_split(LENGTH_BUCKETS):
        if len(rows):
            yield rows[:, None], is_token[rows].any(0).nonzero()[:, 0]


def forward_in_buckets(forward: Callable[..., Tensor], attention_mask: Tensor, **inputs: Tensor) -> Tensor:
    """Run a batch bucket by bucket; the result equals that of one pass over the whole batch.

    Args:
        forward: From inputs and their mask to float [n, l, D].
        attention_mask: int [N, L], 0 at padding.
        **inputs: Each [N, L, …].

    Returns:
        float [N, L, D], 0 at padding outside of a bucket.
    """
    parts = []
    for place in length_buckets(attention_mask):
        part_inputs = {name: values[place] for name, values in inputs.items()}
        parts.append((place, forward(attention_mask=attention_mask[place], **part_inputs)))
    _, first = parts[0]
    whole = first.new_zeros(*attention_mask.shape, first.shape[-1])
    for place, part in parts:
        whole[place] = part
    return whole


def require_device(values: Tensor, name: str, model: PreTrainedModel) -> None:
    """Raise unless an input lies on the device of its model. Accelerate moves the inputs of a spread model itself.

    Raises:
        ValueError: If it lies on another device.
    """
    if values.device.type != model.device.type and getattr(model, "hf_device_map", None) is None:
        raise ValueError(
            f"{name} is on {values.device}, the model on {model.device}; expected the same device. Move it with "
            ".to(model.device)."
        )
