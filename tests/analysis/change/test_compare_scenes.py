"""Two scenes of one place: no change gives nearly none, known change is found, and what is no ground is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from spex_nb import Change, compare, sample_scene
from spex_nb.errors import (
    BandError,
    EmptySceneError,
    ExtractionError,
    GridError,
    InstructionError,
    MissingBandError,
    OutputError,
    SourceNotFoundError,
    TargetError,
    UnreadableSourceError,
)

pytestmark = pytest.mark.slow

UTM = Affine(10, 0, 500_000, 0, -10, 5_500_000)
PONDS_AFTER = ((50, 60, 24), (150, 80, 30), (80, 170, 20), (180, 190, 18), (30, 200, 14), (210, 120, 16), (100, 30, 6))
GAINED, LOST, KEPT, NODATA = 1, 2, 3, 255


def quietly(before: Any, after: Any, targets: Any = "water", **options: Any) -> Change:
    return compare(before, after, targets, "index", progress=False, **options)


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


def false_share(change: Change) -> float:
    """Return the share of the target's own area that a scene held against itself seems to gain or lose."""
    water = change.targets["water"]
    return (water.gain.px + water.loss.px) / water.before.px


@pytest.fixture(scope="module")
def before(landscape: Callable[..., Any]) -> xr.Dataset:
    scene: xr.Dataset = landscape().picture()
    return scene


@pytest.fixture(scope="module")
def changed(landscape: Callable[..., Any], before: xr.Dataset) -> Change:
    return quietly(before, landscape(PONDS_AFTER).picture((2, -1), noise_seed=9))


@pytest.mark.parametrize("shift", [(0, 0), (2, 2), (-2, 1), (6, -4)])
def test_a_scene_against_itself_with_other_noise_and_a_shift_shows_no_change(
    landscape: Callable[..., Any], before: xr.Dataset, shift: tuple[int, int]
) -> None:
    change = quietly(before, landscape().picture(shift, noise_seed=9))
    assert change.registration.shift_x_px == pytest.approx(shift[0] / 4, abs=0.1)
    assert change.registration.shift_y_px == pytest.approx(shift[1] / 4, abs=0.1)
    assert change.registration.is_applied == (shift != (0, 0))
    assert false_share(change) <= 0.01
    water = change.targets["water"]
    assert not water.is_gain_above_floor
    assert not water.is_loss_above_floor
    assert change.explanation.startswith("Water bodies: no sure change between the two scenes")


def test_known_change_is_found_under_a_shift_and_other_noise(landscape: Callable[..., Any], changed: Change) -> None:
    was, became = (landscape(*ponds).coverage() > 0.5 for ponds in ((), (PONDS_AFTER,)))
    classes = changed.classes["water"].values
    assert iou(classes == GAINED, became & ~was) >= 0.85
    assert iou(classes == LOST, was & ~became) >= 0.85
    assert iou(classes == KEPT, was & became) >= 0.95


