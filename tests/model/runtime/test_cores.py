"""Pieces without a core are taken out; those with one stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="the model needs the extra [model]")

from spex_nb.language.prompts import build_prompt
from spex_nb.model import SpexConfig, SpexPredictor
from spex_nb.model.runtime.cores import without_coreless_pieces
from spex_nb.scene.samples import sample_scene

SURE, HALF_SURE = 2.0, 0.3


def two_pieces() -> NDArray[np.float32]:
    """Return logits of a roof, a tenth of which is sure, and of a field that is nowhere sure, beside no data."""
    logits = np.full((12, 30), -3, np.float32)
    logits[1:11, 1:11] = HALF_SURE
    logits[5, 1:11] = SURE
    logits[1:11, 15:28] = HALF_SURE
    logits[:, 29] = -np.inf
    return logits


def test_a_field_that_is_nowhere_sure_is_taken_out_and_a_roof_stays() -> None:
    before = two_pieces()
    after = without_coreless_pieces(before, 0.65, 0.1)
    np.testing.assert_array_equal(after[1:11, 15:28], -before[1:11, 15:28])
    np.testing.assert_array_equal(after[:, :12], before[:, :12])
    assert (after[:, 29] == -np.inf).all()


def test_the_least_share_is_that_of_a_piece() -> None:
    assert (without_coreless_pieces(two_pieces(), 0.65, 0.11) <= 0).all()
    assert (without_coreless_pieces(two_pieces(), 0.65, 0)[1:11, 15:28] > 0).all()


def test_where_nothing_is_found_nothing_changes() -> None:
    nothing = np.full((4, 4), -1, np.float32)
    np.testing.assert_array_equal(without_coreless_pieces(nothing, 0.65, 0.2), nothing)


@pytest.mark.parametrize("core", [(-0.1, 0.2, 1), (1.0, 0.2, 1), (0.65, 1.5, 1), (0.65, 0.2, 0)])
def test_thresholds_that_make_no_sense_are_refused(core: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="a probability below 1"):
        SpexConfig(targets=("building",), cores={"building": core})


def test_a_model_takes_them_out_at_small_pixels_unless_somebody_points_there() -> None:
    tile = sample_scene("river_10m").isel(y=slice(0, 64), x=slice(0, 64))
    predictor = SpexPredictor.from_pretrained("tiny", asks_by="query")
    asked = {"targets": ["built_up"], "prompts": [build_prompt("built_up", [])]}
    before = predictor.predict(tile, **asked)[0]
    pointed = predictor.predict(tile, **asked, points=[[(5, 5, True)]])[0]
    predictor.model.config.cores = {"built_up": (0.999, 1.0, 5.0)}
    np.testing.assert_array_equal(predictor.predict(tile, **asked)[0], before)  # pixels of 10 m are larger
    predictor.model.config.cores = {"built_up": (0.999, 1.0, 10.0)}
    assert (before > 0).any()
    assert (predictor.predict(tile, **asked)[0] <= 0).all()
    np.testing.assert_array_equal(predictor.predict(tile, **asked, points=[[(5, 5, True)]])[0], pointed)
