"""An area of interest: what lies outside is not read, not judged and no data, and what lies inside is as without it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
import xarray as xr
from scipy import ndimage

from spex_nb import Extraction, extract, load_extraction, plan_extraction, sample_scene
from spex_nb.errors import ExtractionCancelledError, GridError, OutputError, RegionError, SourceNotFoundError
from spex_nb.extraction.predict import predict_on_worker
from spex_nb.scene.samples import sample_path
from spex_nb.scene.windows import reader
from spex_nb.types import MASK_NODATA, ModelCard, Window

LEFT, TOP, PIXEL = 604_000, 5_312_000, 10
"""Of the sample river_10m, 320 x 320 pixels in EPSG:32632."""


def box(left: float, top: float, right: float, bottom: float) -> Any:
    """Return a rectangle on the map from columns and rows."""
    return shapely.box(LEFT + PIXEL * left, TOP - PIXEL * bottom, LEFT + PIXEL * right, TOP - PIXEL * top)


ROUND = shapely.Point(LEFT + 1_000, TOP - 1_700).buffer(703)
TWO = gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=[ROUND, box(260, 0, 320, 60)], crs=32632)


def quietly(
    scene: Any = None, instruction: str = "water and vegetation", model: Any = "index", **options: Any
) -> Extraction:
    return extract(sample_scene("river_10m") if scene is None else scene, instruction, model, progress=False, **options)


class Blurred:
    """A model that looks around each pixel, so that what it is shown beside a border matters."""

    id = "blurred"
    card = ModelCard(("water",), ("green", "nir"), tile_px=64)

    def predict(self, tile: xr.Dataset, *_: Any, **__: Any) -> Any:
        difference = np.nan_to_num(tile["green"].values - tile["nir"].values)
        return ndimage.uniform_filter(difference, 9)[None].astype(np.float32) * 40

    def explain(self, *_: Any) -> Iterator[str]:
        yield ""


@pytest.fixture(scope="module")
def whole() -> Extraction:
    return quietly()


@pytest.fixture(scope="module")
def cut() -> Extraction:
    return quietly(aoi=TWO)


def inside_of(frame: gpd.GeoDataFrame) -> Any:
    """Return which pixels have their centre in a polygon, one after the other."""
    columns, rows = np.meshgrid(np.arange(320) + 0.5, np.arange(320) + 0.5)
    points = shapely.points(LEFT + PIXEL * columns, TOP - PIXEL * rows)
    return shapely.contains(shapely.union_all(frame.geometry.to_numpy()), points)


@pytest.mark.slow
def test_outside_is_no_data_and_inside_is_as_without_it(whole: Extraction, cut: Extraction) -> None:
    inside = inside_of(TWO)
    assert cut.mask.shape == whole.mask.shape
    assert (cut.mask.values[~inside] == MASK_NODATA).all()
    differs = cut.mask.values[inside] != whole.mask.values[inside]
    assert differs.mean() < 0.001  # specks that the border cuts are too small to count
    probability = cut.probability.values
    assert np.isnan(probability[:, ~inside]).all()
    np.testing.assert_array_equal(probability[:, inside], whole.probability.values[:, inside])
    assert cut.doubt is not None
    assert (cut.doubt.values[~inside] == MASK_NODATA).all()


def test_figures_words_and_overview_are_of_the_inside_only(cut: Extraction) -> None:
    inside, evidence = inside_of(TWO), cut.evidence["water"]
    assert evidence.valid_px == inside.sum()
    assert evidence.area_px == (cut.mask.values == 1).sum()
    assert evidence.share_frac == pytest.approx(evidence.area_px / inside.sum())
    assert "of the area of interest" in cut.explanation
    assert "of the scene" not in cut.explanation
    assert f"{inside.mean():.0%}".replace("%", " %") in cut.notes[0]
    assert not cut.overview["valid"].values[~inside].any()
    assert np.isnan(cut.overview["green"].values[~inside]).all()
    assert cut.regions.to_crs(32632).geometry.within(shapely.union_all(TWO.geometry).buffer(2 * PIXEL)).all()


@pytest.mark.slow
def test_nothing_found_inside_is_not_said_of_the_scene() -> None:
    result = quietly(instruction="water", aoi=box(30, 40, 60, 60))
    assert "No water was found in the area of interest" in result.explanation
    quiet_part = quietly(instruction="Wasser", aoi=box(30, 40, 60, 60))
    assert "In diesem Gebiet wurde kein Wasser gefunden" in quiet_part.explanation
    assert "untersucht" in quiet_part.notes[0]
    extremes = [note for note in result.notes if "0.5" in note or "MuWIR" in note]
    assert extremes  # how near the index came is measured inside, where no pixel passes
    assert (quietly(instruction="water").mask == 1).any()


@pytest.mark.slow
@pytest.mark.parametrize("tile_px", [64, 96])
def test_a_model_that_looks_around_sees_beyond_the_border(tile_px: int) -> None:
    """Tiles are read whole, so that the border of an area is no border for the model."""
    options = {"instruction": "water", "tile_px": tile_px, "min_area_px": 1}
    plain, inside = quietly(model=Blurred(), **options), inside_of(TWO)
    part = quietly(model=Blurred(), aoi=TWO, **options)
    assert part.provenance["tiles"] < plain.provenance["tiles"]
    np.testing.assert_allclose(part.probability.values[:, inside], plain.probability.values[:, inside], atol=1 / 4096)


@pytest.mark.slow
def test_only_windows_that_the_area_meets_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Window] = []
    read = reader.read_layers

    def watched(scene: Any, names: Any, window: Window, step: int = 1) -> Any:
        seen.append(window)
        return read(scene, names, window, step)

    monkeypatch.setattr(reader, "read_layers", watched)
    path, area = sample_path("river_10m"), box(10, 10, 50, 50)
    result = quietly(path, aoi=area, tile_px=32, open_options={"chunks": (32, 32)})
    assert result.provenance["tiles"] == 4
    assert seen
    for top, left, height, width in seen:
        assert area.intersection(box(left, top, left + width, top + height)).area > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "give",
    [
        lambda folder: _written(folder / "area.gpkg"),
        lambda folder: _written(folder / "area.geojson", 4326),
        lambda _: TWO.to_crs(3035),
        lambda _: list(TWO.geometry),
        lambda _: shapely.union_all(TWO.geometry),
    ],
)
def test_all_forms_of_one_area_give_one_mask(cut: Extraction, tmp_path: Path, give: Callable[[Path], Any]) -> None:
    result = quietly(aoi=give(tmp_path))
    assert (result.mask.values != cut.mask.values).mean() < 1e-4


def _written(path: Path, crs: int = 32632) -> Path:
    TWO.to_crs(crs).to_file(path)
    return path


def test_a_rectangle_is_in_the_crs_of_the_scene_unless_another_is_given() -> None:
    square = box(20, 30, 60, 80)
    here = quietly(aoi=square.bounds)
    assert (here.mask.values != MASK_NODATA).sum() == 40 * 50
    lonlat = gpd.GeoSeries([square], crs=32632).to_crs(4326)
    there = quietly(aoi=lonlat[0], aoi_crs="EPSG:4326")
    np.testing.assert_array_equal(there.mask, here.mask)


def test_an_area_partly_outside_is_said() -> None:
    result = quietly(aoi=box(-40, 0, 40, 80))
    assert "50 % of the area of interest lie outside of the scene." in result.notes
    country = gpd.GeoSeries([shapely.box(5, 45, 15, 55)], crs=4326)
    (note,) = (note for note in quietly(aoi=country).notes if "lie outside" in note)
    assert 99.99 < float(note.split()[0]) < 100


def test_an_area_outside_shows_both_extents() -> None:
    with pytest.raises(RegionError, match=r"x 9 to 10, y 48 to 49 in EPSG:32632.*x 604000 to 607200") as caught:
        quietly(aoi=(9, 48, 10, 49))
    assert "aoi_crs='EPSG:4326'" in str(caught.value)
    with pytest.raises(RegionError, match=r"x 9 to 9.1.* in EPSG:4326.*EPSG:32632, or x 10.* in EPSG:4326"):
        quietly(aoi=(9, 48, 9.1, 48.1), aoi_crs=4326)


@pytest.mark.parametrize(
    ("aoi", "error", "advice"),
    [
        ([shapely.Point(LEFT, TOP)], RegionError, "has no polygon"),
        ([], RegionError, "has no polygon"),
        ((LEFT + 1, TOP - 4, LEFT + 3, TOP - 1), RegionError, "Give a larger area"),
        ((LEFT, TOP, LEFT, TOP), RegionError, "left, bottom, right, top"),
        ("nowhere.gpkg", SourceNotFoundError, "Check the path"),
        (TWO, GridError, "Leave the argument out"),
    ],
)
def test_what_is_no_area_is_refused(aoi: Any, error: type[Exception], advice: str) -> None:
    with pytest.raises(error, match=advice):
        quietly(aoi=aoi, aoi_crs=4326 if aoi is TWO else None)


def test_a_file_without_crs_names_the_argument(tmp_path: Path) -> None:
    (tmp_path / "area.csv").write_text(f'name,WKT\na,"{ROUND.wkt}"\n')
    with pytest.raises(GridError, match=r"aoi_crs= \(--aoi-crs\)"):
        quietly(aoi=tmp_path / "area.csv")
    assert quietly(aoi=tmp_path / "area.csv", aoi_crs=32632).provenance["parameters"]["aoi"]


def stopping_after(tiles: int) -> Callable[[], bool]:
    """Return a function that lets so many tiles pass, and then stops a run."""
    asked = iter([False] * tiles)
    return lambda: next(asked, True)


@pytest.mark.slow
def test_a_run_goes_on_with_the_same_area_only(tmp_path: Path) -> None:
    out, options = tmp_path / "out", {"tile_px": 64, "out": tmp_path / "out"}
    with pytest.raises(ExtractionCancelledError):
        quietly(aoi=TWO, cancel=stopping_after(3), **options)
    for other in (None, ROUND, TWO.iloc[:1]):
        with pytest.raises(OutputError, match="area of interest"):
            quietly(aoi=other, **options)
    dones: list[int] = []
    result = quietly_reporting(dones, aoi=TWO, **options)
    assert dones[0] == 3
    np.testing.assert_array_equal(result.mask, quietly(aoi=TWO, tile_px=64).mask)
    np.testing.assert_array_equal(load_extraction(out).mask, result.mask)
    anew = quietly(aoi=ROUND, overwrite=True, **options)
    assert anew.provenance["parameters"]["aoi"] != result.provenance["parameters"]["aoi"]


def quietly_reporting(dones: list[int], **options: Any) -> Extraction:
    return extract(
        sample_scene("river_10m"),
        "water and vegetation",
        "index",
        progress=lambda progress: dones.append(progress.done),
        **options,
    )


def test_a_run_of_the_whole_scene_does_not_go_on_with_an_area(tmp_path: Path) -> None:
    options = {"tile_px": 64, "out": tmp_path / "out"}
    with pytest.raises(ExtractionCancelledError):
        quietly(cancel=stopping_after(3), **options)
    with pytest.raises(OutputError, match="area of interest"):
        quietly(aoi=TWO, **options)


@pytest.mark.slow
def test_a_worker_gets_the_area_with_its_job() -> None:
    plan = plan_extraction(sample_path("river_10m"), "water", "index", aoi=TWO, tile_px=64)
    assert plan.area is not None
    assert len(plan.windows) < len(plan.tiling.windows)
    job = pickle.loads(pickle.dumps(plan.job))  # noqa: S301 (our own bytes)
    for window in plan.windows:
        here, there = plan.predictor.predict(window).logits, predict_on_worker(job, window).logits
        assert here is not None
        np.testing.assert_array_equal(here, there)
        np.testing.assert_array_equal(np.isnan(here[0]), ~plan.area.inside(window))


def test_without_crs_an_area_is_in_pixels() -> None:
    green = np.full((60, 80), 0.3, np.float32)
    bands = {name: (("y", "x"), green if name == "green" else green / 10) for name in ("green", "nir", "swir16")}
    result = quietly(xr.Dataset(bands), "water", aoi=(10, 5, 30, 25))
    inside = result.mask.values != MASK_NODATA
    assert inside[5:25, 10:30].all()
    assert inside.sum() == 400


def test_the_scene_of_the_user_stays_as_it_was() -> None:
    scene = sample_scene("river_10m")
    before = scene.load().copy(deep=True)
    quietly(scene, aoi=TWO)
    xr.testing.assert_identical(scene, before)
