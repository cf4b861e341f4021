"""Conversion of released checkpoints: a rule names each parameter, and the report lists unused ones.

The released layout is that of https://github.com/MiliLab/SPEX.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from spex_nb.errors import CheckpointError
from spex_nb.model.checkpoint_files import read_weights, require_all
from spex_nb.model.configuration import SpexConfig
from spex_nb.model.layers.stem import FixedStem
from spex_nb.model.modeling import SpexModel
from spex_nb.model.processing import SpexProcessor
from spex_nb.model.runtime.prompt_arrays import IMAGE_TOKEN

VISION = r"model\.vision_tower\.vision_tower\.vision_model\."
TOWER = r"model\.vision_tower\."
LEFT_OUT = (r"model\.image_newline",)
"""In the checkpoint, but used by no computation."""
_END = r"(weight|bias)"
_BLOCK = rf"{VISION}levels\.(\d+)\.blocks\.(\d+)\."
_OURS = r"encoder.stages.\1.blocks.\2."
_DECODER = rf"{TOWER}mask_decoder\."
_LAYER = rf"{_DECODER}transformer\.layers\.(\d+)\."
_PROMPT = rf"{TOWER}sampromptencoder\."
RULES: tuple[tuple[str, str], ...] = (
    (rf"{VISION}patch_embed\.conv([12])\.{_END}", r"stem.conv\1.\2"),
    (rf"{VISION}patch_embed\.norm([12])\.1\.{_END}", r"stem.norm\1.\2"),
    (rf"{_BLOCK}(?:weight|gamma)([12])", _OURS + r"scale\3"),
    (rf"{_BLOCK}norm([12])\.0\.{_END}", _OURS + r"norm\3.\4"),
    (rf"{_BLOCK}res_post_norm([12])\.0\.{_END}", _OURS + r"after\3.\4"),
    (rf"{_BLOCK}dcn\.center_feature_scale_proj_{_END}", _OURS + r"dcn.center.\3"),
    (rf"{_BLOCK}dcn\.dw_conv\.0\.{_END}", _OURS + r"dcn.depthwise.\3"),
    (rf"{_BLOCK}dcn\.dw_conv\.1\.1\.{_END}", _OURS + r"dcn.norm.\3"),
    (rf"{_BLOCK}dcn\.(offset|mask|input_proj|output_proj)\.{_END}", _OURS + r"dcn.\3.\4"),
    (rf"{_BLOCK}mlp\.fc1\.{_END}", _OURS + r"mlp.0.\3"),
    (rf"{_BLOCK}mlp\.fc2\.{_END}", _OURS + r"mlp.2.\3"),
    (rf"{VISION}levels\.(\d+)\.norm\.0\.{_END}", r"encoder.stages.\1.norm.\2"),
    (rf"{VISION}levels\.(\d+)\.post_norms\.(\d+)\.0\.{_END}", r"encoder.stages.\1.extra_norms.\2.\3"),
    (rf"{VISION}levels\.(\d+)\.downsample\.conv\.weight", r"encoder.downsamples.\1.conv.weight"),
    (rf"{VISION}levels\.(\d+)\.downsample\.norm\.1\.{_END}", r"encoder.downsamples.\1.norm.\2"),
    (rf"{VISION}feat_aggregator\.fuse_all\.0\.{_END}", r"aggregation.fuse.\1"),
    (rf"{VISION}feat_aggregator\.fuse_all\.1\.{_END}", r"aggregation.norm.\1"),
    (rf"{VISION}visionneck\.conv1\.weight", "neck.0.weight"),
    (rf"{VISION}visionneck\.layer_norm1\.{_END}", r"neck.1.\1"),
    (rf"{VISION}visionneck\.conv2\.weight", "neck.2.weight"),
    (rf"{VISION}visionneck\.layer_norm2\.{_END}", r"neck.3.\1"),
    (rf"{TOWER}lan_neck\.text_mlp\.([024])\.{_END}", r"condensation.mlp.\1.\2"),
    (rf"{_PROMPT}shared_embedding\.positional_embedding", "prompt_encoder.position.frequencies"),
    (rf"{_PROMPT}mask_embed\.conv1\.{_END}", r"prompt_encoder.mask.0.\1"),
    (rf"{_PROMPT}mask_embed\.layer_norm1\.{_END}", r"prompt_encoder.mask.1.\1"),
    (rf"{_PROMPT}mask_embed\.conv2\.{_END}", r"prompt_encoder.mask.3.\1"),
    (rf"{_PROMPT}mask_embed\.layer_norm2\.{_END}", r"prompt_encoder.mask.4.\1"),
    (rf"{_PROMPT}mask_embed\.conv3\.{_END}", r"prompt_encoder.mask.6.\1"),
    (rf"{_PROMPT}no_mask_embed\.weight", "prompt_encoder.no_mask"),
    (rf"{_PROMPT}not_a_point_embed\.weight", "prompt_encoder.not_a_point"),
    (rf"{_PROMPT}point_embed\.([0-3])\.weight", r"prompt_encoder.kinds.\1"),
    (rf"{_DECODER}iou_token\.weight", "mask_decoder.iou_token"),
    (rf"{_DECODER}mask_tokens\.weight", "mask_decoder.mask_tokens"),
    (rf"{_LAYER}self_attn\.(\w+)\.{_END}", r"mask_decoder.blocks.\1.self_attn.\2.\3"),
    (rf"{_LAYER}cross_attn_token_to_image\.(\w+)\.{_END}", r"mask_decoder.blocks.\1.token_to_image.\2.\3"),
    (rf"{_LAYER}cross_attn_image_to_token\.(\w+)\.{_END}", r"mask_decoder.blocks.\1.image_to_token.\2.\3"),
    (rf"{_LAYER}layer_norm([1-4])\.{_END}", r"mask_decoder.blocks.\1.norm\2.\3"),
    (rf"{_LAYER}mlp\.lin1\.{_END}", r"mask_decoder.blocks.\1.mlp.0.\2"),
    (rf"{_LAYER}mlp\.lin2\.{_END}", r"mask_decoder.blocks.\1.mlp.2.\2"),
    (rf"{_DECODER}transformer\.final_attn_token_to_image\.(\w+)\.{_END}", r"mask_decoder.final_attn.\1.\2"),
    (rf"{_DECODER}transformer\.layer_norm_final_attn\.{_END}", r"mask_decoder.final_norm.\1"),
    (rf"{_DECODER}upscale_conv([12])\.{_END}", r"mask_decoder.upscale\1.\2"),
    (rf"{_DECODER}upscale_layer_norm\.{_END}", r"mask_decoder.upscale_norm.\1"),
    (rf"{_DECODER}output_hypernetworks_mlps\.(\d)\.proj_in\.{_END}", r"mask_decoder.hypernetworks.\1.0.\2"),
    (rf"{_DECODER}output_hypernetworks_mlps\.(\d)\.layers\.0\.{_END}", r"mask_decoder.hypernetworks.\1.2.\2"),
    (rf"{_DECODER}output_hypernetworks_mlps\.(\d)\.proj_out\.{_END}", r"mask_decoder.hypernetworks.\1.4.\2"),
    (rf"{_DECODER}iou_prediction_head\.proj_in\.{_END}", r"mask_decoder.iou_head.0.\1"),
    (rf"{_DECODER}iou_prediction_head\.layers\.0\.{_END}", r"mask_decoder.iou_head.2.\1"),
    (rf"{_DECODER}iou_prediction_head\.proj_out\.{_END}", r"mask_decoder.iou_head.4.\1"),
    (rf"model\.mm_projector\.([02])\.{_END}", r"projector.\1.\2"),
    (r"(model\.(?:embed_tokens|layers|norm)\..+|lm_head\.weight)", r"language_model.\1"),
)
"""(released name, our name); regular expressions that must match the whole name."""
_COMPILED = tuple((re.compile(released), ours) for released, ours in RULES)
_VECTORS = ("prompt_encoder.no_mask", "prompt_encoder.not_a_point")


def our_name(released: str) -> str | None:
    """Return the name of a released parameter in this model; None where no rule names it."""
    for pattern, ours in _COMPILED:
        match = pattern.fullmatch(released)
        if match:
            return match.expand(ours)
    return None


def convert_names(released: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Rename the parameters of a released state dict.

    Returns:
        Parameters by our names, and the names that were not used.
    """
    ours: dict[str, Tensor] = {}
    kinds: dict[int, Tensor] = {}
    unused = []
    for name, tensor in released.items():
        mine = our_name(name)
        if mine is None:
            unused.append(name)
        elif mine.startswith("prompt_encoder.kinds."):
            kinds[int(mine.rpartition(".")[2])] = tensor
        else:
            ours[mine] = tensor.squeeze(0) if mine in _VECTORS else tensor
    if kinds:
        ours["prompt_encoder.kinds.weight"] = torch.cat([kinds[kind] for kind in sorted(kinds)])
    return ours, unused


