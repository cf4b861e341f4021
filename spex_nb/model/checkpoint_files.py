"""Finding and reading weights, by name or path: only safetensors, and no network unless allowed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from spex_nb.errors import CheckpointError

CHECKPOINTS = Path(__file__).parent / "checkpoints"
"""One folder for each checkpoint that comes with the package."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def shipped_checkpoints() -> tuple[str, ...]:
    """Return the names of the checkpoints that come with the package."""
    return tuple(sorted(config.parent.name for config in CHECKPOINTS.glob("*/config.json")))


def resolve_checkpoint(name: str | Path) -> str:
    """Return the folder of a shipped checkpoint or of a path; any other name is one of the hub's.

    Raises:
        CheckpointError: If a folder holds no safetensors, or pickled weights only.
    """
    shipped = CHECKPOINTS / str(name)
    if "/" not in str(name) and shipped.is_dir():
        return str(shipped)
    path = Path(name)
    if path.is_dir():
        weight_files(path)
        return str(path)
    if path.is_absolute() or str(name).startswith(".") or "/" not in str(name):
        ships = ", ".join(shipped_checkpoints()) or "none yet"
        raise CheckpointError(
            "There is no such checkpoint",
            found=str(path),
            expected=f"one that ships ({ships}), a folder, or owner/name on the hub",
            fix="Check the name.",
        )
    return str(name)


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a folder.

    Raises:
        CheckpointError: If there are none. Pickles are never opened: to open one is to run the program in it.
    """
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return files
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLES)
    raise CheckpointError(
        "The checkpoint holds no weights that can be read",
        found=f"{', '.join(pickles[:3])}: pickled, which may run any program when opened"
        if pickles
        else f"none in {folder}",
        expected="*.safetensors",
        fix="Convert it where you trust it: safetensors.torch.save_file(torch.load(file, weights_only=True), …).",
    )


def read_weights(folder: str | Path) -> dict[str, Tensor]:
    """Read all weights of a folder by their names.

    Raises:
        CheckpointError: If it does not exist, holds no safetensors, or one is damaged.
    """
    path = Path(folder)
    if not path.is_dir():
        raise CheckpointError(
            "There is no such checkpoint", found=str(path), expected="a folder with safetensors", fix="Check the path."
        )
    weights: dict[str, Tensor] = {}
    for file in weight_files(path):
        try:
            weights |= load_file(file)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                "The weights cannot be read",
                found=f"{file}: {error}",
                expected="a safetensors file",
                fix="Fetch the file again.",
            ) from error
    return weights


def require_all(missing: Iterable[str], unexpected: Iterable[str], wrong: Iterable[str] = ()) -> None:
    """Raise unless weights and model are the same.

    Raises:
        CheckpointError: If weights are missing, surplus or of another shape. The message names them.
    """
    parts = [
        f"{len(names)} {kind}: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"  # noqa: PLR2004 (enough to see)
        for kind, names in (
            ("missing", sorted(missing)),
            ("surplus", sorted(unexpected)),
            ("mis-shaped", sorted(wrong)),
        )
        if names
    ]
    if parts:
        raise CheckpointError(
            "The weights are not those of this model",
            found="; ".join(parts),
            expected="every parameter of the configuration, and no other",
            fix="Load them with the configuration that they were saved with.",
        )
