"""Results and the checkpoint as STAC items: valid by pystac and stac-model, and true to what they describe."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import shapely
import yaml
from affine import Affine
from rasterio.crs import CRS

from spex_nb import extract, load_extraction, open_scene, sample_scene
from spex_nb.errors import GridError, OutputError
from spex_nb.extraction.mask_models import CHECKPOINTS
from spex_nb.output.stac_items import ResultFacts, stac_item
from spex_nb.scene.grid import Grid

TINY = CHECKPOINTS / "tiny"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "lakes"
    extract(sample_scene("river_10m"), "water and vegetation", "index", out=folder, progress=False)
    return folder


def validated(item: dict[str, Any]) -> dict[str, Any]:
    """Validate an item by the schemas of STAC that come with pystac; those of extensions lie on the network."""
    plain = item | {"stac_extensions": []}
    assert pystac.Item.from_dict(plain).validate() is not None
    return item


def test_an_item_names_the_files_and_says_where_they_lie(saved: Path) -> None:
    path = load_extraction(saved).to_stac(saved.with_name("lakes.json"), date="2024-05-01")
    item = validated(json.loads(path.read_text()))
    assert item["properties"]["datetime"] == "2024-05-01T00:00:00Z"
    assert {(path.parent / asset["href"]).resolve().name for asset in item["assets"].values()} == {
        "mask.tif", "probability.tif", "doubt.tif", "regions.gpkg", "extraction.json",
    }  # fmt: skip
    with rasterio.open(path.parent / item["assets"]["mask"]["href"]) as mask:
        assert item["properties"]["proj:shape"] == [*mask.shape]
        assert Affine(*item["properties"]["proj:transform"]) == mask.transform
        assert item["properties"]["proj:code"] == mask.crs.to_string()
        corners = rasterio.warp.transform_bounds(mask.crs, "EPSG:4326", *mask.bounds)
    assert item["bbox"] == pytest.approx(corners, abs=1e-6)
    assert shapely.geometry.shape(item["geometry"]).exterior.is_ccw
    classes = {row["value"]: row["name"] for row in item["assets"]["mask"]["classification:classes"]}
    assert classes == {0: "none", 1: "water", 2: "vegetation", 255: "nodata"}
    assert item["properties"]["processing:software"]["spex-nb"]
    assert "the model index" in item["properties"]["processing:lineage"]


@pytest.mark.slow
def test_what_an_item_cannot_say_is_refused(saved: Path, tmp_path: Path) -> None:
    result = load_extraction(saved)
    with pytest.raises(OutputError, match="the day on which the scene was taken"):
        result.to_stac(tmp_path / "item.json")
    with pytest.raises(OutputError, match="such as 2024-05-01"):
        result.to_stac(tmp_path / "item.json", date="May")
    in_memory = extract(sample_scene("river_10m"), "water", "index", progress=False)
    with pytest.raises(OutputError, match="extract with out="):
        in_memory.to_stac(tmp_path / "item.json", date="2024-05-01")
    scene = sample_scene("river_10m")
    plain = open_scene(np.stack([scene[band].values for band in scene.spex.bands]), bands=[*scene.spex.bands])
    nowhere = extract(plain, "water", "index", out=tmp_path / "nowhere", progress=False)
    with pytest.raises(GridError, match="a place on the Earth"):
        nowhere.to_stac(tmp_path / "item.json", date="2024-05-01")
    assert not (tmp_path / "item.json").exists()


def test_a_result_across_the_antimeridian_is_cut_there() -> None:
    grid = Grid(100, 200, Affine(1000, 0, 700_000, 0, -1000, 8_000_000), CRS.from_epsg(32760))
    facts = ResultFacts("fiji", grid, {"water": "water"}, "2024-05-01", "made", {"spex-nb": "0"}, "2024-05-02", {})
    item = stac_item(facts, {})
    west, _, east, _ = item["bbox"]
    assert west > 0 > east
    shape = shapely.geometry.shape(item["geometry"])
    assert len(shape.geoms) == 2
    assert shape.area < 10


def test_the_checkpoint_is_an_item_of_the_model_extension() -> None:
    with warnings.catch_warnings(action="ignore"):
        from stac_model.schema import MLModelProperties

    import model_item

    item = json.loads((TINY / "stac_item.json").read_text(encoding="utf-8"))
    assert item == model_item.model_item(TINY, item["properties"]["datetime"][:10])
    properties = MLModelProperties(**validated(item)["properties"])
    assert properties.total_parameters is not None
    assert 5.0e6 < properties.total_parameters < 6.0e6
    config = json.loads((TINY / "config.json").read_text())
    (output,) = properties.output
    assert [row["name"] for row in item["properties"]["mlm:output"][0]["classification:classes"]] == config["targets"]
    assert output.result.data_type == "float32"
    assert all((TINY / asset["href"]).is_file() for asset in item["assets"].values())


def test_the_card_gives_its_figures_to_machines_as_it_gives_them_to_readers() -> None:
    _, header, text = (TINY / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    (model,) = yaml.safe_load(header)["model-index"]
    rows = {line.split("|")[1].strip(): line.split("|")[2] for line in text.splitlines() if line.count("|") > 3}
    for metric in model["results"][0]["metrics"]:
        (row,) = [shown for name, shown in rows.items() if name.split(" (")[0] == metric["name"] and "(" in shown]
        match = re.search(r"\d\.\d+", row)
        assert match is not None
        assert float(match[0]) == metric["value"]
