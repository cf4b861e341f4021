"""What the model sees: images of several sizes and scales, thinned for the language model, or in part hidden."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch

from spex_nb.model import SpexModel
from spex_nb.model.batch import length_buckets
from spex_nb.model.runtime.channels import INDEX_CHANNELS, language_cells
from tests.model.test_modeling import IMAGE, WAVES, answered, batch, make

SIZES = ((64, 96), (40, 50))
DECODER = {"embed_dim": 32, "heads": 4, "mlp_dim": 64, "fine_channels": 8}


def mixed(grid: int | None) -> dict[str, Any]:
    """Return two images of two sizes in one batch, with all that a prompt may come with."""
    torch.manual_seed(1)
    pixels, prior = torch.full((2, 4, 64, 96), torch.nan), torch.full((2, 64, 96), torch.nan)
    for i, (height, width) in enumerate(SIZES):
        pixels[i, :, :height, :width] = torch.randn(4, height, width)
        prior[i, :height, :width] = torch.rand(height, width)
    prompts = [[5, *[IMAGE] * prod(language_cells(size, grid)), 7, 8 + i] for i, size in enumerate(SIZES)]
    longest = max(map(len, prompts))
    return {
        "pixel_values": pixels,
        "wavelengths_um": WAVES,
        "image_sizes": torch.tensor(SIZES),
        "prior": prior,
        "input_ids": torch.tensor([row + [0] * (longest - len(row)) for row in prompts]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in prompts]),
        "points_frac": torch.rand(2, 2, 2),
        "point_kinds": torch.tensor([[1, 0], [1, -1]]),
    }


def cut(given: dict[str, Any], i: int) -> dict[str, Any]:
    """Return one image of a batch alone, in its own size."""
    (height, width), length = SIZES[i], int(given["attention_mask"][i].sum())
    return {
        "pixel_values": given["pixel_values"][i : i + 1, :, :height, :width],
        "wavelengths_um": WAVES,
        "prior": given["prior"][i : i + 1, :height, :width],
        "input_ids": given["input_ids"][i : i + 1, :length],
        **{name: given[name][i : i + 1] for name in ("points_frac", "point_kinds")},
    }


@pytest.mark.slow
@pytest.mark.parametrize(("fine_stride", "grid"), [(1, None), (2, 3)])
def test_a_batch_of_several_sizes_is_its_singles(fine_stride: int, grid: int | None) -> None:
    model = make(mask_decoder_config=DECODER | {"fine_stride": fine_stride}, language_grid=grid)
    given = mixed(grid)
    together = model.segment(**given)
    for i, (height, width) in enumerate(SIZES):
        alone = model.segment(**cut(given, i))
        torch.testing.assert_close(together[i : i + 1, :height, :width], alone, atol=1e-4, rtol=1e-3)
    assert together[1, 40:].isneginf().all()
    assert together[1, :, 50:].isneginf().all()


@pytest.mark.slow
@pytest.mark.parametrize("i", [0, 1])
def test_masks_that_are_not_wanted_are_not_decoded(i: int) -> None:
    model, given = make(mask_decoder_config=DECODER), mixed(None)
    one = model(**given, mask_wanted=torch.arange(2) == i)
    both = model(**given)
    torch.testing.assert_close(one.mask_logits, both.mask_logits[i : i + 1], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(one.condensed, both.condensed)


def test_the_loss_is_that_of_the_masks_that_are_wanted(trained: SpexModel) -> None:
    given, wanted, asked = answered(), torch.tensor([False, True]), torch.tensor([0, 1])
    some = trained(**given | {"mask_wanted": wanted, "mask_labels": given["mask_labels"][1:]}, target_index=asked)
    cleared = torch.where(wanted.view(-1, 1, 1), given["mask_labels"], 255)
    every = trained(**given | {"mask_labels": cleared}, target_index=asked)
    torch.testing.assert_close(some.bce_loss, every.bce_loss)
    torch.testing.assert_close(some.dice_loss, 2 * every.dice_loss - 1)  # one that knows nothing has the worst Dice
    torch.testing.assert_close((some.text_loss, some.query_loss), (every.text_loss, every.query_loss))


@pytest.mark.parametrize("wanted", [[True], [False, False], [1, 0]])
def test_which_masks_are_wanted_is_said_of_each_prompt(wanted: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"expected bool \[2\] with one True at least"):
        make()(**batch(), mask_wanted=torch.tensor(wanted))


@pytest.mark.parametrize("fine_stride", [1, 2])
def test_the_fine_map_is_as_large_as_the_image_or_half(fine_stride: int) -> None:
    model = make(mask_decoder_config=DECODER | {"fine_stride": fine_stride})
    fine = model.encode_image(batch()["pixel_values"], WAVES).fine
    assert fine is not None
    assert fine.shape[-2:] == (64 // fine_stride, 64 // fine_stride)


def test_the_scale_is_read_where_it_is_known() -> None:
    model, given = make(stem_config={"index_channels": True, "gsd": True}), batch()
    without = model.segment(**given)
    torch.testing.assert_close(model.segment(**given, gsd_m=torch.full((2,), torch.nan)), without)
    assert not torch.allclose(model.segment(**given, gsd_m=torch.tensor([10.0, 10.0])), without)
    one_known = model.segment(**given, gsd_m=torch.tensor([10.0, torch.nan]))
    torch.testing.assert_close(one_known[1], without[1])
    assert not torch.allclose(one_known[0], without[0])


@pytest.mark.parametrize("size", [(64, 64), (50, 130), (33, 20)])
def test_the_language_model_sees_as_many_cells_of_any_image(size: tuple[int, int]) -> None:
    tokens = make(language_grid=2).encode_image(torch.randn(1, 4, *size), WAVES).tokens
    assert tokens.shape[1] == prod(language_cells(size, 2)) == 4


@pytest.fixture(scope="module")
def trained() -> SpexModel:
    return make(targets=("water", "vegetation"), positive_weights=(3.0, 0.5), reconstruction_weight=0.5)


def test_a_target_is_asked_for_by_its_number_without_a_word(trained: SpexModel) -> None:
    read: list[int] = []
    hook = trained.language_model.register_forward_hook(lambda *_: read.append(1))
    decoder = trained.language_model.get_decoder().register_forward_hook(lambda *_: read.append(1))
    pixels = batch()["pixel_values"][:1]
    output = trained(pixels, WAVES, image_index=torch.tensor([0, 0]), target_index=torch.tensor([0, 1]))
    hook.remove()
    decoder.remove()
    assert not read
    assert output.loss is None
    assert not torch.allclose(output.mask_logits[0], output.mask_logits[1])
    torch.testing.assert_close(output.condensed.flatten(1), trained.target_queries.weight)


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (2, {"targets": ("water", "vegetation")}, r"target_index is \[2\]; expected numbers from 0 to 1"),
        (-1, {"targets": ("water", "vegetation")}, "-1 for another only beside input_ids"),
        (0, {}, "Name the targets in its configuration"),
    ],
)
def test_targets_that_are_not_there_are_refused(number: int, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changes)(batch()["pixel_values"][:1], WAVES, target_index=torch.tensor([number]))


def test_pixels_of_a_target_weigh_what_the_configuration_says(trained: SpexModel) -> None:
    given = answered()
    for asked, weights in (([0, -1], [3.0, 1.0]), ([1, 0], [0.5, 3.0])):
        output = trained(**given, target_index=torch.tensor(asked))
        known = given["mask_labels"] != 255
        pixels = torch.nn.functional.binary_cross_entropy_with_logits(
            output.mask_logits[known],
            given["mask_labels"][known].float(),
            pos_weight=torch.tensor(weights).view(-1, 1, 1).expand(known.shape)[known],
        )
        torch.testing.assert_close(output.bce_loss, pixels)


def test_what_is_hidden_is_not_seen_and_asked_for(trained: SpexModel) -> None:
    cells = torch.zeros(2, 4, 4, dtype=torch.bool)
    cells[:, 1, 2] = cells[0, 3, 3] = True
    where = cells.repeat_interleave(16, 1).repeat_interleave(16, 2)[:, None]
    given = batch(index_values=torch.rand(2, INDEX_CHANNELS, 64, 64), hidden_cells=cells)
    changed = {name: torch.where(where, given[name] + 1, given[name]) for name in ("pixel_values", "index_values")}
    plain, hidden = trained(**given), trained(**given | changed)
    torch.testing.assert_close(plain.mask_logits, hidden.mask_logits)
    assert not torch.allclose(plain.reconstruction_loss, hidden.reconstruction_loss)
    torch.testing.assert_close(plain.loss, 0.5 * plain.reconstruction_loss)
    visible = trained(**given | {"pixel_values": torch.where(where, given["pixel_values"], 0.0)})
    assert not torch.allclose(visible.mask_logits, plain.mask_logits)


def test_only_a_model_that_reads_bands_back_can_be_asked_for_what_is_hidden() -> None:
    with pytest.raises(ValueError, match="a reconstruction_weight above 0"):
        make()(**batch(hidden_cells=torch.ones(2, 4, 4, dtype=torch.bool)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image_index": torch.tensor([0, 2])}, r"image_index is \[0, 2\]; expected numbers from 0 to 1"),
        ({"image_index": torch.tensor([0])}, "2 prompts see 1 images; expected an image each"),
        ({"points_frac": torch.zeros(2, 1, 2)}, "Pass both, or neither"),
        ({"points_frac": torch.zeros(2, 1, 2), "point_kinds": torch.zeros(2, 2).long()}, r"point_kinds \(2, 2\)"),
        ({"points_frac": torch.zeros(3, 1, 2), "point_kinds": torch.zeros(3, 1).long()}, r"expected \(2, P, 2\)"),
        ({"image_sizes": torch.tensor([[64, 64], [64, 65]])}, r"from \(1, 1\) to \(64, 64\)"),
    ],
)
def test_what_does_not_belong_to_the_images_is_refused(given: dict[str, Any], message: str, trained: SpexModel) -> None:
    with pytest.raises(ValueError, match=message):
        trained(**batch(**given))


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
    buckets = [(rows.flatten().tolist(), len(places)) for rows, places in length_buckets(mask)]
    assert [width for _, width in buckets] == [5, 6, 9, 30]
    assert [sorted(LENGTHS[row] for row in rows) for rows, _ in buckets] == [[4, 5], [6, 6], [9], [30]]


def test_fewer_prompts_than_buckets_are_read_one_by_one() -> None:
    model = make().train()
    widths: list[int] = []
    model.language_model.get_decoder().register_forward_pre_hook(
        lambda _, __, inputs: widths.append(inputs["inputs_embeds"].shape[1]), with_kwargs=True
    )
    inputs = batch()
    model(**inputs)
    assert widths == [inputs["attention_mask"][1].sum(), inputs["attention_mask"][0].sum()]
