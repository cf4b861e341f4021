"""The SPEX network: pixels and prompt tokens in, mask logits and answer tokens out. Each layer has its own file.

After Si et al., SPEX, https://doi.org/10.1109/TGRS.2026.3670308. The module knows no files, band names or words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import is_initialized
from torch.nn import functional as F
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedModel

from spex_nb.model.batch import (
    Images,
    PromptFeatures,
    encode_by_size,
    forward_in_buckets,
    insert_visual,
    require_device,
    require_pairs,
    require_wanted,
)
from spex_nb.model.checkpoint_checks import checkpoint_errors, local_folder, require_sound_model
from spex_nb.model.checkpoint_files import require_all
from spex_nb.model.configuration import SpexConfig
from spex_nb.model.layers.aggregation import Aggregation, Neck, Projector
from spex_nb.model.layers.condensation import (
    Condensation,
    TargetQueries,
    choose_answer,
    choose_prompt,
    require_left,
    select_new,
    select_read,
    select_tokens,
)
from spex_nb.model.layers.mask_decoder import MaskDecoder
from spex_nb.model.layers.pixel_decoder import BandReadout, make_pixel_decoder, reconstruction_loss, spread_cells
from spex_nb.model.layers.prompt_encoder import MaskPrompts, PromptEncoder
from spex_nb.model.layers.stem import make_stem
from spex_nb.model.layers.vision_encoder import Block, make_encoder
from spex_nb.model.losses import label_losses, text_loss, upsample_logits, weighted_sum, weights_of
from spex_nb.model.outputs import ImageFeatures, SpexGeneration, SpexOutput
from spex_nb.model.progress_bar import without_progress_bar
from spex_nb.model.runtime.channels import CELL, STRIDE, language_cells


class SpexModel(PreTrainedModel):
    """The whole model: vision encoder, language model and mask decoder, with the layers that join them."""

    config_class = SpexConfig
    config: SpexConfig
    base_model_prefix = "spex"
    main_input_name = "pixel_values"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["Block", "TwoWayBlock", "Qwen2DecoderLayer"]  # noqa: RUF012 (as transformers has it)

    def __init__(self, config: SpexConfig) -> None:
        super().__init__(config)
        decoder, condensation = config.mask_decoder_config, config.condensation_config
        channels, hidden_size = config.aggregation_channels, config.text_config.hidden_size
        self.stem = make_stem(config)
        self.encoder = make_encoder(config.vision_config, reads_pixels=config.stem_config.kind == "fixed")
        stages = self.encoder.stage_channels
        self.aggregation = Aggregation(stages, channels, config.aggregation_dropout)
        self.neck = Neck(channels, decoder.embed_dim)
        self.projector = Projector(channels, hidden_size)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.condensation = Condensation(hidden_size, decoder.embed_dim, condensation.num_tokens, condensation.widths)
        self.prompt_encoder = PromptEncoder(decoder)
        self.pixel_decoder = make_pixel_decoder(decoder, stages, self.stem.half_channels, self.stem.full_channels)
        fine = self.pixel_decoder.channels if self.pixel_decoder else 0
        self.mask_decoder = MaskDecoder(decoder, fine)
        targets = len(config.targets)
        self.target_queries = TargetQueries(targets, condensation.num_tokens, decoder.embed_dim) if targets else None
        self.band_readout = BandReadout(fine) if fine and config.reconstruction_weight else None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Initialise the encoder as InternImage does. The language model and torch's layers initialise themselves."""
        if isinstance(module, Block):
            for layer in module.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.trunc_normal_(layer.weight, std=0.02)
                    nn.init.zeros_(layer.bias)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, pretrained_model_name_or_path: str | Path, *args: Any, local_files_only: bool = True, **options: Any
    ) -> SpexModel:
        """Load a checkpoint, and refuse one that is not complete.

        Args:
            pretrained_model_name_or_path: ``tiny``, which ships with the package; a folder; or a name on the hub.
            *args: Positional arguments for `from_pretrained` of transformers.
            local_files_only: Whether only local files are read, the default. False allows the network.
            **options: Further options for `from_pretrained` of transformers.

        Raises:
            CheckpointError: If it is damaged, holds no safetensors, or holds other weights than the configuration asks
                for; nothing is allocated before.
        """
        wants_info = options.pop("output_loading_info", False)
        folder = local_folder(pretrained_model_name_or_path, local_files_only=local_files_only)
        if "config" not in options and not args:
            require_sound_model(folder)
        with checkpoint_errors(folder), without_progress_bar():
            loaded: Any = super().from_pretrained(
                folder,
                *args,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **options,
            )
        model, info = loaded
        mismatched = [entry[0] for entry in info.get("mismatched_keys", ())]
        require_all(info["missing_keys"], info["unexpected_keys"], mismatched)
        return loaded if wants_info else model

    def get_output_embeddings(self) -> nn.Module:
        """Return the language model's head."""
        head: nn.Module = self.language_model.get_output_embeddings()
        return head

    def get_input_embeddings(self) -> nn.Module:
        """Return the language model's embedding of tokens."""
        embeddings: nn.Module = self.language_model.get_input_embeddings()
        return embeddings

    # --- image --------------------------------------------------------------------------------------------------------

    def encode_image(
        self,
        pixel_values: Tensor,
        wavelengths_um: Tensor | None = None,
        index_values: Tensor | None = None,
        gsd_m: Tensor | None = None,
    ) -> ImageFeatures:
        """Compute the features of images of one size. Any number of prompts can share them.

        Args:
            pixel_values: float [N, B, H, W], normalised; NaN where there is no data, which counts as the mean.
            wavelengths_um: float [B, 2] or [N, B, 2], centre and width of the bands in micrometres; a fixed stem needs
                none.
            index_values: float [N, I, H, W], see `runtime.channels`; a stem with
                index channels sees none of them by default.
            gsd_m: float [N], ground sampling distance in metres, NaN where unknown; unknown by default.

        Raises:
            ValueError: If shapes or wavelengths make no sense.
        """
        if pixel_values.ndim != 4 or 0 in pixel_values.shape:  # noqa: PLR2004
            raise ValueError(
                f"pixel_values is {tuple(pixel_values.shape)}; expected [N, bands, height, width], none zero."
            )
        require_device(pixel_values, "pixel_values", self)
        height, width = pixel_values.shape[-2:]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        pixels = F.pad(pixel_values.nan_to_num(0.0, posinf=0.0, neginf=0.0).to(self.dtype), padding)
        optional = {} if index_values is None else {"index_values": F.pad(index_values, padding, value=torch.nan)}
        if gsd_m is not None and self.config.stem_config.gsd:
            optional["gsd_m"] = gsd_m
        full, half, base = self.stem(pixels, wavelengths_um, **optional)
        stages = self.encoder(base)
        aggregated, fine = self.aggregation(stages), None
        if self.pixel_decoder is not None:
            finest = [full] if self.config.mask_decoder_config.fine_stride == 1 else []
            fine = self.pixel_decoder([*stages[::-1], half, *finest])
        grid = language_cells((height, width), self.config.language_grid)
        tokens = aggregated if aggregated.shape[-2:] == grid else F.adaptive_avg_pool2d(aggregated, grid)
        return ImageFeatures(tokens.flatten(2).mT, self.neck(aggregated), fine, (height, width))

    # --- text ---------------------------------------------------------------------------------------------------------

    def embed_prompt(self, input_ids: Tensor, groups: Sequence[PromptFeatures]) -> Tensor:
        """Embed prompts, with visual tokens in the place of the image tokens.

        Args:
            input_ids: int [N, L], image tokens included.
            groups: Image features of the prompts, from `encode_by_size`.

        Returns:
            float [N, L, D].

        Raises:
            ValueError: If a prompt has no image, or another number of image tokens than its image has cells.
        """
        require_device(input_ids, "input_ids", self)
        require_pairs(groups, len(input_ids))
        is_image = input_ids == self.config.image_token_id
        embedded: Tensor = self.get_input_embeddings()(input_ids.masked_fill(is_image, 0))
        for rows, features in groups:
            embedded = insert_visual(embedded, is_image, rows, self.projector(features.tokens))
        return embedded

    def _hidden(self, embedded: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Return the hidden states of the last layer after its norm, float [N, L, D]. It computes no logits."""
        if attention_mask is None:
            return self._decoder_states(embedded)
        # Positions as transformers' generate counts them: padding takes none.
        positions = (attention_mask.long().cumsum(1) - 1).clamp(min=0)
        if not self.training or is_initialized():  # every process of a sharded model makes as many passes as the others
            return self._decoder_states(embedded, positions, attention_mask)
        return forward_in_buckets(self._decoder_states, attention_mask, embedded=embedded, positions=positions)

    def _decoder_states(
        self, embedded: Tensor, positions: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> Tensor:
        hidden: Tensor = self.language_model.get_decoder()(
            inputs_embeds=embedded, attention_mask=attention_mask, position_ids=positions, use_cache=False
        )[0]
        return hidden

    def choose_tokens(self, input_ids: Tensor, attention_mask: Tensor | None, labels: Tensor | None) -> Tensor:
        """Choose the positions whose hidden states are condensed; the same in training and in inference.

        Args:
            input_ids: int [N, L], the tokens of the prompts.
            attention_mask: int [N, L], 0 at padding; None without padding.
            labels: int [N, L], the tokens of the answer, -100 elsewhere; None without an answer.

        Returns:
            bool [N, L].

        Raises:
            ValueError: If the model condenses the answer and there is none.
        """
        if self.config.condensation_config.source == "answer":
            return choose_answer(labels, self._ends({}))
        return choose_prompt(input_ids, attention_mask, labels, self.config.image_token_id)

    def _ends(self, options: Mapping[str, Any]) -> list[int]:
        """Return the tokens that end an answer, under options of ``generate``."""
        defaults = options.get("generation_config") or self.language_model.generation_config
        ends = options.get("eos_token_id", defaults.eos_token_id)
        return [] if ends is None else torch.as_tensor(ends).flatten().tolist()

    # --- mask ---------------------------------------------------------------------------------------------------------

    def decode_mask(
        self, features: ImageFeatures, condensed: Tensor, mask_prompts: MaskPrompts
    ) -> tuple[Tensor, Tensor]:
        """Decode one mask for each prompt, on images of one size.

        Args:
            features: Of the image of each prompt.
            condensed: float [N, T, D], the condensed tokens.
            mask_prompts: Prior, points and boxes of each prompt.

        Returns:
            Mask logits float [N, H, W], and the expected IoU float [N].
        """
        (height, width), size = features.embedding.shape[-2:], features.size
        encoded = self.prompt_encoder(condensed, mask_prompts, (height, width), size)
        logits, iou = self.mask_decoder(
            features.embedding, encoded.image_pe, encoded.sparse, encoded.dense, features.fine, encoded.signs
        )
        return upsample_logits(logits, (CELL * height, CELL * width))[:, : size[0], : size[1]], iou

    def _decode(
        self, groups: Sequence[PromptFeatures], condensed: Tensor, mask_prompts: MaskPrompts
    ) -> tuple[Tensor, Tensor]:
        """Decode the masks of all prompts, with -inf around those smaller than the largest."""
        require_pairs(groups, len(condensed))
        sizes = [features.size for _, features in groups]
        shape = (len(condensed), *(max(sides) for sides in zip(*sizes, strict=True)))
        mask_prompts.require_fit(shape)
        if len(groups) == 1:
            return self.decode_mask(groups[0].features, condensed, mask_prompts)
        logits, iou = condensed.new_full(shape, -torch.inf), condensed.new_zeros(len(condensed))
        for (rows, features), size in zip(groups, sizes, strict=True):
            if len(rows):
                masks, iou[rows] = self.decode_mask(features, condensed[rows], mask_prompts.of(rows, size))
                logits[rows, : size[0], : size[1]] = masks
        return logits, iou

    # --- entry points ------------------------------------------------------------------------------------------------

    def forward(  # noqa: PLR0913 (everything a prompt may come with)
        self,
        pixel_values: Tensor | None = None,
        wavelengths_um: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        index_values: Tensor | None = None,
        gsd_m: Tensor | None = None,
        image_sizes: Tensor | None = None,
        image_index: Tensor | None = None,
        target_index: Tensor | None = None,
        hidden_cells: Tensor | None = None,
        prior: Tensor | None = None,
        points_frac: Tensor | None = None,
        point_kinds: Tensor | None = None,
        mask_wanted: Tensor | None = None,
        labels: Tensor | None = None,
        mask_labels: Tensor | None = None,
        features: ImageFeatures | None = None,
        return_logits: bool = False,
    ) -> SpexOutput:
        """Compute masks, and losses where there are labels.

        Args:
            pixel_values: float [M, B, H, W]; see `encode_image`.
            wavelengths_um: float [B, 2] or [M, B, 2], micrometres.
            input_ids: int [N, L], the image token once for each cell of the image. Without them, ``target_index`` asks
                by the queries of the targets alone, and the language model does not run.
            attention_mask: int [N, L], 0 at padding; no padding by default.
            index_values: float [M, I, H, W].
            gsd_m: float [M], the ground sampling distance in metres.
            image_sizes: int [M, 2], (height, width) of images of several sizes, see `Images`; all fill their pixels by
                default.
            image_index: int [N], the image of each prompt; prompts of one image share its features. Prompt i has image
                i by default.
            target_index: int [N], the number of each prompt's target in the configuration; -1 for another. Beside
                ``input_ids`` it adds a loss that draws the condensed tokens to the query of their target.
            hidden_cells: bool [M, h, w], parts of the images that the encoder does not see. A loss asks for them.
            prior: float [N, H, W]; like the two below, see `MaskPrompts`.
            points_frac: float [N, P, 2].
            point_kinds: int [N, P], the kind of each point.
            mask_wanted: bool [N], the n prompts whose masks are decoded; all by default.
            labels: int [N, L], the tokens of the answer, -100 elsewhere.
            mask_labels: int [n, H, W]: 1 target, 0 not, 255 unknown.
            features: From `encode_image`, in place of pixels.
            return_logits: Whether to compute the language head for all tokens.

        Raises:
            ValueError: If inputs are missing or do not belong together.
        """
        images = None if pixel_values is None else Images(pixel_values, wavelengths_um, index_values, gsd_m)
        output, hidden = SpexOutput(), None
        if hidden_cells is not None:
            features, output.reconstruction_loss = self._reconstruct(images, hidden_cells, image_sizes)
            images = None
        groups = encode_by_size(self.encode_image, images, features, image_index, image_sizes)
        if input_ids is None:
            output.condensed = self.queries_of(target_index)
        else:
            hidden = self._hidden(self.embed_prompt(input_ids, groups), attention_mask)
            chosen = self.choose_tokens(input_ids, attention_mask, labels)
            output.condensed = self.condensation(select_tokens(hidden, chosen))
            if target_index is not None and self.target_queries is not None:
                output.query_loss = self.target_queries.distance(output.condensed, target_index)
        mask_prompts, condensed = MaskPrompts(prior, points_frac, point_kinds), output.condensed
        if mask_wanted is not None:
            require_wanted(mask_wanted, len(condensed))
            mask_prompts, condensed = mask_prompts.among(mask_wanted), condensed[mask_wanted]
            groups = [group.among(mask_wanted) for group in groups]
            target_index = None if target_index is None else target_index[mask_wanted]
        output.mask_logits, output.iou = self._decode(groups, condensed, mask_prompts)
        if return_logits and hidden is not None:
            output.logits = self.get_output_embeddings()(hidden)
        if labels is not None and hidden is not None:
            output.text_loss = text_loss(hidden, labels, self.get_output_embeddings())
        if mask_labels is not None:
            weights = weights_of(target_index, self.config.positive_weights)
            output.bce_loss, output.dice_loss = label_losses(output.mask_logits, mask_labels, weights)
        output.loss = weighted_sum(output, self.config)
        return output

    def _reconstruct(
        self, images: Images | None, hidden_cells: Tensor, image_sizes: Tensor | None
    ) -> tuple[ImageFeatures, Tensor]:
        """Hide cells of images; return the features of the rest, and the loss of the hidden pixels."""
        if images is None or image_sizes is not None or self.band_readout is None or images.wavelengths_um is None:
            raise ValueError(
                "hidden_cells need pixels of one size with wavelengths, a model with fine_channels, and a "
                "reconstruction_weight above 0 in its configuration."
            )
        height, width = images.pixel_values.shape[-2:]
        is_hidden = spread_cells(hidden_cells, (height, width))
        features = self.encode_image(*images.hidden(is_hidden))
        assert features.fine is not None
        stride = self.config.mask_decoder_config.fine_stride
        bands = self.band_readout(features.fine[..., : height // stride, : width // stride], images.wavelengths_um)
        return features, reconstruction_loss(bands, images.pixel_values, is_hidden)

    def queries_of(self, target_index: Tensor | None) -> Tensor:
        """Return the learned queries of targets int [N], in the place of condensed tokens: float [N, T, D].

        Raises:
            ValueError: If there is no ``target_index``, or the model has no queries.
        """
        if target_index is None:
            raise ValueError("No target is named; pass input_ids, or target_index.")
        if self.target_queries is None:
            raise ValueError(
                "This model has no queries to ask for a target by its number. Name the targets in its configuration, "
                "SpexConfig(targets=…), or pass input_ids."
            )
        queries: Tensor = self.target_queries(target_index)
        return queries

    @torch.no_grad()
    def segment(self, *args: Any, **inputs: Any) -> Tensor:
        """Return mask logits float [N, H, W] in one pass, without generating text; takes what `forward` takes."""
        mask_logits: Tensor = self(*args, **inputs).mask_logits
        return mask_logits

    @torch.no_grad()
    def generate(
        self,
        pixel_values: Tensor | None = None,
        wavelengths_um: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        features: ImageFeatures | None = None,
        **options: Any,
    ) -> SpexGeneration:
        """Generate an explanation, and decode its mask.

        Args:
            pixel_values: As in `forward`, like all arguments without their own line here.
            wavelengths_um: Wavelengths and widths, as in `forward`.
            input_ids: Tokens of the prompts, as in `forward`.
            attention_mask: As in `forward`; shorter prompts are padded on the left.
            features: From `encode_image`, as in `forward`.
            **options: Other inputs of `forward`, except labels, ``target_index`` and ``hidden_cells``; and options of
                transformers' ``generate``, such as ``max_new_tokens`` and ``streamer``.

        Raises:
            ValueError: If inputs are missing; or with ``source="answer"``, if fewer than two tokens were generated.
        """
        if input_ids is None:
            raise ValueError("There is no prompt to go on from; pass input_ids.")
        index_values, gsd_m, image_index, image_sizes, *mask_inputs = (options.pop(name, None) for name in _SHARED)
        images = None if pixel_values is None else Images(pixel_values, wavelengths_um, index_values, gsd_m)
        groups = encode_by_size(self.encode_image, images, features, image_index, image_sizes)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        require_left(mask)
        generated = self.language_model.generate(
            inputs_embeds=self.embed_prompt(input_ids, groups),
            attention_mask=mask,
            **{**options, "output_hidden_states": True, "return_dict_in_generate": True},
        )
        if self.config.condensation_config.source == "answer":
            selected = select_new(generated, self._ends(options))
        else:
            selected = select_read(generated, self.choose_tokens(input_ids, mask, None))
        condensed, copies = self.condensation(selected), len(selected) // len(input_ids)
        groups = [group.repeated(copies) for group in groups]
        mask_logits, _ = self._decode(groups, condensed, MaskPrompts(*mask_inputs).repeated(copies))
        return SpexGeneration(sequences=generated.sequences, mask_logits=mask_logits, condensed=condensed)


_SHARED = ("index_values", "gsd_m", "image_index", "image_sizes", *MaskPrompts._fields)
"""Inputs that `SpexModel.forward` and ``generate`` share, beside those that both name."""

AutoModel.register(SpexConfig, SpexModel)
