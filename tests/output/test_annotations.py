"""Training data for other tools, held against COCO's own reader, and back on the map."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from click.testing import CliRunner
from numpy.typing import NDArray
from rasterio.features import rasterize

from spex_nb import Extraction, extract, open_scene, sample_scene
from spex_nb.cli.command import main
from spex_nb.errors import BandError, DatasetError, GridError, OutputError
from spex_nb.output import read_coco, read_yolo
from spex_nb.output.annotations.coco import run_lengths
from spex_nb.output.annotations.yolo import single_ring
from spex_nb.regions.find import find_regions, region_polygons
from spex_nb.scene.samples import sample_path
from spex_nb.types import MASK_NODATA

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
"""pycocotools decodes in a way that numpy 2 still allows."""

with warnings.catch_warnings(action="ignore"):
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO


@pytest.fixture(scope="module")
def scene() -> xr.Dataset:
    return sample_scene("river_10m")


@pytest.fixture(scope="module")
def result(scene: xr.Dataset) -> Extraction:
    return extract(scene, "water and vegetation", "index", progress=False)


@pytest.fixture(scope="module")
def coco(result: Extraction, scene: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.to_coco(tmp_path_factory.mktemp("sets") / "coco", scene, tile_px=150)


@pytest.fixture(scope="module")
def yolo(result: Extraction, scene: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.to_yolo(tmp_path_factory.mktemp("sets") / "yolo", scene, tile_px=150)


def placed(folder: Path, name: str) -> tuple[slice, slice]:
    """Return rows and columns of an image in the scene."""
    place = json.loads((folder / "georeference.json").read_text())["images"][name]
    rows = slice(place["row"], place["row"] + place["height"])
    return rows, slice(place["column"], place["column"] + place["width"])


def iou(first: NDArray[Any], second: NDArray[Any]) -> float:
    return float((first & second).sum() / (first | second).sum())


def classes_of(result: Extraction) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = result.mask.values.copy()
    pixels[pixels == MASK_NODATA] = 0
    return pixels


def test_cocos_reader_gives_back_every_pixel(coco: Path, result: Extraction, capsys: Any) -> None:
    dataset = COCO(str(coco / "annotations.json"))
    capsys.readouterr()
    back = np.zeros(result.mask.shape, np.uint8)
    for instance in dataset.loadAnns(dataset.getAnnIds()):
        pixels = dataset.annToMask(instance).astype(bool)
        left, top, width, height = instance["bbox"]
        assert instance["area"] == pixels.sum()
        assert pixels[top : top + height, left : left + width].sum() == pixels.sum()
        back[placed(coco, Path(dataset.imgs[instance["image_id"]]["file_name"]).name)][pixels] = instance["category_id"]
    assert len(dataset.imgs) > 1
    assert [iou(back == number, classes_of(result) == number) for number in (1, 2)] == [1.0, 1.0]
    assert [category["name"] for category in dataset.cats.values()] == ["water", "vegetation"]


@pytest.mark.parametrize("reader", ["coco", "gdal"])
def test_yolos_segments_give_back_the_mask(yolo: Path, result: Extraction, reader: str) -> None:
    back = np.zeros(result.mask.shape, np.uint8)
    for file in sorted((yolo / "labels").glob("*.txt")):
        part = back[placed(yolo, f"{file.stem}.png")]
        for line in file.read_text().splitlines():
            number, *shares = line.split()
            ring = np.reshape([*map(float, shares)], (-1, 2)) * part.shape[::-1]
            if reader == "coco":
                pixels = coco_mask.decode(coco_mask.frPyObjects([ring.ravel().tolist()], *part.shape))[..., 0]
            else:
                pixels = rasterize([shapely.Polygon(ring)], part.shape)
            part[pixels.astype(bool)] = int(number) + 1
    assert all(iou(back == number, classes_of(result) == number) >= 0.99 for number in (1, 2))


def test_labels_lie_on_the_map_where_the_regions_do(coco: Path, yolo: Path, result: Extraction) -> None:
    for frame in (read_coco(coco), read_yolo(yolo)):
        assert frame.crs == result.regions.crs
        assert frame["confidence"].isna().all()
        for target in ("water", "vegetation"):
            ours = result.regions[result.regions["target"] == target].union_all()
            theirs = frame[frame["target"] == target].union_all()
            assert theirs.symmetric_difference(ours).area < 1e-4 * ours.area


def test_gdal_places_an_image_and_black_is_no_data(coco: Path, result: Extraction) -> None:
    names = sorted(json.loads((coco / "georeference.json").read_text())["images"])
    for name in names:
        rows, columns = placed(coco, name)
        with rasterio.open(coco / "images" / name) as image:
            part = result.mask[rows, columns]
            assert image.crs == result.mask.rio.crs
            assert image.transform @ (0, 0) == result.mask.rio.transform() @ (columns.start, rows.start)
            assert (image.read()[:, part.values == MASK_NODATA] == 0).all()
            assert image.read().max() > 0


def test_outside_of_an_area_of_interest_nothing_is_shown(scene: xr.Dataset, tmp_path: Path) -> None:
    left, bottom, right, top = scene.rio.bounds()
    area = (left, bottom, (left + right) / 2, top)
    result = extract(scene, "water", "index", aoi=area, progress=False)
    folder = result.to_coco(tmp_path / "half", scene, tile_px=100)
    side = json.loads((folder / "georeference.json").read_text())
    assert max(place["column"] + place["width"] for place in side["images"].values()) < scene.sizes["x"]
    for name in side["images"]:
        with rasterio.open(folder / "images" / name) as image:
            outside = result.mask.values[placed(folder, name)] == MASK_NODATA
            assert not image.read()[:, outside].any()


def test_the_files_say_who_made_the_labels(coco: Path, yolo: Path, result: Extraction) -> None:
    info = json.loads((coco / "annotations.json").read_text())["info"]
    assert "Nobody checked them" in info["labels"]
    assert (info["instruction"], info["model"]) == ("water and vegetation", "index")
    assert info["notes"] == [*result.notes]
    assert "Nobody checked them" in (yolo / "data.yaml").read_text()


RING_WITH_ISLAND = np.array(
    [
        [1, 1, 1, 1, 1, 0, 0],
        [1, 0, 0, 0, 1, 0, 0],
        [1, 0, 1, 0, 1, 0, 0],
        [1, 0, 0, 0, 1, 0, 0],
        [1, 1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 0, 1, 0],
    ],
    bool,
)


def test_a_ring_with_a_hole_and_a_part_at_its_corner_is_one_line() -> None:
    largest, island = find_regions(RING_WITH_ISLAND, top=None)
    assert (largest.area_px, island.area_px) == (19, 1)
    ring = single_ring(region_polygons([largest])[0])
    assert (rasterize([shapely.Polygon(ring)], (7, 7)) == (RING_WITH_ISLAND & ~_pixel(2, 2))).all()


def _pixel(row: int, column: int) -> NDArray[np.bool_]:
    pixels = np.zeros((7, 7), bool)
    pixels[row, column] = True
    return pixels


@pytest.mark.parametrize("pixels", [RING_WITH_ISLAND, np.ones((3, 4), bool), np.eye(5, dtype=bool)])
def test_run_lengths_are_those_of_cocos_reader(pixels: NDArray[np.bool_]) -> None:
    for region in find_regions(pixels, top=None):
        counts = {"size": list(pixels.shape), "counts": run_lengths(region.runs, region.shape)}
        back = coco_mask.decode(coco_mask.frPyObjects(counts, *pixels.shape)).astype(bool)
        assert back.sum() == region.area_px
        assert (pixels | ~back).all()


def test_predictions_of_other_tools_come_back_onto_the_map(coco: Path, yolo: Path, tmp_path: Path) -> None:
    instance = json.loads((coco / "annotations.json").read_text())["annotations"][0]
    pixels = coco_mask.frPyObjects(instance["segmentation"], *instance["segmentation"]["size"])
    compressed = {"size": instance["segmentation"]["size"], "counts": pixels["counts"].decode()}
    square = [[10.0, 10.0, 20.0, 10.0, 20.0, 30.0, 10.0, 30.0]]
    found = [
        {"image_id": 1, "category_id": 1, "segmentation": compressed, "score": 0.75},
        {"image_id": 1, "category_id": 2, "segmentation": square, "score": 0.5},
    ]
    (tmp_path / "predictions.json").write_text(json.dumps(found))
    frame = read_coco(coco, tmp_path / "predictions.json")
    assert frame["confidence"].tolist() == [0.75, 0.5]
    assert frame.area.tolist() == [instance["area"] * 100.0, 200 * 100.0]
    assert frame.geometry.iloc[0].equals(read_coco(coco).geometry.iloc[0])
    name = frame["image"].iloc[0]
    (tmp_path / f"{Path(name).stem}.txt").write_text("1 0.5 0.5 0.5 0.5 0.9\n0 0 0 1 0 1 1\n")
    boxes = read_yolo(yolo, tmp_path)
    whole = shapely.box(*gpd.GeoSeries(boxes.geometry).total_bounds).area
    assert boxes["target"].tolist() == ["vegetation", "water"]
    assert boxes.area.tolist() == pytest.approx([whole / 4, whole / 2])
    assert boxes["confidence"].fillna(-1).tolist() == [0.9, -1]


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ({"size": [3, 3], "counts": [0, 9]}, "an image of 3 x 3 px"),
        ({"size": None, "counts": [10**12]}, "leave the image"),
        ({"size": None, "counts": [5, -3]}, "leave the image"),
        ([[0, 0, 1, 1]], "less than three corners"),
        ("x", "cannot be read"),
    ],
)
def test_damaged_predictions_are_refused(coco: Path, tmp_path: Path, segmentation: Any, reason: str) -> None:
    if isinstance(segmentation, dict) and segmentation["size"] is None:
        image = json.loads((coco / "annotations.json").read_text())["images"][0]
        segmentation = {**segmentation, "size": [image["height"], image["width"]]}
    found = [{"image_id": 1, "category_id": 1, "segmentation": segmentation}]
    (tmp_path / "predictions.json").write_text(json.dumps(found))
    with pytest.raises(DatasetError, match=reason):
        read_coco(coco, tmp_path / "predictions.json")


@pytest.mark.parametrize("line", ["7 0 0 1 1 1 0", "0 0 0 1", "0 nan 0 1 1 1 0", "water 0 0 1 1 1 0"])
def test_damaged_labels_are_refused(yolo: Path, tmp_path: Path, line: str) -> None:
    name = sorted((yolo / "labels").glob("*.txt"))[0].name
    (tmp_path / name).write_text(line)
    with pytest.raises(DatasetError, match="belong to this training set"):
        read_yolo(yolo, tmp_path)


def test_a_folder_without_side_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Name the folder of the training set"):
        read_coco(tmp_path)


def test_another_scene_and_senseless_choices_are_refused(result: Extraction, scene: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(GridError, match="Give the scene from which the map was made"):
        result.to_coco(tmp_path / "a", sample_scene("lake_30m"))
    with pytest.raises(GridError, match="different pixels"):
        result.to_coco(tmp_path / "a", scene.assign_coords(x=scene["x"] + 500).rio.write_transform())
    with pytest.raises(OutputError, match="at least one pixel"):
        result.to_yolo(tmp_path / "a", scene, tile_px=0)
    with pytest.raises(BandError, match="Name three bands"):
        result.to_yolo(tmp_path / "a", scene, bands=("red", "nir", "thermal"))
    assert not any(tmp_path.iterdir())


def test_only_a_training_set_is_ever_replaced(
    coco: Path, result: Extraction, scene: xr.Dataset, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="The output exists"):
        result.to_coco(coco, scene)
    (tmp_path / "diary.txt").write_text("precious")
    with pytest.raises(OutputError, match="only results are ever overwritten"):
        result.to_yolo(tmp_path, scene, overwrite=True)
    assert (tmp_path / "diary.txt").read_text() == "precious"


def test_a_scene_without_a_crs_has_images_in_pixels(scene: xr.Dataset, tmp_path: Path) -> None:
    plain = open_scene(np.stack([scene[band].values for band in scene.spex.bands]), bands=[*scene.spex.bands])
    result = extract(plain, "water", "index", progress=False)
    frame = read_yolo(result.to_yolo(tmp_path / "plain", plain, tile_px=200))
    assert frame.crs is None
    assert frame.area.sum() == pytest.approx(int((result.mask == 1).sum()), rel=1e-6)


@pytest.mark.slow
def test_the_command_writes_both_beside_the_result_and_not_twice(tmp_path: Path) -> None:
    words = ["extract", str(sample_path("river_10m")), "water", "--model", "index", "--quiet", "--out", str(tmp_path)]
    refused = CliRunner().invoke(main, [*words, "--also", "coco,shape"])
    assert (refused.exit_code, "choose among coco, yolo" in refused.output) == (2, True)
    assert CliRunner().invoke(main, words).exit_code == 0
    assert CliRunner().invoke(main, [*words, "--also", "coco,yolo,geojson"]).exit_code == 0
    first = (tmp_path / "river_10m.coco" / "annotations.json").stat().st_mtime_ns
    assert len(read_yolo(tmp_path / "river_10m.yolo")) == len(read_coco(tmp_path / "river_10m.coco"))
    assert len(gpd.read_file(tmp_path / "river_10m.geojson")) > 0
    assert CliRunner().invoke(main, [*words, "--also", "coco,yolo"]).exit_code == 0
    assert (tmp_path / "river_10m.coco" / "annotations.json").stat().st_mtime_ns == first
