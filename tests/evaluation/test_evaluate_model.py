"""An evaluation by hand: squares of 16 x 16 pixels, models that know everything, nothing, or only the prior."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spex_nb.errors import CheckpointError, DatasetError, LanguageError, MissingBandError, TargetError
from spex_nb.evaluation.evaluate_model import evaluate
from spex_nb.evaluation.report import EvaluationReport
from spex_nb.extraction.mask_models import EvidenceExplainer, IndexModel
from spex_nb.types import ModelCard

pytestmark = pytest.mark.slow

SQUARE = 16 * 16
CARD = ModelCard(("water", "vegetation", "built_up"), tile_px=32, explains_evidence=True)


@dataclass
class Fake(EvidenceExplainer):
    """A model whose masks are a function of tile, target and prior."""

    mask: Callable[[Any, str, Any], Any]
    id: str = "fake"
    card: ModelCard = CARD
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def predict(self, tile: Any, targets: Sequence[str], _prompts: Any, priors: Any = None, **_: Any) -> Any:
        self.asked.append(tuple(targets))
        given = priors or [None] * len(targets)
        masks = [self.mask(tile, target, prior) for target, prior in zip(targets, given, strict=True)]
        return np.where(np.stack(masks), np.float32(3), np.float32(-3))


def truth(tile: Any, target: str, _prior: Any = None) -> Any:
    nir = tile["nir"].to_numpy()
    return {"water": nir < 0.1, "vegetation": nir > 0.3, "built_up": (nir > 0.1) & (nir < 0.3)}[target]


def nothing(tile: Any, *_: Any) -> Any:
    return np.zeros(tile.spex.shape, bool)


def everything(tile: Any, *_: Any) -> Any:
    return np.ones(tile.spex.shape, bool)


def the_prior(_tile: Any, _target: str, prior: Any) -> Any:
    return prior


def run(folder: Path, mask: Any = truth, **options: Any) -> EvaluationReport:
    model = mask if isinstance(mask, EvidenceExplainer) else Fake(mask)
    return evaluate(model, folder, progress=False, **options)


def row(report: EvaluationReport, **wanted: str) -> pd.Series:
    """Return the one row of the table that is wanted; of all tiles pooled unless said."""
    table = report.table()
    for name, value in ({"dataset": "all", "sensor": "all", "subset": "all", "model": "fake"} | wanted).items():
        table = table[table[name] == value]
    (found,) = (one for _, one in table.iterrows())
    return found


def test_a_perfect_model_is_perfect_in_every_figure(squares: Path) -> None:
    report = run(squares, explanations=2, languages=("en", "de", "zh"))
    for target in ("water", "vegetation", "built_up"):
        found = row(report, target=target)
        for name in ("iou", "f1", "f1_1px", "precision", "recall", "boundary_f1", "tile_iou", "tile_f1", "iou_low"):
            assert found[name] == 1, name
        assert found["faithfulness"] == 1
    assert row(report, target="water")["false_alarms"] == 0


def test_an_empty_model_finds_nothing_and_alarms_nobody(squares: Path) -> None:
    found = row(run(squares, nothing), target="water")
    for name in ("iou", "f1", "f1_1px", "recall", "boundary_f1", "tile_recall", "iou_low", "iou_high", "false_alarms"):
        assert found[name] == 0, name
    assert math.isnan(found["precision"])
    assert math.isnan(found["tile_precision"])


def test_a_model_that_finds_it_everywhere_by_hand(squares: Path) -> None:
    report = run(squares, everything)
    water = row(report, target="water")
    assert water["iou"] == water["precision"] == 4 / 16
    assert water["recall"] == 1
    assert water["f1"] == 2 * 4 / (16 + 4)
    assert water["tile_iou"] == (2 / 4 + 0 / 4 + 1 / 4 + 1 / 4) / 4
    assert water["tile_recall"] == 1
    assert (water["tiles"], water["absent"], water["places"]) == (4, 1, 2)
    assert water["false_alarms"] == 1
    assert (water["iou_low"], water["iou_high"]) == (2 / 8, 2 / 8)
    vegetation = row(report, target="vegetation")
    assert vegetation["iou"] == 8 / 16
    assert math.isnan(vegetation["false_alarms"])


def test_figures_of_each_place_and_sensor(squares: Path) -> None:
    def without_first_row(tile: Any, target: str, _prior: Any) -> Any:
        return truth(tile, target) & (np.arange(32)[:, None] >= 8)

    report = run(squares, without_first_row)
    assert row(report, target="water", dataset="own", sensor="planetscope4")["iou"] == 1
    assert row(report, target="water", dataset="own", sensor="landsat8")["iou"] == 2 / 3
    places = report.places().set_index(["target", "place"])
    assert places.loc[("water", "own/lake"), "iou"] == 1 / 2
    assert places.loc[("water", "own/farm"), "iou"] == 1
    assert places.loc[("water", "own/lake"), "tiles"] == 2
    assert row(report, target="water")["iou_low"] == 1 / 2
    assert row(report, target="water")["iou_high"] == 1


def test_pixels_that_the_label_does_not_know_never_count(squares: Path, tmp_path: Path) -> None:
    from spex_nb.spie.tiles import read_mask, write_mask

    copy = Path(shutil.copytree(squares, tmp_path / "copy"))
    path = copy / "masks" / "own-v0-0-0-water.png"
    mask, known = read_mask(path)
    known[:16, :8] = False
    write_mask(mask, known, path)
    report = run(copy, everything, targets=["water"])
    tile = report.tiles.set_index("tile").loc["own-v0-0-0"]
    assert (tile["hits"], tile["false_alarms"], tile["rest"]) == (1.5 * SQUARE, 2 * SQUARE, 0)


def test_a_tile_is_asked_once_for_all_of_its_targets(squares: Path) -> None:
    model = Fake(truth)
    report = run(squares, model)
    assert model.asked[:4] == [("water", "vegetation", "built_up")] * 4
    assert len(model.asked) == 4 + len(report.pictures)


def test_what_a_model_refuses_is_left_out_and_said(squares: Path) -> None:
    @dataclass
    class Picky(Fake):
        def predict(self, tile: Any, targets: Sequence[str], *given: Any, **more: Any) -> Any:
            if "vegetation" in targets and "swir16" not in tile.spex.bands:
                raise MissingBandError("Swir is missing", found="four", expected="five", fix="Add it.")
            return super().predict(tile, targets, *given, **more)

    report = run(squares, Picky(truth, card=replace(CARD, targets=("water", "vegetation"))))
    left_out = report.left_out.groupby(["target", "reason"])["tiles"].sum().to_dict()
    assert left_out == {("vegetation", "Swir is missing"): 1, ("built_up", "not one of its targets"): 4}
    assert row(report, target="water")["tiles"] == 4
    assert row(report, target="vegetation", dataset="own", sensor="landsat8")["tiles"] == 3


@pytest.mark.parametrize(
    ("logits", "said"), [(np.zeros((3, 5, 5)), r"\(3, 5, 5\)"), (np.full((3, 32, 32), np.nan), "100% of it NaN")]
)
def test_what_is_no_mask_is_an_error_of_the_model(squares: Path, logits: Any, said: str) -> None:
    class Broken(Fake):
        def predict(self, *_: Any, **__: Any) -> Any:
            return logits

    with pytest.raises(ValueError, match=f"{said}.*expected mask logits \\(3, 32, 32\\), one map a target"):
        run(squares, Broken(truth))


def test_a_model_that_follows_the_prior_is_found_out(squares: Path) -> None:
    plain, swapped = run(squares, the_prior), run(squares, the_prior, priors="swapped")
    for target in ("water", "vegetation"):
        assert row(plain, target=target)["iou"] > 0.95
        assert row(swapped, target=target)["iou"] < 0.05
    assert row(run(squares, truth, priors="swapped"), target="water")["iou"] == 1


def test_a_model_without_its_bands_is_worse(squares: Path) -> None:
    table = evaluate("index", squares, bands=["red", "green", "blue"], progress=False).table()
    assert "vegetation" in set(table["target"])
    assert "water" not in set(table["target"])  # no rule finds it without near infrared
    assert row(evaluate("index", squares, progress=False), target="water", model="index")["iou"] > 0.95
    with pytest.raises(MissingBandError, match="Leave swir16 out"):
        evaluate("index", squares, bands=["swir16", "green"], progress=False)


def test_what_a_model_says_wrongly_counts_against_it(squares: Path) -> None:
    class Liar(Fake):
        def explain(self, _overview: Any, prompt: str, language: str = "en", evidence: Any = None) -> Any:
            assert evidence is None
            yield "Water covers 99 % of the image. There is "
            yield "1 region." if "water bodies" in prompt and language == "en" else ""

    report = run(squares, Liar(truth, card=replace(CARD, explains_evidence=False)), targets=["water"], explanations=3)
    assert len({one.tile for one in report.explanations}) == 3
    claims = [claim for one in report.explanations for claim in one.claims]
    for one in report.explanations:
        assert one.text == "Water covers 99 % of the image. There is 1 region."
        is_there = one.tile != "own-v1-0-0"
        verdicts = {claim.kind: claim.verdict for claim in one.claims}
        assert verdicts["share"] == "contradicts"
        assert verdicts["number"] == ("holds" if is_there else "contradicts")
        assert verdicts["presence"] == ("cannot be checked" if is_there else "contradicts")  # beside a wrong figure
    checked = [claim for claim in claims if claim.verdict != "cannot be checked"]
    share = sum(claim.verdict == "holds" for claim in checked) / len(checked)
    assert 0 < share < 1
    assert row(report, target="water")["faithfulness"] == share


def test_subsets_have_rows_of_their_own(squares: Path) -> None:
    named = {"dry": ["v1"], "by scene": ["own-v0", "own-v2-0-0"]}
    report = run(squares, everything, subsets=named)
    assert report.subsets["by scene"] == {"own-v0-0-0", "own-v2-0-0"}
    assert row(report, target="water", subset="by scene", dataset="own", sensor="landsat8")["iou"] == 3 / 8
    assert row(report, target="water", subset="dry", dataset="own", sensor="landsat8")["false_alarms"] == 1
    assert row(report, target="water")["iou"] == 4 / 16


@pytest.mark.parametrize("subsets", [{"elsewhere": ["t0"]}, {"all": ["v0"]}])
def test_a_subset_without_tiles_or_with_a_taken_name_is_refused(squares: Path, subsets: Any) -> None:
    with pytest.raises(DatasetError, match="Name tiles as in index"):
        run(squares, subsets=subsets)


def test_only_some_datasets(squares: Path) -> None:
    assert len(run(squares, datasets=["own"]).tiles) == 12
    with pytest.raises(DatasetError, match=r"Expected: some of own\. Did you mean own"):
        run(squares, datasets=["owm"])


def test_label_made_attributes_are_refused(squares: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(squares, tmp_path / "copy"))
    text = (copy / "val.json").read_text()
    (copy / "val.json").write_text(text.replace('"source": "index"', '"source": "label"', 1))
    with pytest.raises(DatasetError, match="Build the dataset with attributes='index'"):
        run(copy)


def test_baselines_stand_in_the_same_table(squares: Path) -> None:
    report = run(squares, baselines=["index", "fixed", IndexModel(id="mine")])
    models = set(report.table()["model"])
    assert models == {"fake", "index", "mine", "NDWI > 0", "MNDWI > 0", "NDVI > 0.2", "NDBI > 0"}
    assert set(report.left_out["model"]) == {"MNDWI > 0", "NDBI > 0"}
    assert set(report.left_out["tiles"]) == {1}
    alone = evaluate("index", squares, baselines=["index"], progress=False)
    assert list(alone.models) == ["index"]


def test_the_same_seed_gives_the_same_report(squares: Path, tmp_path: Path) -> None:
    first, again = (run(squares, the_prior, explanations=1, baselines=["tuned"]) for _ in range(2))
    pd.testing.assert_frame_equal(first.table(), again.table())
    assert first.to_json(tmp_path / "a.json").read_bytes() == again.to_json(tmp_path / "b.json").read_bytes()


def test_the_worst_and_best_tiles_are_drawn_one_of_each_place(squares: Path) -> None:
    def half(tile: Any, target: str, _prior: Any) -> Any:
        return truth(tile, target) & (np.arange(32)[:, None] >= 8)

    pictures = run(squares, half, targets=["water"]).pictures
    assert [(one.kind, one.tile) for one in pictures] == [("worst", "own-v0-0-0"), ("best", "own-v3-0-0")]
    assert [one.iou for one in pictures] == [0.5, 1]
    assert run(squares, half, targets=["water"], pictures=0).pictures == ()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"targets": ["watre"]}, TargetError, "Did you mean water"),
        ({"split": "test"}, DatasetError, "Name another split"),
        ({"baselines": ["index", IndexModel()]}, DatasetError, "or set the id of one"),
        ({"baselines": ["unett"]}, DatasetError, "Did you mean unet"),
        ({"languages": ["xx"]}, LanguageError, "Expected"),
        ({"priors": "none"}, DatasetError, "Expected: one of index, withheld, swapped"),
    ],
)
def test_bad_input_is_refused(squares: Path, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        run(squares, **options)
    with pytest.raises(CheckpointError, match="Check the name"):
        evaluate("no-such-model", squares, progress=False)
    with pytest.raises(DatasetError, match="Name the dataset's folder"):
        evaluate("index", squares.parent, progress=False)
