from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import spex_nb.spectral.thresholds
from spex_nb.errors import ThresholdError
from spex_nb.spectral.thresholds import find_threshold, threshold_index

INDEX = np.array([[-0.5, 0.0, 0.2], [0.4, np.nan, 0.8]], "float32")


def two_humps(low: float = 0.1, high: float = 0.7, n: int = 2000) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(7)
    values = np.concatenate([rng.normal(low, 0.03, n), rng.normal(high, 0.03, n)])
    return values.reshape(40, -1).astype("float32")


def test_fixed_above_and_below_leave_out_the_threshold_and_nan() -> None:
    above = threshold_index(INDEX, "fixed", 0.4)
    below = threshold_index(INDEX, "fixed", 0.4, side="below")
    assert above.tolist() == [[False, False, False], [False, False, True]]
    assert below.tolist() == [[True, True, True], [False, False, False]]
    assert above.dtype == bool


def test_data_array_keeps_coordinates_and_says_how_it_was_cut() -> None:
    index = xr.DataArray(INDEX, {"y": [10, 0], "x": [1, 2, 3]}, ("y", "x"), name="NDVI")
    mask = threshold_index(index, "fixed", 0.1, side="below")
    assert mask.attrs == {"method": "fixed", "threshold": 0.1, "side": "below"}
    assert mask.coords.equals(index.coords)
    assert mask.to_numpy().tolist() == (INDEX < 0.1).tolist()


def test_fixed_stays_lazy_and_reads_no_pixel() -> None:
    dask_array = pytest.importorskip("dask.array")

    def explode(_block: Any) -> Any:
        raise AssertionError("a pixel was read")

    blocks = dask_array.zeros((4, 4), chunks=2).map_blocks(explode, dtype="f4", meta=np.empty((0, 0), "f4"))
    index = xr.DataArray(blocks)
    assert threshold_index(index, "fixed", 0.3).chunks is not None


@pytest.mark.parametrize(("method", "value"), [("otsu", None), ("multi-otsu", None), ("percentile", 75)])
def test_lazy_equals_eager(method: Any, value: float | None) -> None:
    eager = xr.DataArray(two_humps(), dims=("y", "x"))
    lazy = threshold_index(eager.chunk(16), method, value)
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), threshold_index(eager, method, value))


def test_otsu_splits_two_humps_whatever_is_undefined() -> None:
    index = two_humps()
    index[0, :5] = [np.nan, np.inf, -np.inf, np.nan, np.nan]
    mask = threshold_index(index, "otsu")
    assert mask[20:].all()
    assert mask[:20].mean() < 0.01


def test_multi_otsu_returns_the_upper_of_two_splits() -> None:
    index = np.concatenate([two_humps(0.0, 0.3), two_humps(0.9, 0.9)])
    mask = threshold_index(index, "multi-otsu")
    assert mask[40:].all()
    assert mask[:40].mean() < 0.01


def test_percentile_leaves_out_nan() -> None:
    assert find_threshold(INDEX, "percentile", 50) == pytest.approx(0.2)
    assert find_threshold(INDEX, "percentile", 0) == pytest.approx(-0.5)


def test_large_index_is_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spex_nb.spectral.thresholds, "SAMPLE_PX", 400)
    rows = np.linspace(0, 1, 100, dtype="float32")[:, None].repeat(100, axis=1)
    assert find_threshold(rows, "percentile", 50) == pytest.approx(0.5, abs=0.05)


@given(st.floats(-1, 1), st.sampled_from(["above", "below"]))
def test_both_sides_never_overlap(value: float, side: Any) -> None:
    other: Any = "below" if side == "above" else "above"
    mask, rest = threshold_index(INDEX, "fixed", value, side), threshold_index(INDEX, "fixed", value, other)
    assert not (mask & rest).any()
    assert (mask | rest | (np.float32(value) == INDEX) | np.isnan(INDEX)).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"method": "otso", "value": None}, r"Did you mean otsu"),
        ({"value": 0.1, "side": "abov"}, r"Did you mean above"),
        ({"method": "fixed"}, r"needs a threshold.*Pass value="),
        ({"method": "fixed", "value": float("nan")}, r"a finite number"),
        ({"method": "percentile"}, r"a number from 0 to 100"),
        ({"method": "percentile", "value": 101}, r"value=101.*a number from 0 to 100"),
        ({"method": "otsu", "value": 0.3}, r"Drop value, or use method='fixed'"),
    ],
)
def test_senseless_arguments_are_refused(arguments: Any, says: str) -> None:
    with pytest.raises(ThresholdError, match=says):
        threshold_index(INDEX, **arguments)


@pytest.mark.parametrize("method", ["otsu", "multi-otsu"])
def test_constant_index_has_no_split(method: Any) -> None:
    with pytest.raises(ThresholdError, match=r"constant.*0\.25.*method='fixed'"):
        threshold_index(np.full((3, 3), 0.25, "float32"), method)


def test_two_values_have_no_three_classes() -> None:
    with pytest.raises(ThresholdError, match=r"too few different values.*at least 3"):
        threshold_index(np.array([[0.0, 1.0]]), "multi-otsu")


@pytest.mark.parametrize("index", [np.full((2, 2), np.nan), np.empty((0, 4))])
def test_empty_index_says_so(index: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ThresholdError, match=r"no finite pixel.*valid mask"):
        threshold_index(index, "otsu")
