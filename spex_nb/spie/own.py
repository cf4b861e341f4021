"""Your own labelled scenes: image files and class rasters, side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from spex_nb.errors import DatasetError
from spex_nb.scene import open_scene
from spex_nb.spie.facts import Coding, Imagery, LandClass
from spex_nb.spie.labelled import LabelledScene
from spex_nb.spie.layers import ClassLayer
from spex_nb.targets import get_target

Classes = Mapping[int, str | Sequence[str] | None]


def labelled_scenes(
    images: Sequence[str | Path],
    labels: Sequence[str | Path],
    classes: Classes,
    *,
    sensor: str | None = None,
    dataset: str = "own",
    places: Sequence[str] | None = None,
) -> list[LabelledScene]:
    """Pair images with class rasters on the same grid.

    Args:
        images: Files that ``open_scene`` understands.
        labels: As many single-band rasters of class codes.
        classes: What each code is: a target, several targets, or None for another land cover. Codes that are not
            named say nothing of their pixels.
        sensor: Sensor id; recognised from each file if not given.
        dataset: Name of the set.
        places: Of each image; images of one place stay in one split. Each image is its own place if not given.

    Raises:
        DatasetError: If the numbers of files differ, or no code is a target.
        TargetError: If a target is unknown.
        SpexError: If an image cannot be opened.
    """
    coding = _coding(classes)
    if len(images) != len(labels) or (places is not None and len(places) != len(images)):
        raise DatasetError(
            "Images, labels and places do not pair",
            found=f"{len(images)} images, {len(labels)} labels, {'no' if places is None else len(places)} places",
            expected="one label, and one place if any, for each image",
            fix="Sort and filter both lists alike.",
        )
    return [
        _labelled(Path(image), Path(label), coding, sensor, dataset, places[i] if places else "")
        for i, (image, label) in enumerate(zip(images, labels, strict=True))
    ]


def read_classes(path: str | Path) -> dict[int, str | list[str] | None]:
    """Read what class codes mean from a JSON file such as ``{"1": "water", "5": ["road", "built_up"], "9": null}``.

    Raises:
        DatasetError: If it cannot be read.
    """
    try:
        return {int(code): meant for code, meant in json.loads(Path(path).read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise DatasetError(
            "The file of classes cannot be read",
            found=f"{path}: {error}",
            expected='JSON such as {"1": "water", "5": ["road", "built_up"], "9": null}',
            fix="Mend the file.",
        ) from error


def _coding(classes: Classes) -> Coding:
    meant = {
        code: tuple(get_target(name).id for name in ([names] if isinstance(names, str) else names or ()))
        for code, names in classes.items()
    }
    targets = tuple(dict.fromkeys(target for known in meant.values() for target in known))
    if not targets:
        raise DatasetError(
            "The classes hold no target", found=str(dict(classes)), expected="codes of targets",
            fix="Say which code is water, vegetation and so on.",
        )  # fmt: skip
    return Coding(targets, tuple(LandClass(str(code), (code,), known) for code, known in meant.items()))


def _labelled(image: Path, label: Path, coding: Coding, sensor: str | None, dataset: str, place: str) -> LabelledScene:
    scene = open_scene(image, sensor)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", image.stem)
    known = None if scene.attrs["sensor"] == "unknown" else str(scene.attrs["sensor"])
    imagery = Imagery(known, scene.spex.bands, scene.attrs["scale"], scene.attrs["offset"])
    return LabelledScene(dataset, name, place or name, "", str(image), imagery, (ClassLayer(str(label), coding),))
