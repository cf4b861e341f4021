"""Examples for training: corrected results and labelled files in a folder, from which a SPIE dataset is built."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.errors import DatasetError, GridWarning
from spex_nb.output.export import save_cog
from spex_nb.output.files import write_whole
from spex_nb.spie.build_dataset import BuildReport, build
from spex_nb.spie.settings import Settings
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.sources.user_rasters import labelled_scenes
from spex_nb.types.targets import TARGETS

CODES = {target: number for number, target in enumerate(TARGETS, start=1)}
"""Codes in the class rasters of examples."""
SPIE, CLASSES = "spie", "classes.json"
TILE_PX = 256


def add_example(
    folder: str | Path, name: str, scene: xr.Dataset, mask: Any, targets: Sequence[str], image: str | Path | None = None
) -> Path:
    """Store a corrected result as an example. Its mask is the truth for its targets; all other targets are unknown.

    Args:
        folder: Folder of the examples; made if missing.
        name: Name of the example; an example of this name is replaced.
        scene: Bands [H, W].
        mask: uint8 [H, W]: 0 none, 1 ... n the targets, 255 no data.
        targets: Their ids, in order.
        image: The raster that the scene was opened from, all of it; without it the bands are written beside the mask,
            as reflectance.

    Returns:
        The folder of the example.

    Raises:
        DatasetError: If a class is no target, such as everything else.
        OutputError: If the folder cannot be written.
    """
    strange = [target for target in targets if target not in CODES]
    if strange:
        raise DatasetError(
            "This result cannot be learned from",
            found=f"the class {', '.join(strange)}",
            expected=f"classes among {', '.join(CODES)}",
            fix="Ask for a target itself, correct it, and add that.",
        )
    place = _fresh(folder, name)
    codes = np.full(256, 255, np.uint8)
    codes[: len(targets) + 1] = [0, *(CODES[target] for target in targets)]
    labels = scene.spex.valid.astype(np.uint8).copy(data=codes[np.asarray(mask)]).rename("labels")
    written = place / "scene.tif" if image is None else Path(image).absolute()
    with warnings.catch_warnings(action="ignore", category=GridWarning):  # pixels are all that is learned from
        if image is None:
            save_cog(scene[[*scene.spex.bands]].astype(np.float32), written)
        save_cog(labels, place / "labels.tif")
    sensor = str(scene.attrs.get("sensor", "unknown"))
    return _describe(
        place, written, place / "labels.tif", {CODES[target]: target for target in targets} | {0: None}, sensor
    )


def add_labelled_file(folder: str | Path, image: str | Path, labels: str | Path, classes: Mapping[int, Any]) -> Path:
    """Store an image and its class raster as an example; the files stay where they are.

    Args:
        folder: Of the examples.
        image: A raster with all bands of a scene.
        labels: A raster of class codes on its grid.
        classes: Meaning of each code, as in `labelled_scenes`.

    Raises:
        DatasetError: If image and labels do not fit, or no code is a target.
        SpexError: If the image cannot be opened.
    """
    labelled_scenes([image], [labels], classes)  # refuses what cannot be used, before it is kept
    place = _fresh(folder, Path(image).stem)
    return _describe(place, Path(image).absolute(), Path(labels).absolute(), classes, "unknown")


def list_examples(folder: str | Path) -> list[str]:
    """Return the names of the examples in a folder."""
    return sorted(path.parent.name for path in Path(folder).glob(f"*/{CLASSES}"))


def build_examples(folder: str | Path, *, seed: int = 0) -> BuildReport:
    """Build a SPIE dataset of all examples; the last of several becomes the validation split.

    Raises:
        DatasetError: If there are no examples, or nothing is known in them.
    """
    names = list_examples(folder)
    if not names:
        raise DatasetError(
            "There are no examples",
            found=str(folder),
            expected="at least one corrected result or labelled file",
            fix="Add the current result first.",
        )
    held_back = names[-1] if len(names) > 1 else ""
    scenes = [replace(_labelled(Path(folder) / name), split="val" if name == held_back else "train") for name in names]
    out = Path(folder) / SPIE
    if out.is_dir():
        shutil.rmtree(out)
    targets = tuple(target for target in TARGETS if any(target in scene.targets for scene in scenes))
    settings = Settings(tile_px=TILE_PX, targets=targets, absent_frac=1.0, min_valid_frac=0.1, seed=seed)
    return build(scenes, None, out, settings, workers=1, progress=False)


def _labelled(place: Path) -> LabelledScene:
    description = json.loads((place / CLASSES).read_text(encoding="utf-8"))
    classes = {int(code): targets for code, targets in description["classes"].items()}
    sensor = None if description["sensor"] == "unknown" else description["sensor"]
    (scene,) = labelled_scenes(
        [description["image"]], [description["labels"]], classes, sensor=sensor, dataset="corrected"
    )
    name = re.sub(r"[^\w-]+", "_", place.name)
    return replace(scene, name=name, place=name)


def _fresh(folder: str | Path, name: str) -> Path:
    """Return an empty folder for an example."""
    place = Path(folder) / (re.sub(r"[^\w-]+", "_", name).strip("_") or "example")
    if place.is_dir():
        shutil.rmtree(place)
    place.mkdir(parents=True)
    return place


def _describe(place: Path, image: Path, labels: Path, classes: Mapping[int, Any], sensor: str) -> Path:
    description = {
        "image": str(image),
        "labels": str(labels),
        "classes": {str(c): m for c, m in classes.items()},
        "sensor": sensor,
    }
    with write_whole(place / CLASSES) as part:
        part.write_text(json.dumps(description, indent=1), encoding="utf-8")
    return place
