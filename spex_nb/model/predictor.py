"""The model behind the `MaskModel` protocol: it takes tiles, prompts and clicks, and returns arrays and text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from transformers import StoppingCriteria, TextIteratorStreamer

from spex_nb.errors import DeviceMemoryError
from spex_nb.language.answers import fill_answer
from spex_nb.language.evidence import measure_prediction
from spex_nb.language.prompts import in_language
from spex_nb.model.checkpoint_checks import local_folder, require_pair
from spex_nb.model.checkpoint_files import weight_files
from spex_nb.model.layers.joint_readout import TargetTree
from spex_nb.model.modeling import SpexModel
from spex_nb.model.outputs import TEXT_INPUTS, ImageFeatures
from spex_nb.model.processing import SpexProcessor
from spex_nb.model.runtime.band_arrays import tile_digest
from spex_nb.model.runtime.cores import enforce_cores
from spex_nb.model.runtime.scaled_weights import AERIAL, scaled_folder
from spex_nb.types import Evidence, ModelCard
from spex_nb.types.targets import TARGETS

TILE_PX = 512
NEW_TOKENS = 256
"""Longest explanation by default, in tokens."""
UNSETTLING = ("_name_or_path", "architectures", "transformers_version")
"""Entries of a configuration that change no answer."""
AsksBy = Literal["prompt", "query"]
"""How a target is asked for: by the words of a prompt, or by its learned query."""


class SpexPredictor:
    """A model with its processor. It keeps the features of the last tile, so that another prompt or a click is quick.

    Args:
        model: The model; the predictor sets it to evaluation mode.
        processor: The processor of the same checkpoint.
        name: Name of the model in results.
        asks_by: ``prompt`` asks for a target by the words of the prompt. ``query`` asks by the learned query of the
            target, as after the first stage of training, when the model has learned no words. It then ignores prompts
            and explains nothing.

    Attributes:
        id: ``name``.
        folder: Where the checkpoint lies; None for a model that was not loaded from one.
    """

    def __init__(
        self, model: SpexModel, processor: SpexProcessor, name: str = "spex", *, asks_by: AsksBy = "prompt"
    ) -> None:
        self.model, self.processor, self.asks_by = model, processor, asks_by
        model.train(False)
        config = model.config
        self._tree = TargetTree(config.targets, config.part_of, config.covered_by_parts) if config.joint else None
        self.id = name
        self.folder: Path | None = None
        self._last: _EncodedTile | None = None
        self._aerial: Self | None = None

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, device: str | None = None, asks_by: AsksBy = "prompt", **options: Any
    ) -> Self:
        """Load model and processor.

        Args:
            name: ``tiny``, a folder, or a name on the hub (with ``local_files_only=False``).
            device: A device of torch, such as ``cuda``; the fastest of this machine if not given.
            asks_by: ``prompt`` or ``query``, as in the class.
            **options: Passed to `SpexModel.from_pretrained`; ``dtype`` is float32 if not given.

        Raises:
            CheckpointError: If weights or tokenizer are missing, or do not belong together.
        """
        local_files_only = bool(options.pop("local_files_only", True))
        folder = local_folder(name, local_files_only=local_files_only)
        processor = SpexProcessor.from_pretrained(folder)
        model = SpexModel.from_pretrained(folder, **{"dtype": torch.float32} | options)
        require_pair(
            folder,
            image_token_id=processor.image_token_id,
            wanted_id=model.config.image_token_id,
            tokens=len(processor.tokenizer),
            vocabulary=int(model.config.text_config.vocab_size),
        )
        model.to(device or _best_device())  # type: ignore[arg-type]  # torch's own, which transformers hides
        predictor = cls(model, processor, Path(str(name)).name, asks_by=asks_by)
        predictor.folder = folder
        return predictor

    def at_scale(self, gsd_m: float | None) -> Self:
        """Return the model whose weights learned from pixels of a size: this one, or its aerial one.

        Args:
            gsd_m: Ground sampling distance in metres; None where it is unknown.

        Raises:
            CheckpointError: If the aerial weights cannot be read.
        """
        folder = None if self.folder is None else scaled_folder(self.folder, gsd_m)
        if folder is None:
            return self
        if self._aerial is None:
            device, dtype = str(self.model.device), self.model.dtype
            self._aerial = type(self).from_pretrained(folder, device=device, asks_by=self.asks_by, dtype=dtype)
            self._aerial.id = self.id
        return self._aerial

    @property
    def _aerial_folder(self) -> Path | None:
        folder = None if self.folder is None else self.folder / AERIAL
        return folder if folder is not None and folder.is_dir() else None

    @cached_property
    def card(self) -> ModelCard:
        """What the model can do, and what it needs; of the weights at the first call."""
        config = self.model.config
        return ModelCard(
            targets=self._targets,
            required_bands=tuple(self.processor.bands or ()),
            largest_gsd_m=config.largest_gsd_m,
            tile_px=TILE_PX,
            weak_without=dict(config.weak_without),
            left_to_index=dict(config.left_to_index),
            accepts_points=True,
            explains_evidence=self.asks_by == "prompt",
            parameters=int(self.model.num_parameters()),
            fingerprint=self._fingerprint(),
            settings_fingerprint=self._settings_fingerprint(),
        )

    @property
    def _targets(self) -> tuple[str, ...]:
        """Targets that the model was trained for; all targets where its configuration names none."""
        return self.model.config.targets or tuple(TARGETS)

    def _settings_fingerprint(self) -> str:
        """Return a hash of configuration, processor and tokenizer, 16 hexadecimal digits."""
        config = {name: value for name, value in self.model.config.to_dict().items() if name not in UNSETTLING}
        tokenizer = self.processor.tokenizer.backend_tokenizer.to_str()
        facts = json.dumps([config, self.processor.to_dict(), tokenizer, self.asks_by], sort_keys=True, default=str)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]

    def _fingerprint(self) -> str:
        """Return a hash of the weights, 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for name, value in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        for file in [] if self._aerial_folder is None else weight_files(self._aerial_folder):
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]

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
        priors: Sequence[NDArray[np.bool_] | None] | None = None,
        points: Sequence[Sequence[tuple[float, float, bool]]] | None = None,
        boxes: Sequence[Sequence[tuple[float, float, float, float]]] | None = None,
    ) -> NDArray[np.float32]:
        """Segment a tile for several targets in one pass.

        Args:
            tile: Reflectance bands [H, W] by name.
            targets: Ids of the targets, one for each prompt.
            prompts: Texts from `build_prompt`, which name the targets.
            priors: For each target a mask [H, W] or None; no priors by default.
            points: For each target points (x, y, is the target) in pixels; no points by default.
            boxes: For each target boxes (x0, y0, x1, y1) in pixels; no boxes by default.

        Returns:
            Mask logits float32 [T, H, W]; -inf where the tile has no data.

        Raises:
            ValueError: If prompts and targets do not pair, the tile does not suit the model, or ``asks_by`` is
                ``query`` and the model has no query of a target.
            DeviceMemoryError: If the device has too little memory.
        """
        if len(targets) != len(prompts) or not targets:
            raise ValueError(f"{len(targets)} targets and {len(prompts)} prompts; expected one prompt for each target.")
        encoded = self._encoded(tile)
        inputs = self._prompt_inputs(tile, prompts, priors=priors, points=points, boxes=boxes)
        if self.asks_by == "query":
            inputs = self._query_inputs(inputs, targets)
        with _device_memory_errors():
            logits = self.model.segment(features=self._features(encoded), **inputs).float()
            if self._tree is not None:
                logits = self._compete(self._tree, logits, targets, self._features(encoded))
        layers = np.where(encoded.valid, logits.cpu().numpy(), np.float32(-np.inf))
        return enforce_cores(layers, targets, self.model.config.cores, tile.spex.gsd_m, [points, boxes])

    def _compete(
        self, tree: TargetTree, logits: torch.Tensor, targets: Sequence[str], features: ImageFeatures
    ) -> torch.Tensor:
        """Return log-odds [T, H, W] of targets that compete; targets without a query stay as they are.

        The queries of the targets that nobody asked for give their logits.
        """
        number_of = {name: tree.targets.index(name) for name in targets if name in tree.targets}
        rivals = [number for number in tree.rivals(list(number_of)) if number not in number_of.values()]
        everyone = logits.new_zeros((len(tree.targets), *logits.shape[1:]))
        for name, row in zip(targets, logits, strict=True):
            if name in number_of:
                everyone[number_of[name]] = row
        if rivals:
            numbers = torch.tensor(rivals, device=logits.device)
            image_index = torch.zeros_like(numbers)
            rival_logits = self.model.segment(features=features, target_index=numbers, image_index=image_index)
            everyone[rivals] = rival_logits.float()
        log_odds = tree.log_odds(everyone[None])[0]
        rows = [
            log_odds[number_of[name]] if name in number_of else row for name, row in zip(targets, logits, strict=True)
        ]
        return torch.stack(rows)

    def _query_inputs(self, inputs: dict[str, torch.Tensor], targets: Sequence[str]) -> dict[str, torch.Tensor]:
        """Replace the text of the prompts by the numbers of their targets."""
        missing = [target for target in targets if target not in self._targets]
        if missing:
            raise ValueError(
                f"The model has no query of {', '.join(missing)}; expected some of {', '.join(self._targets)}. Ask for "
                "one of these, or train the model on the target."
            )
        numbers = torch.tensor([self._targets.index(target) for target in targets], device=self.model.device)
        return {name: values for name, values in inputs.items() if name not in TEXT_INPUTS} | {"target_index": numbers}

    def explain(
        self,
        overview: xr.Dataset,
        prompt: str,
        language: str = "en",
        evidence: Evidence | None = None,
        **options: Any,
    ) -> Iterator[str]:
        """Write an explanation, sentence by sentence.

        The model chooses sentences, sizes and places. Where it leaves a figure open (see `answer_template`), the
        figure of the evidence is filled in. A model that asks by query writes nothing.

        Args:
            overview: The scene, thinned to the size of a tile.
            prompt: The text of a prompt, from `build_prompt`.
            language: Language of the answer; the predictor appends it to the prompt.
            evidence: Figures of the mask; by default those of the model's own mask of the overview.
            **options: Options of transformers' ``generate``.

        Yields:
            Sentences as the model writes them.

        Raises:
            PromptError: If there is no evidence, and the prompt names no target to measure it on.
            DeviceMemoryError: If the device has too little memory.
        """
        if self.asks_by == "query":
            return
        if evidence is None:
            evidence = measure_prediction(self.predict, overview, prompt)
        yield from fill_answer(self._generated(overview, prompt, language, options), evidence, language)

    def _generated(
        self, overview: xr.Dataset, prompt: str, language: str, options: dict[str, Any]
    ) -> Generator[str, None, None]:
        """Yield text piece by piece while a thread generates it."""
        encoded = self._encoded(overview)
        inputs = self._prompt_inputs(overview, [in_language(prompt, language)], padding_side="left")
        tokenizer = self.processor.tokenizer
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=False, skip_special_tokens=True)
        defaults = {
            "max_new_tokens": NEW_TOKENS,
            "do_sample": False,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }
        errors: list[BaseException] = []
        stop = Event()

        def write() -> None:
            try:
                with _device_memory_errors(), torch.inference_mode():
                    self.model.generate(
                        features=self._features(encoded),
                        streamer=streamer,
                        stopping_criteria=[_StopOnEvent(stop)],
                        **defaults | options,
                        **inputs,
                    )
            except BaseException as error:  # noqa: BLE001 (raised again below, in the caller's thread)
                errors.append(error)
                streamer.end()

        writer = Thread(target=write, daemon=True)
        writer.start()
        try:
            yield from streamer
        finally:  # a caller that stops reading also ends the generation
            stop.set()
            writer.join()
        if errors:
            raise errors[0]

    def _prompt_inputs(self, tile: xr.Dataset, prompts: Sequence[str], **options: Any) -> dict[str, Any]:
        """Return the tensors of prompts about one tile, on the device of the model."""
        inputs = self.processor.questions(prompts, [tile.spex.shape], image_index=[0] * len(prompts), **options)
        return {name: values.to(self.model.device) for name, values in inputs.items()}

    def _encoded(self, tile: xr.Dataset) -> _EncodedTile:
        """Return the model's inputs of a tile; those of the last tile if it is the same."""
        tile = tile.compute()
        valid = tile.spex.valid.values
        digest = tile_digest(tile, valid, self.processor.band_settings)
        if self._last is None or self._last.digest != digest:
            self._last = None  # frees the features of the last tile before the next ones are computed
            self._last = _EncodedTile(digest, valid, self.processor.pixels([tile]))
        return self._last

    def _features(self, encoded: _EncodedTile) -> ImageFeatures:
        """Return the features of a tile; computed again only if the model has changed."""
        model = self.model
        state = (id(model), model.dtype, model.device, tuple(parameter._version for parameter in model.parameters()))
        if encoded.features is None or encoded.state != state:
            pixels = {name: values.to(model.device) for name, values in encoded.pixels.items()}
            encoded.features, encoded.state = model.encode_image(**pixels), state
        return encoded.features


@dataclass
class _EncodedTile:
    """The model's inputs of a tile, and the features computed from them."""

    digest: bytes
    valid: NDArray[np.bool_]
    """bool [H, W]."""
    pixels: dict[str, torch.Tensor]
    features: ImageFeatures | None = None
    state: object = None
    """State of the model that computed the features."""


class _StopOnEvent(StoppingCriteria):
    """Ends generation when an event is set."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def __call__(self, input_ids: Any, scores: Any, **_options: Any) -> Any:  # noqa: ARG002 (transformers gives them)
        return torch.full((len(input_ids),), self._stop.is_set(), device=input_ids.device)


@contextmanager
def _device_memory_errors() -> Iterator[None]:
    """Raise torch's error about device memory as a `DeviceMemoryError`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            "The device has too little memory",
            found=str(error),
            expected="room for one tile",
            fix="Use smaller tiles or fewer targets at a time.",
        ) from error


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
