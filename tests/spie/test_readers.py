"""Readers by id: unknown datasets, missing folders and missing labels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from development_sets import read_hls

from spex_nb.errors import DatasetError
from spex_nb.spie.sources.readers import READERS, read_labelled


def test_unknown_dataset_is_offered_the_nearest() -> None:
    with pytest.raises(DatasetError, match=r"'globe230'.*Did you mean globe230k"):
        read_labelled("globe230", ".")


@pytest.mark.parametrize("dataset", list(READERS))
def test_missing_and_empty_folders_say_what_they_should_hold(dataset: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing there.*docs/data\.md"):
        read_labelled(dataset, tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"(Expected: .*(tif|img|image|AOI_2|places|tiles))"):
        read_labelled(dataset, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"a file"):
        read_labelled(dataset, tmp_path / "file")


READ = READERS | {"hls": read_hls}
LABELS = [
    ("hls", "water/017.tif"),
    ("hls", "worldcover/000.tif"),
    ("chesapeake", "de_1m_2013_extended-debuffered-val_tiles/m_3807513_ne_18_1_lc.tif"),
    ("globe230k", "label_patch/data_2.png"),
    ("segmunich", "train/label/7.tif"),
    ("spacenet2", "AOI_2_Vegas_Train/geojson/buildings/buildings_AOI_2_Vegas_img2.geojson"),
    ("gid15", "GID/ann_dir/val/GF2_PMS2__L1A0000718813-MSS2_15label.tif"),
    ("gid15_fine", "Fine Land-cover Classification_15classes/label_15classes/GF2_PMS1__L1A1-MSS1_label.tif"),
]


@pytest.mark.parametrize(("dataset", "label"), LABELS)
def test_image_without_label_is_named(dataset: str, label: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(dataset)
    (folder / label).unlink()
    with pytest.raises(DatasetError, match=rf"An image has no label.*{re.escape(Path(label).name)}"):
        READ[dataset.removesuffix("_fine")](folder)
