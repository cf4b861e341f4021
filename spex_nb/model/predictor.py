"""Arrays and words in, arrays and words out: the model as everything outside of `model` sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import numpy as np
import torch
import xarray as xr
from transformers import StoppingCriteria, TextIteratorStreamer

from spex_nb.errors import CheckpointError, DeviceMemoryError
from spex_nb.language.answers import fill_answer
from spex_nb.language.evidence import measure_evidence
from spex_nb.language.prompts import in_language, parse_prompt
from spex_nb.model.checkpoint_files import resolve_checkpoint
from spex_nb.model.modeling import SpexModel
from spex_nb.model.outputs import ImageFeatures
from spex_nb.model.processing import SpexProcessor
from spex_nb.targets import TARGETS
from spex_nb.types import Evidence, ModelCard

TILE_PX = 512
NEW_TOKENS = 256


class SpexPredictor:
    """A model and its processor. The features of the last tile are kept: a second instruction or a click is cheap.

    Args:
        model: In evaluation mode from here on.
        processor: Of the same checkpoint.
        name: What it is called in results.

    Attributes:
        id: ``name``.
        targets: Ids of the targets that it was trained for; all that there are where it does not say.
        weak_without: Of some of them, the band without which they are found far less well.
        left_to_index: Those that a spectral index finds better, and when: ``always``, or ``uncalibrated``.
        required_bands: Bands that a scene must have; none where the model takes any.
        gsd_m: Ground sampling distance that it was trained for; None for any.
        tile_px: Side of a tile that it is given.
        explains_evidence: `explain` takes the evidence.
    """

    explains_evidence = True

    def __init__(self, model: SpexModel, processor: SpexProcessor, name: str = "spex") -> None:
        self.model, self.processor = model, processor
        model.train(False)
        self.id = name
        self.targets = model.config.targets or tuple(TARGETS)
        self.weak_without: dict[str, str] = dict(model.config.weak_without)
        self.left_to_index: dict[str, str] = dict(model.config.left_to_index)
        self.required_bands: tuple[str, ...] = tuple(processor.bands or ())
        self.gsd_m: float | None = None
        self.tile_px = TILE_PX
        self._kept: _Sight | None = None

    @classmethod
    def from_pretrained(cls, name: str | Path, *, device: str | None = None, **options: Any) -> Self:
        """Load model and processor.

        Args:
            name: ``tiny``, a folder, or a name on the hub (with ``local_files_only=False``).
            device: Such as ``cuda``; the fastest there is if not given.
            **options: As in `SpexModel.from_pretrained`; in full precision if ``dtype`` is not given.

        Raises:
            CheckpointError: If weights or tokenizer are not there, or do not belong together.
        """
        folder = resolve_checkpoint(name)
        try:
            processor = SpexProcessor.from_pretrained(folder, local_files_only=options.get("local_files_only", True))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                "The checkpoint has no processor", found=f"{folder}: {error}",
                expected="tokenizer and processor_config.json",
                fix="Save model and processor into the same folder.",
            ) from error  # fmt: skip
        model = SpexModel.from_pretrained(folder, **{"dtype": torch.float32} | options)
        model.to(device or _best_device())  # type: ignore[arg-type]  # torch's own, which transformers hides
        return cls(model, processor, Path(str(name)).name)

    @property
    def parameters(self) -> int:
        """How many parameters the model has."""
        return int(self.model.num_parameters())

    @cached_property
    def fingerprint(self) -> str:
        """A text that tells these weights from others."""
        digest = hashlib.sha256()
        for name, value in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]

    @cached_property
    def card(self) -> ModelCard:
        """What the model can do, and what it needs."""
        return ModelCard(
            targets=self.targets,
            required_bands=self.required_bands,
            gsd_m=self.gsd_m,
            tile_px=self.tile_px,
            weak_without=self.weak_without,
            left_to_index=self.left_to_index,
            accepts_points=True,
            explains_evidence=self.explains_evidence,
            parameters=self.parameters,
            fingerprint=self.fingerprint,
        )

    def use_cpu(self) -> bool:
        """Move the model to the CPU; return whether it was elsewhere."""
        moved = self.model.device.type != "cpu"
        self.model.to("cpu")  # type: ignore[arg-type]  # torch's own, which transformers hides
        return moved

    @torch.inference_mode()
    def predict(
        self,
        tile: xr.Dataset,
        targets: Sequence[str],
        prompts: Sequence[str],
        priors: Sequence[Any] | None = None,
        points: Sequence[Sequence[tuple[float, float, bool]]] | None = None,
        boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None = None,
    ) -> Any:
        """Segment a tile, for several targets in one pass.

        Args:
            tile: Reflectance bands [H, W].
            targets: Ids, one a prompt; the prompts say them.
            prompts: From `build_prompt`.
            priors: For each target a mask [H, W] or None.
            points: For each target points (x, y, is the target) in pixels.
            boxes: For each target boxes (x0, y0, x1, y1) in pixels.

        Returns:
            Mask logits float32 [T, H, W]; -inf where the tile has no data.

        Raises:
            ValueError: If prompts and targets do not pair, or the tile does not suit the model.
            DeviceMemoryError: If the device has too little memory.
        """
        if len(targets) != len(prompts) or not targets:
            raise ValueError(f"{len(targets)} targets and {len(prompts)} prompts; expected one prompt for each target.")
        sight = self._sight(tile)
        asked = self._asked(tile, prompts, priors=priors, points=points, boxes=boxes)
        with _memory_said():
            logits = self._segment(sight, targets, asked)
        return np.where(sight.valid, logits.float().cpu().numpy(), np.float32(-np.inf))

    def _segment(self, sight: _Sight, targets: Sequence[str], asked: dict[str, Any]) -> torch.Tensor:  # noqa: ARG002
        """Return mask logits [T, H, W]; the prompts say the targets."""
        return self.model.segment(features=self._features(sight), **asked)

    def explain(
        self,
        overview: xr.Dataset,
        prompt: str,
        language: str = "en",
        evidence: Evidence | None = None,
        **options: Any,
    ) -> Iterator[str]:
        """Write an explanation, sentence by sentence.

        The model chooses sentences, sizes and places; where it leaves a figure open (see `answer_template`), that of
        the evidence is filled in.

        Args:
            overview: The scene, thinned to the size of a tile.
            prompt: From `build_prompt`.
            language: Appended to the prompt, so that the answer is in it.
            evidence: What was measured; by default measured on the model's own mask of the overview.
            **options: Of transformers' ``generate``.

        Yields:
            Sentences as they are written.

        Raises:
            PromptError: If there is no evidence, and the prompt names no target to measure it on.
            DeviceMemoryError: If the device has too little memory.
        """
        known = self._measured(overview, prompt) if evidence is None else evidence
        yield from fill_answer(self._written(overview, prompt, language, options), known, language)

    def _measured(self, overview: xr.Dataset, prompt: str) -> Evidence:
        """Measure the model's own mask of an overview."""
        target = parse_prompt(prompt).target
        (logits,) = self.predict(overview, [target], [prompt])
        return measure_evidence(logits > 0, overview, target)

    def _written(
        self, overview: xr.Dataset, prompt: str, language: str, options: dict[str, Any]
    ) -> Generator[str, None, None]:
        """Generate text piece by piece, as the model writes it."""
        sight = self._sight(overview)
        asked = self._asked(overview, [in_language(prompt, language)], padding_side="left")
        tokenizer = self.processor.tokenizer
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=False, skip_special_tokens=True)
        usual = {
            "max_new_tokens": NEW_TOKENS, "do_sample": False, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }  # fmt: skip
        failed: list[BaseException] = []
        stop = Event()

        def write() -> None:
            try:
                with _memory_said(), torch.inference_mode():
                    self.model.generate(
                        features=self._features(sight), streamer=streamer, stopping_criteria=[_Stopped(stop)],
                        **usual | options, **asked,
                    )  # fmt: skip
            except BaseException as error:  # noqa: BLE001 (raised again below, in the caller's thread)
                failed.append(error)
                streamer.end()

        writer = Thread(target=write, daemon=True)
        writer.start()
        try:
            yield from streamer
        finally:  # whoever stops reading stops the writing
            stop.set()
            writer.join()
        if failed:
            raise failed[0]

    def _asked(self, tile: xr.Dataset, prompts: Sequence[str], **more: Any) -> dict[str, Any]:
        made = self.processor.questions(prompts, [tile.spex.shape], image_index=[0] * len(prompts), **more)
        return {name: values.to(self.model.device) for name, values in made.items()}

    def _sight(self, tile: xr.Dataset) -> _Sight:
        """Return what the model sees of a tile; that of the last one where it is the same."""
        tile = tile.compute()
        valid = tile.spex.valid.values
        digest = _digest(tile, valid, self.processor)
        kept = self._kept
        if kept is None or kept.digest != digest:
            self._kept = kept = None  # let go of the last one before the next one is made
            kept = self._kept = _Sight(digest, valid, self.processor.pixels([tile]))
        return kept

    def _features(self, sight: _Sight) -> ImageFeatures:
        """Return the features of a tile; those kept where the model is the same."""
        model = self.model
        state = (id(model), model.dtype, model.device, tuple(parameter._version for parameter in model.parameters()))
        if sight.features is None or sight.state != state:
            seen = {name: values.to(model.device) for name, values in sight.pixels.items()}
            sight.features, sight.state = model.encode_image(**seen), state
        return sight.features


