"""Where a scene comes from: a sample, a file, or the notebook's memory; written into sessions and opened again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from spex_nb.errors import SourceNotFoundError
from spex_nb.scene.open import open_scene
from spex_nb.scene.samples import SAMPLES, sample_scene


@dataclass(frozen=True)
class Origin:
    """Where a scene comes from.

    Attributes:
        kind: ``sample``, ``file``, or ``memory`` for one that only the notebook has.
        name: Of the sample, or path of the file.
        options: Of `open_scene`.
    """

    kind: Literal["sample", "file", "memory"] = "memory"
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def open(self) -> xr.Dataset:
        """Open the scene.

        Raises:
            SourceNotFoundError: If it was in memory only, or its file is gone.
            SpexError: As `open_scene`.
        """
        if self.kind == "memory":
            raise SourceNotFoundError(
                "The scene was in the notebook's memory only",
                found="no file to open it from",
                expected="the scene itself",
                fix="Make a workbench with the same scene, then open the session in it.",
            )
        opener = sample_scene if self.kind == "sample" else open_scene
        opened: xr.Dataset = opener(self.name, **self.options)
        return opened

    def __str__(self) -> str:
        return {"sample": f"sample {self.name}", "file": self.name, "memory": "a scene in memory"}[self.kind]

    def to_json(self) -> dict[str, Any]:
        """Return what a session keeps."""
        return asdict(self)


def origin_of(source: Any, options: Mapping[str, Any] | None = None) -> Origin:
    """Return where a source comes from: a path, the name of a sample, or a Dataset."""
    if isinstance(source, xr.Dataset):
        return Origin()
    name = str(source)
    if name in SAMPLES and not Path(name).exists():
        return Origin("sample", name, dict(options or {}))
    return Origin("file", str(Path(name).absolute()) if Path(name).exists() else name, dict(options or {}))
