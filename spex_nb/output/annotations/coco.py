"""Instances as COCO: regions as run lengths, which hold every pixel, and back as polygons on the map.

Format: https://cocodataset.org/#format-data. Run lengths go column by column and begin with the background.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import DatasetError, explain_malformed
from spex_nb.output.annotations.placement import (
    GEOREFERENCE,
    Georeference,
    ImagePlace,
    place_polygons,
    read_georeference,
)
from spex_nb.output.annotations.training_set import IMAGES, TrainingSet
from spex_nb.output.files import write_folder_whole
from spex_nb.regions.find import find_regions, region_polygons
from spex_nb.regions.runs import pixel_positions
from spex_nb.types import Region
from spex_nb.types.targets import TARGETS
from spex_nb.types.typed_json import read_json

if TYPE_CHECKING:
    import geopandas as gpd

ANNOTATIONS = "annotations.json"
LEAST_CORNERS = 6
"""Numbers of a ring of three corners."""


def save_coco(training_set: TrainingSet, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a map as a training set for instance segmentation in COCO's form.

    The folder holds ``annotations.json``, ``images/`` and the side file ``georeference.json``. A region that images cut
    is one instance in each.

    Args:
        training_set: The map with its scene, and how both are cut.
        folder: The folder to write.
        overwrite: Whether an existing training set is replaced (default: no).

    Returns:
        The folder.

    Raises:
        OutputError: If the folder exists and may not be replaced, or cannot be written.
    """
    with write_folder_whole(folder, overwrite, GEOREFERENCE) as part:
        georeference = training_set.write_images(part)
        text = json.dumps(_described(training_set, georeference), ensure_ascii=False)
        (part / ANNOTATIONS).write_text(text, encoding="utf-8")
    return Path(folder)


def read_coco(folder: str | Path, predictions: str | Path | None = None) -> gpd.GeoDataFrame:
    """Read instances in COCO's form as polygons on the map.

    Args:
        folder: Of the training set, with its side file.
        predictions: A JSON file of instances that a model found on the same images: a list as COCO's results, or a
            whole dataset. Without it the annotations of the training set are read.

    Returns:
        A row an instance: target, image, confidence (NaN without one), and the geometry in the CRS of the scene.

    Raises:
        DatasetError: If a file is damaged, or names images or classes that the training set does not have.
    """
    georeference = read_georeference(folder)
    path = Path(folder) / ANNOTATIONS
    with explain_malformed(
        DatasetError,
        "The instances cannot be read",
        where=predictions or path,
        expected="instances in COCO's form, on images of the training set",
        fix="Check that the predictions belong to this training set.",
    ):
        dataset = read_json(path)
        instances = dataset["annotations"] if predictions is None else read_json(Path(predictions))
        instances = instances["annotations"] if isinstance(instances, Mapping) else instances
        images = {image["id"]: image["file_name"].removeprefix(f"{IMAGES}/") for image in dataset["images"]}
        names = {category["id"]: category["name"] for category in dataset["categories"]}
        rows = [_row(instance, images, names, georeference) for instance in instances]
    return place_polygons(rows, georeference)


def _described(training_set: TrainingSet, georeference: Georeference) -> dict[str, Any]:
    images = list[dict[str, Any]]()
    annotations = list[dict[str, Any]]()
    for number, (name, place) in enumerate(georeference.images.items(), start=1):
        size = {"width": place.width, "height": place.height}
        images.append({"id": number, "file_name": f"{IMAGES}/{name}", **size})
        for category, region in training_set.regions_of(place):
            instance = {"id": len(annotations) + 1, "image_id": number, "category_id": category, "iscrowd": 0}
            annotations.append(instance | _instance(region))
    info = {"description": "a map by spex_nb", **georeference.origin, "georeference": GEOREFERENCE}
    categories = [_category(number, name) for number, name in enumerate(georeference.classes, start=1)]
    return {"info": info, "licenses": [], "images": images, "categories": categories, "annotations": annotations}


