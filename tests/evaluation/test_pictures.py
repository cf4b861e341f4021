"""Tiles to look at: every colour at its pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from spex_nb.evaluation.pictures import DIFFERENCES, NOT_TARGET, TARGET, UNKNOWN, draw_tile, show_tiles
from spex_nb.evaluation.tiles import EvaluationTile


def tile(prior: Any, bands: tuple[str, ...] = ("green", "red", "nir")) -> EvaluationTile:
    pixels = np.linspace(0.1, 0.9, len(bands) * 4).reshape(-1, 1, 4).astype(np.float32)
    scene = xr.Dataset({band: (("y", "x"), values) for band, values in zip(bands, pixels, strict=True)})
    label, known = np.array([[True, True, False, False]]), np.array([[True, True, True, False]])
    return EvaluationTile("t0", "set", "s2", "valley", scene, ("water",), ("…",), (prior,), (label,), (known,))


PREDICTED = np.array([[True, False, True, True]])


def colors(picture: Any) -> list[tuple[int, ...]]:
    return [tuple(pixel) for pixel in picture[0].tolist()]


def test_every_outcome_has_its_colour() -> None:
    drawn = draw_tile(tile(PREDICTED), "water", PREDICTED, "worst", 1 / 3).pictures
    right, missed, false_alarm, _, unknown = DIFFERENCES.values()
    assert colors(drawn["differences"]) == [right, missed, false_alarm, unknown]
    assert colors(drawn["label"]) == [TARGET, TARGET, NOT_TARGET, UNKNOWN]
    assert colors(drawn["prior"]) == colors(drawn["prediction"]) == [TARGET, NOT_TARGET, TARGET, TARGET]


def test_a_prior_that_is_withheld_is_grey() -> None:
    assert set(colors(draw_tile(tile(None), "water", PREDICTED, "best", 1.0).pictures["prior"])) == {UNKNOWN}


@pytest.mark.parametrize("bands", [("green", "red", "nir"), ("blue", "green", "red")])
def test_a_picture_without_infrared_is_in_true_colour(bands: tuple[str, ...]) -> None:
    picture = draw_tile(tile(None, bands), "water", PREDICTED, "best", 1.0).pictures["false colour"]
    assert (picture.shape, picture.dtype) == ((1, 4, 3), np.uint8)


def test_articles_carry_their_pictures_and_figures() -> None:
    article = show_tiles([draw_tile(tile(None), "water", PREDICTED, "worst", 1 / 3)])
    assert article.count("data:image/png;base64,") == 5
    assert "water · worst · t0 · place valley · IoU 0.333" in article
    assert "</span>false alarm" in article
