"""The released modules' golden tensors, reproduced by ours; the folder `parity` lies beside that of SPEX_TEST_DATA."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch.nn import functional as F

from spex_nb.model.batch import encode_by_size
from spex_nb.model.configuration import InternImageConfig, MaskDecoderConfig, SpexConfig
from spex_nb.model.conversion import convert_names
from spex_nb.model.layers.aggregation import Aggregation, Neck
from spex_nb.model.layers.condensation import Condensation
from spex_nb.model.layers.dcnv3 import DCNv3, Sampling, deform_conv3
from spex_nb.model.layers.mask_decoder import MaskDecoder
from spex_nb.model.layers.prompt_encoder import PromptEncoder
from spex_nb.model.layers.stem import FixedStem
from spex_nb.model.layers.vision_encoder import InternImage
from spex_nb.model.losses import mask_losses, upsample_logits
from spex_nb.model.modeling import SpexModel

pytestmark = pytest.mark.slow

CLOSE: Mapping[str, float] = {"atol": 2e-5, "rtol": 1e-4}
CORES = [f"c{i}" for i in range(8)]


class Golden:
    """One file of golden tensors."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, framework="pt") as file:
            self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            self.meta: dict[str, Any] = json.loads(file.metadata()["meta"])

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name]


@pytest.fixture(scope="module")
def golden(parity: Path) -> Any:
    return lambda name: Golden(parity / f"{name}.safetensors")


@pytest.mark.parametrize("method", ["all_points", "by_point", "by_bags"])
@pytest.mark.parametrize("case", CORES)
def test_parity_of_the_deformable_core_and_its_gradients(golden: Any, case: str, method: Any) -> None:
    file = golden("dcnv3")
    key = f"core.{case}"
    meta = file.meta[key]
    x, offset, mask = (file[f"{key}.{name}"].requires_grad_() for name in ("input", "offset", "mask"))
    sampling = Sampling(
        meta["kernel_size"], meta["stride"], meta["pad"], meta["dilation"], meta["group"], meta["offset_scale"]
    )
    output = deform_conv3(x, offset, mask, sampling, method)
    torch.testing.assert_close(output, file[f"{key}.output"], **CLOSE)
    output.backward(file[f"{key}.grad_output"])
    for tensor, name in ((x, "input"), (offset, "offset"), (mask, "mask")):
        torch.testing.assert_close(tensor.grad, file[f"{key}.grad_{name}"], **CLOSE)


def weights(file: Golden, prefix: str, part: str) -> dict[str, torch.Tensor]:
    """Return the weights of one of our parts from released names below a prefix."""
    released = {f"{prefix}{name[2:]}": tensor for name, tensor in file.tensors.items() if name.startswith("w.")}
    ours, _ = convert_names(released)
    return {name.removeprefix(f"{part}."): tensor for name, tensor in ours.items() if name.startswith(f"{part}.")}


@pytest.mark.parametrize("case", [f"m{i}" for i in range(5)])
def test_parity_of_the_deformable_module(golden: Any, case: str) -> None:
    file = golden("dcnv3")
    key = f"module.{case}"
    meta = file.meta[key]
    block = "model.vision_tower.vision_tower.vision_model.levels.0.blocks.0.dcn."
    released = {
        block + name.removeprefix(f"{key}.w."): file[name] for name in file.tensors if name.startswith(f"{key}.w.")
    }
    ours, unused = convert_names(released)
    assert unused == []
    dcn = DCNv3(meta["channels"], meta["group"], meta["kernel_size"], meta["dilation"], meta["offset_scale"])
    dcn.load_state_dict({name.removeprefix("encoder.stages.0.blocks.0.dcn."): w for name, w in ours.items()})
    torch.testing.assert_close(dcn(file[f"{key}.input"]), file[f"{key}.output"], **CLOSE)


@pytest.mark.parametrize("case", ["a", "b"])
def test_parity_of_encoder_aggregation_and_neck(golden: Any, case: str) -> None:
    file = golden("internimage")
    meta = file.meta["config"]
    config = InternImageConfig(
        channels=meta["channels"], depths=meta["depths"], groups=meta["groups"], offset_scale=meta["offset_scale"]
    )
    parts = {
        "stem": FixedStem(("red", "green", "blue"), meta["channels"]),
        "encoder": InternImage(config),
        "aggregation": Aggregation(config.stage_channels, meta["agg_hidden"]),
        "neck": Neck(meta["agg_hidden"], meta["neck"]),
    }
    for name, part in parts.items():
        part.load_state_dict(weights(file, "model.vision_tower.vision_tower.", name))
        part.eval()
    stem = parts["stem"](file[f"{case}.pixel_values"]).base
    torch.testing.assert_close(stem, file[f"{case}.stem"], **CLOSE)
    stages = parts["encoder"](stem)
    for i, stage in enumerate(stages, start=1):
        torch.testing.assert_close(stage, file[f"{case}.stage{i}"], **CLOSE)
    aggregated = parts["aggregation"](stages)
    torch.testing.assert_close(aggregated, file[f"{case}.aggregated"], **CLOSE)
    torch.testing.assert_close(aggregated.flatten(2).mT, file[f"{case}.tokens"], **CLOSE)
    torch.testing.assert_close(parts["neck"](aggregated), file[f"{case}.neck"], **CLOSE)


