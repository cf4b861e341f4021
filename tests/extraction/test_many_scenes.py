"""Results of many scenes: neighbours joined without a seam, and their table on the map."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr
from click.testing import CliRunner

from spex_nb import extract, load_extraction, sample_scene
from spex_nb.cli.command import main
from spex_nb.errors import ExtractionError, GridError, OutputError
from spex_nb.extraction.many.mosaic import mosaic_results
from spex_nb.extraction.many.scene_table import scene_table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene() -> xr.Dataset:
    return sample_scene("river_10m")


@pytest.fixture(scope="module")
def halves(scene: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return results of a western and an eastern part of one scene, which overlap by 40 columns."""
    folder = tmp_path_factory.mktemp("halves")
    height, width = scene.spex.shape
    parts = {"west": (0, width // 2 + 20), "east": (width // 2 - 20, width)}
    for name, (left, right) in parts.items():
        part = scene.spex.window(0, left, height, right - left)
        extract(part, "water and vegetation", "index", out=folder / name, progress=False)
    return [folder / name for name in parts]


def test_neighbours_give_the_map_of_the_whole_scene(scene: xr.Dataset, halves: list[Path], tmp_path: Path) -> None:
    whole = extract(scene, "water and vegetation", "index", progress=False)
    joined = mosaic_results(halves)
    assert joined.mask.rio.transform() == whole.mask.rio.transform()
    differing = (joined.mask.values != whole.mask.values).sum()
    assert differing <= 4  # specks that a border cuts below the least area
    for name in ("water", "vegetation"):
        expected = whole.evidence[name].area_m2
        assert expected is not None
        assert joined.areas_ha[name] == pytest.approx(expected / 1e4, rel=1e-3)
    rivers = joined.regions[joined.regions["target"] == "water"]
    assert len(rivers) == len(whole.regions[whole.regions["target"] == "water"])  # none is cut in two
    folder = joined.save(tmp_path / "joined")
    with rasterio.open(folder / "mask.tif") as mask:
        assert (mask.read(1) == joined.mask.values).all()
    assert json.loads((folder / "mosaic.json").read_text())["sources"] == [*map(str, halves)]
    with pytest.raises(OutputError, match="The output exists"):
        joined.save(folder)


def test_where_results_differ_the_blended_probability_decides(halves: list[Path], tmp_path: Path) -> None:
    from dataclasses import replace

    west, east = map(load_extraction, halves)
    overlap = west.mask.sizes["x"] - 40
    mask, probability = east.mask.copy(deep=True), east.probability.load().copy(deep=True)
    mask[:, :40], probability[:, :, :40] = 1, 0.51  # hardly water, where the west is sure of what it is
    file = tmp_path / "probability.tif"
    with (
        rasterio.open(east.probability_file) as source,
        rasterio.open(file, "w", **source.profile | {"driver": "GTiff"}) as out,
    ):
        out.write(probability.values)
    replace(east, mask=mask, probability=probability, probability_file=file).save(tmp_path / "other")
    joined = mosaic_results([halves[0], tmp_path / "other"]).mask.values
    row = np.flatnonzero(
        (west.mask.values[:, overlap:] == 0).all(1) & (west.probability.values[0, :, overlap:] < 0.2).all(1)
    )
    assert row.size
    assert (joined[row, overlap : overlap + 20] == 0).all()


def test_what_cannot_be_one_map_is_refused(scene: xr.Dataset, halves: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ExtractionError, match="nothing to join"):
        mosaic_results([])
    extract(scene, "water", "index", out=tmp_path / "water", progress=False)
    with pytest.raises(ExtractionError, match="by one instruction and one model"):
        mosaic_results([halves[0], tmp_path / "water"])
    extract(scene, "the largest lake", "index", out=tmp_path / "lake", progress=False)
    with pytest.raises(ExtractionError, match="choose among the regions of the mosaic"):
        mosaic_results([tmp_path / "lake"])
    transform = scene.rio.transform()
    moved = scene.assign_coords(x=scene["x"] + transform.a / 2).rio.write_transform()
    extract(moved, "water and vegetation", "index", out=tmp_path / "moved", progress=False)
    with pytest.raises(GridError, match="rio warp --like"):
        mosaic_results([halves[0], tmp_path / "moved"])


def test_the_table_has_a_footprint_and_figures_for_each_scene(halves: list[Path]) -> None:
    table = scene_table(halves)
    results = [load_extraction(folder) for folder in halves]
    assert table["water_ha"].tolist() == pytest.approx([r.evidence["water"].area_m2 / 1e4 for r in results])
    assert table["trusted"].all()
    assert table.crs == 4326
    bounds = rasterio.warp.transform_bounds(results[0].mask.rio.crs, "EPSG:4326", *results[0].mask.rio.bounds())
    assert table.geometry.iloc[0].bounds == pytest.approx(bounds, abs=1e-6)
    (halves[0].parent / "broken").mkdir()
    (halves[0].parent / "broken" / "extraction.json").write_text("{}")
    with pytest.raises(ExtractionError, match="Extract again"):
        scene_table([halves[0].parent / "broken"])


def test_the_commands_sum_up_and_join(halves: list[Path], tmp_path: Path) -> None:
    words = [*map(str, halves)]
    shown = CliRunner().invoke(main, ["scenes", *words])
    assert "water_ha" in shown.output
    assert CliRunner().invoke(main, ["scenes", *words, "-o", str(tmp_path / "scenes.gpkg")]).exit_code == 0
    assert len(gpd.read_file(tmp_path / "scenes.gpkg")) == 2
    assert CliRunner().invoke(main, ["scenes", *words, "-o", str(tmp_path / "scenes.xyz")]).exit_code == 2
    joined = CliRunner().invoke(main, ["mosaic", *words, "-o", str(tmp_path / "joined")])
    assert joined.exit_code == 0, joined.output
    assert "water bodies: 80.5 ha" in joined.output
