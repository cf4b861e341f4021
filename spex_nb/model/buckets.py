"""Prompts of about the same length are read together, so that short ones are not filled up to the longest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

BUNCHES = 4
"""Of a batch: with more, little is saved, and each costs a pass of its own."""


def bunches_of(attention_mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield prompts int [n, 1] and the places int [l] at which one of them, at least, has a token.

    Args:
        attention_mask: int [N, L], 0 where a prompt is filled up, on whichever side.
    """
    filled = attention_mask.bool()
    for rows in filled.sum(1).argsort().tensor_split(BUNCHES):
        if len(rows):
            yield rows[:, None], filled[rows].any(0).nonzero()[:, 0]


def read_in_bunches(read: Callable[..., Tensor], attention_mask: Tensor, **inputs: Tensor) -> Tensor:
    """Read a batch bunch by bunch, to the same end as at once.

    Args:
        read: From inputs and their mask to float [n, l, D].
        attention_mask: int [N, L].
        **inputs: Each [N, L, …].

    Returns:
        float [N, L, D]; anything where a prompt is filled up.
    """
    parts = [
        (at, read(attention_mask=attention_mask[at], **{name: given[at] for name, given in inputs.items()}))
        for at in bunches_of(attention_mask)
    ]
    _, first = parts[0]
    whole = first.new_zeros(*attention_mask.shape, first.shape[-1])
    for at, part in parts:
        whole[at] = part
    return whole