def test_a_lazy_scene_gives_what_one_in_memory_gives(
    landscape: Callable[..., Any], before: xr.Dataset, changed: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spex_nb.analysis.change.alignment.scene_on_grid.EAGER_BYTES", 0)
    after = landscape(PONDS_AFTER).picture((2, -1), noise_seed=9)
    change = quietly(before.chunk({"y": 100, "x": 90}), after.chunk({"y": 64}))
    xr.testing.assert_identical(change.classes, changed.classes)
    assert change.targets == changed.targets


def test_a_target_that_such_pixels_do_not_show_is_answered_by_its_parent() -> None:
    scene = sample_scene("river_10m")
    change = quietly(scene, scene, "building")
    assert [*change.targets] == ["built_up"]
    assert "Buildings cannot be seen in such pixels" in change.explanation


def test_figures_add_up_and_are_those_of_the_classes(changed: Change) -> None:
    water, classes = changed.targets["water"], changed.classes["water"].values
    assert water.before.px == water.loss.px + water.unchanged.px
    assert water.after.px == water.gain.px + water.unchanged.px
    assert water.gain.px == (classes == GAINED).sum()
    assert changed.compared.px + changed.left_out.px == classes.size
    assert water.gain.ha == pytest.approx(water.gain.px * 0.01, rel=2e-3)  # 10 m pixels; UTM shrinks by 4e-4
    assert water.gain.ha is not None
    assert f"{water.gain.ha:,.1f} ha gained" in changed.explanation
    assert changed.table().loc[0, "gained_ha"] == water.gain.ha


def test_the_floor_stands_beside_the_figures_and_is_subtracted_from_none(changed: Change) -> None:
    water = changed.targets["water"]
    assert 0 < water.floor.shift.px < water.gain.px
    assert water.floor.noise_gain.px > 0
    assert water.floor.gain.px == water.floor.shift.px + water.floor.noise_gain.px
    assert water.floor.interpolation_gain.px == 0  # both scenes were moved by as much
    assert f"up to {water.floor.gain} gained" in changed.explanation
    assert "subtracted from no figure" in changed.explanation


def test_regions_that_a_shift_or_noise_can_make_are_marked(landscape: Callable[..., Any], before: xr.Dataset) -> None:
    """Rims as wide as the shift may be wrong, around ponds that stay, and one pond that is new."""
    grown = [(row, column, radius + 0.6) for row, column, radius in landscape().ponds]
    change = quietly(before, landscape([*grown, (30, 200, 14)]).picture(noise_seed=9))
    regions = change.regions[change.regions["change"] == "gained"]
    rims, ponds = regions[regions["below_floor"]], regions[~regions["below_floor"]]
    assert len(rims) == change.targets["water"].gained_regions.below_floor >= 5
    assert rims["area_px"].max() > 30
    assert (rims["unexplained_px"] <= 4).all()
    assert len(ponds) == 1
    assert ponds["area_px"].iloc[0] == pytest.approx(np.pi * 14**2, rel=0.15)
    assert f"Of {len(regions)} gained regions, {len(rims)} may be shift or noise alone" in change.explanation


def test_pixels_without_data_in_either_scene_are_left_out(landscape: Callable[..., Any], before: xr.Dataset) -> None:
    after = landscape(PONDS_AFTER).picture(noise_seed=9)
    cloud = np.zeros(before.spex.shape, bool)
    cloud[20:45, 180:220] = True  # over a new pond
    hole = np.zeros_like(cloud)
    hole[140:160, 60:100] = True  # over a pond that stays
    masked = after.assign(valid=after["valid"] & ~cloud)
    change = quietly(before.assign(valid=before["valid"] & ~hole), masked)
    classes = change.classes["water"].values
    assert (classes[cloud | hole] == NODATA).all()
    assert (classes[~(cloud | hole)] != NODATA).all()
    assert change.left_out.px == (cloud | hole).sum()
    assert "Left out are 18.0 ha of the overlap (3.1%)" in change.explanation


def test_other_pixels_and_extents_are_compared_on_the_overlap(
    landscape: Callable[..., Any], place: Callable[..., xr.Dataset], before: xr.Dataset
) -> None:
    after = landscape(PONDS_AFTER).picture(noise_seed=9)
    coarse = after.drop_vars("valid").coarsen(x=2, y=2).mean().isel(y=slice(10, None), x=slice(0, 100))
    moved = place(coarse.drop_vars("spatial_ref"), UTM @ Affine.translation(0, 20) @ Affine.scale(2))
    change = quietly(before, moved)
    assert change.classes["water"].shape == (110, 100)
    assert change.classes["water"].rio.transform() == moved.rio.transform()
    was, became = (landscape(*ponds).coverage() > 0.5 for ponds in ((), (PONDS_AFTER,)))
    gained = (became & ~was)[20:, :200].reshape(110, 2, 100, 2).mean(axis=(1, 3)) > 0.5
    assert iou(change.classes["water"].values == GAINED, gained) >= 0.85
    assert "Pixels of 10 m before and 20 m after were brought to the larger" in change.explanation


def test_another_crs_is_brought_to_the_grid_of_the_scene_before(
    landscape: Callable[..., Any], before: xr.Dataset
) -> None:
    after = landscape(PONDS_AFTER).picture(noise_seed=9)
    turned = after.drop_vars("valid").rio.reproject("EPSG:32633", resolution=10, resampling=2)
    change = quietly(before, turned)
    assert change.classes["water"].rio.crs == before.rio.crs
    was, became = (landscape(*ponds).coverage() > 0.5 for ponds in ((), (PONDS_AFTER,)))
    classes = change.classes["water"].values
    assert iou(classes == GAINED, became & ~was & (classes != NODATA)) >= 0.85
    assert iou(classes == LOST, was & ~became & (classes != NODATA)) >= 0.85
    floor = change.targets["water"].floor
    assert floor.interpolation_loss.px > floor.interpolation_gain.px  # small waters fade where one scene is smoothed
    assert floor.loss.px == floor.shift.px + floor.noise_loss.px + floor.interpolation_loss.px
    assert "for the interpolation of one scene alone" in change.explanation


def test_scenes_without_ground_in_common_are_refused_with_both_extents(
    place: Callable[..., xr.Dataset], before: xr.Dataset
) -> None:
    elsewhere = place(before.drop_vars("spatial_ref"), Affine(10, 0, 600_000, 0, -10, 5_500_000))
    with pytest.raises(GridError, match=r"x 500000 to 502400.*x 600000 to 602400.*of one place"):
        quietly(before, elsewhere)


def test_a_scene_off_the_map_is_not_compared_with_one_on_it(before: xr.Dataset) -> None:
    plain = before.drop_vars("spatial_ref")
    with pytest.raises(GridError, match=r"no CRS.*two without one that have the same pixels"):
        quietly(before, plain)


def test_two_scenes_off_the_map_are_compared_in_pixels(landscape: Callable[..., Any], before: xr.Dataset) -> None:
    after = landscape(PONDS_AFTER).picture((2, 0), noise_seed=9)
    change = quietly(before.drop_vars("spatial_ref"), after.drop_vars("spatial_ref"))
    assert change.targets["water"].gain.ha is None
    assert f"{change.targets['water'].gain.px:,.0f} px gained" in change.explanation
    assert change.registration.is_applied


def test_no_common_valid_pixel_is_an_error(before: xr.Dataset) -> None:
    left = np.zeros(before.spex.shape, bool)
    left[:, :120] = True
    with pytest.raises(EmptySceneError, match="data on the same ground"):
        quietly(before.assign(valid=(("y", "x"), left)), before.assign(valid=(("y", "x"), ~left)))


def test_bands_that_one_scene_lacks_are_used_in_neither(before: xr.Dataset) -> None:
    richer = before.assign(swir16=before["nir"] * 0.5)
    change = quietly(richer, before)
    assert "bands that only one scene has: swir16" in change.explanation
    assert change.targets["water"].gain.px == change.targets["water"].loss.px == 0
    with pytest.raises(BandError, match="at least one band of the same name"):
        quietly(before[["nir", "valid"]], before[["red", "valid"]])
    with pytest.raises(MissingBandError, match="nir"):
        quietly(before[["red", "blue", "valid"]], before)


@pytest.mark.parametrize("text", ["what water was gained", "¿qué agua se perdió?", "增加了哪些水体？"])
def test_an_instruction_about_two_dates_names_the_targets(before: xr.Dataset, text: str) -> None:
    change = quietly(before, before, text)
    assert [*change.targets] == ["water"]
    assert change.targets["water"].gain.px == change.targets["water"].loss.px == 0


@pytest.mark.parametrize("text", ["what changed", "the colour of hope", "everything except water"])
def test_an_instruction_without_a_target_is_refused(before: xr.Dataset, text: str) -> None:
    with pytest.raises(InstructionError):
        quietly(before, before, text)


def test_wrong_arguments_are_refused(before: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="Did you mean water"):
        quietly(before, before, ["wather"])
    with pytest.raises(TargetError, match="No target is given"):
        quietly(before, before, [])
    with pytest.raises(ExtractionError, match="probability between 0 and 1"):
        quietly(before, before, threshold=2.0)
    with pytest.raises(SourceNotFoundError):
        quietly(tmp_path / "missing.tif", before)
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0 no raster")
    with pytest.raises(UnreadableSourceError):
        quietly(before, broken)


def test_several_targets_share_the_compared_ground(landscape: Callable[..., Any], before: xr.Dataset) -> None:
    change = quietly(before, landscape(PONDS_AFTER).picture(noise_seed=9), ["water", "vegetation"])
    assert [*change.targets] == ["water", "vegetation"]
    water, vegetation = change.targets.values()
    assert vegetation.loss.px >= 0.8 * water.gain.px
    assert set(change.regions["target"]) == {"water", "vegetation"}
    assert change.explanation.count("subtracted from no figure") == 2


def test_a_change_is_saved_whole_and_read_again(changed: Change, tmp_path: Path) -> None:
    folder = changed.save(tmp_path / "change")
    with rasterio.open(folder / "classes.tif") as file:
        np.testing.assert_array_equal(file.read(1), changed.classes["water"].values)
        assert file.descriptions == ("water",)
        assert file.nodata == NODATA
        assert file.tags()["class_1"] == "gained"
        assert file.crs == changed.classes.rio.crs
        assert file.colormap(1)[GAINED][:3] == (0, 114, 178)
    regions = gpd.read_file(folder / "regions.gpkg")
    assert len(regions) == len(changed.regions) > 0
    assert regions["below_floor"].tolist() == changed.regions["below_floor"].tolist()
    assert regions["area_ha"].tolist() == pytest.approx(changed.regions["area_ha"].tolist())
    figures = json.loads((folder / "change.json").read_text())
    water = changed.targets["water"]
    assert figures["targets"]["water"]["gained"] == {"px": water.gain.px, "m2": water.gain.m2, "ha": water.gain.ha}
    assert figures["targets"]["water"]["floor_gained"]["ha"] == water.floor.gain.ha
    assert figures["explanation"] == changed.explanation
    assert (folder / "explanation.txt").read_text() == changed.explanation + "\n"
    with pytest.raises(OutputError, match="allow overwriting"):
        changed.save(folder)
    assert changed.save(folder, overwrite=True) == folder


def test_a_notebook_shows_the_explanation_and_a_picture(changed: Change) -> None:
    assert "subtracted from no figure" in changed._repr_html_()
    assert changed.plot().axes[0].get_title().startswith("water")
    bundle = changed._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == str(changed) == changed.explanation
    assert f"base64,{bundle['image/png']}" in bundle["text/html"]


@pytest.mark.data
def test_ponds_of_north_dakota_grew(real_data: Path) -> None:
    """By hand: 197 ha in 2009, 417 ha in 2020. Windows scatter by whole pixels, so that no shift is applied."""
    folder = real_data / "naip_north_dakota_5m"
    change = quietly(folder / "m_4709963_se_14_1_20090818.tif", folder / "m_4709963_se_14_1_20200831.tif")
    water = change.targets["water"]
    assert water.before.ha == pytest.approx(190, abs=3)
    assert water.after.ha == pytest.approx(409, abs=3)
    assert water.gain.ha == pytest.approx(219, abs=3)
    assert water.loss.ha == pytest.approx(0.3, abs=0.3)
    assert not change.registration.is_measured
    assert 15 <= (water.floor.shift.ha or 0) <= 25
    assert not water.is_loss_above_floor
    assert (change.date_before, change.date_after) == ("2009-08-18", "2020-08-31")
    assert "could not be measured" in change.explanation


def test_a_large_mask_lies_on_disk_while_the_other_scene_is_extracted(
    landscape: Callable[..., Any], before: xr.Dataset, changed: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spex_nb.analysis.change.scene_pair.MANY_PX", 1)
    change = quietly(before, landscape(PONDS_AFTER).picture((2, -1), noise_seed=9))
    xr.testing.assert_identical(change.classes, changed.classes)
    assert change.targets == changed.targets
