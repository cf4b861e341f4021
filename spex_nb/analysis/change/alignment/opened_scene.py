"""A scene of a comparison: opened to be read in windows, with what tells it from another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.scene.reopen import SceneIdentity, as_scene, hash_memory, open_identified
from spex_nb.scene.windows.scene_source import SceneSource


@dataclass(frozen=True, eq=False)
class OpenedScene:
    """A scene and its identity.

    Attributes:
        scene: Bands [H, W] and ``valid``, lazy or not.
        identity: What tells it from another scene, and from itself after a change of its files.
        is_from_memory: Whether it was passed as pixels, so that no file tells of a change.
    """

    scene: xr.Dataset
    identity: SceneIdentity
    is_from_memory: bool


def open_compared(source: Any, options: Mapping[str, Any] | None) -> OpenedScene:
    """Open a scene of a comparison.

    Args:
        source: What `open_scene` takes, or a Dataset of named bands [H, W].
        options: Of `open_scene`.

    Raises:
        SceneError: If it cannot be opened.
    """
    is_from_memory = isinstance(source, np.ndarray | xr.DataArray | xr.Dataset)
    place = SceneSource(as_scene(source, options)) if is_from_memory else SceneSource(source, dict(options or {}))
    scene, identity = open_identified(place)
    return OpenedScene(scene, identity, is_from_memory)


def identity_of(scenes: Sequence[OpenedScene]) -> dict[str, Any]:
    """Return what tells some scenes from others, as JSON; ``files`` has the state of each file."""
    files: dict[str, str] = {}
    for opened in scenes:
        files |= opened.identity.files
    pixels = [hash_memory(opened.scene) if opened.is_from_memory else "" for opened in scenes]
    return {"scenes": [opened.identity.fingerprint for opened in scenes], "pixels": pixels, "files": files}
