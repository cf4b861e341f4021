"""Which hidden states are condensed: those of the prompt, or those of the answer; in training as in inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spex_nb.model.losses import NOT_TOLD


def choose_prompt(
    input_ids: Tensor, attention_mask: Tensor | None, labels: Tensor | None, image_token_id: int
) -> Tensor:
    """Choose the instruction and its attributes: all text after the image, without the answer.

    Args:
        input_ids: int [N, L].
        attention_mask: int [N, L], 0 where a prompt is filled up.
        labels: int [N, L], the answer's tokens, -100 elsewhere.
        image_token_id: Stands where a visual token goes.

    Returns:
        bool [N, L].
    """
    is_text = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
    is_answer = torch.zeros_like(is_text) if labels is None else labels != NOT_TOLD
    is_after = (input_ids == image_token_id).flip(1).cumsum(1).flip(1) == 0  # no image token follows, itself included
    return is_text & is_after & ~is_answer


def choose_answer(labels: Tensor | None, ends: Sequence[int]) -> Tensor:
    """Choose the answer, but for the tokens that end it: bool [N, L] of labels int [N, L].

    Raises:
        ValueError: If there is no answer.
    """
    if labels is None:
        raise ValueError(
            "This model condenses the answer (source='answer'), and there is none. Call generate, or pass labels."
        )
    return (labels != NOT_TOLD) & ~torch.isin(labels, labels.new_tensor(ends))


def select_tokens(hidden: Tensor, chosen: Tensor) -> list[Tensor]:
    """Pick the hidden states that are condensed.

    Args:
        hidden: float [N, L, D], last layer, after its norm.
        chosen: bool [N, L], the positions: those of the prompt, or those of the answer.

    Returns:
        For each sample float [l, D] in the order of the text.

    Raises:
        ValueError: If a sample has none.
    """
    counts = chosen.sum(1).tolist()
    if 0 in counts:
        raise ValueError(
            f"There are no tokens to condense in sample {counts.index(0)} of {len(counts)}; expected at least one. "
            "Give an instruction; with source='answer', an answer of at least one token."
        )
    return list(hidden[chosen].split(counts))


def select_read(written: Any, chosen: Tensor) -> list[Tensor]:
    """Pick the hidden states of the prompts bool [N, L] that transformers' ``generate`` went on from.

    Returns:
        For each sequence that was written float [l, D]; several may go on from one prompt.
    """
    first = written.hidden_states[0][-1]  # once for each beam
    read = select_tokens(first[:: len(first) // len(chosen)], chosen)
    return [one for one in read for _ in range(len(written.sequences) // len(chosen))]


def select_new(written: Any, ends: Sequence[int]) -> list[Tensor]:
    """Pick the hidden states at all new tokens but the last and those that end an answer.

    Args:
        written: What transformers' ``generate`` gives, with hidden states.
        ends: Tokens that end an answer.

    Returns:
        For each sequence float [l, D].

    Raises:
        ValueError: If beams were searched, or one token only was written.
    """
    if written.get("beam_indices") is not None:
        raise ValueError(
            "Beams are not kept apart where the answer is condensed; expected one. Pass num_beams=1, or use "
            "a model with source='prompt'."
        )
    if len(written.hidden_states) < 2:  # noqa: PLR2004 (the last token's state is never computed)
        raise ValueError("One token was generated, which leaves none to condense. Allow at least two new tokens.")
    steps = torch.cat([step[-1][:, -1:] for step in written.hidden_states[1:]], 1)  # at tokens 1 .. n - 1
    said = written.sequences[:, : steps.shape[1]]
    is_told = torch.isin(said, said.new_tensor(ends)).cumsum(1) == 0  # neither the end nor the fill after it
    is_told[:, 0] = True
    return select_tokens(steps, is_told)


def require_left(attention_mask: Tensor) -> None:
    """Raise unless prompts bool or int [N, L] end where they are to be gone on from.

    Raises:
        ValueError: If one is filled up on the right.
    """
    if not attention_mask[:, -1].all():
        raise ValueError(
            "The prompts are filled up on the right, so that generation would start after the fill; expected them "
            "filled up on the left. Pass padding_side='left' to SpexProcessor."
        )
