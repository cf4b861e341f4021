"""The condensed tokens that ask the mask decoder for a target.

Hidden states of the language model are selected and pooled (token context condensation). Learned queries of the targets
can stand in their place: they train the image side without words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spex_nb.model.losses import IGNORED_TOKEN


class Condensation(nn.Module):
    """Pools tokens to a fixed number, and maps them to the width of the mask decoder.

    Args:
        hidden_size: Width of the language model.
        embed_dim: Width of the mask decoder.
        num_tokens: Number of condensed tokens.
        widths: Widths of the two hidden layers; 8 and 2 times ``embed_dim`` by default, as released.
    """

    def __init__(
        self, hidden_size: int, embed_dim: int, num_tokens: int = 4, widths: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        widths = widths or (8 * embed_dim, 2 * embed_dim)
        self.num_tokens = num_tokens
        self.mlp = nn.Sequential(
            nn.Linear(hidden_size, widths[0]),
            nn.ReLU(),
            nn.Linear(widths[0], widths[1]),
            nn.ReLU(),
            nn.Linear(widths[1], embed_dim),
        )

    def pool(self, samples: Sequence[Tensor]) -> Tensor:
        """Average the tokens of each sample, float [l, D], in ``num_tokens`` spans of about the same length.

        Returns:
            float [N, num_tokens, D].
        """
        return torch.stack([F.adaptive_avg_pool1d(tokens.T, self.num_tokens).T for tokens in samples])

    def forward(self, samples: Sequence[Tensor]) -> Tensor:
        """Condense the tokens of each sample, float [l, D] of any precision, to float [N, num_tokens, embed_dim]."""
        condensed: Tensor = self.mlp(self.pool(samples).to(next(self.parameters()).dtype))
        return condensed


class TargetQueries(nn.Embedding):
    """Learned tokens for each target of a configuration, which ask for it without words.

    Condensed tokens are drawn to them in later stages, so that language takes over what the decoder has learned.

    Args:
        targets: Number of targets.
        num_tokens: Tokens of each target, as many as are condensed.
        dim: Width of the mask decoder.
    """

    def __init__(self, targets: int, num_tokens: int, dim: int) -> None:
        super().__init__(targets, num_tokens * dim)
        self.num_tokens = num_tokens

    def forward(self, target_index: Tensor) -> Tensor:
        """Return the tokens of targets int [N]: float [N, T, D].

        Raises:
            ValueError: If there is no such target.
        """
        if len(target_index) and not 0 <= int(target_index.min()) <= int(target_index.max()) < self.num_embeddings:
            raise ValueError(
                f"target_index is {target_index.tolist()}; expected numbers from 0 to {self.num_embeddings - 1}, the "
                "configuration's targets; -1 for another only beside input_ids."
            )
        return super().forward(target_index).unflatten(1, (self.num_tokens, -1))

    def distance(self, condensed: Tensor, target_index: Tensor) -> Tensor:
        """Measure how far condensed tokens are from the queries of their targets, which do not move.

        Args:
            condensed: float [N, T, D].
            target_index: int [N]; prompts with target -1 count for nothing.

        Returns:
            Mean squared distance, in units of the mean square of all queries; 0 where no prompt has a target.
        """
        has_target = target_index != -1
        if not has_target.any():
            return condensed.sum() * 0
        queries = self(target_index[has_target]).detach()
        all_queries = self(torch.arange(self.num_embeddings, device=target_index.device)).detach()
        return (condensed[has_target] - queries).square().mean() / all_queries.square().mean()


def choose_prompt(
    input_ids: Tensor, attention_mask: Tensor | None, labels: Tensor | None, image_token_id: int
) -> Tensor:
    """Choose the text after the image: the instruction and its attributes, without the answer.

    Args:
        input_ids: int [N, L].
        attention_mask: int [N, L], 0 at padding; None without padding.
        labels: int [N, L], the tokens of the answer, -100 elsewhere; None without an answer.
        image_token_id: The token that stands for a visual token.

    Returns:
        bool [N, L].
    """
    is_text = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
    is_answer = torch.zeros_like(is_text) if labels is None else labels != IGNORED_TOKEN
    is_after = (input_ids == image_token_id).flip(1).cumsum(1).flip(1) == 0  # no image token follows, itself included
    return is_text & is_after & ~is_answer


def choose_answer(labels: Tensor | None, ends: Sequence[int]) -> Tensor:
    """Choose the answer without the tokens that end it.

    Args:
        labels: int [N, L], the tokens of the answer, -100 elsewhere.
        ends: Tokens that end an answer.

    Returns:
        bool [N, L].

    Raises:
        ValueError: If there is no answer.
    """
    if labels is None:
        raise ValueError(
            "This model condenses the answer (source='answer'), and there is none. Call generate, or pass labels."
        )
    return (labels != IGNORED_TOKEN) & ~torch.isin(labels, labels.new_tensor(ends))


def select_tokens(hidden: Tensor, chosen: Tensor) -> list[Tensor]:
    """Select the hidden states that are condensed.

    Args:
        hidden: float [N, L, D], the last layer after its norm.
        chosen: bool [N, L], the positions.

    Returns:
        For each sample float [l, D] in the order of the text.

    Raises:
        ValueError: If a sample has no chosen position.
    """
    counts = chosen.sum(1).tolist()
    if 0 in counts:
        raise ValueError(
            f"There are no tokens to condense in sample {counts.index(0)} of {len(counts)}; expected at least one. "
            "Give an instruction; with source='answer', an answer of at least one token."
        )
    return list(hidden[chosen].split(counts))


def select_read(generated: Any, chosen: Tensor) -> list[Tensor]:
    """Select hidden states of the prompts that transformers' ``generate`` started from.

    Args:
        generated: Output of ``generate``, with hidden states.
        chosen: bool [N, L], positions of the prompts.

    Returns:
        For each generated sequence float [l, D]; several sequences may start from one prompt.
    """
    first_step = generated.hidden_states[0][-1]  # one row for each beam
    prompts = select_tokens(first_step[:: len(first_step) // len(chosen)], chosen)
    copies = len(generated.sequences) // len(chosen)
    return [tokens for tokens in prompts for _ in range(copies)]


def select_new(generated: Any, ends: Sequence[int]) -> list[Tensor]:
    """Select the hidden states at all new tokens, except the last one and those that end an answer.

    Args:
        generated: Output of transformers' ``generate``, with hidden states.
        ends: Tokens that end an answer.

    Returns:
        For each sequence float [l, D].

    Raises:
        ValueError: If ``generate`` searched beams, or wrote only one token.
    """
    if generated.get("beam_indices") is not None:
        raise ValueError(
            "Beams are not kept apart where the answer is condensed; expected one. Pass num_beams=1, or use "
            "a model with source='prompt'."
        )
    if len(generated.hidden_states) < 2:  # noqa: PLR2004 (the last token's state is never computed)
        raise ValueError("One token was generated, which leaves none to condense. Allow at least two new tokens.")
    steps = torch.cat([step[-1][:, -1:] for step in generated.hidden_states[1:]], 1)  # at tokens 1 .. n - 1
    tokens = generated.sequences[:, : steps.shape[1]]
    is_answer = torch.isin(tokens, tokens.new_tensor(ends)).cumsum(1) == 0  # neither the end nor the padding after it
    is_answer[:, 0] = True
    return select_tokens(steps, is_answer)


def require_left(attention_mask: Tensor) -> None:
    """Raise unless prompts end at their last position, where generation starts.

    Args:
        attention_mask: bool or int [N, L], 0 at padding.

    Raises:
        ValueError: If a prompt is padded on the right.
    """
    if not attention_mask[:, -1].all():
        raise ValueError(
            "The prompts are filled up on the right, so that generation would start after the fill; expected them "
            "filled up on the left. Pass padding_side='left' to SpexProcessor."
        )