SAM_HEADS = 8
"""Attention heads of SAM's published decoder; the weights do not show them."""
OFFSET_SCALE = 2.0
"""Offset scale of InternImage-L and XL, as released; the weights do not show it."""
TEXT_KEYS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "tie_word_embeddings",
    "bos_token_id",
    "eos_token_id",
)
"""Keys that are taken from the released configuration of Qwen2."""
RGB = 3
OWN_ONLY = (
    "mask_decoder.fine.",
    "pixel_decoder.",
    "target_queries.",
    "band_readout.",
    "stem.first.",
    "stem.full.",
    "stem.full_norm.",
    "stem.scale.",
)
"""Parameters that no public part has; they start at random."""
_COMPONENTS = {
    "vision": ((("", "model.vision_tower.vision_tower.vision_model."),), ("encoder.", "stem.")),
    "language": ((), ("language_model.",)),
    "mask_decoder": (
        (
            ("mask_decoder.", "model.vision_tower.mask_decoder."),
            ("prompt_encoder.", "model.vision_tower.sampromptencoder."),
            ("shared_image_embedding.", "model.vision_tower.sampromptencoder.shared_embedding."),
        ),
        ("mask_decoder.", "prompt_encoder."),
    ),
}
"""By part: pairs of (prefix in its public layout, prefix in the released layout), and prefixes of this model."""


