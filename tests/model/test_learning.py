"""What learns in each stage of training, and that a few steps suffice where there is little to learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spex_nb.model import SpexModel
from spex_nb.model.runtime.channels import INDEX_CHANNELS
from spex_nb.training.stage import make_stage
from tests.model.test_modeling import CELLS, IMAGE, WAVES, answered, make

pytestmark = pytest.mark.slow


def everything() -> dict[str, Any]:
    """Return a batch with all that a prompt may come with, so that every parameter has something to do."""
    prior, cells = torch.rand(2, 64, 64), torch.zeros(2, 4, 4, dtype=torch.bool)
    prior[1], cells[:, 1:3, 1:3] = torch.nan, True
    return answered() | {
        "points_frac": torch.rand(2, 5, 2),
        "point_kinds": torch.tensor([[0, 1, 2, 3, -1]] * 2),
        "prior": prior,
        "index_values": torch.rand(2, INDEX_CHANNELS, 64, 64),
        "gsd_m": torch.tensor([10.0, 30.0]),
        "hidden_cells": cells,
        "target_index": torch.tensor([0, 1]),
    }


@pytest.mark.parametrize(
    ("kind", "source"), [("pretrain", "prompt"), ("align", "prompt"), ("instruct", "prompt"), ("instruct", "answer")]
)
def test_all_that_learns_in_a_stage_gets_a_gradient_and_nothing_else(kind: str, source: str) -> None:
    stage = make_stage({"kind": kind, "data": "", "out": ""})
    model = make(
        condensation_config={"source": source},
        stem_config={"index_channels": True, "gsd": True},
        targets=("water", "vegetation"),
        reconstruction_weight=0.5,
    ).train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(stage.learns(name))
    words = ("input_ids", "attention_mask", "labels")
    given = {name: value for name, value in everything().items() if kind != "pretrain" or name not in words}
    model(**given).loss.backward()
    moved = {name for name, one in model.named_parameters() if one.grad is not None and one.grad.any()}
    learning = {name for name, _ in model.named_parameters() if stage.learns(name)}
    assert learning
    assert moved == learning


def four_tiles() -> dict[str, Any]:
    """Return four tiles of square fields, each asked two questions: where is the first band high, where the second."""
    torch.manual_seed(0)
    fields = torch.randn(4, 4, 4, 4).sign().repeat_interleave(16, 2).repeat_interleave(16, 3)
    tiles = torch.arange(4).repeat_interleave(2)
    bands = torch.arange(2).repeat(4)
    asked = torch.stack([torch.full((8,), 5), *[torch.full((8,), IMAGE)] * CELLS, 7 + 2 * bands, 8 + 2 * bands], 1)
    return {
        "pixel_values": fields + 0.1 * torch.randn(4, 4, 64, 64),
        "wavelengths_um": WAVES,
        "image_index": tiles,
        "input_ids": torch.cat([asked, 30 + 10 * bands[:, None], 31 + 10 * bands[:, None]], 1),
        "mask_labels": (fields[tiles, bands] > 0).float(),
    }


def fit(model: SpexModel, given: dict[str, Any], steps: int) -> None:
    """Train with the prior of the other question, or without one, half of the time: only the prompt tells."""
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    own = given["mask_labels"]
    for step in range(steps):
        prior = (own, swapped(own), torch.full_like(own, torch.nan), None)[step % 4]
        loss = model.train()(**given, prior=prior).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()


def swapped(priors: torch.Tensor) -> torch.Tensor:
    """Return for each question the prior of the other one on the same tile."""
    return priors.unflatten(0, (4, 2)).flip(1).flatten(0, 1)


def test_a_few_steps_fit_masks_and_words_of_four_tiles_and_the_mask_follows_the_prompt() -> None:
    model, given = make(aggregation_dropout=0.0), four_tiles()
    is_answer = torch.arange(given["input_ids"].shape[1]) >= CELLS + 3
    fit(model, given | {"labels": torch.where(is_answer, given["input_ids"], -100)}, steps=80)
    masks = given.pop("mask_labels")
    asked = given | {"input_ids": given["input_ids"][:, : CELLS + 3]}
    for prior in (masks, swapped(masks), None):
        assert ((model.segment(**asked, prior=prior) > 0) == masks.bool()).float().mean() > 0.95
    written = model.generate(**asked, max_new_tokens=2, do_sample=False)
    assert written.sequences.tolist() == given["input_ids"][:, CELLS + 3 :].tolist()
