"""ONNX Runtime gives the masks, the sentences and the card that torch gives, of the same weights."""

from __future__ import annotations

import itertools
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("torch", reason="torch comes with the extra [model]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime comes with the extra [onnx]")

from spex_nb import extract, load_mask_model, sample_scene, spectral_prior
from spex_nb.errors import CheckpointError, MissingBandError
from spex_nb.extraction.mask_models import CHECKPOINTS
from spex_nb.language import build_prompt
from spex_nb.model import SpexPredictor
from spex_nb.model.runtime import OnnxPredictor, has_graphs
from spex_nb.model.runtime.checkpoint import weight_files
from spex_nb.model.runtime.graphs import ENDING
from spex_nb.types import DeviceModel, MaskModel, ScaledModel

TINY = CHECKPOINTS / "tiny"
MOST_OTHER = 2e-5
"""Two of 100,000 pixels: rounding moves logits that are all but 0."""
WINDOWS = [
    ("river_10m", (0, 0, 256, 256)),
    ("river_10m", (40, 17, 64, 96)),
    ("river_10m", (100, 100, 33, 150)),
    ("lake_30m", (0, 0, 90, 61)),
    ("lake_30m", (10, 10, 20, 20)),
    ("town_1m", (0, 0, 200, 131)),
    ("town_1m", (50, 60, 32, 64)),
]
"""Tiles of several sizes, most of them no multiple of 32, of satellites and of an aerial picture."""


@pytest.fixture(scope="module")
def torch_model() -> SpexPredictor:
    return SpexPredictor.from_pretrained("tiny", device="cpu")


@pytest.fixture(scope="module")
def onnx_model() -> OnnxPredictor:
    return OnnxPredictor.from_pretrained(TINY)


def tile_of(name: str, window: tuple[int, int, int, int]) -> xr.Dataset:
    return sample_scene(name).spex.window(*window).compute()


def other_share(given: Any, expected: Any) -> float:
    """Return the share of pixels whose masks differ; logits must agree nearly, and no data exactly."""
    np.testing.assert_array_equal(np.isneginf(given), np.isneginf(expected))
    there = np.isfinite(expected)
    np.testing.assert_allclose(given[there], expected[there], rtol=1e-3, atol=2e-3)
    return float(((given > 0) != (expected > 0)).mean())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "window"), WINDOWS)
def test_masks_of_all_targets_with_and_without_priors(
    torch_model: SpexPredictor, onnx_model: OnnxPredictor, name: str, window: tuple[int, int, int, int]
) -> None:
    tile = tile_of(name, window)
    expected_model, model = (each.at_scale(tile.spex.gsd_m) for each in (torch_model, onnx_model))
    assert (model is not onnx_model) == (name == "town_1m")
    targets = list(model.card.targets)
    prompts = [build_prompt(target, []) for target in targets]
    prior = spectral_prior(tile, "vegetation").mask.values
    for priors in (None, [prior] * len(targets), [prior, *[None] * (len(targets) - 1)]):
        given, expected = (each.predict(tile, targets, prompts, priors) for each in (model, expected_model))
        assert given.dtype == np.float32
        assert other_share(given, expected) <= MOST_OTHER


@pytest.mark.slow
def test_masks_of_single_targets_clicks_and_boxes(torch_model: SpexPredictor, onnx_model: OnnxPredictor) -> None:
    for name, target in (("river_10m", "water"), ("town_1m", "building"), ("town_1m", "tree_cover")):
        tile = tile_of(name, (0, 0, 72, 100))
        models = [each.at_scale(tile.spex.gsd_m) for each in (onnx_model, torch_model)]
        question = {"targets": [target], "prompts": [build_prompt(target, [])]}
        marks: list[dict[str, Any]] = [
            {},
            {"points": [[(50.0, 36.0, True), (3.5, 70.0, False)]]},
            {"boxes": [[(10.0, 5.0, 60.0, 44.0)]]},
            {"points": [[(99.0, 0.5, True)]], "boxes": [[(0.0, 0.0, 100.0, 72.0)]]},
        ]
        for given_marks in marks:
            given, expected = (model.predict(tile, **question, **given_marks) for model in models)
            assert other_share(given, expected) <= MOST_OTHER