def test_parity_of_condensation_for_every_length(golden: Any) -> None:
    file = golden("condensation")
    condensation = Condensation(64, 32)
    condensation.load_state_dict(weights(file, "model.vision_tower.lan_neck.", "condensation"))
    for length in file.meta["config"]["lengths"]:
        hidden = file[f"len{length}.hidden"]
        torch.testing.assert_close(condensation.pool([hidden]), file[f"len{length}.pooled"], **CLOSE)
        torch.testing.assert_close(condensation([hidden]), file[f"len{length}.condensed"], **CLOSE)
    batch = [file[f"len{length}.hidden"] for length in (3, 7, 64)]
    torch.testing.assert_close(condensation(batch), file["batch_3_7_64.condensed"], **CLOSE)


SAM = {"embed_dim": 32, "heads": 4, "mlp_dim": 64}


def decoder_parts(file: Golden, *, double_softmax: bool) -> tuple[Condensation, PromptEncoder, MaskDecoder]:
    config = MaskDecoderConfig(**SAM, double_softmax=double_softmax)
    parts = Condensation(64, 32), PromptEncoder(config), MaskDecoder(config)
    for part, name in zip(parts, ("condensation", "prompt_encoder", "mask_decoder"), strict=True):
        part.load_state_dict(weights(file, "model.vision_tower.", name))
    return parts


def test_parity_of_the_mask_decoder_with_its_losses_and_gradients(golden: Any) -> None:
    file = golden("mask_decoder")
    condensation, prompts, decoder = decoder_parts(file, double_softmax=True)
    hidden = [file[f"train.hidden{i}"].requires_grad_() for i in range(2)]
    image = file["train.image_embeddings"].requires_grad_()
    condensed = condensation(hidden)
    torch.testing.assert_close(condensed, file["train.condensed"], **CLOSE)
    image_pe = prompts.position.grid(8, 8)
    torch.testing.assert_close(image_pe.permute(2, 0, 1), file["train.image_pe"][0], **CLOSE)
    dense = prompts.dense(None, 2, 8, 8)
    torch.testing.assert_close(dense, file["train.dense"], **CLOSE)
    logits, iou = decoder(image, image_pe, condensed, dense)
    torch.testing.assert_close(logits, file["train.low_res_logits"][:, 0, 0], **CLOSE)
    torch.testing.assert_close(iou, file["train.iou"][:, 0, 0], **CLOSE)
    full = upsample_logits(logits, (128, 128))
    torch.testing.assert_close(full, file["train.logits_full"], **CLOSE)
    losses = mask_losses(full, file["train.target"].float(), torch.ones_like(full, dtype=torch.bool))
    torch.testing.assert_close(2 * losses.bce, file["train.loss_bce_x2"], **CLOSE)
    torch.testing.assert_close(losses.dice, file["train.loss_dice_x1"], **CLOSE)
    (2 * losses.bce + losses.dice).backward()
    gradients = {
        "hidden0": hidden[0].grad,
        "hidden1": hidden[1].grad,
        "image_embeddings": image.grad,
        "mask_tokens": decoder.mask_tokens.grad,
    }
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, file[f"train.grad_{name}"], **CLOSE)
    torch.testing.assert_close(prompts.no_mask.grad, file["train.grad_no_mask_embed"][0], **CLOSE)


def test_parity_of_the_mask_decoder_at_inference_and_of_the_released_thresholding(golden: Any) -> None:
    file = golden("mask_decoder")
    condensation, prompts, decoder = decoder_parts(file, double_softmax=True)
    condensed = condensation([file["infer.hidden"][0, 0]])
    torch.testing.assert_close(condensed, file["infer.condensed"], **CLOSE)
    logits, iou = decoder(
        file["infer.image_embeddings"], prompts.position.grid(8, 8), condensed, prompts.dense(None, 1, 8, 8)
    )
    torch.testing.assert_close(logits, file["infer.low_res_logits"][:, 0, 0], **CLOSE)
    torch.testing.assert_close(iou, file["infer.iou"][:, 0, 0], **CLOSE)
    early = upsample_logits((logits > 0).float(), (128, 128))  # the release thresholds first
    torch.testing.assert_close(early, file["infer.sam_pred"], **CLOSE)


