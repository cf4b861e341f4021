"""Instances as YOLO's segments: a text file an image, a line a region, and back as polygons on the map.

Format: https://docs.ultralytics.com/datasets/segment. A line has one ring. Holes and further parts are joined to it by
a way that leads there and back, so that it encloses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
from spex_nb.output.annotations.training_set import IMAGES, UNCHECKED, TrainingSet
from spex_nb.output.files import write_folder_whole
from spex_nb.regions.find import region_polygons

if TYPE_CHECKING:
    import geopandas as gpd

LABELS = "labels"
"""Folder of the text files: YOLO looks for it beside that of the images."""
DIGITS = 8
"""Of shares of a side: they place a corner to a thousandth of a pixel in the largest image."""
BOX_NUMBERS = 4


def save_yolo(training_set: TrainingSet, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a map as a training set for segmentation in YOLO's form.

    The folder holds ``data.yaml``, ``images/``, ``labels/`` and the side file ``georeference.json``. Classes count from
    0, as YOLO wants it. A region that images cut is one instance in each.

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
        (part / LABELS).mkdir()
        for name, place in georeference.images.items():
            lines = list(_lines(training_set, place))
            (part / LABELS / name).with_suffix(".txt").write_text("".join(lines), encoding="ascii")
        (part / "data.yaml").write_text(_data_yaml(georeference), encoding="utf-8")
    return Path(folder)


def read_yolo(folder: str | Path, labels: str | Path | None = None) -> gpd.GeoDataFrame:
    """Read segments or boxes in YOLO's form as polygons on the map.

    Args:
        folder: Of the training set, with its side file.
        labels: A folder of text files that a model wrote for the same images, such as ``runs/segment/predict/labels``.
            Without it the labels of the training set are read.

    Returns:
        A row an instance: target, image, confidence (NaN without one), and the geometry in the CRS of the scene.

    Raises:
        DatasetError: If a file is damaged, or holds numbers of classes that the training set does not have.
    """
    georeference = read_georeference(folder)
    place = Path(folder) / LABELS if labels is None else Path(labels)
    with explain_malformed(
        DatasetError,
        "The instances cannot be read",
        where=place,
        expected="text files in YOLO's form, on images of the training set",
        fix="Check that the labels belong to this training set.",
    ):
        if not place.is_dir():
            raise ValueError("there is no such folder")
        rows = [row for name in georeference.images for row in _rows(place, name, georeference)]
    return place_polygons(rows, georeference)


def _data_yaml(georeference: Georeference) -> str:
    """Return the file by which YOLO finds images and names; JSON strings are YAML too."""
    names = "".join(f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(georeference.classes))
    return (
        f"# {UNCHECKED} Where the images lie: {GEOREFERENCE}\n"
        "# val repeats train. Name a folder of checked images there before you measure anything.\n"
        f"train: {IMAGES}\nval: {IMAGES}\nnames:\n{names}"
    )


def _lines(training_set: TrainingSet, place: ImagePlace) -> Iterator[str]:
    numbered = list(training_set.regions_of(place))
    polygons = region_polygons([region for _, region in numbered])
    for (number, _), polygon in zip(numbered, polygons, strict=True):
        shares = single_ring(polygon) / (place.width, place.height)
        yield f"{number - 1} {' '.join(f'{share:.{DIGITS}g}' for share in shares.ravel())}\n"


def single_ring(polygon: Any) -> NDArray[np.float64]:
    """Return a polygon with holes and parts as one ring that passes each way between two rings there and back.

    Args:
        polygon: A shapely polygon or multipolygon in pixels.

    Returns:
        Corners (x, y) of the ring, float64 [N, 2]; the last is not the first again. Pixels whose centres lie inside by
        the even-odd rule are those of the polygon.
    """
    import shapely

    rings = [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(shapely.get_parts(polygon))]
    path: NDArray[np.float64] = rings[0]
    for ring in rings[1:]:
        at = int(((path - ring[0]) ** 2).sum(1).argmin())
        path = np.concatenate([path[: at + 1], ring, ring[:1], path[at:]])
    return path


def _rows(place: Path, name: str, georeference: Georeference) -> Iterator[dict[str, Any]]:
    file = (place / name).with_suffix(".txt")
    for line in file.read_text(encoding="ascii").splitlines() if file.is_file() else []:
        number, *figures = line.split()
        if not 0 <= int(number) < len(georeference.classes):
            raise ValueError(f"class {number} in {file.name}")
        geometry, confidence = _geometry([*map(float, figures)], georeference.images[name])
        target = georeference.classes[int(number)]
        yield {"target": target, "image": name, "confidence": confidence, "geometry": geometry}


def _geometry(figures: Sequence[float], place: ImagePlace) -> tuple[Any, float | None]:
    """Return a geometry in pixels, and the confidence that follows the ring or box of a prediction."""
    import shapely

    confidence = figures[-1] if len(figures) % 2 else None
    shares = np.reshape(figures[: len(figures) // 2 * 2], (-1, 2)) * (place.width, place.height)
    if not np.isfinite(shares).all() or shares.size < BOX_NUMBERS:
        raise ValueError("a line of too few numbers, or of none that are numbers")
    if shares.size == BOX_NUMBERS:
        low, high = shares[0] - shares[1] / 2, shares[0] + shares[1] / 2
        return shapely.box(*low, *high), confidence
    return _even_odd(shares), confidence


def _even_odd(ring: NDArray[np.float64]) -> Any:
    """Return what a ring that may touch and cross itself encloses by the even-odd rule."""
    import shapely

    lines = shapely.union_all([shapely.linestrings(np.concatenate([ring, ring[:1]]))])
    faces = shapely.get_parts(shapely.polygonize([lines]))
    inner = [face for face, point in zip(faces, shapely.point_on_surface(faces), strict=True) if _holds(ring, point)]
    return shapely.union_all(inner)


def _holds(ring: NDArray[np.float64], point: Any) -> bool:
    """Return whether a ray from a point to the right crosses a ring an odd number of times."""
    (x0, y0), (x1, y1) = ring.T, np.roll(ring, -1, axis=0).T
    crosses = (y0 > point.y) != (y1 > point.y)
    x = x0[crosses] + (point.y - y0[crosses]) / (y1[crosses] - y0[crosses]) * (x1[crosses] - x0[crosses])
    return bool((x > point.x).sum() % 2)
