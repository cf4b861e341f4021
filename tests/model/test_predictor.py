"""The predictor as everything outside of the model sees it: what it says of itself, explanations, and what fails."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from spex_nb.errors import DeviceMemoryError
from spex_nb.extraction.planning.plan import plan_extraction
from spex_nb.language.evidence import measure_evidence
from spex_nb.language.prompts import build_prompt
from spex_nb.model import SpexModel, SpexPredictor, SpexProcessor
from spex_nb.scene.samples import sample_scene
from spex_nb.types.targets import TARGETS
from tests.model.test_modeling import TEXT, make
from tests.model.test_processing import make_tokenizer

WATER = build_prompt("water", [])


@pytest.fixture(scope="module")
def processor() -> SpexProcessor:
    return SpexProcessor(make_tokenizer(), index_channels=True)


@pytest.fixture(scope="module")
def model(processor: SpexProcessor) -> SpexModel:
    text = TEXT | {"vocab_size": len(processor.tokenizer), "max_position_embeddings": 4096}
    return make(text_config=text, image_token_id=processor.image_token_id, targets=("water", "road"))


@pytest.fixture(scope="module")
def tile() -> xr.Dataset:
    return sample_scene("river_10m").spex.window(100, 100, 64, 96).compute()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch, processor: SpexProcessor) -> Callable[[str], None]:
    """Return a function that says what the model will write."""

    def will_write(text: str) -> None:
        def generate(_self: SpexModel, *, streamer: Any, **_options: Any) -> None:
            for token in processor.tokenizer(text)["input_ids"]:
                streamer.put(torch.tensor([token]))
            streamer.end()

        monkeypatch.setattr(SpexModel, "generate", generate)

    return will_write


def test_it_says_what_it_can_and_how_large_it_is(model: SpexModel, processor: SpexProcessor) -> None:
    predictor = SpexPredictor(model, processor)
    assert predictor.card.targets == ("water", "road")
    assert predictor.card.parameters == sum(parameter.numel() for parameter in model.parameters())
    silent = deepcopy(model)
    silent.config.targets = ()
    assert SpexPredictor(silent, processor).card.targets == tuple(TARGETS)


def test_figures_come_from_the_evidence_and_sentences_without_theirs_are_dropped(
    model: SpexModel, processor: SpexProcessor, tile: xr.Dataset, writes: Callable[[str], None]
) -> None:
    mask = np.zeros((64, 96), bool)
    mask[:16] = True
    evidence = measure_evidence(mask, tile, "water")
    writes("Water covers {share} of it. It is {depth} deep. That is {area}.")
    said = list(SpexPredictor(model, processor).explain(tile, WATER, evidence=evidence))
    share = 100 * evidence.share_frac
    assert f"{share:.1f}".removesuffix(".0") in said[0]
    assert len(said) == 2
    assert not any("{" in sentence or "deep" in sentence for sentence in said)


def test_without_evidence_figures_are_those_of_its_own_mask(
    model: SpexModel, processor: SpexProcessor, tile: xr.Dataset, writes: Callable[[str], None]
) -> None:
    predictor = SpexPredictor(model, processor)
    (logits,) = predictor.predict(tile, ["water"], [WATER])
    own = measure_evidence(logits > 0, tile, "water")
    writes("Water covers {share}, {area}.")
    assert list(predictor.explain(tile, WATER)) == list(predictor.explain(tile, WATER, evidence=own))


@pytest.mark.parametrize(
    "ask",
    [
        lambda predictor, tile: predictor.predict(tile, ["water"], [WATER]),
        lambda predictor, tile: list(predictor.explain(tile, WATER)),
    ],
)
def test_too_little_memory_is_said_with_what_helps(
    ask: Any, model: SpexModel, processor: SpexProcessor, tile: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(SpexModel, "embed_prompt", full)
    with pytest.raises(DeviceMemoryError, match=r"Tried to allocate 2\.00 GiB.*Use smaller tiles or fewer targets"):
        ask(SpexPredictor(model, processor), tile)


def test_features_of_a_mask_serve_its_explanation(model: SpexModel, processor: SpexProcessor, tile: xr.Dataset) -> None:
    encoded: list[int] = []
    hook = model.encoder.register_forward_hook(lambda *_: encoded.append(1))
    predictor = SpexPredictor(model, processor)
    predictor.predict(tile, ["water"], [WATER])
    list(predictor.explain(tile, WATER, max_new_tokens=2))
    hook.remove()
    assert len(encoded) == 1


def test_features_are_kept_for_the_same_pixels_only_if_they_mean_the_same(
    model: SpexModel, processor: SpexProcessor, tile: xr.Dataset
) -> None:
    uncalibrated = tile.assign_attrs(radiometry="relative")
    predictor = SpexPredictor(model, processor)
    first = predictor.predict(tile, ["water"], [WATER])
    np.testing.assert_array_equal(
        predictor.predict(uncalibrated, ["water"], [WATER]),
        SpexPredictor(model, processor).predict(uncalibrated, ["water"], [WATER]),
    )
    assert not np.allclose(first, predictor.predict(uncalibrated, ["water"], [WATER]))


def test_a_click_on_a_tile_that_is_kept_makes_neither_its_indices_nor_its_features_again(
    model: SpexModel, processor: SpexProcessor, tile: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = SpexPredictor(model, processor)
    seen: list[int] = []
    pixels = SpexProcessor.pixels
    monkeypatch.setattr(SpexProcessor, "pixels", lambda self, scenes: seen.append(1) or pixels(self, scenes))
    for column in (10.5, 20.5):
        predictor.predict(tile, ["water"], [WATER], points=[[(column, 30.5, True)]])
    assert len(seen) == 1
    predictor.predict(tile.assign(red=tile["red"] * 1.01), ["water"], [WATER])
    assert len(seen) == 2
    predictor.processor = deepcopy(processor)
    predictor.processor.mean = {"red": 0.1}
    predictor.predict(tile, ["water"], [WATER])
    assert len(seen) == 3


def test_a_lazy_tile_is_computed_once(model: SpexModel, processor: SpexProcessor, tile: xr.Dataset) -> None:
    computed: list[int] = []

    def noted(block: Any) -> Any:
        computed.append(1)
        return block

    lazy = tile.assign({band: tile[band].chunk().copy() for band in tile.spex.bands})
    for band in tile.spex.bands:
        lazy[band] = lazy[band].copy(data=lazy[band].data.map_blocks(noted, dtype="float32", meta=np.empty((0, 0))))
    predictor = SpexPredictor(model, processor)
    np.testing.assert_array_equal(
        predictor.predict(lazy, ["water"], [WATER]), SpexPredictor(model, processor).predict(tile, ["water"], [WATER])
    )
    assert len(computed) == len(tile.spex.bands)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_used_in_full_precision(
    dtype: torch.dtype, model: SpexModel, processor: SpexProcessor, tile: xr.Dataset, tmp_path: Path
) -> None:
    half = deepcopy(model).to(dtype)
    half.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded = SpexPredictor.from_pretrained(tmp_path, device="cpu")
    assert loaded.model.dtype == torch.float32
    torch.testing.assert_close(dict(loaded.model.state_dict()), dict(half.float().state_dict()))
    predicted = loaded.predict(tile, ["water"], [WATER])
    exact = SpexPredictor(model, processor).predict(tile, ["water"], [WATER])
    assert np.corrcoef(predicted.ravel(), exact.ravel())[0, 1] > 0.999


# --- targets that compete

COMPETING = ("water", "vegetation", "built_up", "bare_soil", "building", "road")


@pytest.fixture(scope="module")
def joint(processor: SpexProcessor) -> SpexModel:
    text = TEXT | {"vocab_size": len(processor.tokenizer), "max_position_embeddings": 4096}
    torch.manual_seed(2)
    model = make(
        text_config=text,
        image_token_id=processor.image_token_id,
        targets=COMPETING,
        joint=True,
        part_of={"building": "built_up", "road": "built_up"},
    )
    assert model.target_queries is not None
    torch.nn.init.normal_(model.target_queries.weight, std=4)
    return model


def masks_of(predictor: SpexPredictor, tile: xr.Dataset, *targets: str) -> dict[str, Any]:
    """Return the logits of some targets that are asked for together."""
    logits = predictor.predict(tile, targets, [build_prompt(target, []) for target in targets])
    return dict(zip(targets, logits, strict=True))


@pytest.mark.parametrize("asks_by", ["prompt", "query"])
def test_masks_of_a_joint_model_exclude_each_other_and_hold_their_parts(
    asks_by: Any, joint: SpexModel, processor: SpexProcessor, tile: xr.Dataset
) -> None:
    logits = masks_of(SpexPredictor(joint, processor, asks_by=asks_by), tile, *COMPETING)
    p = {name: 1 / (1 + np.exp(-values.astype(float))) for name, values in logits.items()}
    assert sum(p[name] for name in COMPETING[:4]).max() <= 1 + 1e-5
    assert (p["building"] + p["road"] <= p["built_up"] + 1e-5).all()


def test_a_joint_model_answers_alike_whatever_else_is_asked(
    joint: SpexModel, processor: SpexProcessor, tile: xr.Dataset
) -> None:
    predictor = SpexPredictor(joint, processor, asks_by="query")
    together = masks_of(predictor, tile, *COMPETING)
    for name in COMPETING:
        np.testing.assert_allclose(masks_of(predictor, tile, name)[name], together[name], atol=1e-4)
    swapped = masks_of(predictor, tile, "road", "water")
    np.testing.assert_allclose(swapped["water"], together["water"], atol=1e-4)


def test_a_joint_model_leaves_targets_without_query_alone(
    joint: SpexModel, processor: SpexProcessor, tile: xr.Dataset
) -> None:
    apart = deepcopy(joint)
    apart.config.joint = False
    alone = masks_of(SpexPredictor(apart, processor), tile, "snow", "water")
    beside = masks_of(SpexPredictor(joint, processor), tile, "snow", "water")
    np.testing.assert_array_equal(beside["snow"], alone["snow"])
    assert (beside["water"] < alone["water"]).all()  # rivals only take away


def test_a_joint_model_needs_targets() -> None:
    with pytest.raises(ValueError, match="the targets that compete"):
        make(joint=True)


def test_priors_are_withheld_from_a_processor_without_their_channels(tile: xr.Dataset) -> None:
    given = SpexProcessor(make_tokenizer(), index_channels=True).pixels([tile])["index_values"]
    withheld = SpexProcessor(make_tokenizer(), index_channels=True, prior_channels=False).pixels([tile])["index_values"]
    assert given[0, 6:].isfinite().any()
    assert withheld[0, 6:].isnan().all()
    torch.testing.assert_close(withheld[:, :6], given[:, :6], equal_nan=True)


@pytest.fixture
def of_two_scales(model: SpexModel, processor: SpexProcessor, tmp_path: Path) -> Path:
    """A checkpoint with other weights for aerial pictures."""
    finer = deepcopy(model)
    finer.config.targets = ("road", "water")
    for folder, weights in ((tmp_path / "both", model), (tmp_path / "both" / "aerial", finer)):
        weights.save_pretrained(folder)
        processor.save_pretrained(folder)
    return tmp_path / "both"


@pytest.mark.slow
def test_aerial_weights_answer_for_small_pixels_only(of_two_scales: Path) -> None:
    predictor = SpexPredictor.from_pretrained(of_two_scales, device="cpu")
    aerial = predictor.at_scale(0.6)
    assert aerial.card.targets == ("road", "water")
    assert predictor.at_scale(2.0) is aerial
    assert aerial.id == predictor.id == "both"
    assert all(predictor.at_scale(gsd_m) is predictor for gsd_m in (None, 2.1, 30.0))
    assert aerial.at_scale(0.6) is aerial


def test_a_change_of_the_aerial_weights_is_a_change_of_the_checkpoint(of_two_scales: Path, model: SpexModel) -> None:
    before = SpexPredictor.from_pretrained(of_two_scales, device="cpu").card.fingerprint
    changed = deepcopy(model)
    with torch.no_grad():
        next(changed.parameters()).add_(1)
    changed.save_pretrained(of_two_scales / "aerial")
    assert SpexPredictor.from_pretrained(of_two_scales, device="cpu").card.fingerprint != before


@pytest.mark.slow
def test_an_extraction_asks_the_weights_of_its_pixels(of_two_scales: Path, tile: xr.Dataset) -> None:
    bare = tile.drop_vars(["x", "y", "spatial_ref"], errors="ignore")
    aerial, satellite = (bare.assign_attrs(gsd_m=gsd_m) for gsd_m in (0.6, 10.0))
    by_scale = [plan_extraction(scene, "water", of_two_scales).model.card.targets for scene in (aerial, satellite)]
    assert by_scale == [("road", "water"), ("water", "road")]