IMAGENET_MEAN = {"red": 0.485, "green": 0.456, "blue": 0.406}
IMAGENET_STD = {"red": 0.229, "green": 0.224, "blue": 0.225}
"""Mean and deviation of 8-bit images / 255 in the release."""


@dataclass(frozen=True)
class ConversionReport:
    """The result of a conversion.

    Attributes:
        folder: Folder of the checkpoint.
        tensors: Number of tensors written.
        unused: Names of the tensors that were not used.
        has_processor: Whether a processor was written; the source then holds a tokenizer.json.
    """

    folder: Path
    tensors: int
    unused: tuple[str, ...]
    has_processor: bool


def convert(source: str | Path, target: str | Path, *, sam_heads: int = SAM_HEADS) -> ConversionReport:
    """Convert a checkpoint of the released layout.

    Args:
        source: Folder with config.json and safetensors, and tokenizer.json if there is to be a processor.
        target: Folder to write. `SpexPredictor.from_pretrained` reads it; without a processor, only `SpexModel` does.
        sam_heads: Attention heads of the mask decoder.

    Returns:
        A report with the number of tensors, and the names of unused ones.

    Raises:
        CheckpointError: If the source cannot be read, is no checkpoint of this layout, or lacks weights.
    """
    folder = Path(source)
    weights, unused = convert_names(read_weights(folder))
    config = infer_config(weights, _read_config(folder), sam_heads=sam_heads)
    processor = _processor(folder, config)
    if processor is not None:
        config.image_token_id = processor.image_token_id
    with torch.device("meta"):
        model = SpexModel(config)
    state = model.state_dict()
    head = "language_model.lm_head.weight"
    if config.text_config.tie_word_embeddings:
        embedding = weights["language_model.model.embed_tokens.weight"]
        if not torch.equal(weights.get(head, embedding), embedding):
            unused.append("lm_head.weight, which differs from the embedding that the configuration ties it to")
        weights[head] = embedding
    wrong = [name for name in weights if name in state and state[name].shape != weights[name].shape]
    require_all(state.keys() - weights.keys(), weights.keys() - state.keys(), wrong)
    model.load_state_dict(weights, assign=True)
    model.tie_weights()
    model.save_pretrained(target)
    if processor is not None:
        processor.save_pretrained(target)
    return ConversionReport(Path(target), len(weights), tuple(unused), processor is not None)


