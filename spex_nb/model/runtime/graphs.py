"""The graphs of a checkpoint on ONNX Runtime. They hold no weights, and take those of safetensors by name."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import CheckpointError, DeviceMemoryError, explain_malformed
from spex_nb.types.typed_json import read_json

FOLDER, LISTED, ENDING = "onnx", "graphs.json", ".onnx.gz"
LARGEST_GRAPH = 2**24
"""Bytes of an unpacked graph; those that ship have a hundredth of it."""
THREADS = "OMP_NUM_THREADS"
"""The variable that limits torch and numpy to a number of threads limits ONNX Runtime too."""
NO_ROOM = ("alloc", "memory")
"""Words of ONNX Runtime where memory does not suffice; it has no error of its own for that."""


class GraphList(TypedDict):
    """What ``graphs.json`` says of the graphs beside it."""

    parameters: int
    """Number of parameters of the model."""
    rivals: dict[str, list[str]]
    """Where targets compete: by target, those whose logits decide about it."""
    weights: dict[str, list[str]]
    """By graph, the names of the weights that it takes."""


def has_graphs(folder: Path) -> bool:
    """Whether a checkpoint comes with graphs for ONNX Runtime."""
    return (folder / FOLDER / LISTED).is_file()


class Graphs:
    """The graphs of one checkpoint, each loaded when it is first run.

    Args:
        folder: Of the checkpoint.
        weights: float32 arrays by name.
    """

    def __init__(self, folder: Path, weights: Mapping[str, NDArray[Any]]) -> None:
        self._folder, self._weights = folder, weights
        self._sessions: dict[str, Any] = {}

    @cached_property
    def listed(self) -> GraphList:
        """What ``graphs.json`` says.

        Raises:
            CheckpointError: If there is no such file, or it is damaged.
        """
        path = self._folder / FOLDER / LISTED
        with explain_malformed(
            CheckpointError,
            "The checkpoint has no graphs for ONNX Runtime, or damaged ones",
            where=path,
            expected=f"{FOLDER}/{LISTED} as recipes/tiny/export_onnx.py writes it",
            fix="Install spex-nb[model] to use torch, or write the graphs with this recipe.",
        ):
            content = read_json(path)
            return GraphList(
                parameters=int(content["parameters"]),
                rivals=dict(content["rivals"]),
                weights=dict(content["weights"]),
            )

    def run(self, name: str, **inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Run a graph.

        Args:
            name: Its file, without ending.
            **inputs: Its inputs by name.

        Raises:
            CheckpointError: If the graph cannot be loaded, or does not belong to the weights.
            DeviceMemoryError: If memory does not suffice.
        """
        from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

        session = self._session(name)
        try:
            results: list[NDArray[np.float32]] = session.run(None, inputs)
        except RuntimeException as error:
            if not any(word in str(error).lower() for word in NO_ROOM):
                raise
            raise DeviceMemoryError(
                "The machine has too little memory",
                found=str(error),
                expected="room for one tile",
                fix="Use smaller tiles or fewer targets at a time.",
            ) from error
        return results

    def _session(self, name: str) -> Any:
        if name not in self._sessions:
            path = self._folder / FOLDER / f"{name}{ENDING}"
            with explain_malformed(
                CheckpointError,
                "A graph cannot be loaded, or is not of these weights",
                where=path,
                expected="a graph that recipes/tiny/export_onnx.py wrote for this checkpoint",
                fix="Write it again with this recipe, or install spex-nb again.",
                also=(Exception,),  # ONNX Runtime has a dozen errors without a common base
            ):
                self._sessions[name] = _load(path, self.listed["weights"][name], self._weights)
        return self._sessions[name]


def _load(path: Path, names: list[str], weights: Mapping[str, NDArray[Any]]) -> Any:
    """Return a session on the processor of this machine, with its weights by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 3  # errors only
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave the cores alone
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(weights[name]) for name in names]
    options.add_external_initializers([f"model.{name}" for name in names], values)
    return onnxruntime.InferenceSession(_unpacked(path), options, providers=["CPUExecutionProvider"])


def _unpacked(path: Path) -> bytes:
    """Return a graph as its file holds it, packed.

    Raises:
        ValueError: If it is far larger than a graph without weights is.
        OSError: If the file is missing or damaged.
    """
    with gzip.open(path) as file:
        graph = file.read(LARGEST_GRAPH + 1)
    if len(graph) > LARGEST_GRAPH:
        raise ValueError(f"{path.name} unpacks to more than {LARGEST_GRAPH:,} bytes")
    return graph


def _threads() -> int:
    """Return how many threads the user allows, the first number where a list says it by level; 0 for all cores."""
    first = os.environ.get(THREADS, "").split(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() else 0
