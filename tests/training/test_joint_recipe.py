"""The stage of the recipe in which targets compete: labels by hand, samples, and a run that is cut in two."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform_geom

from spex_nb.language.prompts import build_prompt, parse_prompt
from spex_nb.model import SpexPredictor, SpexProcessor
from spex_nb.model.checkpoint_files import resolve_checkpoint
from spex_nb.scene.samples import sample_scene

sys.path.append(str(Path(__file__).parents[2] / "recipes" / "tiny" / "joint"))
import bars
import changes
import covers
import learn
import outlines
import sampling
import tiles
import words
from covers import Cover

pytestmark = pytest.mark.slow

GREEN, SPARSE, BARE, WATER, WET = (
    {"green": 0.06, "red": 0.05, "nir": 0.35, "swir16": 0.15},
    {"green": 0.08, "red": 0.10, "nir": 0.20, "swir16": 0.25},
    {"green": 0.12, "red": 0.20, "nir": 0.25, "swir16": 0.35},
    {"green": 0.08, "red": 0.05, "nir": 0.02, "swir16": 0.01},
    {"green": 0.10, "red": 0.12, "nir": 0.15, "swir16": 0.08},
)


def bands_of(*spectra: dict[str, float]) -> dict[str, Any]:
    return {name: np.array([[spectrum[name] for spectrum in spectra]], np.float32) for name in GREEN}


def codes(*values: int) -> Any:
    return np.array([values], np.uint8)


def test_the_greenness_of_the_date_decides_what_worldcover_is() -> None:
    bands = bands_of(GREEN, GREEN, SPARSE, BARE, BARE, WET)
    allowed = covers.allowed_hls(bands, codes(0, 0, 0, 0, 0, 0), codes(10, 40, 40, 40, 10, 60))
    between = Cover.PLANTS | Cover.BARE_SOIL | Cover.OTHER
    assert allowed[0].tolist() == [
        Cover.TREES,
        Cover.LOW_PLANTS,
        between,
        Cover.BARE_SOIL,
        Cover.DRY_GROUND,
        Cover.DRY_GROUND,
    ]


def test_flood_masks_count_where_an_index_agrees() -> None:
    allowed = covers.allowed_hls(bands_of(WATER, GREEN, WATER, BARE), codes(1, 1, 0, 1), codes(40, 40, 40, 80))
    assert allowed[0].tolist() == [Cover.WATER, Cover.ANY, Cover.ANY, Cover.ANY]


def test_edges_of_mapped_towns_are_not_told() -> None:
    bands = bands_of(SPARSE, SPARSE, SPARSE, SPARSE)
    allowed = covers.allowed_hls(bands, codes(0, 0, 0, 0), codes(40, 40, 50, 50))[0].tolist()
    between = Cover.PLANTS | Cover.BARE_SOIL | Cover.OTHER
    assert allowed == [between, between | Cover.BUILT_UP, Cover.BUILT_UP, Cover.BUILT_UP]


def test_labels_of_one_class_tell_no_other() -> None:
    picture = {"red": np.full((1, 3), 0.4, np.float32), "green": np.full((1, 3), 0.41, np.float32)}
    picture["blue"] = picture["red"]
    allowed = covers.allowed_single(picture, codes(0, 1, 255), Cover.BUILDING)
    assert allowed[0].tolist() == [Cover.ANY & ~Cover.BUILDING, Cover.BUILDING, Cover.ANY]


def test_nlcd_and_chesapeake_by_hand() -> None:
    valid = np.ones((1, 4), bool)
    allowed = covers.allowed_nlcd(bands_of(GREEN, GREEN, BARE, WATER), codes(4, 7, 5, 1), valid)
    assert allowed[0].tolist() == [Cover.TREES, Cover.LOW_PLANTS, Cover.BARE_SOIL, Cover.WATER]
    bands = bands_of(GREEN, GREEN, BARE, BARE, BARE)
    dry = Cover.LOW_PLANTS | Cover.BARE_SOIL | Cover.OTHER
    classes, buildings = codes(2, 3, 4, 6, 5), codes(0, 0, 0, 0, 1)
    allowed = covers.allowed_chesapeake(bands, classes, buildings)
    assert allowed[0].tolist() == [Cover.TREES, Cover.LOW_PLANTS, Cover.BARE_SOIL, Cover.ROAD, Cover.BUILDING]
    assert covers.allowed_chesapeake(bands_of(SPARSE), codes(3), codes(0))[0, 0] == Cover.LOW_PLANTS
    assert covers.allowed_chesapeake(bands_of(WET), codes(3), codes(0))[0, 0] in (Cover.LOW_PLANTS, dry)


def test_aerial_ground_is_sure_only_at_both_ends() -> None:
    spectra = ({"nir": 0.5, "red": 0.2}, {"nir": 0.3, "red": 0.25}, {"nir": 0.2, "red": 0.3})
    bands = bands_of(*({"green": 0.25, "swir16": 0.0} | spectrum for spectrum in spectra))
    bands["blue"] = bands["green"]
    allowed = covers.allowed_naip(bands, np.zeros((1, 3), bool))
    assert allowed[0].tolist() == [Cover.PLANTS, Cover.ANY & ~Cover.WATER, Cover.DRY_GROUND]


def test_outlines_tell_what_is_inside_and_leave_the_edge_of_roofs_open() -> None:
    allowed = np.full((8, 8), Cover.ANY & ~Cover.WATER, np.uint8)
    allowed[:, 7] = Cover.PLANTS
    roof, ground = np.zeros((2, 8, 8), bool)
    roof[0:4, 0:4], ground[6:, :] = True, True
    told = outlines.with_outlines(allowed, {"roof": roof, "ground": ground})
    assert told[0, 0] == told[2, 2] == Cover.BUILDING
    assert told[3, 3] == told[3, 1] == told[4, 1] == Cover.ANY  # on both sides of the outline
    assert told[5, 5] == Cover.ANY & ~Cover.WATER  # nothing was drawn there
    assert told[7, 0] == Cover.ANY & ~(Cover.WATER | Cover.BUILDING | Cover.ROAD)
    assert told[7, 7] == Cover.PLANTS


def test_greenness_that_contradicts_an_outline_leaves_a_pixel_open() -> None:
    allowed = np.full((5, 5), Cover.PLANTS, np.uint8)
    told = outlines.with_outlines(allowed, {"road": np.ones((5, 5), bool)})
    assert (told == Cover.ANY).all()


def test_held_back_outlines_are_of_other_flights_than_those_that_are_learned_from() -> None:
    learned, held_back = (outlines.read_outlines(path) for path in (outlines.TRAINING, outlines.HELD_BACK))
    assert {name.partition("_")[0] for name in learned} == {"chico", "riverside"}
    assert {name.partition("_")[0] for name in held_back} == {"claremont", "bishop"}
    assert len(held_back) >= 40
    assert {kind for kinds in held_back.values() for kind in kinds} == {"roof", "unsure"}
    assert held_back["claremont_2020_45"] == {"roof": [], "unsure": []}  # a park with a street, and no roof


def test_outlines_are_drawn_onto_the_grid_of_a_tile() -> None:
    crs, transform = CRS.from_epsg(32611), Affine.translation(435_000, 3_778_000) * Affine.scale(0.6, -0.6)
    corners = [(435_000 + 0.6 * x, 3_778_000 - 0.6 * y) for x, y in ((2, 1), (6, 1), (6, 4), (2, 4), (2, 1))]
    polygon = transform_geom(crs, outlines.LON_LAT, {"type": "Polygon", "coordinates": [corners]}, precision=7)
    mask = outlines.drawn([polygon], (8, 10), crs, transform)
    assert mask[1:4, 2:6].all()
    assert mask.sum() == 3 * 4
    assert not outlines.drawn([], (8, 10), crs, transform).any()


def test_tiles_with_outlines_are_learned_from_or_scored(real_data: Path) -> None:
    of_california = [tile for tile in tiles.read_tiles(real_data) if tile.dataset == tiles.OUTLINED]
    assert {tile.split for tile in of_california if not tile.labels} == {"train"}
    scored = {tile.name: tile.labels["buildings"] for tile in of_california if tile.labels}
    assert {tile.split for tile in of_california if tile.labels} == {"held_back"}
    assert scored["claremont_2020_24"][100, 100] == 0  # a motorway of concrete
    assert scored["claremont_2020_54"][50, 75] == 1  # a hall
    assert tiles.NOT_TOLD in scored["bishop_2020_2"]


@pytest.fixture(scope="module")
def drawn() -> list[tiles.Tile]:
    """Return small tiles of each kind: reflectance of seven bands, and pictures with a bright roof."""
    rng, made = np.random.default_rng(0), []
    for number in range(3):
        row = rng.permutation(40)
        choice = np.array([[GREEN, BARE, WATER][v % 3][name] for name in GREEN for v in row]).reshape(4, 40)
        bands = {name: np.tile(values, (40, 1)).astype(np.float16) for name, values in zip(GREEN, choice, strict=True)}
        bands["blue"] = bands["green"]
        allowed = np.tile(np.array([Cover.LOW_PLANTS, Cover.BARE_SOIL, Cover.WATER], np.uint8)[row % 3], (40, 1))
        waves = {"green": (0.56, 0.06), "red": (0.65, 0.04), "nir": (0.86, 0.03), "swir16": (1.6, 0.09)}
        waves["blue"] = (0.48, 0.06)
        made.append(tiles.Tile("hls", f"{number}", "1", 30, bands, waves, allowed))
        roof = np.zeros((40, 40), bool)
        roof[8:24, 8:30] = True
        picture = {name: np.where(roof, 0.8, 0.3).astype(np.float16) for name in tiles.PICTURE_BANDS}
        allowed = np.where(roof, Cover.BUILDING, Cover.ANY & ~Cover.BUILDING).astype(np.uint8)
        known = {name: waves[name] for name in picture}
        made.append(tiles.Tile("oam_buildings", f"{number}", "banepa", 0.3, picture, known, allowed))
    return made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, drawn: list[tiles.Tile]) -> None:
    """Make steps small."""
    monkeypatch.setattr(sampling, "BATCH", {"satellites": (2, 64), "aerial": (3, 64)})
    monkeypatch.setattr(learn, "read_tiles", lambda _data: drawn)
    monkeypatch.setattr(words, "read_tiles", lambda _data: drawn)
    monkeypatch.setattr(words, "SIDE_PX", 32)


KINDS: tuple[sampling.Kind, ...] = ("satellites", "aerial")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_a_number_are_always_the_same_and_keep_their_labels(
    kind: sampling.Kind, drawn: list[tiles.Tile]
) -> None:
    sampler, (count, side_px) = sampling.Sampler(drawn, 3, kind), sampling.BATCH[kind]
    for number in range(24):
        samples, again = sampler.batch(number), sampler.batch(number)
        assert len(samples) == count
        for sample, same in zip(samples, again, strict=True):
            np.testing.assert_array_equal(sample.pixels, same.pixels)
            assert sample.pixels.shape == (len(sample.bands), side_px, side_px)
            assert len(sample.waves_um) == len(sample.bands) >= 3
            assert np.isfinite(sample.pixels).all()
            whence = {int(value) for tile in drawn for value in np.unique(tile.allowed)} | {Cover.OTHER, Cover.ANY}
            assert {int(value) for value in np.unique(sample.allowed)} <= whence


def test_places_that_are_held_back_are_never_drawn(drawn: list[tiles.Tile]) -> None:
    held = [replace(tile, place="zanzibar") for tile in drawn if tile.dataset == "oam_buildings"]
    assert {tile.split for tile in held} == {"held_back"}
    sampler = sampling.Sampler([*held, *drawn], 0, "aerial")
    assert list(sampler._by_place["oam_buildings"]) == ["banepa"]


@pytest.mark.usefixtures("small")
def test_weights_learn_from_what_they_read_and_nothing_else(drawn: list[tiles.Tile]) -> None:
    sizes = {
        kind: {sample.gsd_m for n in range(9) for sample in sampling.Sampler(drawn, 0, kind).batch(n)} for kind in KINDS
    }
    assert np.nanmax([*sizes["aerial"]]) < 2
    assert np.nanmin([*sizes["satellites"]]) > 10


def test_labels_follow_shrunk_and_turned_pixels(drawn: list[tiles.Tile]) -> None:
    picture = next(tile for tile in drawn if tile.dataset == "oam_buildings")
    for seed in range(8):
        sample = changes.cut(picture, 20, 2.0, np.random.default_rng(seed))
        assert sample.gsd_m == pytest.approx(0.6)
        is_roof = sample.allowed == Cover.BUILDING
        assert sample.pixels[0][is_roof].mean() > 0.75
        assert sample.pixels[0][~is_roof].mean() < 0.35


def test_clouds_are_none_of_the_targets(drawn: list[tiles.Tile]) -> None:
    ground = changes.cut(drawn[0], 40, 1, np.random.default_rng(0))
    cloudy = changes.under_clouds(ground, np.random.default_rng(4))
    is_cloud = cloudy.allowed == Cover.OTHER
    assert 0 < is_cloud.mean() < 1
    blue = cloudy.pixels[cloudy.bands.index("blue")]
    assert blue[is_cloud].mean() > 0.25 > ground.pixels[ground.bands.index("blue")].max()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_cut_in_two_ends_like_a_whole_one(kind: sampling.Kind, tmp_path: Path) -> None:
    start = resolve_checkpoint("tiny")
    whole = learn.train(tmp_path, start, tmp_path / "whole", kind, steps=4)
    learner = learn.Learner(start, learn.SEED, kind)
    sampler = sampling.Sampler(learn.read_tiles(tmp_path), learn.SEED, kind)
    for step in range(2):
        learner.learn(sampler.batch(step), step / 4)
    (tmp_path / "halves").mkdir()
    torch.save(learner.state(), tmp_path / "halves" / "state.pt")
    halves = learn.train(tmp_path, start, tmp_path / "halves", kind, steps=4)
    first, second = (SpexPredictor.from_pretrained(folder).model for folder in (whole, halves))
    assert first.config.vision_config.hidden_sizes == [*learn.HIDDEN_SIZES[kind]]
    for name, values in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], values, msg=name)
    words_of = {name: values for name, values in learner.model.state_dict().items() if name.startswith("language_")}
    for name, values in SpexPredictor.from_pretrained(start).model.state_dict().items():
        assert name not in words_of or torch.equal(words_of[name], values), name
    again = learn.Learner(whole, learn.SEED, kind).model.state_dict()
    for name, values in first.state_dict().items():
        assert torch.equal(again[name], values), name


@pytest.mark.usefixtures("small")
def test_a_gentle_run_begins_with_a_falling_rate(tmp_path: Path) -> None:
    rates = []
    for course in (learn.COURSES["whole"], learn.COURSES["gentle"]):
        learner = learn.Learner(resolve_checkpoint("tiny"), learn.SEED, "satellites", course)
        learner.step = learn.WARM_UP
        learner.learn(sampling.Sampler(learn.read_tiles(tmp_path), 0, "satellites").batch(0), 0.5)
        rates.append(learner.optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(1.5e-3)  # even until six tenths of the run
    assert rates[1] == pytest.approx(4e-4 * (learn.LAST_RATE + (1 - learn.LAST_RATE) / 2))


@pytest.mark.usefixtures("small")
def test_the_checkpoint_answers_with_targets_that_exclude_each_other(tmp_path: Path) -> None:
    folder = learn.train(tmp_path, resolve_checkpoint("tiny"), tmp_path / "out", "satellites", steps=2)
    predictor = SpexPredictor.from_pretrained(folder)
    assert predictor.model.config.joint
    assert not predictor.processor.prior_channels
    scene = sample_scene("river_10m").spex.window(0, 0, 96, 96).compute()
    targets = ("water", "vegetation", "built_up", "bare_soil")
    logits = predictor.predict(scene, targets, [build_prompt(target, []) for target in targets])
    assert ((logits > 0).sum(0) <= 1).all()
    assert (logits > 0).any()


@pytest.mark.usefixtures("small")
def test_words_learn_what_queries_mean_and_choose_among_them(tmp_path: Path) -> None:
    folder = learn.train(tmp_path, resolve_checkpoint("tiny"), tmp_path / "out", "satellites", steps=1)
    taught = words.train(tmp_path, folder, tmp_path / "words", "satellites", steps=2)
    before, after = (SpexPredictor.from_pretrained(path).model for path in (folder, taught))
    is_word = words.LANGUAGE
    for name, values in before.state_dict().items():
        is_same = torch.equal(values, after.state_dict()[name])
        assert is_same or name.startswith(is_word), name
    assert not torch.equal(
        before.condensation.state_dict()[next(iter(before.condensation.state_dict()))],
        after.condensation.state_dict()[next(iter(after.condensation.state_dict()))],
    )


def test_inputs_are_those_that_the_processor_makes(drawn: list[tiles.Tile]) -> None:
    processor = SpexProcessor.from_pretrained("tiny")
    processor.prior_channels = False
    for tile in drawn[:2]:
        pixels = np.stack([values.astype(np.float32) for values in tile.bands.values()])
        waves = np.array(list(tile.waves_um.values()))
        sample = changes.Sample(pixels, tuple(tile.bands), waves, tile.gsd_m, tile.allowed)
        expected = processor.pixels([bars.scene_of(list(tile.bands), pixels, tile, tile.gsd_m)])
        for name, values in learn.inputs_of([sample]).items():
            torch.testing.assert_close(values, expected[name].to(values.dtype), equal_nan=True, msg=name)


class Spectrum:
    """A model that knows the spectra of the drawn tiles."""

    def predict(self, tile: Any, targets: Any, prompts: Any, priors: Any) -> Any:
        assert [parse_prompt(prompt).target for prompt in prompts] == list(targets)
        assert list(priors) == [None] * len(targets)
        red, green = tile["red"].values, tile["green"].values
        is_at = {"water": red < 0.055, "vegetation": green < 0.07, "bare_soil": red > 0.15, "building": red > 0.55}
        is_at["water"] = is_at["water"] & (green > 0.07)
        return np.stack([np.where(is_at.get(name, np.zeros(red.shape, bool)), 9.0, -9.0) for name in targets])


def test_bars_of_a_model_that_is_right(drawn: list[tiles.Tile], write_raster: Any, tmp_path: Path) -> None:
    bands = np.full((6, 32, 32), 3000, "int16")
    write_raster(bands, "landsat7_cloud_shadow/toa.tif")
    codes = np.full((1, 32, 32), bars.CLOUD, "uint8")
    codes[0, :8] = bars.SHADOW
    write_raster(codes, "landsat7_cloud_shadow/labels.tif")
    known = []
    for tile in drawn:
        if tile.dataset == "hls":
            water = (tile.allowed == Cover.WATER).astype(np.uint8)
            labels = {"water": water, "worldcover": np.full(water.shape, 40), "is_plausible": True}
        else:
            labels = {"buildings": (tile.allowed == Cover.BUILDING).astype(np.uint8)}
        known.append(replace(tile, labels=labels))
    figures = bars.measure(Spectrum(), known, tmp_path)
    for name in (
        "water, all tiles",
        "water, plausible tiles (rgb)",
        "bare soil on the date, IoU",
        "buildings, mean IoU",
    ):
        assert figures[name] == pytest.approx(1, abs=0.06)
    assert figures["vegetation on the date, IoU"] == 1
    assert figures["buildings, worst share over true share"] == pytest.approx(1, abs=0.06)
    assert figures["pixels that are two exclusive targets"] == 0
    assert figures["cloud called vegetation or built_up"] == figures["shadow called water"] == 0
    assert figures["calibration error, worst target"] < 0.001
    table = bars.table(figures)
    assert table.loc["built_up, IoU", "aim"] == 0.35
    assert set(bars.BARS) - {"roads, mean F1 at 3 m", "water in dry towns"} <= set(table.index)
