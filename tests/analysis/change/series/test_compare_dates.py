"""Several scenes of one place: areas by date with intervals, frequency, dates, what was not seen, kill and resume."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from spex_nb import ChangeSeries, compare_series, load_series
from spex_nb.errors import (
    EmptySceneError,
    ExtractionCancelledError,
    ExtractionError,
    GridError,
    InstructionError,
    OutputError,
    SceneError,
    SourceNotFoundError,
)
from spex_nb.extraction import Progress
from spex_nb.language.explanation.change_words import ChangeWords
from spex_nb.language.languages import LANGUAGES, get_language

pytestmark = pytest.mark.slow

DATES = ("2009-06-18", "2014-06-02", "2019-06-30")
PONDS: Sequence[Any] = (
    ((50, 60, 24), (150, 80, 30)),
    ((50, 60, 24), (150, 80, 30), (180, 190, 26)),
    ((50, 60, 24), (180, 190, 26)),
)
NODATA = 255


def quietly(scenes: Any, targets: Any = "water", **options: Any) -> ChangeSeries:
    return compare_series(scenes, targets, "index", progress=False, **options)


@pytest.fixture(scope="module")
def scenes(landscape: Callable[..., Any]) -> list[xr.Dataset]:
    """Return three dates: a pond appears, then another one vanishes; the second one lies about a pixel aside."""
    shifts = ((0, 0), (5, 3), (0, 0))
    return [
        landscape(ponds).picture(shift, noise_seed=i).assign_attrs(datetime=date)
        for i, (ponds, shift, date) in enumerate(zip(PONDS, shifts, DATES, strict=True))
    ]


@pytest.fixture(scope="module")
def series(scenes: list[xr.Dataset]) -> ChangeSeries:
    return quietly(scenes)


def test_areas_by_date_are_those_of_the_ponds_within_their_intervals(
    landscape: Callable[..., Any], series: ChangeSeries
) -> None:
    assert series.dates == DATES
    for of_date, ponds in zip(series.areas["water"], PONDS, strict=True):
        truth_px = landscape(ponds).coverage().sum()
        assert of_date.low.px <= truth_px <= of_date.high.px
        assert of_date.area.px == pytest.approx(truth_px, rel=0.03)  # an index finds less of mixed pixels
        assert of_date.area.ha == pytest.approx(of_date.area.px / 100, rel=2e-3)
        assert of_date.high.px - of_date.low.px < 0.2 * truth_px
    assert [*series.table().columns[:5]] == ["target", "date", "area_ha", "low_ha", "high_ha"]
    assert series.table()["date"].tolist() == [*DATES]


def test_the_frequency_is_the_share_of_the_dates_that_show_the_target(
    landscape: Callable[..., Any], series: ChangeSeries
) -> None:
    times = sum((landscape(ponds).coverage() > 0.5).astype(int) for ponds in PONDS)
    frequency, seen = series.frequency["water"].values, series.observations.values
    inner = seen == len(DATES)
    assert inner.mean() > 0.97
    assert (frequency[inner] == np.rint(100 * times / len(DATES))[inner]).mean() > 0.99
    assert frequency[60, 60] == 100
    assert frequency[180, 190] == 67
    assert frequency[150, 80] == 67
    assert frequency[10, 200] == 0


def test_the_explanation_says_from_what_to_what_and_its_doubts(series: ChangeSeries) -> None:
    first, last = series.areas["water"][0], series.areas["water"][-1]
    assert f"{first.area} (between {first.low} and {first.high}) on {first.date}" in series.explanation
    assert f"Water bodies shrank from {first.area}" in series.explanation
    assert f"to {last.area} (between {last.low} and {last.high}) on {last.date}" in series.explanation
    assert f"Most was seen on {DATES[1]}" in series.explanation
    assert "No clouds were masked on any date" in series.explanation
    assert "Interpolation smooths" not in series.explanation
    assert series._repr_html_().count("</tr>") == 1 + len(DATES)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_series_is_explained_in_every_language(code: str, series: ChangeSeries) -> None:
    spoken = replace(series, language=code)
    first = spoken.explanation.split("\n")[0]
    assert get_language(code).targets["water"][0].casefold() in first.casefold()
    assert all(date in first for date in DATES)
    words = ChangeWords(code)
    figures = [area for of_date in series.areas["water"] for area in (of_date.area, of_date.low, of_date.high)]
    assert all(words.area(area.px, area.ha) in first for area in figures)
    if code != "en":
        assert not re.search(r"\b(between|shrank|seen|dates?|was)\b", first)


def test_a_series_answers_in_the_language_of_its_instruction(scenes: list[xr.Dataset]) -> None:
    spoken = quietly(scenes, "wie hat sich das Wasser verändert?")
    assert spoken.language == "de"
    assert spoken.explanation.startswith("Gewässer: Abnahme von")
    assert "An keinem Datum wurden Wolken maskiert" in spoken.explanation
    assert not re.search(r"\b(the|clouds|date|can)\b", spoken.explanation)


def test_a_scene_against_itself_is_no_sure_change(landscape: Callable[..., Any]) -> None:
    same = [landscape().picture(noise_seed=i) for i in range(3)]
    series = quietly(same, dates=["2009", "2010", "2011-05"])
    assert "Water bodies: no sure change" in series.explanation
    assert series.dates == ("2009", "2010", "2011-05")


def test_what_clouds_hide_is_said_and_no_loss(landscape: Callable[..., Any]) -> None:
    """A cloud over a pond on the last date: less is seen, and that is not called less water."""
    ponds = landscape().ponds
    clear, cloudy = (landscape(ponds).picture(noise_seed=i) for i in (1, 2))
    cloud = np.zeros(clear.spex.shape, bool)
    cloud[110:190, 40:120] = True
    series = quietly([clear, cloudy.assign(valid=cloudy["valid"] & ~cloud)], dates=["2009", "2010"])
    first, last = series.areas["water"]
    assert last.seen_frac == pytest.approx(1 - cloud.mean())
    assert first.area.px - last.area.px == pytest.approx(last.hidden.px, rel=0.03)
    assert "no sure change" in series.explanation
    assert f"2010 shows 89% and may hide {last.hidden}" in series.explanation
    assert series.observations.values[cloud].max() == 1
    assert series.common.px == (~cloud).sum()


def test_scenes_are_sorted_by_date_whatever_their_order(scenes: list[xr.Dataset], series: ChangeSeries) -> None:
    shuffled = quietly([scenes[2], scenes[0], scenes[1]])
    assert shuffled.dates == DATES
    assert shuffled.areas["water"][0].area.px == pytest.approx(series.areas["water"][0].area.px, rel=0.01)
    named = quietly({"2001": scenes[0], "1999": scenes[1]})
    assert named.dates == ("1999", "2001")


def test_other_pixels_and_extents_are_compared_on_the_ground_of_all(
    landscape: Callable[..., Any], place: Callable[..., xr.Dataset], scenes: list[xr.Dataset]
) -> None:
    coarse = scenes[2].drop_vars(["valid", "spatial_ref"]).coarsen(x=2, y=2).mean().isel(y=slice(10, None))
    utm = Affine(10, 0, 500_000, 0, -10, 5_500_000)
    moved = place(coarse, utm @ Affine.translation(0, 20) @ Affine.scale(2))
    series = quietly([*scenes[:2], moved])
    assert series.frequency["water"].shape == (110, 120)
    assert "Pixels of 10 m to 20 m were brought to the largest ones" in series.explanation
    truth_px = landscape(PONDS[2]).coverage()[20:].sum() / 4
    assert series.areas["water"][2].area.px == pytest.approx(truth_px, rel=0.05)


def test_a_folder_of_files_is_dated_by_their_names(scenes: list[xr.Dataset], tmp_path: Path) -> None:
    for scene, date in zip(scenes, DATES, strict=True):
        write(scene, tmp_path / f"ponds_{date.replace('-', '')}_v2.tif")
    (tmp_path / "notes.txt").write_text("no scene")
    series = quietly(tmp_path)
    assert series.dates == DATES
    assert series.scenes[DATES[0]] == "ponds_20090618_v2.tif"


def test_years_are_dates_where_names_differ_in_nothing_else(scenes: list[xr.Dataset], tmp_path: Path) -> None:
    files = [write(scene, tmp_path / f"ponds_{year}_v2.tif") for scene, year in zip(scenes, (2009, 2014), strict=False)]
    series = quietly(files)
    assert series.dates == ("2009", "2014")
    assert "The dates are years in the names of the scenes" in series.explanation
    other = write(scenes[2], tmp_path / "lakes_2019_v2.tif")
    with pytest.raises(SceneError, match=r"ponds_2009_v2.tif.*dates=\[...\] \(--dates"):
        quietly([*files, other])


def write(scene: xr.Dataset, path: Path) -> Path:
    """Write a scene as a file that says how it is read, without a date inside."""
    names = scene.spex.bands
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(names),
        height=scene.spex.shape[0],
        width=scene.spex.shape[1],
        dtype="float32",
        crs=scene.rio.crs,
        transform=scene.rio.transform(),
    ) as file:
        file.write(np.stack([scene[name].values for name in names]))
        file.descriptions = names
    return path


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (None, "The date of a scene is not known"),
        (["2009", "2010"], "2 dates for 3 scenes"),
        (["2009", "2010", "soon"], "'soon'.*2009-08-18, 2009-08 or 2009"),
        (["2009", "2010", "2011-02-30"], "2011-02-30"),
        (["2009", "2010", "2010"], "one scene for each date"),
    ],
)
def test_dates_that_are_not_known_or_make_no_sense_are_refused(
    scenes: list[xr.Dataset], dates: list[str] | None, message: str
) -> None:
    undated = [scene.drop_attrs(deep=False).assign_attrs(radiometry="reflectance") for scene in scenes]
    with pytest.raises(SceneError, match=message):
        quietly(undated, dates=dates)


def test_what_is_no_series_is_refused(
    scenes: list[xr.Dataset], place: Callable[..., xr.Dataset], tmp_path: Path
) -> None:
    with pytest.raises(SceneError, match="1 scene"):
        quietly(scenes[:1])
    with pytest.raises(SourceNotFoundError, match="folder"):
        quietly(tmp_path / "nowhere")
    with pytest.raises(SceneError, match="0 scenes"):
        quietly(tmp_path)
    elsewhere = place(scenes[2].drop_vars("spatial_ref"), Affine(10, 0, 600_000, 0, -10, 5_500_000))
    with pytest.raises(GridError, match="share no ground"):
        quietly([*scenes[:2], elsewhere])
    with pytest.raises(InstructionError):
        quietly(scenes, "the colour of hope")
    empty = [scene.assign(valid=(("y", "x"), np.zeros(scene.spex.shape, bool))) for scene in scenes]
    with pytest.raises((EmptySceneError, ExtractionError), match="data"):
        quietly(empty)


def test_a_series_is_saved_whole_and_read_again(series: ChangeSeries, tmp_path: Path) -> None:
    folder = series.save(tmp_path / "ponds")
    again = load_series(folder)
    assert again.explanation == series.explanation
    assert again.table().equals(series.table())
    assert again.frequency.identical(series.frequency)
    assert again.observations.identical(series.observations)
    assert again.provenance == series.provenance
    with rasterio.open(folder / "masks" / f"{DATES[1]}.tif") as file:
        mask = file.read(1)
        assert (mask == 1).sum() == series.areas["water"][1].area.px
        assert file.crs == series.frequency.rio.crs
    with rasterio.open(folder / "frequency.tif") as file:
        assert file.descriptions == ("water",)
        assert (file.read(1) == series.frequency["water"].values).all()
    assert (folder / "areas.csv").read_text().splitlines()[1].startswith(f"water,{DATES[0]},")
    assert (folder / "water_areas.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="allow overwriting"):
        series.save(folder)


def test_a_cancelled_series_leaves_nothing_half_and_goes_on(scenes: list[xr.Dataset], tmp_path: Path) -> None:
    """Cancelled in the second scene: the same call ends in the bytes of an undisturbed run."""
    whole = tmp_path / "whole"
    quietly(scenes, out=whole)
    stop, finished = threading.Event(), []

    def count(progress: Progress) -> None:
        if progress.part == "saving":
            finished.append(progress)
            stop.set()

    out = tmp_path / "out"
    with pytest.raises(ExtractionCancelledError):
        compare_series(scenes, "water", "index", out=out, progress=count, cancel=stop)
    assert len(finished) == 1
    assert not out.exists()
    assert [path.name for path in tmp_path.iterdir()].count("out.partial") == 1
    with pytest.raises(OutputError, match="An unfinished run of something else lies here"):
        quietly(scenes, "vegetation", out=out)
    quietly(scenes, out=out)
    assert not (tmp_path / "out.partial").exists()
    names = sorted(str(path.relative_to(whole)) for path in whole.rglob("*"))
    assert names == sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    for name in names:
        if (whole / name).suffix in (".tif", ".csv", ".txt"):
            assert (whole / name).read_bytes() == (out / name).read_bytes(), name
    with pytest.raises(OutputError, match="output exists"):
        quietly(scenes, out=out)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("series.json", lambda text: text.replace(b'"format": 1', b'"format": 9'), "format 9"),
        ("series.json", lambda text: text.replace(b'"doubts"', b'"run"'), "unknown run"),
        ("series.json", lambda text: text.replace(b"2014-06-02", b"../../../x"), "dates"),
        ("frequency.tif", lambda _: b"II*\0 no raster", "frequency"),
        ("masks/2014-06-02.tif", lambda _: b"", "2014"),
    ],
)
def test_a_damaged_or_hostile_series_is_refused(
    series: ChangeSeries, tmp_path: Path, name: str, damage: Callable[[bytes], bytes], message: str
) -> None:
    folder = series.save(tmp_path / "ponds")
    file = folder / name
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ExtractionError, match=message):
        load_series(folder)


def test_links_out_of_a_folder_and_strange_numbers_are_refused(series: ChangeSeries, tmp_path: Path) -> None:
    folder = series.save(tmp_path / "ponds")
    file = folder / "frequency.tif"
    file.rename(tmp_path / "elsewhere.tif")
    file.symlink_to(tmp_path / "elsewhere.tif")
    with pytest.raises(ExtractionError, match="link out of its folder"):
        load_series(folder)
    file.unlink()
    with rasterio.open(tmp_path / "elsewhere.tif") as source:
        pixels, profile = source.read(), source.profile
    pixels[0, 0, 0] = 180
    with rasterio.open(file, "w", **(profile | {"driver": "GTiff"})) as target:
        target.write(pixels)
    with pytest.raises(ExtractionError, match="180"):
        load_series(folder)
    with pytest.raises(SourceNotFoundError, match=r"without series\.json"):
        load_series(tmp_path)


def test_pictures_show_dates_and_frequency(series: ChangeSeries) -> None:
    axes = series.plot().axes[0]
    assert axes.get_ylabel() == "Area (ha)"
    assert axes.get_ylim()[0] == 0
    assert series.plot_frequency("water").axes[0].get_title() == f"Water bodies, {DATES[0]} to {DATES[-1]}"


@pytest.mark.data
def test_many_dates_of_one_real_place_without_a_crs(real_data: Path) -> None:
    """Harmonized Landsat tiles of one place; their dates are not known, so that years stand for them."""
    places = [line.split(",") for line in (real_data / "hls" / "places.csv").read_text().splitlines()[1:]]
    files = [real_data / "hls" / "images" / f"{tile}.tif" for tile, place in places if place == "9"][:6]
    dates = [str(2001 + number) for number in range(len(files))]
    series = quietly(files, dates=dates, open_options={"sensor": "hls_l30"})
    assert len(series.dates) == len(files) == 6
    assert series.ground.ha is None
    assert series.table()["area_px"].max() > 0
