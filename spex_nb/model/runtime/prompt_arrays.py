"""What a network is asked, in numpy: tokens of prompts with their visual tokens, priors, points and boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

IMAGE_TOKEN = "<image>"
"""Stands once in a prompt where the visual tokens of its image go."""
BOX_CORNERS = (2, 3)
NOT_A_POINT = -1


class PromptPoints(NamedTuple):
    """Points and corners of boxes of N prompts, filled up with points that are none."""

    shares: NDArray[np.float32]
    """float32 [N, P, 2], (x, y) as shares of width and height of the image."""
    kinds: NDArray[np.int64]
    """int64 [N, P]: 0 is not the target, 1 is the target, 2 and 3 are corners of a box, -1 is no point."""


def prompt_tokens(prompt: str, encode: Callable[[str], list[int]], image_token_id: int, cells: int) -> list[int]:
    """Return the tokens of a prompt, the image token once for each cell of its image.

    Args:
        prompt: From `build_prompt`.
        encode: Returns the tokens of a text, without special ones around it.
        image_token_id: Of the tokenizer.
        cells: Number of visual tokens of the image.

    Raises:
        ValueError: If the prompt does not hold the image token once.
    """
    ids = encode(prompt)
    if ids.count(image_token_id) != 1:
        raise ValueError(
            f"The prompt holds {IMAGE_TOKEN} {ids.count(image_token_id)} times: {prompt[:60]!r}; expected once. "
            "build_prompt puts it there."
        )
    at = ids.index(image_token_id)
    return [*ids[:at], *[image_token_id] * cells, *ids[at + 1 :]]


def require_length(longest: int, cells: int, most: int) -> None:
    """Raise if a prompt has too many tokens.

    Args:
        longest: Tokens of the longest prompt, visual ones included.
        cells: Most visual tokens of a prompt.
        most: Most tokens that the model reads.

    Raises:
        ValueError: If it is longer.
    """
    if longest > most:
        raise ValueError(
            f"The longest prompt has {longest} tokens, up to {cells} of them visual; expected at most "
            f"{most}. Use smaller tiles, or build_prompt(…, max_tokens=…), which drops small regions."
        )


def prior_array(prior: Any, shape: tuple[int, int], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a prior [h, w] on the grid of its image, filled up to [H, W] with NaN; None is NaN all over.

    Args:
        prior: Mask [h, w], or None.
        shape: (h, w) of the image.
        size: (H, W) to fill up to.

    Raises:
        ValueError: If the prior is of another shape than its image.
    """
    require_fitting_prior(prior, shape)
    filled = np.full(size, np.nan, np.float32)
    if prior is not None:
        filled[: shape[0], : shape[1]] = np.asarray(prior, np.float32)
    return filled


def require_fitting_prior(prior: Any, shape: tuple[int, int]) -> None:
    """Raise unless a prior is None, or a mask [h, w] of its image's shape.

    Raises:
        ValueError: If it is of another shape.
    """
    if prior is not None and np.shape(prior) != tuple(shape):
        raise ValueError(f"A prior of {np.shape(prior)} pixels does not fit its image; expected {tuple(shape)}.")


def prompt_points(
    points: Sequence[Sequence[tuple[float, float, bool]]],
    boxes: Sequence[Sequence[tuple[float, float, float, float]]],
    shapes: Sequence[tuple[int, int]],
) -> PromptPoints:
    """Return points and corners of boxes as shares of each prompt's image.

    Args:
        points: For each prompt points (x, y, is the target) in pixels.
        boxes: For each prompt boxes (x0, y0, x1, y1) in pixels.
        shapes: For each prompt (height, width) of its image.
    """
    rows = []
    for clicks, frames in zip(points, boxes, strict=True):
        row = [(x, y, int(is_target)) for x, y, is_target in clicks]
        for x0, y0, x1, y1 in frames:
            row += [(x0, y0, BOX_CORNERS[0]), (x1, y1, BOX_CORNERS[1])]
        rows.append(row)
    most = max(1, *map(len, rows))
    table = np.array([row + [(0.0, 0.0, NOT_A_POINT)] * (most - len(row)) for row in rows], np.float32)
    sides = np.array(shapes, np.float32)[:, None, ::-1]
    return PromptPoints(table[..., :2] / sides, table[..., 2].astype(np.int64))
