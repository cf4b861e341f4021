"""The checkpoint that ships: its size, what it makes of scenes that it never saw, and whose word it follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("torch", reason="the model needs the extra [model]")

from spex_nb import check_explanation, extract, measure_evidence, sample_labels, sample_scene, spectral_prior
from spex_nb.errors import TargetError
from spex_nb.language import build_prompt
from spex_nb.model import SpexPredictor, SpexProcessor
from spex_nb.model.checkpoint_files import CHECKPOINTS
from spex_nb.regions.metrics import confusion_counts, faithfulness, iou

MOST_BYTES, MOST_PARAMETERS = 25_000_000, 11_000_000
WATER, VEGETATION, BUILT_UP = 1, 2, 3


@pytest.fixture(scope="module")
def tiny() -> SpexPredictor:
    return SpexPredictor.from_pretrained("tiny")


def test_reading_weights_draws_no_bar_and_leaves_those_of_others(capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    logging.enable_progress_bar()
    SpexPredictor.from_pretrained("tiny")
    assert capfd.readouterr().err == ""
    assert logging.is_progress_bar_enabled()


def masks(model: SpexPredictor, scene: xr.Dataset, targets: list[str], priors: Any = None) -> dict[str, Any]:
    logits = model.predict(scene, targets, [build_prompt(target, []) for target in targets], priors=priors)
    return dict(zip(targets, logits > 0, strict=True))


def agreement(mask: Any, name: str, code: int) -> float:
    labels = sample_labels(name).values
    return float(iou(confusion_counts(mask, labels == code, labels != 255)))


@pytest.mark.parametrize("gsd_m", [0.6, 30.0])
def test_its_table_of_quality_speaks_of_what_it_answers(tiny: SpexPredictor, gsd_m: float) -> None:
    answering = tiny.at_scale(gsd_m)
    assert answering.folder is not None
    rows = json.loads((answering.folder / "quality.json").read_text(encoding="utf-8"))
    never_answered = {name for name, when in answering.card.left_to_index.items() if when == "only"}
    assert rows
    for row in rows:
        assert row["target"] in set(answering.card.targets) - never_answered
        assert row["sensor_class"] in ("satellite", "aerial", "rgb")
        assert 0 <= row.get("iou", 0) <= row["recall"] <= 1
        assert "iou" in row or "precision" not in row
        assert row["gsd_m"][0] < row["gsd_m"][1]
        assert row["places"] >= (2 if row["sensor_class"] == "aerial" else 4)  # outlines are of two flights


@pytest.mark.slow
def test_an_answer_that_is_known_to_fail_says_so_whoever_loaded_the_model(tiny: SpexPredictor) -> None:
    river, lake = sample_scene("river_10m"), sample_scene("lake_30m")
    for model in ("tiny", tiny):
        assert extract(lake, "built-up areas", model, progress=False).is_untrusted
        assert not extract(river, "water", model, progress=False).is_untrusted


@pytest.mark.slow
def test_aerial_weights_find_roofs_and_refuse_roads(tiny: SpexPredictor) -> None:
    town = sample_scene("town_1m")
    labels = sample_labels("town_1m").values
    aerial = tiny.at_scale(town.spex.gsd_m)
    assert aerial is not tiny
    is_built = masks(aerial, town, ["built_up"])["built_up"]
    assert is_built[labels == BUILT_UP].mean() > 2 * is_built[labels == VEGETATION].mean()
    with pytest.raises(TargetError, match="road"):
        extract(town, "roads", "tiny", progress=False)


def test_it_is_small(tiny: SpexPredictor) -> None:
    assert sum(file.stat().st_size for file in (CHECKPOINTS / "tiny").rglob("*")) <= MOST_BYTES
    assert tiny.card.parameters <= MOST_PARAMETERS
    assert (CHECKPOINTS / "tiny" / "README.md").read_text(encoding="utf-8").startswith("---\nlicense:")


def test_its_processor_is_found_by_name_without_network(tiny: SpexPredictor) -> None:
    processor = SpexProcessor.from_pretrained("tiny")
    assert processor.named_regions == 3
    assert len(processor.tokenizer) == len(tiny.processor.tokenizer)


@pytest.mark.parametrize("name", ["river_10m", "lake_30m"])
def test_it_finds_water_in_scenes_that_it_never_saw(tiny: SpexPredictor, name: str) -> None:
    assert agreement(masks(tiny, sample_scene(name), ["water"])["water"], name, WATER) > 0.8


def test_the_mask_follows_the_prompt_and_not_the_prior(tiny: SpexPredictor) -> None:
    scene = sample_scene("river_10m")
    right = {target: spectral_prior(scene, target).mask.values for target in ("water", "vegetation")}
    swapped = masks(tiny, scene, ["water", "vegetation"], [right["vegetation"], right["water"]])
    for target, code in (("water", WATER), ("vegetation", VEGETATION)):
        normal = masks(tiny, scene, [target], [right[target]])[target]
        assert agreement(swapped[target], "river_10m", code) > agreement(normal, "river_10m", code) - 0.1


@pytest.mark.slow
def test_its_sentences_are_true_of_its_mask_in_the_language_asked_for(tiny: SpexPredictor) -> None:
    scene = sample_scene("lake_30m")
    mask = masks(tiny, scene, ["water"])["water"]
    evidence = measure_evidence(mask, scene, "water", min_area_px=4)
    for language, word in (("en", "scene"), ("de", "Szene")):
        text = "".join(tiny.explain(scene, build_prompt("water", evidence.regions), language, evidence=evidence))
        assert word in text
        assert faithfulness(check_explanation(text, evidence, language)) >= 0.75


@pytest.mark.slow
def test_an_extraction_uses_it() -> None:
    result = extract(sample_scene("river_10m"), "extract the water bodies", model="tiny", progress=False)
    assert agreement(result.mask.values == 1, "river_10m", WATER) > 0.8
    assert result.provenance["model"] == "tiny"


@pytest.mark.data
def test_cloud_shadow_is_not_water(tiny: SpexPredictor, real_data: Path) -> None:
    import rasterio

    from spex_nb import open_scene

    folder = real_data / "landsat7_cloud_shadow"
    (image,) = [path for path in folder.glob("*.tif") if path.name != "labels.tif"]
    scene = open_scene(image, "landsat7", scale=1e-4, offset=0.0)
    with rasterio.open(folder / "labels.tif") as file:
        labels = file.read(1)
    mask = masks(tiny, scene, ["water"])["water"]
    assert mask[labels == 0].mean() < 0.1
    land = np.isin(labels, (1, 3))
    assert float(iou(confusion_counts(mask, labels == 1, land))) > 0.5


@pytest.mark.slow
def test_forests_are_green_trees_in_reflectance_and_plants_in_other_numbers() -> None:
    crop = sample_scene("sentinel2_crop")
    forest, plants = (extract(crop, words, "tiny", progress=False) for words in ("forest", "vegetation"))
    is_forest, is_plant = (result.mask.values == 1 for result in (forest, plants))
    assert forest.instruction.targets == ("tree_cover",)
    assert is_forest.mean() > 0.2
    assert not (is_forest & ~is_plant).any()
    counts = crop.assign_attrs(radiometry="relative reflectance")
    assert extract(counts, "forest", "tiny", progress=False).instruction.targets == ("vegetation",)