def _category(number: int, name: str) -> dict[str, Any]:
    target = TARGETS.get(name)
    return {"id": number, "name": name, "supercategory": (target and target.parent) or "land cover"}


def _instance(region: Region) -> dict[str, Any]:
    """Return pixels, area and upright box of a region."""
    rows, first, end = region.runs[:, 0], region.runs[:, 1], region.runs[:, 2]
    left, top = int(first.min()), int(rows.min())
    box = [left, top, int(end.max()) - left, int(rows.max()) + 1 - top]
    counts = run_lengths(region.runs, region.shape)
    return {"segmentation": {"size": list(region.shape), "counts": counts}, "area": region.area_px, "bbox": box}


def run_lengths(runs: NDArray[np.int32], shape: tuple[int, int]) -> list[int]:
    """Return the pixels of a region as COCO's uncompressed run lengths.

    Args:
        runs: int [N, 3], rows of (row, first column, column after the last).
        shape: (height, width) of the image.

    Returns:
        Lengths of background and region in turn, column by column, from the background on.
    """
    height, width = shape
    rows, columns = np.divmod(pixel_positions(runs, width), width)
    positions = np.sort(columns * height + rows)
    breaks = np.flatnonzero(np.diff(positions) > 1)
    starts = positions[np.append(0, breaks + 1)]
    ends = positions[np.append(breaks, len(positions) - 1)] + 1
    edges = np.concatenate([[0], np.stack([starts, ends], 1).ravel(), [height * width]])
    lengths: list[int] = np.diff(edges).tolist()
    return lengths[:-1] if lengths[-1] == 0 else lengths


def _row(
    instance: Mapping[str, Any], images: Mapping[int, str], names: Mapping[int, str], georeference: Georeference
) -> dict[str, Any]:
    image = images[instance["image_id"]]
    geometry = _geometry(instance["segmentation"], georeference.images[image])
    confidence = instance.get("score")
    return {"target": names[instance["category_id"]], "image": image, "confidence": confidence, "geometry": geometry}


def _geometry(segmentation: Any, place: ImagePlace) -> Any:
    """Return the pixels or rings of an instance as a geometry in pixels."""
    import shapely

    if isinstance(segmentation, Mapping):
        return _polygon_of(_mask_of(segmentation, place))
    if any(len(ring) < LEAST_CORNERS or len(ring) % 2 for ring in segmentation):
        raise ValueError("a ring of less than three corners")
    rings = [shapely.Polygon(np.reshape(np.asarray(ring, float), (-1, 2))) for ring in segmentation]
    return shapely.union_all(shapely.make_valid(np.asarray(rings, object)))


def _mask_of(segmentation: Mapping[str, Any], place: ImagePlace) -> NDArray[np.bool_]:
    height, width = segmentation["size"]
    if (height, width) != (place.height, place.width):
        raise ValueError(f"pixels of an image of {height} x {width} px, and it has {place.height} x {place.width}")
    counts = segmentation["counts"]
    lengths = np.asarray(_decompressed(counts) if isinstance(counts, str) else counts, np.int64)
    if (lengths < 0).any() or lengths.sum() > height * width:
        raise ValueError("run lengths that leave the image")
    values = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    whole = np.zeros(height * width, bool)
    whole[: len(values)] = values
    return whole.reshape(width, height).T


def _decompressed(text: str) -> Sequence[int]:
    """Return the run lengths of COCO's compressed form: five bits a letter, differences to the last but one.

    Source: rleFrString of https://github.com/cocodataset/cocoapi.
    """
    lengths: list[int] = []
    value, shift = 0, 0
    for letter in text.encode("ascii"):
        bits = letter - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))  # noqa: PLR2004 (the form begins plain)
        value, shift = 0, 0
    return lengths


def _polygon_of(mask: NDArray[np.bool_]) -> Any:
    import shapely

    return shapely.union_all(region_polygons(find_regions(mask, top=None)))
