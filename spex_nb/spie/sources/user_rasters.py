"""Labelled scenes of the user: image files and class rasters, side by side."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from spex_nb.errors import DatasetError
from spex_nb.scene.band_names import recognise
from spex_nb.scene.sources.arrays import is_dataset_path
from spex_nb.scene.sources.files import locate
from spex_nb.spie.sources.catalogue import Coding, Imagery, LandClass
from spex_nb.spie.sources.label_layers import ClassLayer
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.types.targets import TARGETS, get_target

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
        images: Raster files, each with all bands of a scene, that ``open_scene`` understands.
        labels: As many single-band rasters of class codes.
        classes: Meaning of each code: a target, several targets, or None for another land cover. Pixels of other codes
            are unknown.
        sensor: Sensor id; recognised from each file if not given.
        dataset: Name of the set: letters, digits, ``_`` and ``-``.
        places: Place of each image; images of one place share a split. Each image is one place if not given.

    Raises:
        DatasetError: If the numbers of files differ, an image is no single raster file, or no code is a target.
        TargetError: If a target is unknown.
        SpexError: If an image cannot be opened, or its bands cannot be named.
    """
    coding = _coding(classes)
    if len(images) != len(labels) or (places is not None and len(places) != len(images)):
        raise DatasetError(
            "Images, labels and places do not pair",
            found=f"{len(images)} images, {len(labels)} labels, {'no' if places is None else len(places)} places",
            expected="one label, and one place if any, for each image",
            fix="Sort and filter both lists alike.",
        )
    if not re.fullmatch(r"[\w-]+", dataset):
        raise DatasetError(
            "The dataset cannot be called so",
            found=repr(dataset),
            expected="letters, digits, _ and -",
            fix="Pass another dataset=… name.",
        )
    names = _names([Path(image) for image in images])
    return [
        LabelledScene(
            dataset,
            name,
            place or name,
            "",
            str(image),
            _imagery(Path(image), sensor),
            (ClassLayer(str(label), coding),),
            is_drawn=True,
        )
        for name, place, image, label in zip(names, places or [""] * len(names), images, labels, strict=True)
    ]


def read_classes(path: str | Path) -> dict[int, str | list[str] | None]:
    """Read the meaning of class codes from a JSON file: ``{"1": "water", "5": ["road", "built_up"], "9": null}``.

    Raises:
        DatasetError: If it cannot be read.
    """
    try:
        payload = json.loads(Path(path).read_text(encoding="utf-8"))
        return {
            int(code): names if names is None or isinstance(names, str) else [*map(_text, names)]
            for code, names in payload.items()
        }
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(
            "The file of classes cannot be read",
            found=f"{path}: {error}",
            expected='JSON such as {"1": "water", "5": ["road", "built_up"], "9": null}',
            fix="Mend the file.",
        ) from error


def _coding(classes: Classes) -> Coding:
    targets_of = {
        code: tuple(get_target(name).id for name in ([names] if isinstance(names, str) else names or ()))
        for code, names in classes.items()
    }
    targets = tuple(dict.fromkeys(target for members in targets_of.values() for target in members))
    if not targets:
        raise DatasetError(
            "The classes hold no target",
            found=str(dict(classes)),
            expected="codes of targets",
            fix="Say which code is water, vegetation and so on.",
        )
    return Coding(targets, tuple(_land_class(code, members, targets) for code, members in targets_of.items()))


def _land_class(code: int, members: tuple[str, ...], targets: Sequence[str]) -> LandClass:
    """Return a class: a building is built up too, and what is built up may be a building."""
    parents = {target for target in targets if target in {TARGETS[child].parent for child in members}}
    children = {target.id for target in TARGETS.values() if target.parent in members} & set(targets)
    is_plain = not children & set(members)
    return LandClass(
        str(code),
        (code,),
        tuple(dict.fromkeys((*members, *sorted(parents)))),
        tuple(sorted(children)) if is_plain else (),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no name of a target")
    return value


def _names(images: Sequence[Path]) -> list[str]:
    """Return a name for each image: that of its file, with that of its folder where several files share one."""

    def plain(text: str) -> str:
        return re.sub(r"[^\w-]+", "_", text)

    short = Counter(plain(image.stem) for image in images)
    names = [
        plain(image.stem) if short[plain(image.stem)] == 1 else plain(f"{image.parent.name}_{image.stem}")
        for image in images
    ]
    counts = Counter(names)
    return [
        name if counts[name] == 1 else f"{name}_{hashlib.blake2b(bytes(image.absolute()), digest_size=4).hexdigest()}"
        for name, image in zip(names, images, strict=True)
    ]


def _imagery(image: Path, sensor: str | None) -> Imagery:
    """Name the bands of a file; scale and offset stay those of file and sensor."""
    if is_dataset_path(str(image)) or image.is_dir():
        raise _no_single_raster(image, "a folder or a file of several arrays")
    recognised = recognise(locate(str(image)), sensor, None)
    numbers = {band.index: name for name, band in recognised.bands.items() if band.file is not None}
    files = {band.file.path: band.file.count for band in recognised.bands.values() if band.file is not None}
    if len(files) != 1 or len(numbers) != len(recognised.bands):
        raise _no_single_raster(image, f"bands in {len(files)} files")
    (count,) = files.values()
    return Imagery(
        recognised.sensor.id if recognised.sensor else None, tuple(numbers.get(i, "") for i in range(1, count + 1))
    )


def _no_single_raster(image: Path, problem: str) -> DatasetError:
    return DatasetError(
        "A labelled scene must be one raster file",
        found=f"{image}: {problem}",
        expected="a file with all bands on one grid, such as a GeoTIFF or VRT",
        fix="Write it as one with save_cog(open_scene(…), 'scene.tif').",
    )