def test_parity_with_one_softmax_is_what_the_release_would_have_meant(golden: Any) -> None:
    file = golden("mask_decoder")
    condensation, prompts, decoder = decoder_parts(file, double_softmax=False)
    condensed = condensation([file["infer.hidden"][0, 0]])
    logits, _ = decoder(
        file["infer.image_embeddings"], prompts.position.grid(8, 8), condensed, prompts.dense(None, 1, 8, 8)
    )
    torch.testing.assert_close(logits, file["infer.low_res_logits_if_attention_similarity_None"][:, 0, 0], **CLOSE)


def whole_model(file: Golden) -> SpexModel:
    llm, sizes = file.meta["llm_config"], file.meta["encoder"]
    names = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "max_position_embeddings",
        "rms_norm_eps",
        "tie_word_embeddings",
    )
    text = {name: llm[name] for name in names} | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}
    config = SpexConfig.preset(
        "base",
        vision_config={
            "channels": sizes["channels"],
            "depths": sizes["depths"],
            "groups": sizes["groups"],
            "offset_scale": 2.0,
        },
        text_config={"model_type": "qwen2", "eos_token_id": None, "bos_token_id": None, **text},
        mask_decoder_config={**SAM, "double_softmax": True, "dense_prior": False},
        aggregation_channels=sizes["vis_hidden"],
        image_token_id=512,
    )
    model = SpexModel(config).eval()
    ours, unused = convert_names({n.removeprefix("w."): t for n, t in file.tensors.items() if n.startswith("w.")})
    assert unused in ([], ["model.image_newline"])
    missing = model.load_state_dict(ours, strict=False)
    assert (missing.missing_keys, missing.unexpected_keys) == (["language_model.lm_head.weight"], [])
    return model


def expanded(input_ids: torch.Tensor, cells: int) -> torch.Tensor:
    """Repeat the released image placeholder, -200, as often as there are cells."""
    (at,) = (input_ids[0] == -200).nonzero()[:, 0].tolist()
    image = torch.full((len(input_ids), cells), 512)
    return torch.cat([input_ids[:, :at], image, input_ids[:, at + 1 :]], 1)


def test_parity_end_to_end_tokens_and_mask(golden: Any) -> None:
    file = golden("end_to_end")
    model = whole_model(file)
    features = model.encode_image(file["pixel_values"])
    torch.testing.assert_close(features.tokens, file["visual_tokens"], **CLOSE)
    torch.testing.assert_close(model.projector(features.tokens), file["projected_tokens"], **CLOSE)
    torch.testing.assert_close(features.embedding, file["neck"], **CLOSE)
    input_ids = expanded(file["input_ids"], 64)
    embedded = model.embed_prompt(input_ids, encode_by_size(model.encode_image, None, features))
    torch.testing.assert_close(embedded, file["inputs_embeds"], **CLOSE)
    written = model.generate(features=features, input_ids=input_ids, max_new_tokens=16, do_sample=False)
    assert written.sequences.tolist() == file["sequences"].tolist()
    torch.testing.assert_close(written.condensed, file["condensed"], **CLOSE)
    coarse = F.interpolate(file["low_res_logits"][:, 0], (128, 128), mode="bilinear")[:, 0]
    torch.testing.assert_close(written.mask_logits, coarse, **CLOSE)


def test_parity_of_the_training_losses(golden: Any) -> None:
    file = golden("end_to_end")
    model = whole_model(file)
    features = model.encode_image(file["train.pixel_values"])
    rows, labels = [], []
    for ids, said, keep in zip(
        file["train.input_ids"], file["train.labels"], file["train.attention_mask"].bool(), strict=True
    ):
        rows.append(expanded(ids[keep][None], 16)[0])
        at = (ids[keep] == -200).nonzero().item()
        labels.append(torch.cat([said[keep][:at], torch.full((16,), -100), said[keep][at + 1 :]]))
    longest = max(map(len, rows))
    input_ids = torch.stack([F.pad(row, (0, longest - len(row))) for row in rows])
    told = torch.stack([F.pad(row, (0, longest - len(row)), value=-100) for row in labels])
    mask = torch.stack([F.pad(torch.ones(len(row)), (0, longest - len(row))) for row in rows])
    output = model(
        features=features, input_ids=input_ids, attention_mask=mask, labels=told, mask_labels=file["train.target"]
    )
    torch.testing.assert_close(output.condensed, file["train.condensed"], **CLOSE)
    torch.testing.assert_close(output.text_loss, file["train.lm_loss"], **CLOSE)
    torch.testing.assert_close(2 * output.bce_loss, file["train.loss_bce_x2"], **CLOSE)
    torch.testing.assert_close(output.dice_loss, file["train.loss_dice_x1"], **CLOSE)
