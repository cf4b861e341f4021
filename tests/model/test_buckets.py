"""Prompts are read in bunches of about the same length while a model is trained, to the same end as at once."""

from __future__ import annotations

import pytest
import torch

from spex_nb.model.buckets import bunches_of
from tests.model.test_modeling import batch, make

LENGTHS = (4, 9, 6, 30, 6, 5)


def filled_up(side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and mask of prompts of these lengths: int [6, 30] each."""
    ids, mask = torch.zeros(2, len(LENGTHS), max(LENGTHS), dtype=torch.long)
    for i, length in enumerate(LENGTHS):
        at = slice(length) if side == "right" else slice(-length, None)
        ids[i, at], mask[i, at] = torch.arange(5, 5 + length), 1
    return ids, mask


@pytest.mark.parametrize("side", ["right", "left"])
def test_states_and_gradients_are_those_of_all_at_once(side: str) -> None:
    model, (ids, mask) = make(), filled_up(side)
    known, states, gradients = mask.bool(), [], []
    for is_training in (False, True):
        model.train(is_training)
        model.zero_grad()
        states.append(model._hidden(model.get_input_embeddings()(ids), mask))
        states[-1][known].square().sum().backward()
        gradients.append([p.grad for p in model.language_model.get_decoder().parameters()])
    torch.testing.assert_close(states[1][known], states[0][known], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-4, rtol=1e-3)


def test_the_shortest_are_read_together_and_no_wider_than_they_are() -> None:
    _, mask = filled_up("left")
    bunches = [(rows.flatten().tolist(), len(places)) for rows, places in bunches_of(mask)]
    assert [width for _, width in bunches] == [5, 6, 9, 30]
    assert [sorted(LENGTHS[row] for row in rows) for rows, _ in bunches] == [[4, 5], [6, 6], [9], [30]]


def test_fewer_prompts_than_bunches_are_read_one_by_one() -> None:
    model = make().train()
    widths: list[int] = []
    model.language_model.get_decoder().register_forward_pre_hook(
        lambda _, __, given: widths.append(given["inputs_embeds"].shape[1]), with_kwargs=True
    )
    given = batch()
    model(**given)
    assert widths == [given["attention_mask"][1].sum(), given["attention_mask"][0].sum()]