def test_any_bands_and_holes(torch_model: SpexPredictor, onnx_model: OnnxPredictor) -> None:
    tile = tile_of("river_10m", (0, 0, 64, 64))
    holes = tile.assign(valid=tile["valid"].copy(data=np.arange(64) >= np.full((64, 1), 8)))
    question = {"targets": ["water", "built_up"], "prompts": [build_prompt(name, []) for name in ("water", "built_up")]}
    for scene in (holes, holes[["green", "nir", "valid"]], holes[["blue", "green", "red", "valid"]]):
        assert other_share(onnx_model.predict(scene, **question), torch_model.predict(scene, **question)) <= MOST_OTHER


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_its_sentences_are_those_of_torch(torch_model: SpexPredictor, onnx_model: OnnxPredictor, language: str) -> None:
    scene = sample_scene("lake_30m")
    pair = [[*model.explain(scene, build_prompt("water", []), language)] for model in (onnx_model, torch_model)]
    assert pair[0] == pair[1]
    assert len(pair[0]) > 1


def test_its_card_is_that_of_torch_but_for_the_settings(torch_model: SpexPredictor, onnx_model: OnnxPredictor) -> None:
    for gsd_m in (30.0, 0.5):
        card, expected = (each.at_scale(gsd_m).card for each in (onnx_model, torch_model))
        assert card.settings_fingerprint != expected.settings_fingerprint
        for field in ("targets", "required_bands", "weak_without", "left_to_index", "parameters", "fingerprint"):
            assert getattr(card, field) == getattr(expected, field)
    assert isinstance(onnx_model, MaskModel)
    assert isinstance(onnx_model, ScaledModel)
    assert not isinstance(onnx_model, DeviceModel)


def test_a_worker_process_gets_the_same_model(onnx_model: OnnxPredictor) -> None:
    tile = tile_of("river_10m", (0, 0, 32, 32))
    copy = pickle.loads(pickle.dumps(onnx_model))  # noqa: S301 (our own bytes)
    question = {"targets": ["water"], "prompts": [build_prompt("water", [])]}
    assert copy.id == "tiny"
    np.testing.assert_array_equal(copy.predict(tile, **question), onnx_model.predict(tile, **question))


@pytest.mark.slow
@pytest.mark.parametrize("allowed", ["2,1", "", "all"])
def test_whatever_the_limit_of_threads_says_graphs_run(monkeypatch: pytest.MonkeyPatch, allowed: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", allowed)
    tile = tile_of("lake_30m", (10, 10, 20, 20))
    logits = OnnxPredictor.from_pretrained(TINY).predict(tile, ["water"], [build_prompt("water", [])])
    assert logits.shape == (1, 20, 20)


@pytest.mark.slow
def test_a_name_chooses_what_computes() -> None:
    assert isinstance(load_mask_model("tiny"), SpexPredictor)
    model = load_mask_model("onnx:tiny")
    assert isinstance(model, OnnxPredictor)
    assert load_mask_model("onnx:tiny") is model
    assert isinstance(load_mask_model("torch:tiny"), SpexPredictor)
    assert load_mask_model(f"onnx:{TINY}").id == "tiny"
    with pytest.raises(TypeError, match="ONNX Runtime takes no device"):
        load_mask_model("onnx:tiny", device="cuda")
    with pytest.raises(CheckpointError, match="names on the hub need torch"):
        load_mask_model("onnx:somebody/model")


@pytest.mark.slow
def test_an_extraction_by_it_is_that_of_torch() -> None:
    scene = sample_scene("river_10m")
    by_onnx, by_torch = (
        extract(scene, "water bodies larger than 1 ha", f"{name}:tiny", progress=False) for name in ("onnx", "torch")
    )
    assert (by_onnx.mask.values != by_torch.mask.values).mean() <= MOST_OTHER
    assert by_onnx.provenance["model"] == "tiny"
    assert by_onnx.provenance["model_hash"] == by_torch.provenance["model_hash"]


def test_what_does_not_fit_is_refused(onnx_model: OnnxPredictor) -> None:
    tile = tile_of("river_10m", (0, 0, 32, 32))
    with pytest.raises(ValueError, match="one prompt for each target"):
        onnx_model.predict(tile, ["water"], [])
    with pytest.raises(ValueError, match="expected once"):
        onnx_model.predict(tile, ["water"], ["no image here"])
    with pytest.raises(ValueError, match=r"expected \(32, 32\)"):
        onnx_model.predict(tile, ["water"], [build_prompt("water", [])], priors=[np.ones((3, 3), bool)])
    with pytest.raises(MissingBandError, match="a model that takes any bands"):
        onnx_model.at_scale(0.5).predict(tile[["nir", "valid"]], ["building"], [build_prompt("building", [])])


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("aerial"))
    return folder