def _processor(folder: Path, config: SpexConfig) -> SpexProcessor | None:
    """Return the processor of a released model, where its tokenizer is."""
    if not (folder / "tokenizer.json").is_file():
        return None
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    tokenizer.add_tokens([IMAGE_TOKEN], special_tokens=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return SpexProcessor(tokenizer, bands=config.stem_config.bands, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def infer_config(weights: Mapping[str, Tensor], text: Mapping[str, Any], *, sam_heads: int = SAM_HEADS) -> SpexConfig:
    """Infer the sizes of a released model from its weights, and those of the language model from its configuration.

    Raises:
        CheckpointError: If the weights are not those of a released model.
    """
    try:
        depths = [
            len({name.split(".")[4] for name in weights if name.startswith(f"encoder.stages.{stage}.blocks.")})
            for stage in range(4)
        ]
        groups = [len(weights[f"encoder.stages.{stage}.blocks.0.dcn.mask.bias"]) // 9 for stage in range(4)]
        return SpexConfig.preset(
            "base",
            vision_config={
                "channels": len(weights["stem.conv2.bias"]),
                "depths": depths,
                "groups": groups,
                "offset_scale": OFFSET_SCALE,
            },
            text_config={"model_type": "qwen2", **_text_config(text)},
            mask_decoder_config={
                "embed_dim": weights["mask_decoder.iou_token"].shape[1],
                "heads": sam_heads,
                "mlp_dim": len(weights["mask_decoder.blocks.0.mlp.0.bias"]),
                "double_softmax": True,
                "dense_prior": False,
            },
            aggregation_channels=len(weights["aggregation.fuse.bias"]),
            image_token_id=int(text["vocab_size"]),
        )
    except KeyError as error:
        raise CheckpointError(
            "This is no checkpoint of the released layout",
            found=f"{len(weights)} known tensors, without {error}",
            expected="encoder, aggregation, mask decoder and language model",
            fix="Name the folder that holds the whole released model.",
        ) from error


def component_weights(kind: str, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Rename the weights of a separately pretrained part.

    Args:
        kind: ``vision``, ``language`` or ``mask_decoder``.
        weights: In the public layout of InternImage, of a causal language model, or of transformers' SAM.

    Returns:
        The part's weights by our names, and the prefixes of all that belong to it.
    """
    prefixes, ours = _COMPONENTS[kind]
    if kind == "language":
        return {f"language_model.{n}": t for n, t in weights.items() if not n.endswith("rotary_emb.inv_freq")}, ours
    plain = {re.sub(r"^(backbone|model)\.", "", name): tensor for name, tensor in weights.items()}
    released = {
        new + name.removeprefix(old): tensor
        for name, tensor in plain.items()
        for old, new in prefixes
        if name.startswith(old)
    }
    renamed, _ = convert_names(released)
    return {name: tensor for name, tensor in renamed.items() if name.startswith(ours)}, ours


def assemble(
    config: SpexConfig,
    *,
    vision: str | Path | None = None,
    language: str | Path | None = None,
    mask_decoder: str | Path | None = None,
) -> SpexModel:
    """Make a model of separately pretrained parts. Parts without a folder start at random.

    Args:
        config: Configuration of the whole model.
        vision: Folder of an InternImage in its public layout.
        language: Folder of a causal language model, such as Qwen2.5.
        mask_decoder: Folder of a SAM in transformers' layout.

    Returns:
        The model in evaluation mode.

    Raises:
        CheckpointError: If the weights of a part do not fit.
    """
    model = SpexModel(config)
    for kind, folder in (("vision", vision), ("language", language), ("mask_decoder", mask_decoder)):
        if folder is not None:
            load_component(model, kind, folder)
    return model.eval()


def load_component(model: SpexModel, kind: str, folder: str | Path) -> None:
    """Load a separately pretrained part into a model.

    Args:
        model: Changed in place.
        kind: See `component_weights`.
        folder: With the part's safetensors.

    Raises:
        CheckpointError: If its weights do not fit.
    """
    weights, prefixes = component_weights(kind, read_weights(folder))
    state = model.state_dict()
    wrong = [name for name in weights if name in state and state[name].shape != weights[name].shape]
    tied = {"language_model.lm_head.weight"} if model.config.text_config.tie_word_embeddings else set()
    expected = {name for name in state if name.startswith(prefixes) and not name.startswith(OWN_ONLY)} - tied
    if not isinstance(model.stem, FixedStem) or len(model.stem.bands) != RGB:
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith("stem.conv1.")}
        expected -= {name for name in expected if name.startswith("stem.conv1.")}
    require_all(expected - weights.keys(), weights.keys() - state.keys(), wrong)
    model.load_state_dict(weights, strict=False)


def _text_config(text: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: text[key] for key in TEXT_KEYS if key in text}
    rope = text.get("rope_parameters") or {"rope_type": "default", "rope_theta": float(text.get("rope_theta", 1e6))}
    return values | {"rope_parameters": rope}


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "The checkpoint's configuration cannot be read",
            found=str(error),
            expected="config.json",
            fix="Fetch the file again.",
        ) from error
    return read
