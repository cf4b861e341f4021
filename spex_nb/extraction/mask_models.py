"""A name or path → MaskModel: the one lazy door to `model` and `runtime`; and the index, which needs neither."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import CheckpointError, MissingExtraError, is_installed, require_extra
from spex_nb.language.answers import write_answer
from spex_nb.language.evidence import measure_prediction
from spex_nb.model.runtime.graphs import has_graphs
from spex_nb.spectral.priors import RULES, prior_of, spectral_prior
from spex_nb.types import Evidence, MaskModel, ModelCard, Prior, ScaledModel

INDEX = "index"
"""Name of the index baseline."""
SHIPPED = "tiny"
"""Name of the checkpoint that comes along."""
CHECKPOINTS = Path(__file__).parents[1] / "model" / "checkpoints"
"""As in `model.checkpoint_files`, which loads torch when it is imported."""
Runtime = Literal["torch", "onnx"]
"""What computes a checkpoint: torch, or ONNX Runtime on the graphs beside the weights."""
EXTRA_OF: Mapping[Runtime, str] = {"torch": "model", "onnx": "onnx"}
"""The optional part that brings each."""
LOGIT_PER_UNIT = 20.0
"""Of the index: a tenth beyond the threshold is a logit of 2, a probability of 0.88."""
SUREST = 6.0
"""No logit of the index baseline lies further from 0: a probability of 0.998."""
MIN_AREA_PX = 4
"""As in the answers of a dataset that was built with the usual settings."""


def usual_model() -> str:
    """Return the name of the model that ships, or `INDEX` where none does or its packages are not installed."""
    has_runtime = any(is_installed(extra) for extra in EXTRA_OF.values())
    return SHIPPED if (CHECKPOINTS / SHIPPED).is_dir() and has_runtime else INDEX


def load_mask_model(model: str | Path | MaskModel, **options: Any) -> MaskModel:
    """Return what a name means as a model.

    Args:
        model: ``index`` for the spectral prior alone; a checkpoint that ships, a folder, or a name on the hub; or an
            object with `predict` and `explain`, which is passed through. Torch computes a checkpoint where it is
            installed, and ONNX Runtime where it is not. ``torch:`` or ``onnx:`` before the name chooses one of them.
        **options: Of a checkpoint, as in `SpexPredictor.from_pretrained`: ``device``, ``local_files_only`` and others.

    Returns:
        The model, ready to predict. A checkpoint on this machine that is loaded without options is kept: the next call
        with its name gives the same object, as long as its files do not change.

    Raises:
        CheckpointError: If there is no such checkpoint, or it cannot be read.
        MissingExtraError: If a checkpoint is asked for, but the packages of neither [model] nor [onnx] are installed,
            or not those of the one that was chosen.
        TypeError: If options are given for what is no checkpoint.
    """
    if not isinstance(model, MaskModel) and model != INDEX:
        return _load_checkpoint(model, options)
    if options:
        raise TypeError(f"The options {', '.join(options)} are a checkpoint's; leave them out for {model!r}.")
    return model if isinstance(model, MaskModel) else IndexModel()


def model_at_scale(model: MaskModel, gsd_m: float | None) -> MaskModel:
    """Return a model with the weights that learned from pixels of a size in metres; most models have one set."""
    return model.at_scale(gsd_m) if isinstance(model, ScaledModel) else model


def _load_checkpoint(name: Any, options: dict[str, Any]) -> MaskModel:
    if not isinstance(name, str | Path):
        raise CheckpointError(
            "This is no model",
            found=type(name).__name__,
            expected=f"{INDEX!r}, the name or folder of a checkpoint, or an object with predict and explain",
            fix="Pass one of these.",
        )
    runtime, plain = split_runtime(name)
    chosen = runtime or chosen_runtime(plain, options)
    require_extra(EXTRA_OF[chosen], f"The model {str(name)!r}")
    load = _load_on_torch if chosen == "torch" else _load_on_onnx
    files = None if options else _files_of(plain)
    if files is None:
        return load(plain, **options)
    key = (chosen, *files)
    with _loading:
        if key not in _loaded_models:
            _loaded_models.clear()  # one model is enough to hold
            _loaded_models[key] = load(plain)
        return _loaded_models[key]


def split_runtime(name: str | Path) -> tuple[Runtime | None, str | Path]:
    """Return what a name chooses to be computed by, and the rest of it: ``onnx:tiny`` is tiny on ONNX Runtime."""
    before, colon, rest = str(name).partition(":")
    for runtime in get_args(Runtime):
        if colon and before == runtime:
            return runtime, rest
    return None, name


def chosen_runtime(name: str | Path, options: Mapping[str, Any] | None = None) -> Runtime:
    """Return what computes a checkpoint whose name chooses nothing.

    Args:
        name: Of the checkpoint.
        options: That were given for it; only torch knows any.

    Raises:
        MissingExtraError: If neither is installed.
    """
    if is_installed("model") or (options and not is_installed("onnx")):
        return "torch"
    if is_installed("onnx"):
        return "onnx"
    raise MissingExtraError(
        f"The model {str(name)!r} needs packages that are not installed",
        found="neither torch with transformers, nor onnxruntime",
        expected="the extra [onnx], which is small, or [model], which also trains",
        fix="Run: pip install 'spex-nb[onnx]', or: pip install 'spex-nb[model]'",
    )


def _load_on_torch(name: str | Path, **options: Any) -> MaskModel:
    from spex_nb.model.predictor import SpexPredictor

    return SpexPredictor.from_pretrained(name, **options)


def _load_on_onnx(name: str | Path, **options: Any) -> MaskModel:
    from spex_nb.model.runtime.predictor import OnnxPredictor

    if options:
        raise TypeError(f"ONNX Runtime takes no {', '.join(options)}; leave them out, or install spex-nb[model].")
    folder = _folder_of(name)
    if folder is None:
        raise CheckpointError(
            "There is no such checkpoint",
            found=str(name),
            expected=f"{SHIPPED}, or a folder; names on the hub need torch",
            fix="Check the name, or install spex-nb[model].",
        )
    if not has_graphs(folder):
        raise CheckpointError(
            "The checkpoint has no graphs for ONNX Runtime",
            found=f"no folder onnx in {folder}",
            expected="the graphs that recipes/tiny/export_onnx.py writes",
            fix="Install spex-nb[model] to use torch, or write the graphs with this recipe.",
        )
    return OnnxPredictor.from_pretrained(folder, Path(str(name)).name)


_loaded_models: dict[tuple[Any, ...], MaskModel] = {}
"""The checkpoint that was loaded last, by the state of its files: a second call with its name costs nothing."""
_loading = threading.Lock()


def _files_of(name: str | Path) -> tuple[Any, ...] | None:
    """Return what tells whether a checkpoint has changed: its files, sizes and times; None without a folder here."""
    folder = _folder_of(name)
    if folder is None:
        return None
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    states = ((str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return (folder.resolve(), *states)


def _folder_of(name: str | Path) -> Path | None:
    """Return the folder of a checkpoint that ships, or of a path; None where there is none here."""
    shipped = CHECKPOINTS / str(name)
    folder = shipped if shipped.is_dir() else Path(name)
    return folder if folder.is_dir() else None


def is_left_to_index(card: ModelCard, target: str, scene: xr.Dataset) -> bool:
    """Whether a model leaves a target of such a scene to the index, as `ModelCard.left_to_index` says.

    It makes the prior to know that there is one: a few pixels of the scene will do.
    """
    is_only_there = card.left_to_index.get(target) == "only"
    return prefers_index(card, target, scene) and (is_only_there or prior_of(scene, target) is not None)


def prefers_index(card: ModelCard, target: str, scene: xr.Dataset) -> bool:
    """Whether a model would leave a target of such values to the index, if there is an index of it."""
    is_relative = bool(scene.spex.is_relative)
    answers = {"only": True, "always": True, "uncalibrated": is_relative, "reflectance": not is_relative}
    return answers.get(card.left_to_index.get(target, ""), False)


class EvidenceExplainer:
    """Explains whatever it predicts by what can be measured on it: the answer of a model that has no words itself."""

    min_area_px = MIN_AREA_PX
    """Smaller regions are not counted."""
    predict: Callable[..., Any]

    def explain(
        self, overview: xr.Dataset, prompt: str, language: str = "en", evidence: Evidence | None = None
    ) -> Iterator[str]:
        """Say what is measured on a mask of the prompt's target.

        Args:
            overview: The scene, thinned to the size of a tile.
            prompt: From `build_prompt`.
            language: ISO 639-1 code of the answer's language.
            evidence: What was measured; by default on the mask that is predicted for the overview.

        Yields:
            The answer, in one piece.

        Raises:
            PromptError: If the text is no prompt.
            LanguageError: If the language is not spoken here.
            TargetError, BandError: Where `predict` raises them.
        """
        if evidence is None:
            evidence = measure_prediction(self.predict, overview, prompt, min_area_px=self.min_area_px)
        yield write_answer(evidence, language).text


INDEX_CARD = ModelCard(
    targets=tuple(RULES), left_to_index=dict.fromkeys(RULES, "always"), explains_evidence=True, reads_prompts=False
)


@dataclass
class IndexModel(EvidenceExplainer):
    """The spectral prior as a model: what any other must beat.

    It reads no prompt and uses no click, for a threshold has nothing that a click could move.
    """

    id: str = INDEX
    card: ModelCard = field(default=INDEX_CARD, repr=False)

    def predict(
        self,
        tile: xr.Dataset,
        targets: Sequence[str],
        prompts: Sequence[str],
        priors: Sequence[Any] | None = None,
        points: Sequence[Sequence[tuple[float, float, bool]]] | None = None,  # noqa: ARG002 (a threshold has no use)
        boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None = None,  # noqa: ARG002 (nor of boxes)
    ) -> Any:
        """Cut the index of each target, or take the prior that is given.

        Args:
            tile: Bands [H, W].
            targets: Ids.
            prompts: As many; not read.
            priors: For each target a mask bool [H, W], or None to make it here.
            points: Not heeded.
            boxes: Not heeded.

        Returns:
            Mask logits float32 [T, H, W], above 0 where the prior is. They grow with the distance of the index from its
            threshold, by `LOGIT_PER_UNIT` up to `SUREST`; a given mask says `SUREST` on either side. -inf where the
            tile has no data.

        Raises:
            ValueError: If prompts, priors and targets do not pair, or a prior is of another size.
            TargetError: If a target has no index.
            MissingBandError: If its index needs bands that the tile lacks.
        """
        if len(targets) != len(prompts) or not targets:
            raise ValueError(f"{len(targets)} targets and {len(prompts)} prompts; expected one prompt for each target.")
        given = [None] * len(targets) if priors is None else priors
        logits = [
            logits_of(spectral_prior(tile, target)) if prior is None else _sure(prior, tile.spex.shape)
            for target, prior in zip(targets, given, strict=True)
        ]
        return np.where(tile.spex.valid.values, np.stack(logits), np.float32(-np.inf))


def logits_of(prior: Prior) -> NDArray[np.float32]:
    """Return logits float32 [H, W]; what the index passes but a guard refuses is as far below 0 as it was above."""
    distance = np.abs(prior.index.values - np.float32(prior.threshold)) * np.float32(LOGIT_PER_UNIT)
    size = np.nan_to_num(np.minimum(distance, np.float32(SUREST)), nan=SUREST)
    return np.where(prior.mask.values, size, -size)


def _sure(mask: Any, shape: tuple[int, int]) -> Any:
    if np.shape(mask) != shape:
        raise ValueError(f"A prior of {np.shape(mask)} pixels does not fit its tile; expected {shape}.")
    return np.where(np.asarray(mask, bool), np.float32(SUREST), np.float32(-SUREST))
