"""A result is kept, read again, shown and exported, and believes no text that it was given."""

from __future__ import annotations

import base64
import io
import json
import re
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr
from matplotlib.image import imread

from spex_nb import Extraction, extract, load_extraction, sample_scene
from spex_nb.errors import ExtractionError, OutputError, SourceNotFoundError
from spex_nb.extraction import storage
from spex_nb.extraction.result_page import write_result_page
from tests.extraction.test_extract_scene import Brightness, quietly, scene_of, squares

HOSTILE = "<script>alert('water')</script> & \"<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def result() -> Extraction:
    model = Brightness(says="Water covers 25% of the scene. It lies in 3 regions.", id="<b>model</b>")
    scene = scene_of(squares((80, 80), (0, 0, 40)), squares((80, 80), (60, 60, 10), (30, 30, 20), (70, 70, 8)))
    return quietly(scene, "water and vegetation larger than 0.5 ha", model)


@pytest.fixture(scope="module")
def saved(result: Extraction, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.save(tmp_path_factory.mktemp("saved") / "result")


def test_what_was_saved_is_read_again(result: Extraction, saved: Path) -> None:
    again = load_extraction(saved)
    np.testing.assert_array_equal(again.mask, result.mask)
    np.testing.assert_array_equal(again.probability, result.probability)
    assert (again.mask.attrs, again.mask.rio.transform()) == (result.mask.attrs, result.mask.rio.transform())
    xr.testing.assert_equal(again.overview, result.overview)
    assert again.regions.equals(result.regions)
    assert again.regions.crs == result.regions.crs
    for name in (
        "explanations",
        "explanation",
        "claims",
        "prompts",
        "instruction",
        "notes",
        "failures",
        "provenance",
        "class_names",
        "faithfulness",
    ):
        assert getattr(again, name) == getattr(result, name), name
    assert again.evidence == result.evidence
    for target, evidence in result.evidence.items():
        for one, other in zip(again.evidence[target].regions, evidence.regions, strict=True):
            np.testing.assert_array_equal(one.runs, other.runs)
    assert again._repr_html_() == result._repr_html_()


@pytest.mark.slow
def test_every_kind_of_filter_is_read_again(tmp_path: Path) -> None:
    scene = scene_of(squares((80, 80), (0, 0, 40)), squares((80, 80), (50, 50, 10)))
    for i, text in enumerate(
        (
            "the 2 largest lakes in the north, larger than 1 ha, that touch the edge",
            "water within 900 m of vegetation",
            "everything except vegetation",
        )
    ):
        one = quietly(scene, text, Brightness(), out=tmp_path / str(i))
        assert load_extraction(tmp_path / str(i)).instruction == one.instruction


def test_a_result_that_found_nothing_is_read_again(tmp_path: Path) -> None:
    empty = quietly(scene_of(squares((40, 40))), "water", Brightness(), out=tmp_path / "out")
    again = load_extraction(tmp_path / "out")
    assert again.regions.equals(empty.regions)
    assert again.notes == empty.notes
    assert len(gpd.read_file(empty.to_geopackage(tmp_path / "none.gpkg"), layer="regions")) == 0


def test_the_folder_opens_in_other_programs(result: Extraction, saved: Path) -> None:
    with rasterio.open(saved / "mask.tif") as file:
        np.testing.assert_array_equal(file.read(1), result.mask)
        assert (file.nodata, file.crs.to_epsg()) == (255, 32632)
        assert file.tags(1)["class_1"] == "water"
        assert file.colormap(1)[1][:3] == (0, 114, 178)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    with rasterio.open(saved / "probability.tif") as file:
        assert file.descriptions == ("water", "vegetation")
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    regions = gpd.read_file(saved / "regions.gpkg", layer="regions")
    assert regions["target"].tolist() == ["water", "vegetation", "vegetation"]
    assert json.loads((saved / "extraction.json").read_text())["provenance"]["model"] == "<b>model</b>"


def test_exports_hold_the_same_regions(result: Extraction, tmp_path: Path) -> None:
    package = gpd.read_file(result.to_geopackage(tmp_path / "r.gpkg"), layer="regions")
    parquet = gpd.read_parquet(result.to_geoparquet(tmp_path / "r.parquet"))
    lonlat = gpd.read_file(result.to_geojson(tmp_path / "r.geojson"))
    for frame in (package, parquet, lonlat.to_crs(32632)):
        assert frame["area_px"].tolist() == result.regions["area_px"].tolist()
        assert frame.geometry.area.tolist() == pytest.approx(result.regions.geometry.area.tolist(), rel=1e-3)
    assert lonlat.crs.to_epsg() == 4326
    with pytest.raises(OutputError, match="allow overwriting"):
        result.to_geopackage(tmp_path / "r.gpkg")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "extraction.json").write_text("{"), "else extract again"),
        (lambda folder: (folder / "mask.tif").unlink(), "a whole folder of format 1"),
        (lambda folder: (folder / "runs.npz").write_bytes(b"no archive"), "else extract again"),
        (
            lambda folder: (folder / "extraction.json").write_text(
                (folder / "extraction.json").read_text().replace('"format": 1', '"format": 99')
            ),
            "Update spex-nb if a later version wrote it",
        ),
    ],
    ids=["no JSON", "no mask", "no runs", "later format"],
)
def test_a_damaged_folder_is_refused(damage: Any, message: str, tmp_path: Path) -> None:
    quietly(scene_of(squares((40, 40), (5, 5, 9))), "water", Brightness(), out=tmp_path / "out")
    damage(tmp_path / "out")
    with pytest.raises(ExtractionError, match=message):
        load_extraction(tmp_path / "out")


