"""Any labelled scene: windows, names of targets, and the way to a worker process."""

from __future__ import annotations

import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from development_sets import read_hls

from spex_nb.errors import DatasetError, GridError, TargetError
from spex_nb.spie.sources.readers import READERS, read_chesapeake, read_spacenet2
from tests.spie.small_sets import SIDE, Write, picture

READ = READERS | {"hls": read_hls}


def test_window_is_a_part_of_the_whole_label(chesapeake: Path, spacenet2: Path) -> None:
    for scene in (read_chesapeake(chesapeake)[0], read_spacenet2(spacenet2)[0]):
        for target in scene.targets:
            whole = np.array(scene.label(target))
            part = np.array(scene.label(target, (17, 5, 30, 40)))
            assert part.shape == (2, 30, 40)
            np.testing.assert_array_equal(part, whole[:, 17:47, 5:45])


@pytest.mark.parametrize("window", [(-1, 0, 4, 4), (0, 0, 65, 4), (60, 60, 4, 5), (0, 0, 0, 4)])
def test_window_outside_the_image_is_refused(hls: Path, window: tuple[int, int, int, int]) -> None:
    with pytest.raises(GridError, match=r"000\.tif.*a part of 64 x 64 px"):
        read_hls(hls)[0].label("water", window)


def test_words_of_prompts_name_targets_too(hls: Path) -> None:
    scene = read_hls(hls)[0]
    np.testing.assert_array_equal(scene.label("water bodies"), scene.label("water"))
    with pytest.raises(TargetError, match=r"Unknown target.*wetter"):
        scene.label("wetter")


@pytest.mark.parametrize("dataset", ["hls", "chesapeake", "globe230k", "segmunich", "spacenet2", "gid15"])
def test_scenes_travel_to_workers_and_have_plain_unique_names(dataset: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(dataset)
    scenes = READ[dataset](folder)
    assert scenes == READ[dataset](str(folder))
    assert len({scene.name for scene in scenes}) == len(scenes)
    for scene in scenes:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", scene.name)
        assert scene.dataset == dataset
        travelled = pickle.loads(pickle.dumps(scene))  # noqa: S301 (made in this line)
        assert travelled == scene
        for target in scene.targets:
            mask, known = travelled.label(target)
            assert mask.dtype == known.dtype == bool
            assert mask.shape == known.shape == (SIDE, SIDE)
            assert not (mask & ~known).any()


@pytest.mark.parametrize(("dataset", "bands"), [("hls", 6), ("globe230k", 1), ("segmunich", 12), ("spacenet2", 3)])
def test_image_of_other_bands_is_named(
    dataset: str, bands: int, request: pytest.FixtureRequest, write_raster: Write
) -> None:
    scene = READ[dataset](request.getfixturevalue(dataset))[0]
    write_raster(picture(bands), "other.tif")
    shutil.copy(request.getfixturevalue("tmp_path") / "other.tif", scene.path)
    says = rf"bands of {dataset}.*{re.escape(Path(scene.path).name)}: {bands} band"
    with pytest.raises(DatasetError, match=says):
        scene.open()
    with pytest.raises(DatasetError, match=says):
        scene.label(scene.targets[0])
