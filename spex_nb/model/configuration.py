"""Sizes and options of a SPEX model, part by part, as Hugging Face configurations; unknown keys are errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from transformers import AutoConfig, PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

StemKind = Literal["fixed", "wavelength"]
CondensedSource = Literal["prompt", "answer"]


class _Strict(PretrainedConfig):
    """A configuration that refuses unknown keys; keys that every configuration has go to transformers."""

    _keys: tuple[str, ...] = ()

    def __init__(self, **kwargs: Any) -> None:
        strange = [key for key in kwargs if key not in _COMMON and not key.startswith("_")]
        if strange:
            raise ValueError(
                f"{type(self).__name__} has no {', '.join(sorted(strange))}. Expected: {', '.join(self._keys)}. "
                "Remove or correct the key."
            )
        super().__init__(**kwargs)


_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")
"""Keys of the tokenizer, which the Trainer of some versions of transformers writes into the configuration."""
_COMMON = frozenset(
    {
        *vars(PretrainedConfig()),
        *PretrainedConfig().to_dict(),
        *_TOKENS,
        "attn_implementation",
        "model_type",
        "name_or_path",
        "use_cache",
    }
)


class InternImageConfig(_Strict):
    """The deformable encoder; the family's sizes are in `INTERNIMAGE`.

    The last four choices are those of InternImage-H: a wider depthwise kernel, groups blended with what was before, a
    second norm behind each branch, and norms after some blocks of the third stage.
    """

    model_type = "spex_internimage"
    _keys = (
        "channels",
        "depths",
        "groups",
        "kernel_size",
        "mlp_ratio",
        "layer_scale",
        "offset_scale",
        "post_norm",
        "drop_path_rate",
        "depthwise_size",
        "center_scale",
        "branch_norm",
        "extra_norms",
    )

    def __init__(  # noqa: PLR0913, PLR0917 (each is a choice of the family)
        self,
        channels: int = 32,
        depths: tuple[int, ...] = (1, 1, 4, 1),
        groups: tuple[int, ...] = (2, 4, 8, 16),
        kernel_size: int = 3,
        mlp_ratio: float = 4.0,
        layer_scale: float | None = 1.0,
        offset_scale: float = 1.0,
        post_norm: bool = True,
        drop_path_rate: float = 0.0,
        depthwise_size: int | None = None,
        center_scale: bool = False,
        branch_norm: bool = False,
        extra_norms: tuple[int, ...] = (),
        **kwargs: Any,
    ) -> None:
        _require(len(depths) == len(groups) == 4, "depths and groups", f"{depths}, {groups}", "four of each")  # noqa: PLR2004
        for stage, count in enumerate(groups):
            width = channels * 2**stage
            _require(width % count == 0, f"groups[{stage}]", count, f"a divisor of the stage's {width} channels")
        self.channels, self.depths, self.groups = channels, tuple(depths), tuple(groups)
        self.kernel_size, self.mlp_ratio, self.layer_scale = kernel_size, mlp_ratio, layer_scale
        self.offset_scale, self.post_norm, self.drop_path_rate = offset_scale, post_norm, drop_path_rate
        self.depthwise_size, self.center_scale = depthwise_size, center_scale
        self.branch_norm, self.extra_norms = branch_norm, tuple(extra_norms)
        super().__init__(**kwargs)

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Channels of the four stages."""
        return tuple(self.channels * 2**stage for stage in range(4))


INTERNIMAGE: Mapping[str, Mapping[str, Any]] = {
    "T": {"channels": 64, "depths": (4, 4, 18, 4), "groups": (4, 8, 16, 32), "post_norm": False},
    "S": {"channels": 80, "depths": (4, 4, 21, 4), "groups": (5, 10, 20, 40)},
    "B": {"channels": 112, "depths": (4, 4, 21, 4), "groups": (7, 14, 28, 56)},
    "L": {"channels": 160, "depths": (5, 5, 22, 5), "groups": (10, 20, 40, 80), "offset_scale": 2.0},
    "XL": {"channels": 192, "depths": (5, 5, 24, 5), "groups": (12, 24, 48, 96), "offset_scale": 2.0},
    "H": {
        "channels": 320, "depths": (6, 6, 32, 6), "groups": (10, 20, 40, 80), "layer_scale": None, "post_norm": False,
        "depthwise_size": 5, "center_scale": True, "branch_norm": True, "extra_norms": (5, 11, 17, 23, 29),
    },
}  # fmt: skip
"""The published sizes (https://arxiv.org/abs/2211.05778 and its segmentation configurations)."""


