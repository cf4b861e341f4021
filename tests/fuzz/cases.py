"""One case of each kind: what is done with a seed, and what makes its end right."""

from __future__ import annotations

import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spex_nb import compute_index, extract, load_extraction, open_scene, parse_instruction, sample_scene
from spex_nb.errors import SpexError
from spex_nb.model.checkpoint_files import CHECKPOINTS
from spex_nb.spectral.indices import is_available
from tests.fuzz.rasters import make_raster

ALPHABET = [
    *(
        "water",
        "lakes",
        "larger than",
        "km²",
        "ha",
        "and",
        "except",
        "north",
        "1e400",
        "9" * 1900,
        "水",
        "больше",
        "<b>",
    ),
    *(
        "'",
        '"',
        "\x00",
        "\n",
        "%s",
        "{0}",
        "__import__('os')",
        "-1",
        "0.5",
        "½",
        "near",
        "roads",
        "of",
        "the",
        "2 largest",
    ),
    *(" ", "(", ")", "nir-red", "/", "**", "sqrt", "\u202e", "é", "٣", "٫", "…", "not", "ohne", "sans"),
]


def run_case(kind: str, seed: int, folder: Path) -> str:
    """Do one case in an empty folder.

    Returns:
        ``right`` if it ended well, ``typed`` if it ended in an error of this package.

    Raises:
        Exception: Anything else is a fault.
    """
    rng = np.random.default_rng([seed, sum(map(ord, kind))])
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        try:
            KINDS[kind](rng, folder)
        except SpexError:
            return "typed"
    return "right"


def _raster(rng: np.random.Generator, folder: Path) -> None:
    path, options = make_raster(rng, folder)
    scene = open_scene(path, **options)
    if is_available(scene, "NDVI"):
        index = compute_index(scene, "NDVI").values
        assert np.isnan(index[~scene.spex.valid.values]).all()
    target = str(rng.choice(["water", "vegetation", "bare soil and water larger than 3 px", "the largest lake"]))
    result = extract(path, target, model="index", open_options=options, out=folder / "out", progress=False)
    again = load_extraction(folder / "out")
    np.testing.assert_array_equal(again.mask, result.mask)
    assert again.regions.equals(result.regions)
    for number, name in enumerate(result.class_names, start=1):
        regions = result.regions[result.regions["target"] == name]
        assert int(regions["area_px"].sum()) == int((result.mask.values == number).sum())
        areas = regions["area_m2"].to_numpy(float)
        assert np.isnan(areas).all() or (areas > 0).all()


def _text(rng: np.random.Generator, folder: Path) -> None:  # noqa: ARG001 (all kinds have one)
    words = rng.choice(ALPHABET, int(rng.integers(1, 12)))
    text = str(rng.choice(["", " "])).join(map(str, words))
    if rng.random() < 0.5:
        parse_instruction(text)
    else:
        compute_index(sample_scene("river_10m").isel(y=slice(0, 4), x=slice(0, 4)), text)


def _checkpoint(rng: np.random.Generator, folder: Path) -> None:
    from spex_nb.model import SpexPredictor

    place = Path(shutil.copytree(CHECKPOINTS / "tiny", folder / "checkpoint"))
    _spoil(
        rng,
        place,
        ["config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"],
    )
    assert SpexPredictor.from_pretrained(place).card.targets


def _result(rng: np.random.Generator, folder: Path) -> None:
    place = Path(shutil.copytree(_stored(folder.parent), folder / "result"))
    names = sorted(file.name for file in place.iterdir())
    _spoil(rng, place, [*names, "extraction.json", "extraction.json"])
    assert load_extraction(place)._repr_html_()


def _session(rng: np.random.Generator, folder: Path) -> None:
    from spex_widgets import WorkbenchState, open_session, save_session
    from spex_widgets.jobs import ImmediateExecutor

    whole = folder.parent / "whole.spex"
    if not whole.exists():
        state = WorkbenchState(sample_scene("river_10m"), "index", executor=ImmediateExecutor())
        result = load_extraction(_stored(folder.parent))
        state.show_result(result, (0, 0, *state.scene.spex.shape))
        save_session(state, whole)
    (folder / "parts").mkdir()
    with zipfile.ZipFile(whole) as file:
        file.extractall(folder / "parts")
    if rng.random() < 0.3:
        content = bytearray(whole.read_bytes())
        for _ in range(int(rng.integers(1, 20))):
            content[rng.integers(len(content))] = int(rng.integers(256))
        (folder / "a.spex").write_bytes(content[: int(len(content) * min(1, rng.uniform(0.5, 1.5)))])
    else:
        _spoil(rng, folder / "parts", ["session.json", "session.json", "edits.npz", "result/extraction.json"])
        with zipfile.ZipFile(folder / "a.spex", "w") as file:
            for part in sorted((folder / "parts").rglob("*")):
                if part.is_file():
                    file.write(part, part.relative_to(folder / "parts"))
    again = WorkbenchState(sample_scene("river_10m"), "index", executor=ImmediateExecutor())
    open_session(again, folder / "a.spex")
    assert again.scene is not None


def _stored(folder: Path) -> Path:
    """Return a result that is made once for a child."""
    place = folder / "stored"
    if not place.exists():
        extract(sample_scene("river_10m"), "water", model="index", out=place, progress=False)
    return place


def _spoil(rng: np.random.Generator, place: Path, names: list[str]) -> None:
    """Damage one of some files: cut it, turn bytes, remove it, or put other values into its JSON."""
    path = place / str(rng.choice(names))
    content = bytearray(path.read_bytes())
    way = rng.integers(4)
    if path.suffix == ".json" and way < 3:
        path.write_text(json.dumps(_other(rng, json.loads(content))))
    elif way == 0:
        path.write_bytes(content[: int(len(content) * rng.random())])
    elif way == 1:
        path.unlink()
    else:
        for _ in range(int(rng.integers(1, 40))):
            content[rng.integers(min(len(content), 4000))] = int(rng.integers(256))
        path.write_bytes(content)


def _other(rng: np.random.Generator, tree: Any) -> Any:
    """Return a JSON tree with another value, key or type somewhere."""
    strange: list[Any] = [
        None,
        -1,
        0,
        1e308,
        "x",
        [],
        {},
        [[1]],
        True,
        "<b>",
        10**30,
        {"a": 1},
        "https://example.org/a",
    ]
    if isinstance(tree, dict) and tree and rng.random() < 0.9:
        key = str(rng.choice(sorted(tree)))
        if rng.random() < 0.1:
            return {name: value for name, value in tree.items() if name != key}
        return tree | {key: _other(rng, tree[key])} if rng.random() < 0.9 else tree | {"strange": 1}
    if isinstance(tree, list) and tree and rng.random() < 0.8:
        at = int(rng.integers(len(tree)))
        return [*tree[:at], _other(rng, tree[at]), *tree[at + 1 :]]
    return strange[rng.integers(len(strange))]


KINDS: dict[str, Callable[[np.random.Generator, Path], None]] = {
    "raster": _raster,
    "text": _text,
    "checkpoint": _checkpoint,
    "result": _result,
    "session": _session,
}