def test_a_folder_without_a_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="a folder that save"):
        load_extraction(tmp_path)


def test_a_runs_file_cannot_smuggle_objects(saved: Path, tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(saved, tmp_path / "hostile")
    np.savez(folder / storage.RUNS, **{"water 0": np.array([{"a": 1}], object)}, allow_pickle=True)
    with pytest.raises(ExtractionError, match="allow_pickle=False"):
        load_extraction(folder)


def test_html_shows_picture_explanation_marks_and_table(result: Extraction) -> None:
    html = result._repr_html_()
    picture = re.search(r"data:image/png;base64,([^\"]+)", html)
    assert picture
    pixels = imread(io.BytesIO(base64.b64decode(picture[1])))
    assert pixels[..., :3].std() > 0.1
    assert "<span class='measured' title='share of the scene: 25 %'>25%</span> ▫" in html
    assert "<span class='contradicts' title='regions: 1'>3</span> ✗ [regions: 1]" in html
    assert html.count("<tr>") == 4
    assert "<td>water</td>" in html
    assert "<td>25.00%</td>" in html
    assert "<td>nan</td>" not in html


def test_all_text_is_escaped(tmp_path: Path) -> None:
    scene = scene_of(squares((40, 40), (0, 0, 20))).assign_attrs(source=HOSTILE)
    found = quietly(scene, "water", Brightness(id=HOSTILE, says=f"{HOSTILE} covers 25% of the scene."))
    hostile = Extraction(
        **{name: getattr(found, name) for name in found.__dataclass_fields__}
        | {"notes": (HOSTILE,), "class_names": {HOSTILE: HOSTILE}}
    )
    page = write_result_page(hostile, tmp_path / "page.html").read_text()
    for html in (hostile._repr_html_(), page):
        assert "<script" not in html
        assert "<img src=x" not in html
        assert html.count("&lt;script&gt;") >= 3


def test_a_report_needs_no_other_file(result: Extraction, tmp_path: Path) -> None:
    page = write_result_page(result, tmp_path / "page.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    for words in ("<h2>Evidence</h2>", "share_frac: 0.25", "<h2>Prompts</h2>", "&#34;scene_hash&#34;"):
        assert words in page


def test_a_large_probability_stays_on_disk_as_long_as_the_result_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "EAGER_BYTES", 100)
    one = quietly(scene_of(squares((40, 40), (5, 5, 10))), "water", Brightness())
    assert one.probability.chunks is not None
    assert float(one.probability.max()) > 0.99
    file = one.probability_file
    assert file.exists()
    del one
    assert not file.parent.exists()


def test_a_picture_shows_the_mask_over_the_scene() -> None:
    figure = quietly(sample_scene("river_10m"), "water and vegetation").plot()
    with warnings.catch_warnings(action="error"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["water bodies", "vegetation"]


def test_a_notebook_gets_a_page_a_text_and_a_picture() -> None:
    result = extract(sample_scene("lake_30m"), "the 2 largest lakes", "index", progress=False)
    bundle = result._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/html"] == result._repr_html_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == str(result)
    assert str(result).startswith("Asked: the 2 largest lakes\n")
    assert "\n2 regions" in str(result)
    assert "<" not in str(result).replace(" < ", "")
