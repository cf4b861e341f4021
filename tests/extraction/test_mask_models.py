"""Names become models; the index baseline says what its index says, without torch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import spex_nb
from spex_nb.errors import CheckpointError, MissingBandError, MissingExtraError, TargetError
from spex_nb.extraction.mask_models import LOGIT_PER_UNIT, SUREST, IndexModel, load_mask_model
from spex_nb.language.claims import check_explanation
from spex_nb.language.evidence import measure_evidence
from spex_nb.language.prompts import build_prompt
from spex_nb.scene.samples import sample_scene
from spex_nb.spectral.priors import RULES, spectral_prior
from spex_nb.types import MaskModel

WATER, VEGETATION = build_prompt("water", []), build_prompt("vegetation", [])


@pytest.fixture(scope="module")
def tile() -> xr.Dataset:
    scene = sample_scene("river_10m").spex.window(100, 100, 64, 96).compute()
    scene["valid"][:5] = False
    return scene


def test_index_is_a_mask_model_for_every_target_that_has_a_rule() -> None:
    model = load_mask_model("index")
    assert isinstance(model, MaskModel)
    assert model.id == "index"
    assert model.card.targets == tuple(RULES)
    assert "road" not in model.card.targets


def test_the_sign_is_the_prior_and_the_size_its_distance_from_the_threshold(tile: xr.Dataset) -> None:
    logits = IndexModel().predict(tile, ["water", "vegetation"], [WATER, VEGETATION])
    assert (logits.shape, logits.dtype) == ((2, 64, 96), np.float32)
    valid = tile.spex.valid.values
    for target, own in zip(("water", "vegetation"), logits, strict=True):
        prior = spectral_prior(tile, target)
        np.testing.assert_array_equal(own > 0, prior.mask.values & valid)
        expected = np.minimum(np.abs(prior.index.values - prior.threshold) * LOGIT_PER_UNIT, SUREST)
        np.testing.assert_allclose(np.abs(own[valid]), expected[valid], rtol=1e-3, atol=1e-3)
    assert np.isneginf(logits[:, :5]).all()


def test_what_a_guard_refuses_lies_below_zero() -> None:
    bands = {"green": 0.30, "nir": 0.25}  # NDWI of 0.09 is water, but for its near infrared
    bright = xr.Dataset({name: (("y", "x"), np.full((2, 2), value, np.float32)) for name, value in bands.items()})
    logits = IndexModel().predict(bright, ["water"], [WATER])
    np.testing.assert_allclose(logits, -LOGIT_PER_UNIT * (0.05 / 0.55 + 0.05), rtol=1e-5)


def test_a_prior_that_is_given_is_believed(tile: xr.Dataset) -> None:
    given = np.zeros((64, 96), bool)
    given[10:20, 10:20] = True
    logits = IndexModel().predict(tile, ["water", "water"], [WATER, WATER], priors=[given, None])
    np.testing.assert_array_equal(logits[0] > 0, given)
    np.testing.assert_array_equal(logits[1], IndexModel().predict(tile, ["water"], [WATER])[0])


@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_its_explanation_holds(tile: xr.Dataset, language: str) -> None:
    text = "".join(IndexModel().explain(tile, WATER, language))
    evidence = measure_evidence(spectral_prior(tile, "water").mask.values, tile, "water", min_area_px=4)
    verdicts = {claim.verdict for claim in check_explanation(text, evidence, language)}
    assert verdicts == {"holds"}


def test_what_does_not_fit_is_refused(tile: xr.Dataset) -> None:
    model = IndexModel()
    with pytest.raises(ValueError, match="one prompt for each target"):
        model.predict(tile, ["water"], [])
    with pytest.raises(ValueError, match=r"expected \(64, 96\)"):
        model.predict(tile, ["water"], [WATER], priors=[np.ones((3, 3), bool)])
    with pytest.raises(ValueError, match="zip"):
        model.predict(tile, ["water"], [WATER], priors=[None, None])
    with pytest.raises(TargetError, match="Use a model that was trained on it"):
        model.predict(tile, ["road"], [build_prompt("road", [])])
    with pytest.raises(MissingBandError, match="Open a scene that also has"):
        model.predict(tile[["swir16"]], ["water"], [WATER])


def test_a_model_is_passed_through() -> None:
    model = IndexModel(id="mine")
    assert load_mask_model(model) is model
    assert spex_nb.load_mask_model(model) is model


@pytest.mark.parametrize("name", ["index", IndexModel()])
def test_options_are_a_checkpoints(name: Any) -> None:
    with pytest.raises(TypeError, match="device are a checkpoint's; leave them out"):
        load_mask_model(name, device="cpu")


def test_what_is_no_model_is_refused() -> None:
    unfit: Any = 42
    with pytest.raises(CheckpointError, match="Pass one of these"):
        load_mask_model(unfit)
    with pytest.raises(CheckpointError, match="Check the name"):
        load_mask_model("no-such-model")


def test_without_torch_and_onnx_runtime_a_checkpoint_names_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find = importlib.util.find_spec
    missing = ("torch", "onnxruntime")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name in missing else find(name))
    with pytest.raises(MissingExtraError, match=r"pip install 'spex-nb\[model\]'"):
        load_mask_model(tmp_path)


@pytest.mark.slow
def test_the_index_model_loads_no_torch() -> None:
    code = "import sys, spex_nb; spex_nb.load_mask_model('index'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
