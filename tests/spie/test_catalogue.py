"""The catalogue: bands, sensors and targets exist, and every dataset has a reader and a section in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest
from development_sets import CATALOGUE

from spex_nb.scene.sensors import COMMON_BANDS, get_sensor
from spex_nb.spie.sources.catalogue import CatalogueEntry, dataset_catalogue
from spex_nb.spie.sources.readers import READERS
from spex_nb.types.targets import TARGETS
from tests.spie.small_sets import COLORS


@pytest.mark.parametrize("entry", [*dataset_catalogue().values(), *CATALOGUE.values()], ids=lambda entry: str(entry.id))
def test_entries_name_bands_sensors_and_targets_that_exist(entry: CatalogueEntry) -> None:
    for imagery in entry.images.values():
        assert set(imagery.bands) <= set(get_sensor(imagery.sensor or "").names) & set(COMMON_BANDS)
    for coding in entry.codings.values():
        assert set(coding.targets) <= set(TARGETS)
        codes = [code for member in coding.classes for code in member.codes]
        assert len(codes) == len(set(codes))
        for member in coding.classes:
            assert set(member.targets) | set(member.open) <= set(coding.targets)
            assert not set(member.targets) & set(member.open)
    assert entry.licence
    assert entry.citation
    assert entry.url.startswith("https://")


def test_every_dataset_has_a_reader_and_a_section_in_the_docs() -> None:
    assert list(READERS) == list(dataset_catalogue())
    docs = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for dataset, entry in (dataset_catalogue() | CATALOGUE).items():
        assert f"## `{dataset}`" in docs
        assert entry.url in docs
        assert entry.licence.removeprefix("not confirmed: ") in docs


def test_colours_of_gid_are_all_different() -> None:
    coding = dataset_catalogue()["gid15"].codings["classes"]
    assert [member.color for member in coding.classes] == COLORS[1:]
    assert len(set(COLORS)) == 16
