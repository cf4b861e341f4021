"""Where a scene comes from: it rides on the scene, into sessions, and to workers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from spex_nb.scene.windows.network import names_address

SOURCE = "spex_source"
"""Key of the encoding of a scene under which its `SceneSource` stands."""


@dataclass(frozen=True)
class SceneSource:
    """Where a scene comes from. It rides on the scene as ``scene.spex.source``, into sessions, and to workers.

    Attributes:
        scene: What `open_scene` takes: a path, several, a STAC item. Or the name of a sample, or a Dataset.
        options: Of `open_scene`.
        is_sample: Whether ``scene`` is the name of a sample.
    """

    scene: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    is_sample: bool = False

    @property
    def kind(self) -> Literal["sample", "file", "memory"]:
        """Whether a session can open it again: a sample, a file, or only what the notebook holds."""
        if self.is_sample:
            return "sample"
        is_file = isinstance(self.scene, str | Path) and _is_plain(self.options)
        return "file" if is_file else "memory"

    @classmethod
    def of(cls, scene: Any, options: Mapping[str, Any] | None = None) -> SceneSource:
        """Return the source of what `open_scene` takes: a local path as an absolute one; of arrays that they were some.

        Args:
            scene: As `open_scene` takes it.
            options: Of `open_scene`; those that are None are left out.
        """
        given = {name: value for name, value in (options or {}).items() if value is not None}
        if isinstance(scene, str | Path):
            is_local = Path(scene).exists()
            return cls(str(Path(scene).absolute() if is_local else scene), given)
        is_light = isinstance(scene, Mapping | list | tuple) and not isinstance(scene, xr.Dataset)
        return cls(scene, given) if is_light else cls()

    @property
    def name(self) -> str:
        """Path of the scene, name of the sample, or what a Dataset states as its source."""
        if isinstance(self.scene, xr.Dataset):
            return str(self.scene.attrs.get("source", "a Dataset"))
        return ", ".join(map(str, self.paths))

    @property
    def paths(self) -> Sequence[Any]:
        """What was passed, as a list; empty for a scene in memory."""
        if self.scene is None:
            return []
        return list(self.scene) if isinstance(self.scene, list | tuple) else [self.scene]

    def __str__(self) -> str:
        return {"sample": f"sample {self.name}", "file": self.name, "memory": "a scene in memory"}[self.kind]

    def to_json(self) -> dict[str, Any]:
        """Return what a session keeps; of a scene in memory only that it was one."""
        if self.kind == "memory":
            return {"kind": "memory", "name": "", "options": {}}
        return {"kind": self.kind, "name": self.name, "options": dict(self.options)}

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> SceneSource:
        """Return the source that `to_json` described, which may come from anywhere.

        Raises:
            ValueError: If the payload is no such description: of another kind, with options that are not known here, or
                with an address in it.
        """
        kind, name, options = (payload.get(key) for key in ("kind", "name", "options"))
        if kind not in KINDS or not isinstance(name, str) or not isinstance(options, Mapping):
            raise ValueError(
                f"the scene is of kind {kind!r}; expected one of {', '.join(KINDS)}, with name and options"
            )
        unknown = sorted(set(map(str, options)) - STORED_OPTIONS)
        if unknown:
            raise ValueError(f"the scene has the options {', '.join(unknown)}, which no session has")
        addresses = [text for text in _texts([name, dict(options)]) if names_address(text)]
        if addresses:
            raise ValueError(f"the scene names an address: {addresses[0][:80]}")
        return cls() if kind == "memory" else cls(name, dict(options), kind == "sample")


KINDS = ("sample", "file", "memory")
STORED_OPTIONS = frozenset({"sensor", "bands", "scale", "offset", "nodata", "chunks", "clouds", "time", "gsd_m"})
"""Options of `open_scene` that a session may bring: none of them is leave for the network."""


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _texts([key, value])
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _texts(value)


def _is_plain(options: Mapping[str, Any]) -> bool:
    """Say whether a session can keep these options."""
    try:
        json.dumps(dict(options))
    except TypeError:
        return False
    return True
