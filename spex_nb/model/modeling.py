"""SPEX, wired: pixels and an instruction in, mask logits and an explanation out. Each step is a part in its own file.

After Si et al., SPEX, https://doi.org/10.1109/TGRS.2026.3670308. It knows no files, no band names and no words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, PreTrainedModel

from spex_nb.model.aggregation import Aggregation, Neck, Projector
from spex_nb.model.checkpoints import read_weights, require_all, resolve_checkpoint
from spex_nb.model.condensation import Condensation, select_tokens
from spex_nb.model.configuration import InternImageConfig, SpexConfig
from spex_nb.model.images import Images, Sight
from spex_nb.model.losses import mask_losses, upsample_logits
from spex_nb.model.mask_decoder import MaskDecoder, PromptEncoder
from spex_nb.model.outputs import ImageFeatures, SpexGeneration, SpexOutput
from spex_nb.model.pixel_decoder import PixelDecoder
from spex_nb.model.reconstruction import BandReadout, reconstruction_loss, spread_cells
from spex_nb.model.stem import FixedStem, PixelStem, WavelengthStem
from spex_nb.model.vision_encoder import BackboneEncoder, Block, InternImage

STRIDE = 32
"""The side of an image is filled up to a multiple of this; what is filled is cut from the mask again."""
CELL = 16
"""Pixels of the image under one visual token."""
IGNORED = 255
"""In ``mask_labels``: the label says nothing."""
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
"""What no public part has: it starts at random."""
NOT_TOLD = -100
"""In ``labels``: no part of the answer."""


def language_cells(size: Sequence[int], grid: int | None) -> tuple[int, int]:
    """Return how many rows and columns of visual tokens an image (height, width) has in a prompt."""
    rows, columns = (-(-side // STRIDE) * STRIDE // CELL for side in size)
    return (rows, columns) if grid is None else (min(rows, grid), min(columns, grid))


class SpexModel(PreTrainedModel):
    """The whole model."""

    config_class = SpexConfig
    base_model_prefix = "spex"
    main_input_name = "pixel_values"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["Block", "TwoWayBlock", "Qwen2DecoderLayer"]  # noqa: RUF012 (as transformers has it)

    def __init__(self, config: SpexConfig) -> None:
        super().__init__(config)
        stage_channels = self._make_encoder(config)
        channels, decoder = config.aggregation_channels, config.mask_decoder_config
        hidden_size = config.text_config.hidden_size
        self.aggregation = Aggregation(stage_channels, channels, config.aggregation_dropout)
        self.neck = Neck(channels, decoder.embed_dim)
        self.projector = Projector(channels, hidden_size)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        condensed = config.condensation_config
        self.condensation = Condensation(hidden_size, decoder.embed_dim, condensed.num_tokens, condensed.widths)
        self.prompt_encoder = PromptEncoder(decoder)
        self.pixel_decoder = self._make_pixel_decoder(stage_channels)
        self.mask_decoder = MaskDecoder(decoder, self.pixel_decoder.channels if self.pixel_decoder else 0)
        asked = len(config.targets)
        self.target_queries = nn.Embedding(asked, condensed.num_tokens * decoder.embed_dim) if asked else None
        self.band_readout = (
            BandReadout(self.pixel_decoder.channels) if self.pixel_decoder and config.reconstruction_weight else None
        )
        self.post_init()

    def _make_encoder(self, config: SpexConfig) -> tuple[int, ...]:
        stem, vision = config.stem_config, config.vision_config
        if not isinstance(vision, InternImageConfig):
            self.stem: FixedStem | WavelengthStem | PixelStem = PixelStem(stem.bands)
            backbone = BackboneEncoder(vision)
            self.encoder: nn.Module = backbone
            return backbone.stage_channels
        decoder = config.mask_decoder_config
        full = decoder.fine_channels if decoder.fine_stride == 1 else 0
        if stem.kind == "fixed":
            self.stem = FixedStem(stem.bands, vision.channels, stem.hidden_channels, full)
        else:
            self.stem = WavelengthStem(
                vision.channels, stem.hidden_channels, full, index_channels=stem.index_channels, gsd=stem.gsd
            )
        self.encoder = InternImage(vision)
        return vision.stage_channels

    def _make_pixel_decoder(self, stage_channels: tuple[int, ...]) -> PixelDecoder | None:
        decoder = self.config.mask_decoder_config
        if not decoder.fine_channels:
            return None
        full = [self.stem.full_channels] if decoder.fine_stride == 1 else []
        return PixelDecoder(decoder.fine_channels, [*stage_channels[::-1], self.stem.half_channels, *full])

    def _init_weights(self, module: nn.Module) -> None:
        """Start the encoder as InternImage does; the language model has its own way, all else torch's."""
        if isinstance(module, Block):
            for layer in module.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.trunc_normal_(layer.weight, std=0.02)
                    nn.init.zeros_(layer.bias)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, pretrained_model_name_or_path: str | Path, *args: Any, local_files_only: bool = True, **options: Any
    ) -> SpexModel:
        """Load a checkpoint whole.

        Args:
            pretrained_model_name_or_path: ``tiny``, which ships; a folder; or a name on the hub.
            *args: As in transformers.
            local_files_only: False allows the network.
            **options: As in transformers.

        Raises:
            CheckpointError: If it holds no safetensors, or other weights than the configuration asks for.
        """
        wants_info = options.pop("output_loading_info", False)
        loaded: Any = super().from_pretrained(
            resolve_checkpoint(pretrained_model_name_or_path), *args, local_files_only=local_files_only,
            use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True, **options,
        )  # fmt: skip
        model, info = loaded
        wrong = [entry[0] for entry in info.get("mismatched_keys", ())]
        require_all(info["missing_keys"], info["unexpected_keys"], wrong)
        return loaded if wants_info else model

    @classmethod
    def from_components(
        cls,
        config: SpexConfig,
        *,
        vision: str | Path | None = None,
        language: str | Path | None = None,
        mask_decoder: str | Path | None = None,
    ) -> SpexModel:
        """Start from separately pretrained parts; the rest starts at random.

        Args:
            config: Of the whole.
            vision: Folder of an InternImage in its public layout.
            language: Folder of a causal language model, such as Qwen2.5.
            mask_decoder: Folder of a SAM in transformers' layout.

        Raises:
            CheckpointError: If a part's weights do not fit.
        """
        from spex_nb.model.conversion import component_weights

        model = cls(config)
        given = {"vision": vision, "language": language, "mask_decoder": mask_decoder}
        for kind, folder in given.items():
            if folder is None:
                continue
            weights, prefixes = component_weights(kind, read_weights(folder))
            own = model.state_dict()
            wrong = [name for name in weights if name in own and own[name].shape != weights[name].shape]
            tied = {"language_model.lm_head.weight"} if config.text_config.tie_word_embeddings else set()
            expected = {name for name in own if name.startswith(prefixes) and not name.startswith(OWN_ONLY)} - tied
            if not isinstance(model.stem, FixedStem) or len(model.stem.bands) != RGB:
                weights = {name: tensor for name, tensor in weights.items() if not name.startswith("stem.conv1.")}
                expected -= {name for name in expected if name.startswith("stem.conv1.")}
            require_all(expected - weights.keys(), weights.keys() - own.keys(), wrong)
            model.load_state_dict(weights, strict=False)
        return model.eval()

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
        """Compute the features of images of one size, on which any number of instructions can be tried.

        Args:
            pixel_values: float [N, B, H, W], normalised; NaN where there is no data, which counts as the mean.
            wavelengths_um: float [B, 2] or [N, B, 2], centre and width of the bands; not needed for a fixed stem.
            index_values: float [N, 4, H, W], see `stem.INDICES`.
            gsd_m: float [N], ground sampling distance in metres, NaN where unknown.

        Raises:
            ValueError: If shapes or wavelengths make no sense.
        """
        if pixel_values.ndim != 4 or 0 in pixel_values.shape:  # noqa: PLR2004
            raise ValueError(
                f"pixel_values is {tuple(pixel_values.shape)}; expected [N, bands, height, width], none zero."
            )
        self._require_here(pixel_values, "pixel_values")
        height, width = pixel_values.shape[-2:]
        fill = (0, -width % STRIDE, 0, -height % STRIDE)
        pixels = F.pad(pixel_values.nan_to_num(0.0, posinf=0.0, neginf=0.0).to(self.dtype), fill)
        more = {} if index_values is None else {"index_values": F.pad(index_values, fill, value=torch.nan)}
        if gsd_m is not None and self.config.stem_config.gsd:
            more["gsd_m"] = gsd_m
        full, half, base = self.stem(pixels, wavelengths_um, **more)
        stages = self.encoder(base)
        aggregated = self.aggregation(stages)
        fine = None
        if self.pixel_decoder is not None:
            finest = [full] if self.config.mask_decoder_config.fine_stride == 1 else []
            fine = self.pixel_decoder([*stages[::-1], half, *finest])
        grid = language_cells((height, width), self.config.language_grid)
        tokens = aggregated if aggregated.shape[-2:] == grid else F.adaptive_avg_pool2d(aggregated, grid)
        return ImageFeatures(tokens.flatten(2).mT, self.neck(aggregated), fine, (height, width))

    def look(
        self,
        images: Images | None,
        features: ImageFeatures | None,
        image_index: Tensor | None = None,
        image_sizes: Tensor | None = None,
    ) -> list[Sight]:
        """Return what the prompts see: a `Sight` for each size of image.

        Args:
            images: Pixels and what is known of them; or
            features: From `encode_image`.
            image_index: int [N], the image of each prompt; one each if not given.
            image_sizes: int [M, 2], see `Images.by_size`.

        Raises:
            ValueError: If there are both pixels and features, or neither.
        """
        if (images is None) == (features is None):
            raise ValueError("Pass either pixel_values or features.")
        if features is not None:
            seen = features.of(image_index)
            return [Sight(torch.arange(len(seen.tokens), device=seen.tokens.device), seen)]
        assert images is not None
        index = torch.arange(len(images.pixel_values), device=self.device) if image_index is None else image_index
        sights = []
        for members, own in images.by_size(image_sizes):
            rows = torch.isin(index, members).nonzero()[:, 0]
            encoded = self.encode_image(*own)
            sights.append(Sight(rows, encoded.of(torch.searchsorted(members, index[rows]))))
        return sights

    def _require_here(self, given: Tensor, name: str) -> None:
        is_spread = getattr(self, "hf_device_map", None) is not None  # accelerate moves what it must
        if given.device.type != self.device.type and not is_spread:
            raise ValueError(
                f"{name} is on {given.device}, the model on {self.device}; expected the same device. Move it with "
                ".to(model.device)."
            )

    # --- text ---------------------------------------------------------------------------------------------------------

    def embed_prompt(self, input_ids: Tensor, seen: Sequence[Sight]) -> Tensor:
        """Put visual tokens in the place of the image tokens: float [N, L, D].

        Raises:
            ValueError: If a prompt has another number of image tokens than its image has cells.
        """
        self._require_here(input_ids, "input_ids")
        is_image = input_ids == self.config.image_token_id
        embedded = self.get_input_embeddings()(input_ids.masked_fill(is_image, 0))
        for rows, features in seen:
            counts, cells = is_image[rows].sum(1), features.tokens.shape[1]
            if (counts != cells).any():
                raise ValueError(
                    f"The prompts hold {counts.tolist()} image tokens, the image has {cells} cells. Prompts need the "
                    "image placeholder once; SpexProcessor repeats it as often as there are cells."
                )
            visual = self.projector(features.tokens).to(embedded.dtype)
            own = torch.zeros_like(is_image)
            own[rows] = is_image[rows]
            embedded = embedded.masked_scatter(own.unsqueeze(-1), visual)
        return embedded

    def _hidden(self, embedded: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Return the last layer's hidden states, after its norm; no logits are computed."""
        # Positions as transformers' generate counts them: what is filled up or hidden takes none.
        places = None if attention_mask is None else (attention_mask.long().cumsum(1) - 1).clamp(min=0)
        out: Tensor = self.language_model.get_decoder()(
            inputs_embeds=embedded, attention_mask=attention_mask, position_ids=places, use_cache=False
        )[0]
        return out

    def choose_tokens(self, input_ids: Tensor, attention_mask: Tensor | None, labels: Tensor | None) -> Tensor:
        """Say which positions are condensed, in training and in inference alike: bool [N, L].

        With ``source="prompt"`` the instruction and its attributes, all text after the image; with ``"answer"`` the
        tokens of the answer.

        Raises:
            ValueError: If the answer is asked for and there is none.
        """
        is_text = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        is_answer = torch.zeros_like(is_text) if labels is None else labels != NOT_TOLD
        if self.config.condensation_config.source == "answer":
            if labels is None:
                raise ValueError(
                    "This model condenses the answer (source='answer'), and there is none. "
                    "Call generate, or pass labels."
                )
            return is_answer & ~torch.isin(labels, labels.new_tensor(self._ends({})))
        is_image = input_ids == self.config.image_token_id
        is_after = is_image.flip(1).cumsum(1).flip(1) == 0  # no image token follows, itself included
        return is_text & is_after & ~is_answer

    # --- mask ---------------------------------------------------------------------------------------------------------

    def decode_mask(
        self,
        features: ImageFeatures,
        condensed: Tensor,
        prior: Tensor | None = None,
        points_frac: Tensor | None = None,
        point_kinds: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Decode one mask a prompt.

        Args:
            features: Of the image of each prompt.
            condensed: float [N, T, D].
            prior: float [N, H, W], 0..1; NaN all over where a sample has none.
            points_frac: float [N, P, 2], (x, y) as shares of width and height, from the outer edges of the image.
            point_kinds: int [N, P], see `PromptEncoder.points`.

        Returns:
            Mask logits float [N, H, W] and expected IoU float [N].
        """
        height, width = features.embedding.shape[-2:]
        sparse = condensed
        if points_frac is not None and point_kinds is not None:
            filled = torch.tensor(features.size[::-1], device=points_frac.device) / (
                CELL * torch.tensor([width, height], device=points_frac.device)
            )
            points = self.prompt_encoder.points(points_frac * filled, point_kinds)
            sparse = torch.cat([condensed, points.to(condensed.dtype)], 1)
        signs, known = self._signs(prior, features)
        logits, iou = self.mask_decoder(
            features.embedding, self.prompt_encoder.position.grid(height, width), sparse,
            self._dense(signs, known, features), features.fine, self._fine_signs(signs, features),
        )  # fmt: skip
        whole = upsample_logits(logits, (CELL * height, CELL * width))
        return whole[:, : features.size[0], : features.size[1]], iou

    def _signs(self, prior: Tensor | None, features: ImageFeatures) -> tuple[Tensor | None, Tensor]:
        """Return a prior as SAM's mask prompts are, -1, 1, and 0 where undefined; and which prompts have one."""
        n, _, height, width = features.embedding.shape
        if prior is None or not self.config.mask_decoder_config.dense_prior:
            return None, features.embedding.new_zeros(n, dtype=torch.bool)
        if tuple(prior.shape) != (n, *features.size):
            raise ValueError(f"prior is {tuple(prior.shape)}; expected {(n, *features.size)}, as the images.")
        fill = (0, CELL * width - prior.shape[-1], 0, CELL * height - prior.shape[-2])
        return F.pad((2 * prior.float() - 1).nan_to_num(0.0), fill), prior.isfinite().flatten(1).any(1)

    def _dense(self, signs: Tensor | None, known: Tensor, features: ImageFeatures) -> Tensor:
        n, _, height, width = features.embedding.shape
        without = self.prompt_encoder.dense(None, n, height, width)
        if signs is None:
            return without
        small = F.interpolate(signs[:, None], (4 * height, 4 * width), mode="bilinear", antialias=True)
        given = self.prompt_encoder.dense(small.to(without.dtype), n, height, width)
        return torch.where(known.view(-1, 1, 1, 1), given, without)

    def _fine_signs(self, signs: Tensor | None, features: ImageFeatures) -> Tensor | None:
        """Return the prior on the grid of the fine map."""
        if features.fine is None:
            return None
        if signs is None:
            return torch.zeros_like(features.fine[:, 0])
        size = features.fine.shape[-2:]
        resized = signs if signs.shape[-2:] == size else F.avg_pool2d(signs, 2)
        return resized.to(features.fine.dtype)

    def _decode(
        self,
        seen: Sequence[Sight],
        condensed: Tensor,
        prior: Tensor | None,
        points_frac: Tensor | None,
        point_kinds: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Decode the masks of all prompts; -inf where one is smaller than the largest."""
        sizes = [features.size for _, features in seen]
        shape = (len(condensed), *(max(sides) for sides in zip(*sizes, strict=True)))
        logits, iou = condensed.new_full(shape, -torch.inf), condensed.new_zeros(len(condensed))
        for (rows, features), (height, width) in zip(seen, sizes, strict=True):
            own = None if prior is None else prior[rows, :height, :width]
            clicks = (None if one is None else one[rows] for one in (points_frac, point_kinds))
            masks, guesses = self.decode_mask(features, condensed[rows], own, *clicks)
            if len(seen) == 1:
                return masks, guesses
            logits[rows, :height, :width], iou[rows] = masks, guesses
        return logits, iou

    # --- the doors ----------------------------------------------------------------------------------------------------

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
        labels: Tensor | None = None,
        mask_labels: Tensor | None = None,
        features: ImageFeatures | None = None,
        return_logits: bool = False,
    ) -> SpexOutput:
        """Compute masks, and losses where labels are given.

        Args:
            pixel_values: float [M, B, H, W]; see `encode_image`.
            wavelengths_um: float [B, 2] or [M, B, 2].
            input_ids: int [N, L], the image token once for each cell of the image. Without them ``target_index`` asks,
                by the queries of the targets alone, and the language model is not used.
            attention_mask: int [N, L], 0 where a prompt is filled up.
            index_values: float [M, 4, H, W].
            gsd_m: float [M], metres.
            image_sizes: int [M, 2], (height, width) of images of several sizes, see `Images`.
            image_index: int [N], the image of each prompt, whose work they share; one each if not given.
            target_index: int [N], which of the configuration's targets each prompt asks for; -1 for another. Beside
                ``input_ids`` it gives a loss that draws the condensed tokens to the query of their target.
            hidden_cells: bool [M, h, w]: parts of the images that the encoder does not see, and that a loss asks for.
            prior: float [N, H, W].
            points_frac: float [N, P, 2].
            point_kinds: int [N, P].
            labels: int [N, L], the answer's tokens, -100 elsewhere.
            mask_labels: int [N, H, W]: 1 target, 0 not, 255 unknown.
            features: From `encode_image`, in place of pixels.
            return_logits: Whether to compute the language head for all tokens.

        Raises:
            ValueError: If inputs are missing or do not belong together.
        """
        images = None if pixel_values is None else Images(pixel_values, wavelengths_um, index_values, gsd_m)
        output = SpexOutput()
        if hidden_cells is not None:
            features, output.reconstruction_loss = self._reconstruct(images, hidden_cells, image_sizes)
            images = None
        seen = self.look(images, features, image_index, image_sizes)
        hidden = None
        if input_ids is None:
            output.condensed = self.queries_of(target_index)
        else:
            hidden = self._hidden(self.embed_prompt(input_ids, seen), attention_mask)
            chosen = self.choose_tokens(input_ids, attention_mask, labels)
            output.condensed = self.condensation(select_tokens(hidden, chosen))
            output.query_loss = self._query_loss(output.condensed, target_index)
        output.mask_logits, output.iou = self._decode(seen, output.condensed, prior, points_frac, point_kinds)
        if return_logits and hidden is not None:
            output.logits = self.language_model.get_output_embeddings()(hidden)
        return self._with_losses(output, hidden, labels, mask_labels, target_index)

    def _reconstruct(
        self, images: Images | None, hidden_cells: Tensor, image_sizes: Tensor | None
    ) -> tuple[ImageFeatures, Tensor]:
        """Hide cells of images; return the features of what is left, and how well they tell what was hidden."""
        if images is None or image_sizes is not None or self.band_readout is None or images.wavelengths_um is None:
            raise ValueError(
                "hidden_cells need pixels of one size with wavelengths, a model with fine_channels, and a "
                "reconstruction_weight above 0 in its configuration."
            )
        height, width = images.pixel_values.shape[-2:]
        hidden = spread_cells(hidden_cells, (height, width))
        features = self.encode_image(*images.hidden(hidden))
        assert features.fine is not None
        stride = self.config.mask_decoder_config.fine_stride
        read = self.band_readout(features.fine[..., : height // stride, : width // stride], images.wavelengths_um)
        return features, reconstruction_loss(read, images.pixel_values, hidden)

    def queries_of(self, target_index: Tensor | None) -> Tensor:
        """Return what stands for targets in the place of condensed tokens: float [N, T, D].

        Raises:
            ValueError: If no target is named, or the model has no queries.
        """
        if target_index is None or self.target_queries is None:
            raise ValueError(
                "Nothing is asked for: pass input_ids; or target_index, to a model whose configuration names targets."
            )
        queries: Tensor = self.target_queries(target_index)
        return queries.unflatten(1, (self.config.condensation_config.num_tokens, -1))

    def _query_loss(self, condensed: Tensor, target_index: Tensor | None) -> Tensor | None:
        """Return how far condensed tokens are from their targets' queries, in units of the queries' spread."""
        if target_index is None or self.target_queries is None:
            return None
        known = target_index >= 0
        aims = self.queries_of(target_index[known]).detach()
        spread = self.target_queries.weight.detach().square().mean()
        return (condensed[known] - aims).square().mean() / spread if known.any() else condensed.sum() * 0

    def _with_losses(
        self,
        output: SpexOutput,
        hidden: Tensor | None,
        labels: Tensor | None,
        mask_labels: Tensor | None,
        target_index: Tensor | None,
    ) -> SpexOutput:
        config, parts = self.config, []
        if output.reconstruction_loss is not None:
            parts.append(config.reconstruction_weight * output.reconstruction_loss)
        if output.query_loss is not None:
            parts.append(config.query_weight * output.query_loss)
        if labels is not None and hidden is not None:
            told = labels[:, 1:] != NOT_TOLD
            logits = self.language_model.get_output_embeddings()(hidden[:, :-1][told])  # only where they are used
            total = F.cross_entropy(logits.float(), labels[:, 1:][told], reduction="sum")
            output.text_loss = total / told.sum().clamp(min=1)
            parts.append(config.text_weight * output.text_loss)
        if mask_labels is not None:
            logits = output.mask_logits
            assert logits is not None
            if mask_labels.shape != logits.shape:
                raise ValueError(
                    f"mask_labels is {tuple(mask_labels.shape)}; expected {tuple(logits.shape)}, as the image."
                )
            known = mask_labels != IGNORED
            weights = self._positive_weights(target_index)
            output.bce_loss, output.dice_loss = mask_losses(logits.float(), mask_labels.float(), known, weights)
            parts += [config.bce_weight * output.bce_loss, config.dice_weight * output.dice_loss]
        if parts:
            output.loss = torch.stack(parts).sum()
        return output

    def _positive_weights(self, target_index: Tensor | None) -> Tensor | None:
        """Return how much the pixels of each prompt's target weigh: float [N]."""
        weights = self.config.positive_weights
        if target_index is None or not weights:
            return None
        table = torch.tensor([*weights, 1.0], device=target_index.device)  # the last is that of -1
        return table[target_index]

    @torch.no_grad()
    def segment(self, *args: Any, **inputs: Any) -> Tensor:
        """Return mask logits float [N, H, W] in one pass, without generating text; takes what `forward` takes."""
        mask_logits: Tensor = self(*args, **inputs).mask_logits
        return mask_logits

    @torch.no_grad()
    def generate(  # noqa: PLR0913 (as forward)
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
        prior: Tensor | None = None,
        points_frac: Tensor | None = None,
        point_kinds: Tensor | None = None,
        features: ImageFeatures | None = None,
        **options: Any,
    ) -> SpexGeneration:
        """Write an explanation, and decode its mask.

        Args:
            pixel_values: As all that is not named below, as in `forward`.
            wavelengths_um: Likewise.
            input_ids: Likewise.
            attention_mask: Likewise; shorter prompts are filled up on the left.
            index_values: Likewise.
            gsd_m: Likewise.
            image_sizes: Likewise.
            image_index: Likewise.
            prior: Likewise.
            points_frac: Likewise.
            point_kinds: Likewise.
            features: Likewise.
            **options: Of transformers' ``generate``, such as ``max_new_tokens`` and ``streamer``.

        Raises:
            ValueError: If inputs are missing; or with ``source="answer"``, if fewer than two tokens were generated.
        """
        if input_ids is None:
            raise ValueError("There is no prompt to go on from; pass input_ids.")
        images = None if pixel_values is None else Images(pixel_values, wavelengths_um, index_values, gsd_m)
        seen = self.look(images, features, image_index, image_sizes)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if not mask[:, -1].all():
            raise ValueError(
                "The prompts are filled up on the right, so that generation would start after the fill; expected them "
                "filled up on the left. Pass padding_side='left' to SpexProcessor."
            )
        written = self.language_model.generate(
            inputs_embeds=self.embed_prompt(input_ids, seen), attention_mask=mask,
            **{**options, "output_hidden_states": True, "return_dict_in_generate": True},
        )  # fmt: skip
        condensed = self.condensation(list(self._told(written, input_ids, mask, self._ends(options))))
        copies = len(condensed) // len(input_ids)
        mask_logits, _ = self._decode(
            [sight.repeated(copies) for sight in seen], condensed,
            *(_repeated(one, copies) for one in (prior, points_frac, point_kinds)),
        )  # fmt: skip
        return SpexGeneration(sequences=written.sequences, mask_logits=mask_logits, condensed=condensed)

    def _ends(self, options: Mapping[str, Any]) -> list[int]:
        """Return the tokens that end an answer."""
        usual = options.get("generation_config") or self.language_model.generation_config
        ends = options.get("eos_token_id", usual.eos_token_id)
        return [] if ends is None else torch.as_tensor(ends).flatten().tolist()

    def _told(self, written: Any, input_ids: Tensor, attention_mask: Tensor, ends: list[int]) -> Iterator[Tensor]:
        """Yield the hidden states to condense: of the prompt, or at all new tokens but the last and the end."""
        n = len(input_ids)
        if self.config.condensation_config.source == "prompt":
            first = written.hidden_states[0][-1]  # once for each beam
            told = select_tokens(first[:: len(first) // n], self.choose_tokens(input_ids, attention_mask, None))
            yield from (one for one in told for _ in range(len(written.sequences) // n))
            return
        if written.get("beam_indices") is not None:
            raise ValueError(
                "Beams are not kept apart where the answer is condensed; expected one. Pass num_beams=1, or use "
                "a model with source='prompt'."
            )
        if len(written.hidden_states) < 2:  # noqa: PLR2004 (the last token's state is never computed)
            raise ValueError("One token was generated, which leaves none to condense. Allow at least two new tokens.")
        steps = torch.cat([step[-1][:, -1:] for step in written.hidden_states[1:]], 1)  # at tokens 1 .. n - 1
        said = written.sequences[:, : steps.shape[1]]
        is_told = torch.isin(said, said.new_tensor(ends)).cumsum(1) == 0  # neither the end nor the fill after it
        is_told[:, 0] = True
        yield from select_tokens(steps, is_told)


def _repeated(values: Tensor | None, copies: int) -> Tensor | None:
    return values if values is None or copies == 1 else values.repeat_interleave(copies, 0)