class StemConfig(_Strict):
    """The stem, from bands to the first map of the encoder."""

    model_type = "spex_stem"
    _keys = ("kind", "bands", "hidden_channels", "index_channels", "gsd")

    def __init__(
        self,
        kind: StemKind = "wavelength",
        bands: tuple[str, ...] = ("red", "green", "blue"),
        hidden_channels: int | None = None,
        index_channels: bool = False,
        gsd: bool = False,
        **kwargs: Any,
    ) -> None:
        _require(kind in get_args(StemKind), "kind", kind, " or ".join(get_args(StemKind)))
        self.kind, self.bands = kind, tuple(bands)
        self.hidden_channels, self.index_channels, self.gsd = hidden_channels, index_channels, gsd
        super().__init__(**kwargs)


class CondensationConfig(_Strict):
    """The condensation of hidden states to a few tokens."""

    model_type = "spex_condensation"
    _keys = ("source", "num_tokens", "widths")

    def __init__(
        self,
        source: CondensedSource = "prompt",
        num_tokens: int = 4,
        widths: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        _require(source in get_args(CondensedSource), "source", source, " or ".join(get_args(CondensedSource)))
        _require(num_tokens >= 1, "num_tokens", num_tokens, "at least 1")
        self.source, self.num_tokens, self.widths = source, num_tokens, tuple(widths) if widths else None
        super().__init__(**kwargs)


class MaskDecoderConfig(_Strict):
    """SAM's mask decoder, and the optional parts that this project adds."""

    model_type = "spex_mask_decoder"
    _keys = (
        "embed_dim",
        "heads",
        "mlp_dim",
        "blocks",
        "attention_downsample",
        "mask_tokens",
        "mask_channels",
        "double_softmax",
        "dense_prior",
        "fine_channels",
        "fine_stride",
    )

    def __init__(  # noqa: PLR0913, PLR0917 (each is a choice of the decoder)
        self,
        embed_dim: int = 256,
        heads: int = 8,
        mlp_dim: int = 2048,
        blocks: int = 2,
        attention_downsample: int = 2,
        mask_tokens: int = 4,
        mask_channels: int = 16,
        double_softmax: bool = False,
        dense_prior: bool = True,
        fine_channels: int = 0,
        fine_stride: int = 1,
        **kwargs: Any,
    ) -> None:
        _require(embed_dim % heads == 0, "heads", heads, f"a divisor of {embed_dim}")
        _require(fine_stride in (1, 2), "fine_stride", fine_stride, "1 for full size, or 2 for half of it")
        self.embed_dim, self.heads, self.mlp_dim, self.blocks = embed_dim, heads, mlp_dim, blocks
        self.attention_downsample = attention_downsample
        self.mask_tokens, self.mask_channels = mask_tokens, mask_channels
        self.double_softmax, self.dense_prior = double_softmax, dense_prior
        self.fine_channels, self.fine_stride = fine_channels, fine_stride
        super().__init__(**kwargs)


class SpexConfig(_Strict):
    """A whole model: its parts, and how they are joined.

    Args:
        stem_config, vision_config, text_config, condensation_config, mask_decoder_config: The parts; dicts, or
            configurations. The vision part is InternImage, or any backbone of transformers with four stages. A ResNet
            reads any bands; other backbones need a fixed stem. The text part is any causal language model of
            transformers.
        aggregation_channels: Channels of the map that language model and mask decoder share.
        aggregation_dropout: Share of the map that is zeroed in training.
        language_grid: The language model sees the map averaged to at most this many cells on each side, so that its
            prompts are as long for any size of image; None for every cell, as released.
        image_token_id: Stands in ``input_ids`` where a visual token goes.
        targets: Ids of the targets that the model is trained for; each gets a query.
        positive_weights: Weight of the pixels of each target in the cross-entropy; 1 if not given.
        weak_without: By target, the band without which the model finds far less of it: ``{"water": "nir"}``.
        left_to_index: Targets that a spectral index finds better, and when; see `ModelCard`.
        cores: Of targets whose pieces must be sure somewhere: the probability that is sure, the least share of a piece
            that must be, and the largest pixels in metres for which that holds, as in ``{"building": (0.65, 0.2,
            0.8)}``; see `without_coreless_pieces`.
        largest_gsd_m: The largest pixels in metres that are read as they are; see `ModelCard`. None for any.
        joint: Whether the targets of a pixel compete, so that no pixel is two of them; see `joint_readout`.
        part_of: Then, of each target that is a part of another, the id of that other: ``{"road": "built_up"}``.
        covered_by_parts: Then, the targets that hold nothing but their parts.
        text_weight, bce_weight, dice_weight, query_weight, reconstruction_weight: Weights of the losses.
    """

    model_type = "spex"
    sub_configs = {  # noqa: RUF012 (as transformers has it)
        "stem_config": StemConfig,
        "vision_config": AutoConfig,
        "text_config": AutoConfig,
        "condensation_config": CondensationConfig,
        "mask_decoder_config": MaskDecoderConfig,
    }
    _keys = (
        *sub_configs,
        "aggregation_channels",
        "aggregation_dropout",
        "language_grid",
        "image_token_id",
        "targets",
        "positive_weights",
        "weak_without",
        "left_to_index",
        "cores",
        "largest_gsd_m",
        "joint",
        "part_of",
        "covered_by_parts",
        "text_weight",
        "bce_weight",
        "dice_weight",
        "query_weight",
        "reconstruction_weight",
    )

    def __init__(  # noqa: PLR0913, PLR0917 (each is a choice of the model)
        self,
        stem_config: StemConfig | Mapping[str, Any] | None = None,
        vision_config: PretrainedConfig | Mapping[str, Any] | None = None,
        text_config: PretrainedConfig | Mapping[str, Any] | None = None,
        condensation_config: CondensationConfig | Mapping[str, Any] | None = None,
        mask_decoder_config: MaskDecoderConfig | Mapping[str, Any] | None = None,
        aggregation_channels: int = 192,
        aggregation_dropout: float = 0.5,
        language_grid: int | None = None,
        image_token_id: int = 0,
        targets: tuple[str, ...] = (),
        positive_weights: tuple[float, ...] = (),
        weak_without: Mapping[str, str] | None = None,
        left_to_index: Mapping[str, str] | None = None,
        cores: Mapping[str, tuple[float, float, float]] | None = None,
        largest_gsd_m: float | None = None,
        joint: bool = False,
        part_of: Mapping[str, str] | None = None,
        covered_by_parts: tuple[str, ...] = (),
        text_weight: float = 1.0,
        bce_weight: float = 2.0,
        dice_weight: float = 1.0,
        query_weight: float = 0.3,
        reconstruction_weight: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.stem_config = _part(StemConfig, stem_config)
        self.vision_config = _vision(vision_config)
        is_foreign = not isinstance(self.vision_config, InternImageConfig)
        takes_stem = not is_foreign or self.vision_config.model_type == STEM_BEFORE
        _require(takes_stem or self.stem_config.kind == "fixed", "stem kind", self.stem_config.kind, FIXED_ONLY)
        self.text_config = _foreign(text_config) or CONFIG_MAPPING["qwen2"](**TINY_TEXT)
        self.condensation_config = _part(CondensationConfig, condensation_config)
        self.mask_decoder_config = _part(MaskDecoderConfig, mask_decoder_config)
        self.aggregation_channels, self.aggregation_dropout = aggregation_channels, aggregation_dropout
        _require(language_grid is None or language_grid >= 1, "language_grid", language_grid, "None, or at least 1")
        _require(
            len(positive_weights) in (0, len(targets)), "positive_weights", positive_weights, "one for each target"
        )
        self.language_grid, self.image_token_id = language_grid, image_token_id
        self.targets, self.positive_weights = tuple(targets), tuple(positive_weights)
        self.weak_without, self.left_to_index = dict(weak_without or {}), dict(left_to_index or {})
        self.cores = {target: tuple(map(float, core)) for target, core in (cores or {}).items()}
        _require(
            all(0 <= sure < 1 and 0 <= share <= 1 and gsd_m > 0 for sure, share, gsd_m in self.cores.values()),
            "cores",
            self.cores,
            "of each target a probability below 1, a share from 0 to 1, and metres",
        )
        is_size = largest_gsd_m is None or largest_gsd_m > 0
        _require(is_size, "largest_gsd_m", largest_gsd_m, "None, or metres above 0")
        self.largest_gsd_m = largest_gsd_m
        self.joint, self.part_of, self.covered_by_parts = joint, dict(part_of or {}), tuple(covered_by_parts)
        _require(not joint or len(self.targets) > 0, "targets", "empty", "the targets that compete, for joint=True")
        self.text_weight, self.bce_weight, self.dice_weight = text_weight, bce_weight, dice_weight
        self.query_weight, self.reconstruction_weight = query_weight, reconstruction_weight
        super().__init__(**kwargs)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> SpexConfig:
        """Return the sizes of a preset: ``tiny``, which trains on a laptop, ``small``, or ``base``, as released.

        Raises:
            ValueError: If there is no such preset.
        """
        _require(name in PRESETS, "preset", name, f"one of {', '.join(PRESETS)}")
        return cls(**{**PRESETS[name], **changes})


STEM_BEFORE = "resnet"
"""The backbone of transformers whose first layers can give way to the wavelength stem. Then it reads any bands."""
FIXED_ONLY = "fixed, for a backbone of transformers: it reads a fixed number of bands"
TINY_TEXT: Mapping[str, Any] = {
    "vocab_size": 8192,
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}
SMALL_TEXT: Mapping[str, Any] = {
    "vocab_size": 32_768,
    "hidden_size": 512,
    "intermediate_size": 1536,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
QWEN25_15B: Mapping[str, Any] = {
    "vocab_size": 151_936,
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32_768,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        "stem_config": {"index_channels": True, "gsd": True},
        "vision_config": {"channels": 32, "depths": (1, 1, 3, 1), "groups": (2, 4, 8, 16)},
        "text_config": {"model_type": "qwen2", **TINY_TEXT},
        "mask_decoder_config": {"embed_dim": 96, "heads": 4, "mlp_dim": 384, "fine_channels": 16},
        "aggregation_dropout": 0.1,
        "language_grid": 4,
        "reconstruction_weight": 0.5,
    },
    "small": {
        "stem_config": {"index_channels": True, "gsd": True},
        "vision_config": dict(INTERNIMAGE["T"]),
        "text_config": {"model_type": "qwen2", **SMALL_TEXT},
        "mask_decoder_config": {"fine_channels": 32},
        "aggregation_channels": 512,
    },
    "base": {
        "stem_config": {"kind": "fixed"},
        "vision_config": dict(INTERNIMAGE["L"]),
        "text_config": {"model_type": "qwen2", **QWEN25_15B},
        "condensation_config": {"source": "answer"},
        "mask_decoder_config": {"double_softmax": True, "dense_prior": False},
        "aggregation_channels": 1024,
    },
}
"""``base`` equals the release, its doubled softmax included."""


def _vision(given: PretrainedConfig | Mapping[str, Any] | None) -> PretrainedConfig:
    """Return InternImage's configuration, or that of a backbone that transformers brings."""
    if (
        isinstance(given, Mapping)
        and given.get("model_type", InternImageConfig.model_type) != InternImageConfig.model_type
    ):
        foreign = _foreign(given)
        assert foreign is not None
        return foreign
    return given if isinstance(given, PretrainedConfig) else _part(InternImageConfig, given)


def _require(is_valid: bool, name: str, value: object, expected: str) -> None:
    if not is_valid:
        raise ValueError(f"{name} is {value}; expected {expected}.")


def _part(kind: type[_Strict], given: _Strict | Mapping[str, Any] | None) -> Any:
    if isinstance(given, kind):
        return given
    return kind(**{key: value for key, value in dict(given or {}).items() if key != "model_type"})


def _foreign(given: PretrainedConfig | Mapping[str, Any] | None) -> PretrainedConfig | None:
    """Return the configuration of a part that transformers brings."""
    if given is None or isinstance(given, PretrainedConfig):
        return given
    values = dict(given)
    kind = values.pop("model_type", None)
    _require(kind in CONFIG_MAPPING, "model_type", kind, "one that transformers knows, such as 'qwen2'")
    usual = CONFIG_MAPPING[kind]()
    strange = sorted(key for key in values if not hasattr(usual, key) and key not in _COMMON and key[0] != "_")
    _require(not strange, f"{kind} configuration", f"given {', '.join(strange)}", "keys that it knows")
    return CONFIG_MAPPING[kind](**values)


AutoConfig.register(SpexConfig.model_type, SpexConfig)
