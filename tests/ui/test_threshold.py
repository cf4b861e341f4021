"""The threshold explorer, headless: moving the slider changes regions, table and prompt."""

from __future__ import annotations

import pytest
from spex_widgets import ThresholdExplorer

from spex_nb import find_regions, sample_scene, spectral_prior
from spex_nb.errors import TargetError
from spex_nb.language.prompts import parse_prompt


def test_moving_the_threshold_changes_regions_table_picture_and_prompt() -> None:
    explorer = ThresholdExplorer(sample_scene("river_10m"), "water")
    before = explorer.text, explorer.table.value, explorer.picture.value, explorer.histogram.value
    assert explorer.regions[0].area_m2 is not None
    explorer.slider.value = explorer.slider.max
    after = explorer.text, explorer.table.value, explorer.picture.value, explorer.histogram.value
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert len(parse_prompt(explorer.text).regions) == len(explorer.regions)


@pytest.mark.slow
def test_the_regions_are_those_of_the_prior_with_its_guards_at_the_chosen_threshold() -> None:
    scene = sample_scene("river_10m")
    explorer = ThresholdExplorer(scene, "water", min_area_px=1)
    explorer.slider.value = explorer.slider.min
    prior = spectral_prior(scene, "water", threshold=explorer.slider.value)
    assert prior.guard
    assert [r.area_px for r in explorer.regions] == [r.area_px for r in find_regions(prior.mask)]
    assert "set by hand" in explorer.reason.value


def test_a_target_without_index_is_refused() -> None:
    with pytest.raises(TargetError, match="road"):
        ThresholdExplorer(sample_scene("river_10m"), "road")