@dataclass
class _Sight:
    """What the model sees of a tile, and what it made of that."""

    digest: bytes
    valid: Any
    """bool [H, W]."""
    pixels: dict[str, torch.Tensor]
    features: ImageFeatures | None = None
    state: object = None
    """Of the model that made the features."""


def _digest(tile: xr.Dataset, valid: Any, processor: SpexProcessor) -> bytes:
    """Return a few bytes that tell this tile from others: its numbers, what is said of them, and how they are read."""
    layers = [tile[name] for name in tile.spex.bands]
    said = (tile.attrs, tile.spex.gsd_m, tile.spex.shape, [(layer.name, layer.dtype, layer.attrs) for layer in layers])
    read = (processor.bands, processor.mean, processor.std, processor.index_channels)
    digest = hashlib.sha256(repr((said, read)).encode())
    for values in (*(layer.values for layer in layers), valid):
        digest.update(np.ascontiguousarray(values).data)
    return digest.digest()


class _Stopped(StoppingCriteria):
    """Ends generation when an event is set."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def __call__(self, input_ids: Any, scores: Any, **_options: Any) -> Any:  # noqa: ARG002 (transformers gives them)
        return torch.full((len(input_ids),), self._stop.is_set(), device=input_ids.device)


@contextmanager
def _memory_said() -> Iterator[None]:
    """Turn torch's error about too little memory into ours."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            "The device has too little memory", found=str(error), expected="room for one tile",
            fix="Use smaller tiles or fewer targets at a time.",
        ) from error  # fmt: skip


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
