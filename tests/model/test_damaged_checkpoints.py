"""A checkpoint from elsewhere is sound or refused in words, before anything is allocated, and the hub is not asked."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from spex_nb import load_mask_model
from spex_nb.errors import CheckpointError
from spex_nb.model import SpexModel, SpexPredictor, SpexProcessor
from spex_nb.model.checkpoint_files import CHECKPOINTS

TINY = CHECKPOINTS / "tiny"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "checkpoint"))


def change(name: str, edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Any]:
    def apply(folder: Path) -> None:
        payload = json.loads((folder / name).read_text())
        edit(payload)
        (folder / name).write_text(json.dumps(payload))

    return apply


def config(**values: Any) -> Callable[[Path], Any]:
    return change("config.json", lambda payload: payload.update(values))


def part(name: str, **values: Any) -> Callable[[Path], Any]:
    return change("config.json", lambda payload: payload[name].update(values))


def processor(**values: Any) -> Callable[[Path], Any]:
    return change("processor_config.json", lambda payload: payload.update(values))


def cut(name: str, share: float) -> Callable[[Path], Any]:
    def apply(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return apply


def reshaped(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = sorted(weights)[0]
    weights[name] = torch.zeros(3, 5)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def one_less(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop(sorted(weights)[0])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda folder: (folder / "processor_config.json").unlink(), r"no processor_config\.json"),
        (lambda folder: (folder / "config.json").unlink(), r"no config\.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights that can be read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "damaged"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64), "damaged"),
        (lambda folder: (folder / "config.json").write_text("[]"), "damaged"),
        (lambda folder: (folder / "config.json").write_text("[" * 100_000), "damaged"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer"),
        (lambda folder: (folder / "tokenizer_config.json").write_text('{"tokenizer_class": 3}'), "damaged"),
        (cut("model.safetensors", 0.5), "damaged"),
        (cut("config.json", 0.5), "damaged"),
        (cut("tokenizer.json", 0.5), "tokenizer"),
        (cut("processor_config.json", 0.5), "damaged"),
        (processor(colour="red"), "unknown keys colour"),
        (processor(mean=3), "mean is 3"),
        (processor(std={"red": 0}), "not above zero"),
        (processor(bands="red"), "bands is 'red'"),
        (processor(named_regions="3"), "named_regions"),
        (config(colour="red"), "colour"),
        (config(targets="water"), "targets is 'water'"),
        (config(targets=["water", 3, "x", "y", "z", "u"]), r"targets\[1\] is 3"),
        (config(aggregation_channels="192"), "aggregation_channels"),
        (config(aggregation_channels=208), "not those of this model"),
        (config(weak_without={"water": 3}), "weak_without"),
        (config(text_config=None), "not those of this model|damaged"),
        (config(text_config=[]), "damaged"),
        (config(image_token_id=7), "do not belong together"),
        (part("vision_config", depths=[1, 1, 10**7, 1]), "weights hold 379 tensors"),
        (part("vision_config", groups=[0, 4, 8, 16]), "damaged"),
        (part("vision_config", channels=10**13), "damaged|not those"),
        (part("mask_decoder_config", blocks=10**8), "weights hold 379 tensors"),
        (part("mask_decoder_config", heads=0), "damaged"),
        (part("text_config", vocab_size=4_000_000), "not those of this model"),
        (part("text_config", num_hidden_layers=10**9), "weights hold 379 tensors|damaged"),
        (part("text_config", hidden_size="192"), "damaged"),
        (part("text_config", model_type="no such model"), "damaged"),
        (reshaped, "mis-shaped"),
        (one_less, "1 missing"),
    ],
)  # fmt: skip
def test_damage_is_one_error_and_takes_no_memory(damage: Callable[[Path], Any], match: str, folder: Path) -> None:
    damage(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match=match):
        SpexPredictor.from_pretrained(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KB


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_a_pipe_is_no_file_of_a_checkpoint(name: str, folder: Path) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(CheckpointError, match=f"{name}: a pipe or a device"):
        SpexPredictor.from_pretrained(folder)


@pytest.mark.slow
def test_a_sound_copy_is_the_same_model(folder: Path) -> None:
    assert (
        SpexPredictor.from_pretrained(folder).card.fingerprint == SpexPredictor.from_pretrained("tiny").card.fingerprint
    )


@pytest.mark.parametrize("loader", [load_mask_model, SpexModel.from_pretrained, SpexProcessor.from_pretrained])
def test_a_name_of_the_hub_asks_nobody(loader: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def refuse(*arguments: Any, **_options: Any) -> Any:
        asked.append(arguments)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(CheckpointError, match=r"not on this machine.*local_files_only=False"):
        loader("owner/name")
    assert asked == []


def test_the_hub_is_asked_with_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def refuse(*arguments: Any, **_options: Any) -> Any:
        asked.append(arguments)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(CheckpointError, match="hub does not give"):
        load_mask_model("owner/name", local_files_only=False)
    assert asked
