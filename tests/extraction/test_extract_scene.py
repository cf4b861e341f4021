"""The main job: tiles are as good as the whole, classes and filters as asked for, and what is said is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import shapely
import xarray as xr
from affine import Affine
from scipy.special import expit

from spex_nb import Extraction, extract, parse_instruction, plan_extraction, sample_scene
from spex_nb.errors import (
    ExtractionError,
    InstructionError,
    MissingBandError,
    RadiometryError,
    RegionError,
    TargetError,
)
from spex_nb.extraction.predict import TileStep
from spex_nb.language.evidence import measure_evidence
from spex_nb.language.prompts import build_prompt, parse_prompt
from spex_nb.types import Evidence, MaskModel, ModelCard
from spex_nb.types.targets import EVERYTHING_ELSE

UTM = Affine(10, 0, 500_000, 0, -10, 5_500_000)


BRIGHTNESS = ModelCard(("water", "vegetation"), ("red", "green"), tile_px=32)
ELOQUENT = replace(BRIGHTNESS, explains_evidence=True)


@dataclass
class Brightness:
    """A model that looks at single pixels: water is red, vegetation is green, each as surely as it is bright."""

    id: str = "brightness"
    card: ModelCard = BRIGHTNESS
    says: str = ""
    asked: list[tuple[str, ...]] = field(default_factory=list)
    """The targets of each call."""

    def predict(self, tile: xr.Dataset, targets: Sequence[str], prompts: Sequence[str], **_: Any) -> Any:
        self.asked.append(tuple(targets))
        assert [parse_prompt(prompt).target for prompt in prompts] == list(targets)
        bands = {"water": tile["red"], "vegetation": tile["green"]}
        return np.stack([(bands[target].values - np.float32(0.5)) * 20 for target in targets])

    def explain(self, _overview: Any, _prompt: str, _language: str = "en") -> Iterator[str]:
        yield self.says


@dataclass
class Eloquent(Brightness):
    """A model that fills in the figures that it is given."""

    card: ModelCard = ELOQUENT

    def explain(self, _overview: Any, _prompt: str, _language: str = "en", *, evidence: Evidence) -> Iterator[str]:  # type: ignore[override]
        yield f"Water covers {evidence.share_frac:.0%} of the scene."


def scene_of(red: Any, green: Any = None, crs: str | None = "EPSG:32632", transform: Affine = UTM) -> xr.Dataset:
    """Return a scene of two bands [H, W], valid where red is."""
    red = np.asarray(red, np.float32)
    green = np.zeros_like(red) if green is None else np.asarray(green, np.float32)
    bands = {name: (("y", "x"), band) for name, band in (("red", red), ("green", green))}
    scene = xr.Dataset(bands | {"valid": (("y", "x"), np.isfinite(red))})
    return scene if crs is None else scene.rio.write_crs(crs).rio.write_transform(transform)


def squares(shape: tuple[int, int], *places: tuple[int, int, int]) -> Any:
    """Return dark ground with bright squares, each given by row, column and side."""
    pixels = np.full(shape, 0.1, np.float32)
    for row, col, side in places:
        pixels[row : row + side, col : col + side] = 0.9
    return pixels


def quietly(scene: Any, instruction: Any = "water", model: Any = "index", **options: Any) -> Extraction:
    return extract(scene, instruction, model, progress=False, **options)


@pytest.fixture(scope="module")
def noise() -> xr.Dataset:
    rng = np.random.default_rng(3)
    red = rng.random((71, 93)).astype(np.float32)
    red[20:24] = np.nan
    red[:, 50] = np.nan
    return scene_of(red, rng.random((71, 93)))


@pytest.mark.parametrize(("tile_px", "overlap_px"), [(24, 0), (32, 4), (40, 20)])
def test_tiled_is_whole_for_a_model_of_single_pixels(noise: xr.Dataset, tile_px: int, overlap_px: int) -> None:
    whole = quietly(noise, "water and vegetation", Brightness(), tile_px=100, min_area_px=1)
    tiled = quietly(noise, "water and vegetation", Brightness(), tile_px=tile_px, overlap_px=overlap_px, min_area_px=1)
    assert (whole.provenance["tiles"], tiled.provenance["tiles"] > 1) == (1, True)
    np.testing.assert_array_equal(tiled.mask, whole.mask)
    np.testing.assert_allclose(tiled.probability, whole.probability, atol=1 / 4096)
    assert tiled.provenance["scene_hash"] == whole.provenance["scene_hash"]
    assert tiled.regions.drop(columns="mean_probability").equals(whole.regions.drop(columns="mean_probability"))


def test_the_index_gives_the_same_bits_whatever_the_tiles() -> None:
    scene = sample_scene("river_10m")
    whole, tiled = (quietly(scene, "water and vegetation", tile_px=side) for side in (400, 96))
    np.testing.assert_array_equal(tiled.mask, whole.mask)
    np.testing.assert_array_equal(tiled.probability, whole.probability)


def test_mask_and_probability_by_hand() -> None:
    red = squares((40, 40), (5, 5, 10))
    red[30:] = np.nan
    result = quietly(scene_of(red), "water", Brightness(), min_area_px=1)
    expected = np.zeros((40, 40), np.uint8)
    expected[5:15, 5:15], expected[30:] = 1, 255
    np.testing.assert_array_equal(result.mask, expected)
    probability = result.probability.sel(target="water").values
    assert np.isnan(probability[30:]).all()
    assert probability[6, 6] == pytest.approx(expit(8), abs=1 / 4096)
    assert probability[0, 0] == pytest.approx(expit(-8), abs=1 / 4096)
    (region,) = result.regions.itertuples()
    assert (region.area_px, region.target, region.region) == (100, "water", 1)
    assert region.area_m2 == pytest.approx(100 * 100, rel=2e-3)
    assert region.perimeter_m == pytest.approx(400, rel=2e-3)
    assert (region.centroid_x_crs, region.centroid_y_crs) == (500_100, 5_499_900)
    assert region.mean_probability == pytest.approx(expit(8), abs=1 / 4096)


def test_the_threshold_and_the_smallest_area_are_those_asked_for() -> None:
    red = squares((30, 30), (2, 2, 3), (10, 10, 5))
    red[20:25, 20:25] = 0.55  # a probability of 0.73
    sizes = {
        (threshold, area): quietly(scene_of(red), "water", Brightness(), threshold=threshold, min_area_px=area)
        .regions["area_px"]
        .tolist()
        for threshold, area in ((0.5, 1), (0.9, 1), (0.5, 10))
    }
    assert sizes == {(0.5, 1): [25, 25, 9], (0.9, 1): [25, 9], (0.5, 10): [25, 25]}


def test_what_several_targets_claim_goes_to_the_most_probable_one_and_is_reported() -> None:
    red, green = squares((30, 30), (0, 0, 10)), squares((30, 30), (5, 5, 10))
    red[5:10, 5:10] = 0.7
    result = quietly(scene_of(red, green), "water and vegetation", Brightness())
    assert result.mask.values[7, 7] == 2
    assert result.regions.set_index("target")["area_px"].to_dict() == {"water": 75, "vegetation": 100}
    assert result.provenance["contested_px"] == 25
    assert "25 pixels were claimed by more than one target" in " ".join(result.notes)
    swapped = quietly(scene_of(red, green), "vegetation and water", Brightness())
    assert swapped.class_names == {"vegetation": "vegetation", "water": "water bodies"}
    assert swapped.mask.values[7, 7] == 1


def test_evidence_is_that_of_the_whole_mask() -> None:
    scene = sample_scene("river_10m")
    result = quietly(scene, "water", tile_px=96, min_area_px=10)
    expected = measure_evidence(result.mask == 1, scene, "water", min_area_px=10)
    found = result.evidence["water"]
    for name in ("area_px", "valid_px", "share_frac", "number", "index_name", "shape", "is_relative"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.area_m2 == pytest.approx(expected.area_m2)
    assert found.inside.mean == pytest.approx(expected.inside.mean, rel=1e-5)
    assert found.outside.std == pytest.approx(expected.outside.std, rel=1e-4)
    assert found.regions[0].area_px == expected.regions[0].area_px


FILTERED = {
    "lakes larger than 2 ha": [400, 225],  # 15² pixels of 10 m are 2.25 ha
    "the 2 largest lakes": [400, 225],
    "the smallest lake": [25],
    "water in the northern half": [400, 25],
    "water smaller than 1 ha in the north": [25],
    "water that touches the edge": [25],
    "water within 100 m of vegetation": [225],
    "water larger than 99 ha": [],
}


@pytest.mark.parametrize(("instruction", "sizes"), FILTERED.items())
def test_filters_of_the_instruction_hold_on_the_whole_scene(instruction: str, sizes: list[int]) -> None:
    red = squares((100, 100), (10, 20, 20), (60, 60, 15), (0, 90, 5))
    green = squares((100, 100), (60, 80, 6))
    result = quietly(scene_of(red, green), instruction, Brightness(), tile_px=32)
    assert result.regions["area_px"].tolist() == sizes
    assert int((result.mask == 1).sum()) == sum(sizes)


def test_what_is_left_out_is_left_out() -> None:
    red, green = squares((40, 40), (0, 0, 20)), squares((40, 40), (10, 10, 20))
    result = quietly(scene_of(red, green), "everything except water", Brightness())
    assert result.class_names == {EVERYTHING_ELSE: "everything except water bodies"}
    np.testing.assert_array_equal(result.mask, np.where(red > 0.5, 0, 1))
    np.testing.assert_allclose(result.probability[0], 1 - expit((red - 0.5) * 20), atol=1 / 4096)
    assert result.evidence["water"].area_px == 400
    assert result.explanations[0].answer.startswith("Everything except water bodies: 12\N{NO-BREAK SPACE}ha, 75%")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("how much water is there, in acres?", "Water covers 11.1% of the scene, 9.89 acres."),
        ("图中有多少亩水面？", "水体占影像的11.1%，面积60亩。"),
    ],
)
def test_a_question_is_answered_in_the_unit_that_it_names(text: str, answer: str) -> None:
    result = quietly(scene_of(squares((60, 60), (5, 5, 20))), text, Brightness())
    assert result.explanations[0].answer.replace("\N{NO-BREAK SPACE}", " ").startswith(answer)


def test_an_instruction_about_change_is_refused_with_one_scene() -> None:
    gained = parse_instruction("what water was gained", scenes=2)
    with pytest.raises(InstructionError, match="second scene"):
        quietly(scene_of(squares((60, 60), (5, 5, 20))), gained, Brightness())


def test_a_drawn_area_counts() -> None:
    scene = scene_of(squares((60, 60), (5, 5, 10), (40, 40, 10)))
    drawn = shapely.box(500_000, 5_499_700, 500_300, 5_500_000)
    assert quietly(scene, "water inside the drawn area", Brightness(), drawn=drawn).regions["location"].tolist() == [
        "top-left"
    ]
    with pytest.raises(RegionError, match="drawn"):
        quietly(scene, "water inside the drawn area", Brightness())


def test_nothing_found_is_an_answer_with_its_reason() -> None:
    result = quietly(scene_of(squares((30, 30)), squares((30, 30))), "water and vegetation", Brightness())
    assert set(np.unique(result.mask)) == {0}
    assert len(result.regions) == 0
    assert result.evidence["water"].number == 0
    assert (
        "Of water bodies nothing was found in regions of at least 4 px: the highest probability seen is 0.000"
        in result.notes[0]
    )
    assert "the threshold 0.5" in result.notes[0]
    assert result.explanation
    assert "<table>" not in result._repr_html_()


def test_nothing_found_by_an_index_names_its_best_value() -> None:
    scene = sample_scene("river_10m").spex.window(250, 60, 40, 40)
    (note,) = [note for note in quietly(scene, "snow").notes if note.startswith("Of snow")]
    assert "the highest NDSI" in note
    assert "and the target lies above" in note


def test_a_filter_that_drops_everything_says_what_there_was_and_what_came_nearest() -> None:
    scene = scene_of(squares((60, 60), (5, 5, 10), (30, 30, 20)))
    large = quietly(scene, "water larger than 5 ha", Brightness()).explanations[0].answer
    assert large.startswith("Water bodies larger than 5 ha: there is none. The patch nearest to that in size has 4")
    small = quietly(scene, "water smaller than 0.5 ha", Brightness()).explanations[0].answer
    assert "The patch nearest to that in size has 1" in small
    assert "In all, water takes up 13.9% of the scene: 5" in small
    north = quietly(scene, "water in the south touching the edge of the scene", Brightness()).explanations[0].answer
    assert "nearest" not in north


def test_what_is_too_small_to_count_is_said() -> None:
    result = quietly(scene_of(squares((60, 60), (5, 5, 10), (40, 40, 1), (50, 20, 1))), "water", Brightness())
    whole = result.explanations[0].whole.replace("\N{NO-BREAK SPACE}", " ")
    assert "Specks below 4 px are not counted: 200 m² in all." in whole
    only_specks = quietly(scene_of(squares((60, 60), (40, 40, 1))), "water", Brightness())
    assert only_specks.explanations[0].answer.startswith("No patch of water reaches 4")


def test_a_scene_without_data_in_some_tiles_asks_no_model_there() -> None:
    red = squares((64, 64), (40, 40, 10))
    red[:32] = np.nan
    model = Brightness()
    result = quietly(scene_of(red), "water", model, tile_px=32, overlap_px=0)
    assert len(model.asked) == 2
    assert (result.mask.values[:32] == 255).all()


def test_targets_that_the_model_does_not_know_go_to_the_index_and_it_is_said() -> None:
    scene = sample_scene("river_10m")
    result = quietly(scene, "vegetation and snow", Brightness(), tile_px=320)
    assert result.provenance["answered_by"] == {"vegetation": "brightness", "snow": "index"}
    assert any("brightness was not trained on snow: the spectral index answered" in note for note in result.notes)
    with pytest.raises(TargetError, match="use a model that was trained on it"):
        quietly(sample_scene("town_1m"), "roads", Brightness())
    with pytest.raises(MissingBandError, match="model='index'"):
        quietly(scene.drop_vars("red"), "vegetation", Brightness())


@pytest.mark.slow
def test_what_a_model_finds_less_well_without_a_band_is_said() -> None:
    model = Brightness(card=replace(BRIGHTNESS, weak_without={"water": "nir", "snow": "nir"}))
    scene = sample_scene("river_10m")
    said = quietly(scene.drop_vars("nir"), "water", model, tile_px=320).notes
    assert any("no band nir: the model brightness finds water bodies far less well" in note for note in said)
    for instruction, bands in (("water", scene), ("vegetation", scene.drop_vars("nir")), ("snow", scene)):
        assert not any("less well" in note for note in quietly(bands, instruction, model, tile_px=320).notes)


@pytest.mark.parametrize(
    ("scene", "instruction", "classes", "note"),
    [
        (
            "river_10m",
            "buildings",
            ("built_up",),
            "A pixel of 10 m shows no single building: the answer is built-up area",
        ),
        ("river_10m", "roads and built-up areas", ("built_up",), "A pixel of 10 m shows no single road"),
        ("river_10m", "built-up areas", ("built_up",), ""),
        ("town_1m", "built-up areas", ("built_up",), ""),
        ("river_10m", "tree cover", ("vegetation",), "nor an index knows tree cover: the answer is vegetation"),
        ("river_10m", "water within 500 m of buildings", ("water",), "A pixel of 10 m shows no single building"),
    ],
)
def test_the_parent_answers_for_what_cannot_be_seen_and_it_is_said(
    scene: str, instruction: str, classes: tuple[str, ...], note: str
) -> None:
    result = quietly(sample_scene(scene), instruction, "index")
    assert tuple(result.class_names) == classes
    statements = [statement.text for explanation in result.explanations for statement in explanation.brief]
    lines = [line for line in (*result.notes, *statements) if "the answer is" in line]
    assert [note in line for line in lines] == [True] * bool(note)


def test_what_the_pixels_cannot_tell_apart_is_not_taken_from_each_other() -> None:
    with pytest.raises(TargetError, match="cannot be told from each other"):
        quietly(sample_scene("river_10m"), "built-up areas but not buildings", "index")


@pytest.mark.slow
def test_what_an_index_finds_better_is_left_to_it_and_it_is_said() -> None:
    left_to_index = {"water": "always", "vegetation": "uncalibrated"}
    model = Brightness(card=replace(BRIGHTNESS, left_to_index=left_to_index))
    scene = sample_scene("river_10m")
    result = quietly(scene, "water and vegetation", model, tile_px=320)
    assert result.provenance["answered_by"] == {"water": "index", "vegetation": "brightness"}
    assert any("brightness leaves water bodies to the spectral index, the better one here" in n for n in result.notes)
    numbers = scene.assign_attrs(radiometry="relative, 8 bit")
    assert quietly(numbers, "vegetation", model, tile_px=320).provenance["answered_by"] == {"vegetation": "index"}
    without_index = numbers.drop_vars([band for band in numbers.spex.bands if band not in model.card.required_bands])
    assert quietly(without_index, "water", model, tile_px=320).provenance["answered_by"] == {"water": "brightness"}


@pytest.mark.slow
def test_what_the_index_shows_is_nothing_else_whichever_is_asked_for() -> None:
    scene = sample_scene("river_10m")
    water, built_up, vegetation, bare_soil = (
        quietly(scene, instruction, "tiny").mask.to_numpy() == 1
        for instruction in ("water", "built-up areas", "vegetation", "bare soil")
    )
    by_index = vegetation.astype(int) + bare_soil
    assert by_index.max() == 1
    assert not ((by_index == 1) & (water | built_up)).any()
    assert (water & built_up).mean() < 1e-4


def test_what_the_model_does_not_find_is_refused_where_no_index_shows_it() -> None:
    model = Brightness(card=replace(BRIGHTNESS, left_to_index={"water": "only", "vegetation": "reflectance"}))
    scene = sample_scene("river_10m")
    result = quietly(scene, "water and vegetation", model, tile_px=320)
    assert set(result.provenance["answered_by"].values()) == {"index"}
    numbers = scene.assign_attrs(radiometry="relative, 8 bit")
    assert quietly(numbers, "vegetation", model, tile_px=320).provenance["answered_by"] == {"vegetation": "brightness"}
    with pytest.raises(MissingBandError, match="No index of the target 'water'"):
        quietly(scene[["blue", "green", "red", "valid"]], "water", model)


def test_the_model_reads_a_prompt_made_of_the_prior() -> None:
    seen: list[tuple[str, Any]] = []

    class Reader(Brightness):
        def predict(self, tile: xr.Dataset, targets: Any, prompts: Any, priors: Any = None, **_: Any) -> Any:
            seen.extend(zip(prompts, priors, strict=True))
            return super().predict(tile, targets, prompts)

    scene = sample_scene("river_10m").spex.window(100, 100, 64, 64).compute()
    quietly(scene, "water", Reader(), tile_px=64)
    ((prompt, prior),) = seen
    assert parse_prompt(prompt).regions
    assert prior.shape == (64, 64)
    assert prior.any()


def test_a_scene_is_brought_to_the_resolution_of_the_model_and_its_mask_back() -> None:
    sizes: list[tuple[int, int]] = []

    class Coarse(Brightness):
        def predict(self, tile: xr.Dataset, *arguments: Any, **options: Any) -> Any:
            sizes.append(tile.spex.shape)
            return super().predict(tile, *arguments, **options)

    result = quietly(
        scene_of(squares((128, 128), (40, 40, 40))),
        "water",
        Coarse(card=replace(BRIGHTNESS, gsd_m=40.0)),
        overlap_px=0,
    )
    assert sizes == [(32, 32)]
    assert result.mask.shape == (128, 128)
    assert abs(result.regions["area_px"][0] - 1600) < 100
    assert any("resampled to the 40 m" in note for note in result.notes)


def test_claims_of_the_model_are_held_against_the_evidence() -> None:
    scene = scene_of(squares((40, 40), (0, 0, 20)))
    result = quietly(scene, "water", Brightness(says="Water covers 25% of the scene. It lies in 3 regions."))
    assert [claim.kind for claim in result.claims["water"]] == ["presence", "share", "number"]
    assert result.faithfulness == result.provenance["faithfulness"] == pytest.approx(2 / 3)
    model, evidence = result.explanation.split("\n")
    assert model == "Water ▫ covers 25% ▫ of the scene. It lies in 3 ✗ [regions: 1] regions."
    assert "25% of the scene" in evidence
    assert quietly(scene, "water", Brightness(says="A quiet place.")).faithfulness is None


def test_a_model_that_only_fills_in_evidence_is_not_asked_and_one_with_prose_is() -> None:
    scene = scene_of(squares((40, 40), (0, 0, 20)))
    filled = quietly(scene, "water", Eloquent()).explanations[0]
    assert filled.text == ""
    assert filled.answer.startswith("Water covers 25% of the scene, ")
    assert isinstance(Eloquent(), MaskModel)
    assert quietly(scene, "water", Brightness(says="Some.")).explanations[0].text == "Some."


def test_an_explanation_that_fails_leaves_the_mask_and_is_reported() -> None:
    class Mute(Brightness):
        def explain(self, *_: Any) -> Iterator[str]:
            raise RuntimeError("no words")

    result = quietly(scene_of(squares((40, 40), (0, 0, 20))), "water", Mute())
    assert result.evidence["water"].area_px == 400
    assert any("explanation of water failed (RuntimeError: no words)" in note for note in result.notes)
    assert "25%" in result.explanation


def test_the_explanation_is_in_the_language_of_the_instruction() -> None:
    result = quietly(sample_scene("river_10m"), "los 2 lagos más grandes")
    assert "de la escena" in result.explanation
    assert result.class_names["water"] == "masas de agua"


def test_prompts_of_the_result_are_of_the_whole_scene() -> None:
    result = quietly(scene_of(squares((64, 64), (8, 8, 16))), "water", Brightness())
    assert parse_prompt(result.prompts["water"]).target == "water"
    assert result.prompts["water"] == build_prompt("water", result.evidence["water"].regions)


def test_provenance_says_how_it_was_made() -> None:
    said = quietly(sample_scene("river_10m"), "water", seed=7).provenance
    assert said["parameters"] | {"threshold": 0.5, "seed": 7, "min_area_px": 4} == said["parameters"]
    assert len(said["scene_hash"]) == 32
    assert said["versions"]["numpy"] == np.__version__
    assert set(said["timing_s"]) == {"tiles", "assembling", "regions", "measurement", "explanation"}


def test_a_parsed_instruction_will_do() -> None:
    asked = parse_instruction("the largest lake")
    assert quietly(sample_scene("river_10m"), asked).instruction is asked


def test_a_plan_says_what_a_run_takes() -> None:
    plan = plan_extraction(sample_scene("river_10m"), "water", "index", tile_px=100)
    assert "16 tiles of 100 x 100 px of a scene of 320 x 320 px by index" in str(plan)
    assert plan.memory_bytes < 500e6
    assert plan.disk_bytes < 2e6


@pytest.mark.parametrize("choice", [{"threshold": 1.0}, {"threshold": 0.0}, {"min_area_px": 0}])
def test_choices_that_make_no_sense_are_refused(choice: dict[str, Any]) -> None:
    with pytest.raises(ExtractionError, match="Correct the argument"):
        quietly(sample_scene("river_10m"), "water", **choice)


def test_what_is_not_understood_is_refused_before_anything_is_read() -> None:
    with pytest.raises(InstructionError, match="Not understood"):
        quietly("no-such-scene.tif", "colourless green ideas")


def raw(scene: xr.Dataset) -> xr.Dataset:
    """Return a scene as some reader leaves a product: integers with a scale, -9999 where there is no data."""
    numbers = {
        name: scene[name].where(scene["valid"], -0.9999).pipe(lambda band: (band * 10_000).round().astype("int16"))
        for name in scene.spex.bands
    }
    for band in numbers.values():
        band.attrs = {"scale_factor": 1e-4, "_FillValue": -9999}
    return xr.Dataset(numbers).rio.write_crs(scene.spex.crs).rio.write_transform(scene.spex.transform)


def test_a_dataset_of_raw_numbers_takes_the_door_of_open_scene() -> None:
    noise = np.random.default_rng(5).random((2, 40, 60)) * 0.02
    scene = scene_of(squares((40, 60), (5, 5, 20)) + noise[0], squares((40, 60), (5, 30, 20)) + noise[1])
    scene["red"][:, 50:] = scene["green"][:, 50:] = np.nan
    scene["valid"] = scene["red"].notnull()
    expected = quietly(scene, "water and vegetation", Brightness(), min_area_px=1)
    result = quietly(raw(scene), "water and vegetation", Brightness(), min_area_px=1)
    np.testing.assert_array_equal(result.mask, expected.mask)
    assert (result.mask.values[:, 50:] == 255).all()
    assert result.evidence["water"].area_px == 400


def test_options_of_open_scene_count_for_a_dataset_too() -> None:
    scene = scene_of(squares((40, 60), (5, 5, 20)), squares((40, 60), (5, 30, 20)))
    numbers = (scene[["red", "green"]] * 10_000).round().astype("int16").rename(red="first", green="second")
    options: dict[str, Any] = {"scale": 1e-4, "bands": ["red", "green"]}
    expected = quietly(scene, "water", Brightness(), min_area_px=1)
    result = quietly(numbers, "water", Brightness(), min_area_px=1, open_options=options)
    np.testing.assert_array_equal(result.mask, expected.mask)
    with pytest.raises(RadiometryError, match="scale"):
        quietly(scene, "water", Brightness(), open_options={"scale": 0})


def test_an_array_is_told_from_another_by_its_pixels() -> None:
    pixels = np.random.default_rng(6).random((2, 64, 64)).astype(np.float32) * np.float32(0.3)
    pixels[0, 10:30, 10:30] = 0.9
    options: dict[str, Any] = {"open_options": {"bands": ["red", "green"], "scale": 1.0}, "min_area_px": 1}
    first = quietly(pixels, "water", Brightness(), **options)
    other = quietly(np.roll(pixels, 16, axis=2), "water", Brightness(), **options)
    assert first.evidence["water"].area_px == other.evidence["water"].area_px == 400
    assert first.provenance["scene_fingerprint"] != other.provenance["scene_fingerprint"]


def test_index_values_that_cannot_be_are_no_extreme_and_no_evidence() -> None:
    scene = sample_scene("river_10m")[["green", "red", "nir", "valid"]].load()
    scene["nir"][:20, :20] = -0.01
    scene["green"][:20, :20] = 0.0101  # an NDWI of 201
    scene["nir"][20:40, :20] = 0.0101
    scene["green"][20:40, :20] = -0.01  # and one of -201
    extreme = TileStep(scene, 1.0, ["water"]).extremes()["water"]
    assert extreme.index_name == "NDWI"
    assert 0.5 < extreme.value <= 1
    evidence = quietly(scene, "water").evidence["water"]
    for spread in (evidence.inside, evidence.outside):
        assert -1 <= spread.mean <= 1
        assert spread.std <= 1


def test_pixels_beside_regions_that_a_filter_left_out_are_none_of_the_answer() -> None:
    scene = sample_scene("lake_30m")
    everything, small = (
        extract(scene, text, progress=False).explanations[0] for text in ("water", "water bodies smaller than 30 acres")
    )
    assert {"near.below", "near.frac"} <= {fact.id for fact in everything.facts}
    assert not {"near.below", "near.frac"} & {fact.id for fact in small.facts}
    assert "a hint" not in " ".join(statement.text for statement in small.statements)
