"""Counts become figures, intervals over places, JSON without NaN, and HTML that escapes what it shows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spex_nb.evaluation.pictures import TilePicture
from spex_nb.evaluation.report import LEFT_OUT_COLUMNS, TILE_COLUMNS, EvaluationReport, Explained
from spex_nb.evaluation.tiles import PromptCondition
from spex_nb.regions.metrics import bootstrap_interval, iou
from spex_nb.types import Claim

pytestmark = pytest.mark.slow

EVIL = "<script>alert('x')</script>"


def counted(place: str, tile: str, confusion: list[int], model: str = "mine", sensor: str = "s2") -> tuple[Any, ...]:
    hits, false_alarms, missed, _ = confusion
    near = [hits, hits + false_alarms, hits, hits + missed]
    return (model, "water", "set", sensor, place, tile, *confusion, *near, 1, 2, 1, 2)


def report(*rows: tuple[Any, ...], **more: Any) -> EvaluationReport:
    tiles = pd.DataFrame(rows, columns=TILE_COLUMNS)
    models = dict.fromkeys(tiles["model"])
    left_out = more.pop("left_out", pd.DataFrame(columns=LEFT_OUT_COLUMNS))
    return EvaluationReport(
        Path("data"), "val", more.pop("condition", PromptCondition()), models, tiles, left_out, **more
    )


THREE = (
    counted("a", "a0", [6, 2, 2, 0]),
    counted("a", "a1", [2, 0, 2, 6]),
    counted("b", "b0", [0, 1, 0, 9]),
)


def test_figures_by_hand() -> None:
    (found,) = report(*THREE).table().to_dict("records")
    assert (found["dataset"], found["sensor"], found["subset"], found["model"]) == ("set", "s2", "all", "mine")
    assert found["iou"] == 8 / 15
    assert found["f1"] == found["f1_1px"] == pytest.approx(16 / 23)
    assert found["precision"] == 8 / 11
    assert found["recall"] == 8 / 12
    assert found["boundary_f1"] == 0.5
    assert found["tile_iou"] == pytest.approx((6 / 10 + 2 / 4 + 0) / 3)
    assert found["tile_recall"] == (6 / 8 + 2 / 4) / 2
    assert found["tile_precision"] == (6 / 8 + 1 + 0) / 3
    assert found["tile_f1"] == pytest.approx((12 / 16 + 4 / 6 + 0) / 3)
    assert (found["false_alarms"], found["absent"], found["tiles"], found["places"]) == (0.1, 1, 3, 2)
    assert math.isnan(found["faithfulness"])


def test_intervals_draw_places_not_tiles() -> None:
    (found,) = report(*THREE, seed=5).table().to_dict("records")
    by_place = np.array([[8, 2, 4, 6], [0, 1, 0, 9]])
    assert (found["iou_low"], found["iou_high"]) == bootstrap_interval(by_place, iou, seed=5)
    assert math.isnan(found["false_alarms_low"])
    (one_place,) = report(*THREE[:2]).table().to_dict("records")
    assert math.isnan(one_place["iou_low"])


def test_faithfulness_is_that_of_the_evaluated_model_with_its_interval() -> None:
    def said(tile: str, *verdicts: Any) -> Explained:
        return Explained("water", tile, "en", "…", tuple(Claim("1", 0, "area", "1", "", v) for v in verdicts))

    told = (said("a0", "holds", "holds", "contradicts"), said("b0", "holds", "cannot be checked"))
    ours, other = (
        report(*THREE, counted("a", "a0", [1, 1, 1, 1], "other"), explanations=told).table().to_dict("records")
    )
    assert ours["faithfulness"] == 3 / 4
    assert (ours["faithfulness_low"], ours["faithfulness_high"]) == (2 / 3, 1)
    assert math.isnan(other["faithfulness"])


def test_several_sensors_are_pooled_in_a_row_of_their_own() -> None:
    table = report(*THREE, counted("c", "c0", [4, 0, 0, 6], sensor="l8")).table().set_index("sensor")
    assert table["iou"].to_dict() == {"all": 12 / 19, "l8": 1, "s2": 8 / 15}


def test_subsets_and_places() -> None:
    found = report(*THREE, subsets={"good": frozenset({"a1"})})
    assert found.table().set_index("subset")["iou"].to_dict() == {"all": 8 / 15, "good": 0.5}
    assert found.places().set_index("place")["iou"].to_dict() == {"a": 8 / 14, "b": 0}


def test_the_text_names_conditions_figures_and_what_was_left_out() -> None:
    left_out = pd.DataFrame([("other", "water", "set", "s2", "no nir", 3)], columns=LEFT_OUT_COLUMNS)
    condition = PromptCondition(priors="swapped", attributes="withheld", bands=("red", "nir"))
    text = str(report(*THREE, left_out=left_out, notes=("Tuned.",), condition=condition))
    for words in (
        "3 tiles of 2 places, split val",
        "priors: swapped, attributes: withheld, bands red, nir",
        "0.533 (0.000–0.571)",
        "Tuned.",
        "no nir",
    ):
        assert words in text


def test_json_says_everything_and_null_for_what_is_not_defined(tmp_path: Path) -> None:
    claims = (Claim("9 %", 3, "share", "9 %", "12 %", "contradicts"),)
    told = (Explained("water", "a0", "en", "Is 9 %.", claims),)
    path = report(*THREE, explanations=told, subsets={"some": frozenset({"b0", "a1"})}).to_json(tmp_path / "out.json")
    said = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert said["models"] == {"mine": None}
    assert said["condition"] == {"priors": "index", "attributes": "index", "bands": None}
    assert said["table"][0]["iou"] == 8 / 15
    assert said["table"][0]["false_alarms_low"] is None
    assert [tile["hits"] for tile in said["tiles"]] == [6, 2, 0]
    assert said["subsets"] == {"some": ["a1", "b0"]}
    assert said["explanations"][0]["claims"][0]["measured"] == "12 %"


def test_html_shows_pictures_and_runs_nothing(tmp_path: Path) -> None:
    picture = TilePicture("worst", "water", EVIL, EVIL, 0.25, {"label": np.zeros((4, 4, 3), np.uint8)})
    claim = Claim(EVIL, 0, "share", "9 %", EVIL, "contradicts")
    found = report(
        counted(EVIL, EVIL, [1, 1, 1, 1], model=EVIL, sensor=EVIL),
        explanations=(Explained("water", EVIL, "en", EVIL, (claim,)),),
        pictures=(picture,),
        notes=(EVIL,),
        left_out=pd.DataFrame([(EVIL, "water", "set", EVIL, EVIL, 1)], columns=LEFT_OUT_COLUMNS),
    )
    page = found.to_html(tmp_path / "out.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 8
    assert "data:image/png;base64," in page
    assert "IoU 0.250" in page
    assert "http://" not in page
