"""Conversion of the released layout: every name has its rule, and what comes out computes the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from spex_nb.cli.command import main
from spex_nb.errors import CheckpointError
from spex_nb.language.prompts import build_prompt
from spex_nb.model import SpexConfig, SpexModel, SpexPredictor
from spex_nb.model.conversion import LEFT_OUT, assemble, convert, our_name
from spex_nb.scene.samples import sample_scene
from spex_nb.training import train_tokenizer
from tests.model.test_parity import SAM, Golden, expanded, whole_model

pytestmark = pytest.mark.slow


@pytest.fixture
def released(parity: Path, tmp_path: Path) -> Path:
    """Write a checkpoint in the released layout."""
    file = Golden(parity / "end_to_end.safetensors")
    folder = tmp_path / "released"
    folder.mkdir()
    weights = {
        name.removeprefix("w."): tensor.contiguous() for name, tensor in file.tensors.items() if name[:2] == "w."
    }
    save_file(weights | {"model.image_newline": torch.zeros(64)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(file.meta["llm_config"]))
    return folder


def test_parity_every_released_name_has_a_rule_and_every_parameter_of_ours_a_source(parity: Path) -> None:
    lines = (parity / "keys_full.txt").read_text().splitlines()
    shapes = {name: tuple(map(int, shape.split(","))) for name, shape in (line.split("\t")[:2] for line in lines)}
    unnamed = [name for name in shapes if our_name(name) is None]
    assert unnamed == ["model.image_newline"]
    assert len(LEFT_OUT) == 1
    with torch.device("meta"):
        own = SpexModel(SpexConfig.preset("base")).state_dict()
    ours = {our_name(name) for name in shapes if our_name(name)}
    kinds = {name for name in ours if name and name.startswith("prompt_encoder.kinds.")}
    for name, shape in shapes.items():
        mine = our_name(name)
        if mine in own and mine not in ("prompt_encoder.no_mask", "prompt_encoder.not_a_point"):
            assert own[mine].shape == shape, name
    assert (ours - kinds) | {"prompt_encoder.kinds.weight"} | {"language_model.lm_head.weight"} == own.keys()


def test_parity_of_a_converted_checkpoint(released: Path, parity: Path, tmp_path: Path) -> None:
    report = convert(released, tmp_path / "ours", sam_heads=SAM["heads"])
    assert report.unused == ("model.image_newline",)
    model = SpexModel.from_pretrained(tmp_path / "ours").eval()
    file = Golden(parity / "end_to_end.safetensors")
    given = {"pixel_values": file["pixel_values"], "input_ids": expanded(file["input_ids"], 64)}
    written = model.generate(**given, max_new_tokens=16, do_sample=False)
    assert written.sequences.tolist() == file["sequences"].tolist()
    torch.testing.assert_close(
        written.mask_logits, whole_model(file).generate(**given, max_new_tokens=16, do_sample=False).mask_logits
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda w: w.pop("model.norm.weight"), r"1 missing: language_model\.model\.norm\.weight"),
        (lambda w: w.update({"model.norm.weight": torch.zeros(3)}), r"1 mis-shaped: language_model\.model\.norm"),
        (lambda w: [w.pop(name) for name in list(w) if "patch_embed" in name], "no checkpoint of the released layout"),
    ],
)
def test_parity_layouts_that_are_not_whole_are_refused(
    damage: Any, message: str, released: Path, tmp_path: Path
) -> None:
    weights = load_file(released / "model.safetensors")
    damage(weights)
    save_file(weights, released / "model.safetensors")
    with pytest.raises(CheckpointError, match=message):
        convert(released, tmp_path / "ours", sam_heads=SAM["heads"])
    assert not (tmp_path / "ours").exists()


def test_parity_parts_can_come_from_separate_places(released: Path, tmp_path: Path) -> None:
    convert(released, tmp_path / "ours", sam_heads=SAM["heads"])
    whole = SpexModel.from_pretrained(tmp_path / "ours")
    weights = load_file(released / "model.safetensors")
    prefixes = {
        "vision": ("model.vision_tower.vision_tower.vision_model.", ""),
        "mask_decoder": ("model.vision_tower.mask_decoder.", "mask_decoder."),
        "prompts": ("model.vision_tower.sampromptencoder.", "prompt_encoder."),
    }
    public: dict[str, dict[str, torch.Tensor]] = {"vision": {}, "mask_decoder": {}, "language": {}}
    for kind, (old, new) in prefixes.items():
        part = {new + name.removeprefix(old): tensor for name, tensor in weights.items() if name.startswith(old)}
        public["mask_decoder" if kind == "prompts" else kind] |= part
    public["language"] = {
        n: t for n, t in weights.items() if n.startswith(("model.embed", "model.layers", "model.norm"))
    }
    for kind, part in public.items():
        (tmp_path / kind).mkdir()
        save_file(part, tmp_path / kind / "model.safetensors")
    model = assemble(whole.config, **{kind: tmp_path / kind for kind in public})
    own, other = model.state_dict(), whole.state_dict()
    same = {name for name in own if torch.equal(own[name], other[name])}
    apart = ("aggregation.", "neck.", "projector.", "condensation.")
    assert {name for name in own if not name.startswith(apart)} <= same
    with pytest.raises(CheckpointError, match="missing"):
        assemble(whole.config, vision=tmp_path / "language")
    # What no public part has, such as fine features and kernels made from wavelengths, starts at random.
    changed = whole.config.to_dict() | {"stem_config": {"kind": "wavelength"}}
    changed["mask_decoder_config"] = {**SAM, "fine_channels": 8}
    model = assemble(SpexConfig(**changed), **{kind: tmp_path / kind for kind in public})
    torch.testing.assert_close(model.encoder.state_dict(), whole.encoder.state_dict())


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        convert(tmp_path / "nothing", tmp_path / "out")
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"configuration cannot be read"):
        convert(tmp_path, tmp_path / "out")
    (tmp_path / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(CheckpointError, match="weights cannot be read"):
        convert(tmp_path, tmp_path / "out")


def test_the_command_converts_and_says_what_it_did_not_use(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    done = CliRunner().invoke(main, ["convert", str(tmp_path), str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "pickled, which may run any program" in done.output


def test_parity_the_command_converts_a_released_checkpoint(released: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["convert", str(released), str(tmp_path / "ours"), "--sam-heads", "4"])
    assert done.exit_code == 0, done.output
    assert "without a processor, as there is no tokenizer.json; not used: model.image_newline" in done.output
    assert SpexModel.from_pretrained(tmp_path / "ours").config.mask_decoder_config.double_softmax


def test_parity_a_tokenizer_beside_the_weights_becomes_a_processor(released: Path, tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["water", "vegetation"], 300)
    tokenizer.save_pretrained(released)
    assert convert(released, tmp_path / "ours", sam_heads=SAM["heads"]).has_processor
    predictor = SpexPredictor.from_pretrained(tmp_path / "ours", device="cpu")
    assert predictor.card.required_bands == ("red", "green", "blue")
    assert predictor.model.config.image_token_id == predictor.processor.image_token_id
    assert predictor.processor.mean["red"] == 0.485
    tile = sample_scene("river_10m").spex.window(0, 0, 64, 64).compute()
    batch = predictor.processor(tile, build_prompt("water", []), answers=["Water."])
    assert predictor.model(**batch).mask_logits.shape == (1, 64, 64)
