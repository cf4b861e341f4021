"""The processor and the predictor: scenes and words in, tensors, masks and text out."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from tokenizers import Tokenizer, models
from transformers import AutoProcessor, LogitsProcessorList, PreTrainedTokenizerFast

from spex_nb.errors import CheckpointError, MissingBandError
from spex_nb.language.prompts import build_prompt
from spex_nb.model import SpexModel, SpexPredictor, SpexProcessor, fit_batch, look_inside
from spex_nb.model.outputs import ImageFeatures
from spex_nb.model.runtime.channel_rules import CHANNEL_RULES
from spex_nb.model.runtime.channels import INDICES, PRIOR_TARGETS
from spex_nb.scene.samples import sample_scene
from spex_nb.spectral.priors import mask_by_rules
from spex_nb.training import train_tokenizer
from spex_nb.types import MaskModel
from tests.model.test_modeling import TEXT, config


def make_tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer([build_prompt("water", [])] * 20, 400)


@pytest.fixture(scope="module")
def processor() -> SpexProcessor:
    return SpexProcessor(make_tokenizer(), index_channels=True)


@pytest.fixture(scope="module")
def model(processor: SpexProcessor) -> SpexModel:
    torch.manual_seed(0)
    text = TEXT | {"vocab_size": len(processor.tokenizer), "max_position_embeddings": 4096}
    return SpexModel(config(text_config=text, image_token_id=processor.image_token_id)).eval()


@pytest.fixture(scope="module")
def tile() -> xr.Dataset:
    return sample_scene("river_10m").spex.window(100, 100, 64, 96).compute()


WATER = build_prompt("water", [])


def test_bands_come_with_their_wavelengths_and_indices(processor: SpexProcessor, tile: xr.Dataset) -> None:
    batch = processor(tile, WATER)
    assert batch["pixel_values"].shape == (1, 7, 64, 96)
    expected = [[tile[band].attrs["wavelength_um"], tile[band].attrs["width_um"]] for band in tile.spex.bands]
    np.testing.assert_allclose(batch["wavelengths_um"][0], expected, rtol=1e-6)
    np.testing.assert_allclose(batch["pixel_values"][0, 2], (tile["red"] - 0.15) / 0.15, rtol=1e-4, atol=1e-5)
    ndvi = ((tile["nir"] - tile["red"]) / (tile["nir"] + tile["red"])).values
    np.testing.assert_allclose(batch["index_values"][0, 0], ndvi, rtol=1e-4, atol=1e-5)
    assert (batch["input_ids"] == processor.image_token_id).sum() == 4 * 6


def test_the_priors_of_all_targets_come_whatever_is_asked(processor: SpexProcessor, tile: xr.Dataset) -> None:
    holes = tile.assign(valid=tile["valid"].copy(data=np.arange(96) >= np.full((64, 1), 8)))
    for scene in (holes, holes[["red", "green", "nir", "valid"]], holes[["swir16", "valid"]]):
        channels = processor(scene, WATER)["index_values"][0, len(INDICES) :]
        for channel, target in zip(channels, PRIOR_TARGETS, strict=True):
            mask = mask_by_rules(scene, CHANNEL_RULES[target])
            expected = np.where(scene["valid"], np.nan if mask is None else mask, np.nan)
            np.testing.assert_array_equal(channel, expected)
    assert mask_by_rules(holes[["swir16", "valid"]], CHANNEL_RULES["water"]) is None


def test_the_rules_of_the_channels_never_change() -> None:
    """Weights learned them: another rule is another input."""
    rules = [str(rule) for target in PRIOR_TARGETS for rule in CHANNEL_RULES[target]]
    assert rules[0] == "MuWIR > 0.5 and CSISWIR < 0.12"
    assert hashlib.sha256("\n".join(rules).encode()).hexdigest()[:16] == "b1e38aa1b13f0f7e"


def test_answers_become_labels_that_end(processor: SpexProcessor, tile: xr.Dataset) -> None:
    batch = processor([tile, tile], [WATER, WATER], answers=["Water.", "No water at all."])
    for labels, answer in zip(batch["labels"], ("Water.", "No water at all."), strict=True):
        told = labels[labels != -100]
        assert processor.decode(told) == answer
        assert told[-1] == processor.tokenizer.eos_token_id
    assert (batch["attention_mask"] == 0).sum() > 0


def test_images_of_other_sizes_and_bands_go_into_one_batch(processor: SpexProcessor, tile: xr.Dataset) -> None:
    small = tile[["green", "nir", "valid"]].isel(y=slice(0, 40), x=slice(0, 50))
    batch = processor([tile, small], [WATER, WATER])
    assert batch["pixel_values"].shape == (2, 7, 64, 96)
    assert batch["pixel_values"][1, :, 40:].isnan().all()
    assert batch["wavelengths_um"][1, 2:].isnan().all()
    assert batch["image_sizes"].tolist() == [[64, 96], [40, 50]]
    is_image = batch["input_ids"] == processor.image_token_id
    assert is_image.sum(1).tolist() == [24, 16]


def test_clicks_boxes_and_priors_are_put_on_the_image(processor: SpexProcessor, tile: xr.Dataset) -> None:
    batch = processor(
        tile,
        [WATER] * 2,
        image_index=[0, 0],
        points=[[(48, 32, True), (0, 0, False)], []],
        boxes=[[], [(0, 0, 96, 64)]],
        priors=[np.ones((64, 96), bool), None],
    )
    assert batch["point_kinds"].tolist() == [[1, 0], [2, 3]]
    assert batch["points_frac"].tolist() == [[[0.5, 0.5], [0, 0]], [[0, 0], [1, 1]]]
    assert (batch["prior"][0] == 1).all()
    assert batch["prior"][1].isnan().all()


def test_what_is_saved_is_what_is_loaded(
    processor: SpexProcessor, model: SpexModel, tile: xr.Dataset, tmp_path: Path
) -> None:
    processor.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    for loaded in (SpexProcessor.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)):
        for name, value in processor(tile, WATER).items():
            torch.testing.assert_close(loaded(tile, WATER)[name], value, equal_nan=True)
    exact = deepcopy(model).double()  # in single precision, logits near 0 differ by how weights lie in memory
    loaded_model = SpexPredictor.from_pretrained(tmp_path, device="cpu", dtype=torch.float64)
    predicted = loaded_model.predict(tile, ["water"], [WATER])
    np.testing.assert_allclose(predicted, SpexPredictor(exact, processor).predict(tile, ["water"], [WATER]), rtol=1e-5)


def test_a_checkpoint_without_processor_is_refused(model: SpexModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="no processor"):
        SpexPredictor.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("water, please", {}, "<image> 0 times"),
        ("<image><image>", {}, "<image> 2 times"),
        ([WATER, WATER], {}, "2 prompts and 1 images do not pair"),
        (WATER + "x" * 5000, {}, "expected at most 4096"),
        (WATER, {"priors": [np.ones((100, 100))]}, "does not fit its image"),
    ],
)
def test_prompts_that_make_no_sense_are_refused(
    text: Any, options: dict[str, Any], message: str, processor: SpexProcessor, tile: xr.Dataset
) -> None:
    with pytest.raises(ValueError, match=message):
        processor(tile if isinstance(text, str) else [tile], text, **options)


def test_bands_that_are_not_known_or_not_there_are_refused(processor: SpexProcessor, tile: xr.Dataset) -> None:
    unknown = tile.copy()
    unknown["nir"].attrs = {}
    with pytest.raises(ValueError, match=r"wavelength of band 'nir' is not known.*attrs\['wavelength_um'\]"):
        processor(unknown, WATER)
    fixed = SpexProcessor(make_tokenizer(), bands=["red", "green", "blue"], mean={"red": 0.1}, std={"red": 0.2})
    np.testing.assert_allclose(
        fixed(tile, WATER)["pixel_values"][0, 0], (tile["red"] - 0.1) / 0.2, rtol=1e-4, atol=1e-5
    )
    with pytest.raises(MissingBandError, match="needs a band that the scene lacks"):
        fixed(tile.drop_vars("blue"), WATER)
    with pytest.raises(ValueError, match="no token <image>"):
        SpexProcessor(PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), unk_token="?"))


def test_the_predictor_gives_a_mask_for_each_target_and_none_where_there_is_no_data(
    processor: SpexProcessor, model: SpexModel, tile: xr.Dataset
) -> None:
    holes = tile.copy(deep=True)
    holes["valid"][:5] = False
    predictor = SpexPredictor(model, processor)
    prompts = [WATER, build_prompt("vegetation", [])]
    logits = predictor.predict(holes, ["water", "vegetation"], prompts, priors=[np.ones((64, 96)), None])
    assert (logits.shape, logits.dtype) == ((2, 64, 96), np.float32)
    assert np.isneginf(logits[:, :5]).all()
    assert np.isfinite(logits[:, 5:]).all()
    with pytest.raises(ValueError, match="one prompt for each target"):
        predictor.predict(tile, ["water"], prompts)


def test_the_predictor_is_what_extraction_asks_for(processor: SpexProcessor, model: SpexModel) -> None:
    assert isinstance(SpexPredictor(model, processor), MaskModel)


def test_a_second_instruction_on_the_same_tile_does_not_encode_it_again(
    processor: SpexProcessor, model: SpexModel, tile: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    encode = SpexModel.encode_image

    def counting(self: SpexModel, *args: Any, **options: Any) -> ImageFeatures:
        encoded.append(1)
        return encode(self, *args, **options)

    monkeypatch.setattr(SpexModel, "encode_image", counting)
    predictor = SpexPredictor(model, processor)
    first = predictor.predict(tile, ["water"], [WATER])
    clicked = predictor.predict(tile, ["water"], [WATER], points=[[(10, 10, True)]])
    again = predictor.predict(tile, ["water"], [WATER])
    assert len(encoded) == 1
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, clicked)
    predictor.predict(tile.isel(y=slice(None, None, -1)), ["water"], [WATER])
    assert len(encoded) == 2


def test_kept_features_are_forgotten_when_the_model_or_the_shape_changes(
    processor: SpexProcessor, tile: xr.Dataset
) -> None:
    torch.manual_seed(0)
    text = TEXT | {"vocab_size": len(processor.tokenizer), "max_position_embeddings": 4096}
    own = SpexModel(config(text_config=text, image_token_id=processor.image_token_id))
    predictor = SpexPredictor(own, processor)
    before = predictor.predict(tile, ["water"], [WATER])
    fit_batch(own, processor(tile, WATER, answers=["Water."]), 1)
    assert not np.array_equal(predictor.predict(tile, ["water"], [WATER]), before)
    flat = tile.copy(deep=True)
    for band in flat.spex.bands:
        flat[band][:] = 0.2
    for part in (flat.isel(y=slice(0, 32), x=slice(0, 64)), flat.isel(y=slice(0, 64), x=slice(0, 32))):
        assert predictor.predict(part, ["water"], [WATER]).shape[1:] == part.spex.shape


def test_who_stops_reading_stops_the_writing(processor: SpexProcessor, model: SpexModel, tile: xr.Dataset) -> None:
    words = processor.tokenizer("So it is. ")["input_ids"]
    steps: list[int] = []

    def say_it_again(_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        steps.append(1)
        return torch.full_like(scores, -torch.inf).index_fill(1, torch.tensor(words[len(steps) % len(words)]), 0.0)

    options = {"max_new_tokens": 2000, "eos_token_id": None, "logits_processor": LogitsProcessorList([say_it_again])}
    pieces = SpexPredictor(model, processor).explain(tile, WATER, **options)
    next(pieces)
    pieces.close()
    assert len(steps) < 1000


def test_what_is_not_valid_never_reaches_the_model(processor: SpexProcessor, tile: xr.Dataset) -> None:
    holes = tile.copy(deep=True)
    holes["valid"][:5] = False
    wild = holes.copy(deep=True)
    for band in wild.spex.bands:
        wild[band][:5] = -9999
    for name, value in processor(holes, WATER).items():
        torch.testing.assert_close(processor(wild, WATER)[name], value, equal_nan=True)


def test_explanations_are_streamed_and_their_errors_arrive(
    processor: SpexProcessor, model: SpexModel, tile: xr.Dataset
) -> None:
    predictor = SpexPredictor(model, processor)
    pieces = list(predictor.explain(tile, WATER, max_new_tokens=8, eos_token_id=None))
    assert "".join(pieces)
    with pytest.raises(ValueError, match="max_new_tokens"):
        list(predictor.explain(tile, WATER, max_new_tokens=-1))


@pytest.mark.parametrize("text", ["Water covers 12.5 ha.", "除水体以外", "مسطحات مائية", "जल निकाय 4,7 %", "Übergröße"])
def test_a_tokenizer_writes_any_text_and_reads_digits_one_by_one(text: str, processor: SpexProcessor) -> None:
    tokenizer = processor.tokenizer
    assert processor.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer("12345")["input_ids"]) == 5


def test_what_happens_inside_can_be_looked_at(processor: SpexProcessor, model: SpexModel, tile: xr.Dataset) -> None:
    batch = processor(tile, WATER)
    inside = look_inside(model, batch)
    sizes = {name: values.shape for name, values in inside.items()}
    assert sizes == {
        "stage 1": (16, 24),
        "stage 2": (8, 12),
        "stage 3": (4, 6),
        "stage 4": (2, 3),
        "aggregated": (4, 6),
        **{f"token {i}": (4, 6) for i in range(1, 5)},
        "mask_logits": (64, 96),
    }
    assert inside["token 1"].sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(inside["mask_logits"], model.segment(**batch)[0], rtol=1e-5)
    assert not model.encoder._forward_hooks


def test_fitting_needs_something_to_learn(processor: SpexProcessor, model: SpexModel, tile: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="expected labels or mask_labels"):
        fit_batch(model, processor(tile, WATER), 1)
