"""Write the graphs by which ONNX Runtime reads a checkpoint: ``python recipes/tiny/export_onnx.py [FOLDER]...``.

Without folders it writes those of the checkpoint that ships, for satellites and for aerial pictures. A graph holds no
weights: it takes those of ``model.safetensors`` by their names. After training, the old graphs serve the new weights.
After a change of layers or sizes, run this again; ``tests/model/runtime`` compares the masks of both.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F
from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb

from spex_nb.model import SpexModel
from spex_nb.model.checkpoint_files import CHECKPOINTS
from spex_nb.model.layers import dcnv3, mask_decoder, stem
from spex_nb.model.layers.joint_readout import TargetTree
from spex_nb.model.runtime.channels import CELL
from spex_nb.model.runtime.graphs import ENDING, FOLDER, LISTED, GraphList

OPSET = 20
"""The first with a grid sampling whose modes are named as here."""
PREFIX = "model."
"""Before the names of weights: each graph holds the model by this name."""
STRIDE = 32
SHIPPED = (CHECKPOINTS / "tiny", CHECKPOINTS / "tiny" / "aerial")
BANDS, CELLS, PROMPTS = 5, (3, 5), 2
"""Sizes of the examples that each graph is traced with; none of them stays in the graph."""


class ImageGraph(nn.Module):
    """From bands to the features that every prompt of a tile shares."""

    def __init__(self, model: SpexModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor, waves_um: Tensor, indices: Tensor, gsd_m: Tensor) -> tuple[Tensor, ...]:
        """Map float [1, B, H, W], [B, 2], [1, I, H, W] and [1]; sides are multiples of 32."""
        model = self.model
        full, half, base = model.stem(pixels, waves_um[None], indices, gsd_m)
        stages = model.encoder(base)
        aggregated = model.aggregation(stages)
        finest = [full] if _fine_stride(model) == 1 else []
        return aggregated, model.neck(aggregated), model.pixel_decoder([*stages[::-1], half, *finest])


class LanguageGraph(nn.Module):
    """From tokens to condensed tokens, and to the next token of an answer."""

    def __init__(self, model: SpexModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        input_ids: Tensor,
        cells: Tensor,
        visual: Tensor,
        positions: Tensor,
        bias: Tensor,
        past_keys: Tensor,
        past_values: Tensor,
        pooling: Tensor,
    ) -> tuple[Tensor, ...]:
        """Read tokens.

        Args:
            input_ids: int [N, L].
            cells: int [N, L], which visual token stands in a place; -1 for text.
            visual: float [S, C], visual tokens.
            positions: int [N, L].
            bias: float [N, 1, L, P + L], 0 where a place may look, and very low elsewhere.
            past_keys: float [layers, N, heads, P, D], of the tokens that were read before.
            past_values: Like ``past_keys``.
            pooling: float [N, T, L], by which hidden states are pooled.
        """
        model = self.model
        projected = model.projector(visual)[cells.clamp(min=0)]
        hidden = torch.where((cells >= 0)[..., None], projected, model.get_input_embeddings()(input_ids))
        decoder = model.language_model.get_decoder()
        turns = decoder.rotary_emb(hidden, positions)
        keys, values = [], []
        for layer, past_key, past_value in zip(decoder.layers, past_keys.unbind(), past_values.unbind(), strict=True):
            attended, key, value = _attend(
                layer.self_attn, layer.input_layernorm(hidden), turns, bias, past_key, past_value
            )
            hidden = hidden + attended
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
            keys.append(key)
            values.append(value)
        hidden = decoder.norm(hidden)
        next_token = model.get_output_embeddings()(hidden[:, -1])
        return model.condensation.mlp(pooling @ hidden), next_token, torch.stack(keys), torch.stack(values)


def _attend(
    attention: Any, x: Tensor, turns: tuple[Tensor, Tensor], bias: Tensor, past_key: Tensor, past_value: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Attend from new tokens to those before and among them; return also the keys and values of all."""
    query, key, value = (
        layer(x).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
        for layer in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    query, key = apply_rotary_pos_emb(query, key, *turns)
    key, value = torch.cat([past_key, key], 2), torch.cat([past_value, value], 2)
    copies = query.shape[1] // key.shape[1]
    weights = query @ key.repeat_interleave(copies, 1).transpose(2, 3) * attention.scaling + bias
    attended = weights.softmax(-1) @ value.repeat_interleave(copies, 1)
    return attention.o_proj(attended.transpose(1, 2).flatten(2)), key, value


class MaskGraph(nn.Module):
    """From features, condensed tokens, clicks and priors to mask logits."""

    def __init__(self, model: SpexModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        embedding: Tensor,
        fine: Tensor,
        condensed: Tensor,
        points: Tensor,
        kinds: Tensor,
        signs: Tensor | None = None,
        has_prior: Tensor | None = None,
    ) -> Tensor:
        """Decode masks.

        Args:
            embedding: float [1, D, h, w].
            fine: float [1, F, s h, s w]; s is 16, or 8 where the fine map has half of the size.
            condensed: float [N, T, D].
            points: float [N, P, 2], (x, y) as shares of the cells; P may be 0.
            kinds: int [N, P].
            signs: float [N, 16 h, 16 w], the prior: 1, -1, and 0 where there is none; for models that read priors.
            has_prior: bool [N].
        """
        encoder = self.model.prompt_encoder
        n, (height, width) = condensed.shape[0], embedding.shape[-2:]
        sparse = torch.cat([condensed, encoder.points(points, kinds)], 1)
        dense = encoder.no_mask.view(1, -1, 1, 1)
        if signs is not None and has_prior is not None:
            dense = torch.where(has_prior.view(-1, 1, 1, 1), encoder.mask(_shrunk(signs)), dense)
        place = encoder.position.grid(height, width)
        image = embedding.expand(n, -1, -1, -1)
        logits: Tensor = self.model.mask_decoder(image, place, sparse, dense, fine, signs)[0]
        stride = _fine_stride(self.model)
        if stride == 1:
            return logits
        return F.interpolate(logits[:, None], scale_factor=stride, mode="bilinear", align_corners=False)[:, 0]


def _fine_stride(model: SpexModel) -> int:
    """Return how many pixels of the image a pixel of its fine map is wide."""
    return int(model.config.mask_decoder_config.fine_stride)


def _shrunk(signs: Tensor) -> Tensor:
    """Resize float [N, 4 h, 4 w] to [N, 1, h, w] as ``antialias`` does, by a triangle of 8 pixels."""
    taps = torch.tensor([1, 3, 5, 7, 7, 5, 3, 1]) / 32
    kernel = (taps[:, None] * taps)[None, None]
    sums, weights = (
        F.conv2d(values[:, None], kernel, stride=4, padding=2) for values in (signs, torch.ones_like(signs[:1]))
    )
    return sums / weights


def _fine_mask(head: mask_decoder.FineHead, token: Tensor, fine: Tensor, signs: Tensor | None = None) -> Tensor:
    """Read a fine map that all prompts share, as `FineHead` does."""
    weights = head.hypernetwork(token)
    read = (weights[:, 2:] @ fine[0].flatten(1)).unflatten(1, fine.shape[-2:]) + weights[:, 0, None, None]
    return read if signs is None else read + weights[:, 1, None, None] * signs


class CompeteGraph(nn.Module):
    """From the logits of all targets to log-odds, for models whose targets compete."""

    def __init__(self, tree: TargetTree) -> None:
        super().__init__()
        self.tree = tree

    def forward(self, logits: Tensor) -> Tensor:
        """Map float [T, H, W] to the same shape."""
        return self.tree.log_odds(logits[None])[0]


def export(folder: Path) -> None:
    """Write the graphs of the checkpoint in a folder.

    Raises:
        ValueError: If the model has a part that no graph knows: only those shaped like ``tiny`` can be exported.
    """
    model = SpexModel.from_pretrained(folder, dtype=torch.float32)
    _require_kind(model)
    tree = TargetTree(model.config.targets, model.config.part_of, model.config.covered_by_parts)
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    weights = {}
    with ExitStack() as patches:
        for patch in _patches():
            patches.enter_context(patch)
        weights["image"] = _write(ImageGraph(model), *_image_example(model), target / f"image{ENDING}")
        weights["language"] = _write(LanguageGraph(model), *_language_example(model), target / f"language{ENDING}")
        weights["mask"] = _write(MaskGraph(model), *_mask_example(model), target / f"mask{ENDING}")
    rivals = {}
    if model.config.joint:
        weights["compete"] = _write(CompeteGraph(tree), *_compete_example(model), target / f"compete{ENDING}")
        rivals = {name: [tree.targets[number] for number in tree.rivals([name])] for name in tree.targets}
    listed: GraphList = {"parameters": int(model.num_parameters()), "rivals": rivals, "weights": weights}
    (target / LISTED).write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _require_kind(model: SpexModel) -> None:
    config = model.config
    wanted = {
        "stem kind": (config.stem_config.kind, "wavelength"),
        "index channels": (config.stem_config.index_channels, True),
        "gsd": (config.stem_config.gsd, True),
        "fine map": (bool(config.mask_decoder_config.fine_channels), True),
        "prior at half of the size": (config.mask_decoder_config.dense_prior and _fine_stride(model) > 1, False),
        "condensed": (config.condensation_config.source, "prompt"),
        "language model": (config.text_config.model_type, "qwen2"),
    }
    other = [
        f"{name} {value!r}, not {supported!r}" for name, (value, supported) in wanted.items() if value != supported
    ]
    if other:
        raise ValueError(f"No graph is known for this model: {'; '.join(other)}. Expected one shaped like tiny.")


def _patches() -> Sequence[Any]:
    """Return what makes layers say the same without asking for numbers that a graph does not know when it is made."""
    return (
        mock.patch.object(dcnv3, "_quickest", return_value="all_points"),
        mock.patch.object(stem.WavelengthStem, "_require_waves", lambda _self, _pixels, waves: waves),
        mock.patch.object(mask_decoder.FineHead, "forward", _fine_mask),
    )


Example = tuple[tuple[Tensor, ...], tuple[dict[int, Any], ...], tuple[str, ...], tuple[str, ...]]
"""Inputs, their sizes that may change, names of the inputs, names of the outputs."""


def _image_example(model: SpexModel) -> Example:
    height, width = (2 * STRIDE * side for side in CELLS)
    channels = model.stem.first.indices.in_channels // 2
    rows, columns = STRIDE * Dim("rows", min=1, max=512), STRIDE * Dim("columns", min=1, max=512)
    bands = Dim("bands", min=1, max=512)
    waves = torch.stack([torch.linspace(0.4, 2.2, BANDS), torch.full((BANDS,), 0.05)], -1)
    inputs = (
        torch.randn(1, BANDS, height, width),
        waves,
        torch.randn(1, channels, height, width),
        torch.tensor([10.0]),
    )
    sizes: Any = ({1: bands, 2: rows, 3: columns}, {0: bands}, {2: rows, 3: columns}, {})
    return inputs, sizes, ("pixels", "waves_um", "indices", "gsd_m"), ("aggregated", "embedding", "fine")


def _language_example(model: SpexModel) -> Example:
    text = model.config.text_config
    length, before, n = 7, 3, PROMPTS
    heads, width = text.num_key_value_heads, text.hidden_size // text.num_attention_heads
    past = torch.randn(text.num_hidden_layers, n, heads, before, width)
    tokens = torch.arange(n * length).view(n, length) + 3
    inputs = (
        tokens,
        torch.where(tokens % 3 == 0, 1, -1),
        torch.randn(4, model.config.aggregation_channels),
        torch.arange(length).expand(n, -1).contiguous(),
        torch.zeros(n, 1, length, before + length),
        past,
        past + 1,
        torch.rand(n, model.config.condensation_config.num_tokens, length),
    )
    free = Dim.DYNAMIC  # the exporter finds which of them are equal, and that one is the sum of two
    row, past_sizes = {0: free, 1: free}, {1: free, 3: free}
    sizes: Any = (row, row, {0: free}, row, {0: free, 2: free, 3: free}, past_sizes, past_sizes, {0: free, 2: free})
    names = ("input_ids", "cells", "visual", "positions", "bias", "past_keys", "past_values", "pooling")
    return inputs, sizes, names, ("condensed", "next_token", "keys", "values")


def _mask_example(model: SpexModel) -> Example:
    decoder = model.config.mask_decoder_config
    rows, columns = Dim("rows", min=2, max=1024), Dim("columns", min=2, max=1024)
    prompts, places = Dim("prompts", min=1, max=512), Dim("points", min=0, max=4096)
    height, width = (2 * side for side in CELLS)
    fine = CELL // _fine_stride(model)
    inputs: tuple[Tensor, ...] = (
        torch.randn(1, decoder.embed_dim, height, width),
        torch.randn(1, model.pixel_decoder.channels, fine * height, fine * width),
        torch.randn(PROMPTS, model.config.condensation_config.num_tokens, decoder.embed_dim),
        torch.rand(PROMPTS, 3, 2),
        torch.tensor([[0, 1, -1]] * PROMPTS),
    )
    sizes: Any = ({2: rows, 3: columns}, {2: fine * rows, 3: fine * columns}, {0: prompts}, {0: prompts, 1: places})
    sizes = (*sizes, {0: prompts, 1: places})
    names: tuple[str, ...] = ("embedding", "fine", "condensed", "points", "kinds")
    if decoder.dense_prior:
        signs = torch.sign(torch.randn(PROMPTS, 16 * height, 16 * width))
        inputs = (*inputs, signs, torch.tensor([True, False]))
        sizes = (*sizes, {0: prompts, 1: 16 * rows, 2: 16 * columns}, {0: prompts})
        names = (*names, "signs", "has_prior")
    return inputs, sizes, names, ("mask_logits",)


def _compete_example(model: SpexModel) -> Example:
    sizes: Any = ({1: Dim("height", min=1, max=2**15), 2: Dim("width", min=1, max=2**15)},)
    return (torch.randn(len(model.config.targets), 5, 7),), sizes, ("logits",), ("log_odds",)


def _write(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    sizes: tuple[dict[int, Any], ...],
    names: tuple[str, ...],
    results: tuple[str, ...],
    path: Path,
) -> list[str]:
    """Write a graph without its weights; return the names of the weights that it takes."""
    module.train(False)
    program = torch.onnx.export(
        module,
        inputs,
        dynamo=True,
        opset_version=OPSET,
        dynamic_shapes=sizes,
        input_names=names,
        output_names=results,
        optimize=False,  # ONNX Runtime does that when it loads the graph; here it would bake weights into it
        verbose=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / path.name
        program.save(whole, external_data=False)
        graph = onnx.load(whole)
    weights = _without_weights(graph, set(module.state_dict()))
    path.write_bytes(gzip.compress(graph.SerializeToString(deterministic=True), mtime=0))
    return weights


def _without_weights(model: onnx.ModelProto, saved: set[str]) -> list[str]:
    """Take the weights out of a graph, and what the exporter notes about its own way; return the names of the weights.

    Nothing was computed from weights when the graph was written, so that each stands in it by its own name.

    Args:
        model: Changed in place.
        saved: Names of the weights that a checkpoint holds; other tensors stay in the graph.
    """
    names = []
    for tensor in model.graph.initializer:
        if tensor.name in saved:
            given_elsewhere = onnx.TensorProto(
                name=tensor.name,
                data_type=tensor.data_type,
                dims=tensor.dims,
                data_location=onnx.TensorProto.EXTERNAL,
            )
            given_elsewhere.external_data.add(key="location", value="model.safetensors")
            tensor.CopyFrom(given_elsewhere)
            names.append(tensor.name.removeprefix(PREFIX))
    for node in model.graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.value_info[:], model.graph.metadata_props[:], model.metadata_props[:]
    return sorted(names)


def main(folders: Sequence[str]) -> None:
    """Export the checkpoints in folders, or the one that ships."""
    for folder in map(Path, folders) if folders else SHIPPED:
        export(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