@pytest.mark.slow
def test_graphs_take_the_weights_that_lie_beside_them(copied: Path, onnx_model: OnnxPredictor) -> None:
    """A checkpoint that was trained further needs no new graphs."""
    from safetensors.numpy import load_file, save_file

    (file,) = weight_files(copied)
    weights = load_file(file)
    save_file(weights | {"mask_decoder.mask_tokens": -weights["mask_decoder.mask_tokens"]}, file)
    tile = tile_of("river_10m", (0, 0, 32, 32))
    question = {"targets": ["water"], "prompts": [build_prompt("water", [])]}
    changed = OnnxPredictor.from_pretrained(copied)
    assert changed.id == "mine"
    assert changed.card.fingerprint != onnx_model.card.fingerprint
    other = SpexPredictor.from_pretrained(copied, device="cpu").predict(tile, **question)
    assert other_share(changed.predict(tile, **question), other) <= MOST_OTHER
    assert not np.allclose(other, onnx_model.predict(tile, **question), atol=0.1)


@pytest.mark.slow
def test_damaged_checkpoints_are_refused(copied: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tile = tile_of("river_10m", (0, 0, 32, 32))
    question = {"targets": ["water"], "prompts": [build_prompt("water", [])]}
    (file,) = weight_files(copied)
    weights = load_file(file)
    save_file({name: value for name, value in weights.items() if name != "mask_decoder.iou_token"}, file)
    with pytest.raises(CheckpointError, match="not of these weights"):
        OnnxPredictor.from_pretrained(copied).predict(tile, **question)
    save_file(weights | {"mask_decoder.iou_token": np.zeros((1, 7), np.float16)}, file)
    with pytest.raises(CheckpointError, match="not of these weights"):
        OnnxPredictor.from_pretrained(copied).predict(tile, **question)
    save_file(weights, file)
    (copied / "onnx" / f"image{ENDING}").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match="Write it again with this recipe"):
        OnnxPredictor.from_pretrained(copied).predict(tile, **question)
    (copied / "onnx" / "graphs.json").write_text(json.dumps({"rivals": {}}))
    with pytest.raises(CheckpointError, match="to use torch"):
        OnnxPredictor.from_pretrained(copied)
    shutil.rmtree(copied / "onnx")
    assert not has_graphs(copied)
    with pytest.raises(CheckpointError, match="or write the graphs with this recipe"):
        load_mask_model(f"onnx:{copied}")
    (copied / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="Fetch it again"):
        OnnxPredictor.from_pretrained(copied)


def test_graphs_hold_no_weights() -> None:
    files = [file for folder in (TINY, TINY / "aerial") for file in (folder / "onnx").glob(f"*{ENDING}")]
    sizes = [file.stat().st_size for file in files]
    assert len(sizes) == 4 + 4
    assert sum(sizes) < 150_000
    for folder in (TINY, TINY / "aerial"):
        listed = json.loads((folder / "onnx" / "graphs.json").read_text())
        names = [*itertools.chain.from_iterable(listed["weights"].values())]
        assert len(names) > 200
