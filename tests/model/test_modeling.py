"""The whole model on a tiny random configuration: equivalences, gradients, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModel, Trainer, TrainingArguments

from spex_nb.errors import CheckpointError
from spex_nb.model import SpexConfig, SpexModel
from spex_nb.model.configuration import INTERNIMAGE, InternImageConfig
from spex_nb.model.layers.prompt_encoder import MaskPrompts
from spex_nb.model.layers.vision_encoder import InternImage

pytestmark = pytest.mark.slow

TEXT = {
    "model_type": "qwen2",
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
    "eos_token_id": 1,
    "bos_token_id": None,
    "pad_token_id": 0,
}
IMAGE, CELLS = 95, 16
WAVES = torch.tensor([[0.49, 0.07], [0.56, 0.04], [0.66, 0.03], [0.83, 0.1]])


def config(**changes: Any) -> SpexConfig:
    return SpexConfig(
        **{
            "stem_config": {"index_channels": True},
            "vision_config": {"channels": 16, "depths": (1, 1, 2, 1), "groups": (2, 4, 8, 16)},
            "text_config": TEXT,
            "mask_decoder_config": {"embed_dim": 32, "heads": 4, "mlp_dim": 64, "fine_channels": 8},
            "aggregation_channels": 32,
            "image_token_id": IMAGE,
            **changes,
        }
    )


def make(**changes: Any) -> SpexModel:
    torch.manual_seed(0)
    return SpexModel(config(**changes)).eval()


@pytest.fixture(scope="module")
def model() -> SpexModel:
    return make()


def prompt(*words: int) -> torch.Tensor:
    return torch.tensor([[5, *[IMAGE] * CELLS, *words]])


def batch(**more: Any) -> dict[str, Any]:
    """Return two images and two prompts of different lengths, the shorter one filled up."""
    torch.manual_seed(1)
    ids = torch.cat([prompt(7, 8, 9, 10, 11), prompt(20, 21, 22, 0, 0)])
    mask = torch.ones_like(ids)
    mask[1, -2:] = 0
    pixels = torch.randn(2, 4, 64, 64)
    return {"pixel_values": pixels, "wavelengths_um": WAVES, "input_ids": ids, "attention_mask": mask, **more}


def single(given: dict[str, Any], i: int) -> dict[str, Any]:
    """Return one sample of a batch, without what it was filled up with."""
    length = int(given["attention_mask"][i].sum())
    one = {"pixel_values": given["pixel_values"][i : i + 1], "wavelengths_um": WAVES}
    return one | {"input_ids": given["input_ids"][i : i + 1, :length]}


def test_a_batch_is_its_singles_and_what_is_filled_up_changes_nothing(model: SpexModel) -> None:
    given = batch()
    together = model.segment(**given)
    for i in range(2):
        torch.testing.assert_close(together[i : i + 1], model.segment(**single(given, i)), atol=1e-4, rtol=1e-3)


def test_filling_up_on_the_left_gives_the_same(model: SpexModel) -> None:
    given = batch()
    left = dict(given)
    for name in ("input_ids", "attention_mask"):
        left[name] = given[name].clone()
        left[name][1] = given[name][1].roll(2)
    torch.testing.assert_close(model.segment(**left), model.segment(**given), atol=1e-4, rtol=1e-3)


def test_the_order_of_bands_does_not_matter(model: SpexModel) -> None:
    given, order = batch(), [2, 0, 3, 1]
    other = given | {"pixel_values": given["pixel_values"][:, order], "wavelengths_um": WAVES[order]}
    torch.testing.assert_close(model.segment(**other), model.segment(**given), atol=1e-4, rtol=1e-3)


def test_several_prompts_share_the_work_on_one_image(model: SpexModel) -> None:
    given = batch()
    one = given | {"pixel_values": given["pixel_values"][:1], "image_index": torch.tensor([0, 0])}
    twice = given | {"pixel_values": given["pixel_values"][[0, 0]]}
    torch.testing.assert_close(model.segment(**one), model.segment(**twice))
    features = model.encode_image(one["pixel_values"], WAVES)
    kept = {name: one[name] for name in ("input_ids", "attention_mask", "image_index")}
    torch.testing.assert_close(model.segment(features=features, **kept), model.segment(**twice))


def test_masks_have_the_size_of_the_image_whatever_it_is(model: SpexModel) -> None:
    for height, width in ((64, 64), (50, 61), (33, 64)):
        given = batch(pixel_values=torch.randn(2, 4, height, width))
        assert model.segment(**given).shape == (2, height, width)


def test_missing_pixels_are_the_mean_and_never_spread(model: SpexModel) -> None:
    given = batch()
    holes = given["pixel_values"].clone()
    holes[:, :, 5:9, 5:9] = torch.nan
    filled = holes.nan_to_num(0.0)
    torch.testing.assert_close(
        model.segment(**given | {"pixel_values": holes}), model.segment(**given | {"pixel_values": filled})
    )
    assert model.segment(**given | {"pixel_values": torch.full_like(holes, torch.nan)}).isfinite().all()


def test_what_is_saved_is_what_is_loaded(model: SpexModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    assert [file.suffix for file in tmp_path.iterdir() if file.suffix != ".json"] == [".safetensors"]
    given = batch()
    for loaded in (SpexModel.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)):
        torch.testing.assert_close(loaded.eval().segment(**given), model.segment(**given))
    assert AutoConfig.from_pretrained(tmp_path).to_diff_dict() == model.config.to_diff_dict()


@pytest.mark.parametrize("place", ["cpu", "auto"])
def test_weights_go_where_a_device_map_says(place: str, model: SpexModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    loaded = SpexModel.from_pretrained(tmp_path, device_map=place).eval()
    given = batch()
    there = {name: value.to(loaded.device) for name, value in given.items()}
    torch.testing.assert_close(loaded.segment(**there).cpu(), model.segment(**given), atol=1e-4, rtol=1e-3)


def test_weights_that_are_missing_surplus_or_mis_shaped_are_listed(model: SpexModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    lost = weights.pop("neck.0.weight")
    save_file({**weights, "nick.0.weight": lost}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"1 missing: neck\.0\.weight; 1 surplus: nick\.0\.weight"):
        SpexModel.from_pretrained(tmp_path)
    save_file({**weights, "neck.0.weight": lost[:, :3].contiguous()}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"1 mis-shaped: neck\.0\.weight"):
        SpexModel.from_pretrained(tmp_path)


def test_pickles_are_refused_with_the_reason(model: SpexModel, tmp_path: Path) -> None:
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: pickled, which may run any program"):
        SpexModel.from_pretrained(tmp_path)


def test_a_name_that_is_not_here_does_not_go_to_the_network() -> None:
    with pytest.raises(CheckpointError, match=r"not on this machine.*local_files_only"):
        SpexModel.from_pretrained("nobody/has-this-model")
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        SpexModel.from_pretrained("./not/here")
    with pytest.raises(CheckpointError, match="owner/name on the hub"):
        SpexModel.from_pretrained("tinny")


def answered() -> dict[str, Any]:
    labels = torch.full((2, CELLS + 6), -100)
    labels[0, -3:], labels[1, -4:-2] = torch.tensor([9, 10, 11]), torch.tensor([21, 22])
    mask = torch.randint(0, 2, (2, 64, 64), generator=torch.Generator().manual_seed(2))
    mask[:, :8] = 255
    return batch(labels=labels, mask_labels=mask)


def test_condensation_reads_the_same_tokens_in_training_as_in_inference(model: SpexModel) -> None:
    given = answered()
    trained = model(**given)
    asked = given["labels"] == -100
    for i in range(2):
        length = int((asked[i] & given["attention_mask"][i].bool()).sum())
        one = {"pixel_values": given["pixel_values"][i : i + 1], "wavelengths_um": WAVES}
        inferred = model(**one, input_ids=given["input_ids"][i : i + 1, :length])
        torch.testing.assert_close(trained.condensed[i : i + 1], inferred.condensed, atol=1e-4, rtol=1e-3)


def test_text_loss_is_that_of_the_language_head_over_all_tokens(model: SpexModel) -> None:
    given = answered()
    output = model(**given, return_logits=True)
    shifted = output.logits[:, :-1].flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(shifted, given["labels"][:, 1:].flatten(), ignore_index=-100)
    torch.testing.assert_close(output.text_loss, expected)
    torch.testing.assert_close(output.loss, output.text_loss + 2 * output.bce_loss + output.dice_loss)


def test_what_the_label_does_not_know_counts_for_nothing(model: SpexModel) -> None:
    given = answered()
    other = given["mask_labels"].clone()
    output = model(**given)
    assert output.bce_loss.isfinite()
    all_unknown = model(**given | {"mask_labels": torch.full_like(other, 255)})
    assert (all_unknown.bce_loss, all_unknown.dice_loss.isfinite()) == (0, True)


def test_gradient_checkpointing_changes_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    gradients, saved = [], []
    monkeypatch.setattr(
        "spex_nb.model.layers.vision_encoder.checkpoint",
        lambda block, x, **_: saved.append(1) or checkpoint(block, x, use_reentrant=False),
    )
    for checkpointing in (False, True):
        model = make(aggregation_dropout=0.0).train()
        if checkpointing:
            model.activation_checkpointing_enable()
        model(**answered()).loss.backward()
        gradients.append({name: one.grad for name, one in model.named_parameters() if one.grad is not None})
    torch.testing.assert_close(*gradients)
    assert len(saved) == 5  # each block, in the second run only


def test_the_trainer_of_transformers_trains_saves_and_goes_on(tmp_path: Path) -> None:
    given = answered()
    rows = [{name: value[i] for name, value in given.items() if name != "wavelengths_um"} for i in (0, 1)]

    def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
        stacked = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
        return stacked | {"wavelengths_um": WAVES}

    def train(steps: int, *, resume: bool = False) -> SpexModel:
        arguments = TrainingArguments(
            str(tmp_path),
            max_steps=steps,
            save_steps=1,
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
            seed=1,
            per_device_train_batch_size=2,
            eval_strategy="steps",
            eval_steps=2,
            remove_unused_columns=False,
            lr_scheduler_type="constant",
        )
        trainer = Trainer(make(), arguments, train_dataset=rows, eval_dataset=rows, data_collator=collate)
        trainer.train(resume_from_checkpoint=resume)
        assert trainer.evaluate()["eval_loss"] > 0
        return trainer.model

    whole = train(2)
    train(1)
    torch.testing.assert_close(train(2, resume=True).state_dict(), whole.state_dict(), atol=1e-5, rtol=1e-4)
    loaded = SpexModel.from_pretrained(tmp_path / "checkpoint-2")
    torch.testing.assert_close(loaded.state_dict(), whole.state_dict(), atol=1e-5, rtol=1e-4)


def test_generation_with_and_without_cache_gives_the_same(model: SpexModel) -> None:
    given = {name: value[:1] if name != "wavelengths_um" else value for name, value in batch().items()}
    with_cache, without = (
        model.generate(**given, max_new_tokens=6, do_sample=False, use_cache=use_cache) for use_cache in (True, False)
    )
    assert with_cache.sequences.tolist() == without.sequences.tolist()
    torch.testing.assert_close(with_cache.mask_logits, model.segment(**given), atol=1e-4, rtol=1e-3)


def first(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value if name == "wavelengths_um" else value[:1] for name, value in given.items()}


@pytest.mark.parametrize("source", ["prompt", "answer"])
def test_a_batch_that_writes_is_its_singles(source: str) -> None:
    model = make(condensation_config={"source": source})
    given = batch()
    for name in ("input_ids", "attention_mask"):
        given[name][1] = given[name][1].roll(2)
    # Such an end that one of the two stops early, and is filled up.
    free = model.generate(**given, max_new_tokens=8, do_sample=False, eos_token_id=None).sequences
    ends = {
        "eos_token_id": int(free[1, 3]),
        "pad_token_id": 0,
        "min_new_tokens": 3,
        "max_new_tokens": 8,
        "do_sample": False,
    }
    together = model.generate(**given, **ends)
    for i in range(2):
        length = int(given["attention_mask"][i].sum())
        one = {"pixel_values": given["pixel_values"][i : i + 1], "wavelengths_um": WAVES}
        alone = model.generate(**one, input_ids=given["input_ids"][i : i + 1, -length:], **ends)
        torch.testing.assert_close(together.condensed[i : i + 1], alone.condensed, atol=1e-4, rtol=1e-3)


def test_several_answers_to_one_prompt_each_have_their_mask(model: SpexModel) -> None:
    given = first(batch())
    sampled = model.generate(**given, max_new_tokens=3, do_sample=True, num_return_sequences=3)
    beams = model.generate(**given, max_new_tokens=3, do_sample=False, num_beams=2, return_dict_in_generate=False)
    assert (sampled.mask_logits.shape, beams.mask_logits.shape) == ((3, 64, 64), (1, 64, 64))
    torch.testing.assert_close(beams.mask_logits, model.segment(**given), atol=1e-4, rtol=1e-3)
    with pytest.raises(ValueError, match="Pass num_beams=1"):
        make(condensation_config={"source": "answer"}).generate(**given, max_new_tokens=3, num_beams=2)


def test_prompts_that_are_filled_up_on_the_right_cannot_be_continued(model: SpexModel) -> None:
    with pytest.raises(ValueError, match=r"padding_side='left'"):
        model.generate(**batch(), max_new_tokens=2)


def test_a_batch_without_a_told_token_has_no_text_loss(model: SpexModel) -> None:
    given = answered()
    assert model(**given | {"labels": torch.full_like(given["labels"], -100)}).text_loss == 0


def test_a_prior_must_be_of_its_image(model: SpexModel) -> None:
    with pytest.raises(ValueError, match=r"prior is \(2, 10, 10\); expected \(2, 64, 64\)"):
        model.segment(**batch(prior=torch.zeros(2, 10, 10)))


def test_half_precision_stays_close_to_full(model: SpexModel) -> None:
    ids = prompt(7, 8, 9)
    ids = torch.cat([ids[:, :1], torch.full((1, 16 * CELLS), IMAGE), ids[:, 1 + CELLS :]], 1)
    prior = torch.zeros(1, 256, 256)
    prior[:, :128] = 1
    given = {"pixel_values": torch.randn(1, 4, 256, 256), "wavelengths_um": WAVES, "input_ids": ids, "prior": prior}
    full = model.segment(**given)
    half = make().to(torch.bfloat16).segment(**given).float()
    assert half.isfinite().all()
    assert torch.corrcoef(torch.stack([half.flatten(), full.flatten()]))[0, 1] > 0.99


def test_the_language_model_may_have_its_own_precision(model: SpexModel) -> None:
    mixed, given = make(), batch()
    mixed.language_model.to(torch.bfloat16)
    masks, full = mixed.segment(**given), model.segment(**given)
    assert masks.dtype == torch.float32
    assert torch.corrcoef(torch.stack([masks.flatten(), full.flatten()]))[0, 1] > 0.99
    assert mixed(**answered()).loss.isfinite()


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's own, while it traces
def test_a_compiled_model_gives_the_same(model: SpexModel) -> None:
    pixels = batch()["pixel_values"]
    compiled = torch.compile(model.encode_image, backend="aot_eager")
    torch.testing.assert_close(compiled(pixels, WAVES).tokens, model.encode_image(pixels, WAVES).tokens)


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")  # peft's own
def test_low_rank_adapters_find_the_layers_by_name() -> None:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(make(), LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    adapted(**answered()).loss.backward()
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert any("language_model" in name for name in trained)
    assert all("lora" in name for name in trained)


def test_any_backbone_of_four_stages_can_take_the_place_of_the_encoder(tmp_path: Path) -> None:
    backbone = {
        "model_type": "convnextv2",
        "num_channels": 4,
        "hidden_sizes": [8, 16, 24, 32],
        "depths": [1, 1, 1, 1],
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    }
    stem = {"kind": "fixed", "bands": ("blue", "green", "red", "nir")}
    model = make(vision_config=backbone, stem_config=stem)
    given = batch()
    assert model.segment(**given).shape == (2, 64, 64)
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(SpexModel.from_pretrained(tmp_path).segment(**given), model.segment(**given))
    with pytest.raises(ValueError, match="it reads a fixed number of bands"):
        config(vision_config=backbone)
    with pytest.raises(ValueError, match=r"gives 1 stages.*out_features"):
        make(vision_config=backbone | {"out_features": ["stage4"]}, stem_config=stem)


def test_a_resnet_reads_any_bands_through_the_wavelength_stem(tmp_path: Path) -> None:
    resnet = {
        "model_type": "resnet",
        "embedding_size": 16,
        "hidden_sizes": [16, 24, 32, 40],
        "depths": [1, 1, 1, 1],
        "layer_type": "basic",
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    }
    model = make(vision_config=resnet)
    given, order = batch(), [2, 0, 3, 1]
    masks = model.segment(**given)
    shuffled = given | {"pixel_values": given["pixel_values"][:, order], "wavelengths_um": WAVES[order]}
    torch.testing.assert_close(model.segment(**shuffled), masks, atol=1e-4, rtol=1e-3)
    fewer = given | {"pixel_values": given["pixel_values"][:, :2], "wavelengths_um": WAVES[:2]}
    assert not torch.equal(model.segment(**fewer), masks)
    assert not [name for name in model.state_dict() if "embedder" in name]
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(SpexModel.from_pretrained(tmp_path).segment(**given), masks)


def test_prompts_of_one_image_may_share_its_fine_map(model: SpexModel) -> None:
    torch.manual_seed(2)
    features = model.encode_image(torch.randn(2, 4, 64, 64), WAVES).repeated(3)
    condensed = torch.randn(6, 4, 32)
    each, _ = model.decode_mask(features, condensed, MaskPrompts())
    assert features.fine is not None
    shared, _ = model.decode_mask(features._replace(fine=features.fine[::3]), condensed, MaskPrompts())
    torch.testing.assert_close(shared, each)


def test_base_has_the_size_of_the_release() -> None:
    with torch.device("meta"):
        model = SpexModel(SpexConfig.preset("base"))
    tied = {id(parameter): parameter for parameter in model.parameters()}
    buffers = model.prompt_encoder.position.frequencies.numel()
    released, newline = 1_778_310_000, 1536
    count = sum(parameter.numel() for parameter in tied.values()) + buffers
    assert count + newline == pytest.approx(released, abs=5_000)


@pytest.mark.parametrize(("size", "millions"), [("T", 28), ("S", 48), ("B", 93), ("L", 219), ("XL", 331), ("H", 1050)])
def test_the_encoders_have_the_published_sizes(size: str, millions: float) -> None:
    with torch.device("meta"):
        encoder = InternImage(InternImageConfig(**INTERNIMAGE[size]))
    count = sum(parameter.numel() for parameter in encoder.parameters()) / 1e6
    assert count == pytest.approx(millions, rel=0.08)  # the published ones count stem and classifier too


def test_the_choices_of_the_largest_encoder_work_and_train() -> None:
    given = {
        "channels": 16,
        "depths": (1, 1, 2, 1),
        "groups": (2, 4, 8, 16),
        "layer_scale": None,
        "post_norm": False,
        "depthwise_size": 5,
        "center_scale": True,
        "branch_norm": True,
        "extra_norms": (1,),
    }
    model = make(vision_config=given).train()
    model(**answered()).loss.backward()
    assert model.encoder.stages[2].extra_norms[0].weight.grad.any()
    assert model.encoder.stages[0].blocks[0].dcn.center.weight.grad.any()


def test_a_configuration_in_which_the_trainer_noted_the_tokenizers_tokens_loads(tmp_path: Path) -> None:
    noted = config()
    noted.eos_token_id, noted.pad_token_id = 1, 0
    noted.save_pretrained(tmp_path)
    assert SpexConfig.from_pretrained(tmp_path).to_diff_dict() == noted.to_diff_dict()


def test_tiny_is_small_enough_to_ship() -> None:
    with torch.device("meta"):
        model = SpexModel(SpexConfig.preset("tiny"))
    assert sum(parameter.numel() for parameter in model.parameters()) <= 11_000_000


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"input_ids": None}, "pass input_ids"),
        ({"pixel_values": None}, "either pixel_values or features"),
        ({"input_ids": torch.tensor([[5, 6], [7, 8]])}, r"\[0, 0\] image tokens, the image has 16 cells"),
        ({"pixel_values": torch.zeros(2, 4, 0, 64)}, "none zero"),
        ({"pixel_values": torch.zeros(4, 64, 64)}, r"expected \[N, bands, height, width\]"),
        ({"mask_labels": torch.zeros(2, 32, 32)}, r"mask_labels is \(2, 32, 32\); expected \(2, 64, 64\)"),
        ({"wavelengths_um": None}, "Wavelengths are missing"),
    ],
)
def test_inputs_that_make_no_sense_are_refused(given: dict[str, Any], message: str, model: SpexModel) -> None:
    with pytest.raises(ValueError, match=message):
        model(**batch() | given)


def test_pixels_of_any_number_type_are_taken_and_those_of_another_device_refused(model: SpexModel) -> None:
    given = batch()
    double = given | {"pixel_values": given["pixel_values"].double()}
    torch.testing.assert_close(model.segment(**double), model.segment(**given))
    with pytest.raises(ValueError, match=r"input_ids is on meta, the model on cpu.*\.to\(model\.device\)"):
        model.segment(**given | {"input_ids": given["input_ids"].to("meta")})


def test_a_prompt_without_words_has_nothing_to_condense(model: SpexModel) -> None:
    given = batch() | {"input_ids": prompt().repeat(2, 1), "attention_mask": None}
    with pytest.raises(ValueError, match="no tokens to condense in sample 0 of 2"):
        model(**given)


def test_the_answer_must_be_there_where_it_is_condensed() -> None:
    model = make(condensation_config={"source": "answer"})
    with pytest.raises(ValueError, match="Call generate, or pass labels"):
        model.segment(**batch())
    given = {name: value[:1] if name != "wavelengths_um" else value for name, value in batch().items()}
    with pytest.raises(ValueError, match="Allow at least two new tokens"):
        model.generate(**given, max_new_tokens=1, do_sample=False)


@pytest.mark.parametrize("source", ["prompt", "answer"])
def test_an_answer_that_ends_at_once_has_a_mask_unless_it_is_made_of_the_answer(source: str) -> None:
    model, given = make(condensation_config={"source": source}), first(batch())
    end = int(model.generate(**given, max_new_tokens=2, do_sample=False, eos_token_id=None).sequences[0, 0])
    ending = {"max_new_tokens": 5, "do_sample": False, "eos_token_id": end, "pad_token_id": 0}
    if source == "answer":
        with pytest.raises(ValueError, match="Allow at least two new tokens"):
            model.generate(**given, **ending)
        return
    written = model.generate(**given, **ending)
    assert written.sequences.tolist() == [[end]]
    torch.testing.assert_close(written.mask_logits, model.segment(**given), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"visoin_config": {}}, "SpexConfig has no visoin_config"),
        ({"vision_config": {"chanels": 3}}, "InternImageConfig has no chanels"),
        ({"vision_config": {"channels": 10, "groups": (3, 4, 8, 16)}}, r"groups\[0\] is 3; expected a divisor"),
        ({"condensation_config": {"source": "both"}}, "source is both; expected prompt or answer"),
        ({"stem_config": {"kind": "magic"}}, "kind is magic"),
        ({"text_config": {"model_type": "qwen9"}}, "model_type is qwen9"),
        ({"text_config": TEXT | {"hiden_size": 3}}, "qwen2 configuration is given hiden_size; expected keys"),
    ],
)
def test_configurations_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_there_are_three_presets() -> None:
    with pytest.raises(ValueError, match="one of tiny, small, base"):
        SpexConfig.preset("huge")
