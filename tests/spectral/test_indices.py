"""Spectral indices: by hand, against spyndex's own evaluator, lazy = eager, fused = single, and under attack."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import spyndex
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spex_nb import compute_index, compute_indices, list_indices, open_scene
from spex_nb.errors import FormulaError, IndexNameError, MissingBandError
from spex_nb.spectral.catalogue import band_symbols, catalogue, index_info
from spex_nb.spectral.indices import is_available

PIXELS = {"blue": 0.04, "green": 0.08, "red": 0.06, "nir": 0.42, "swir16": 0.21, "swir22": 0.10}
BY_HAND = {
    "NDVI": (0.42 - 0.06) / (0.42 + 0.06),
    "NDWI": (0.08 - 0.42) / (0.08 + 0.42),
    "MNDWI": (0.08 - 0.21) / (0.08 + 0.21),
    "NDBI": (0.21 - 0.42) / (0.21 + 0.42),
    "EVI": 2.5 * 0.36 / (0.42 + 6 * 0.06 - 7.5 * 0.04 + 1),
    "SAVI": 1.5 * 0.36 / (0.42 + 0.06 + 0.5),
    "BSI": ((0.21 + 0.06) - (0.42 + 0.04)) / ((0.21 + 0.06) + (0.42 + 0.04)),
    "NBR": (0.42 - 0.10) / (0.42 + 0.10),
    "kNDVI": float(np.tanh(0.75**2)),
}


def dataset(values: dict[str, Any], shape: tuple[int, int] = (1, 1)) -> xr.Dataset:
    return xr.Dataset({n: (("y", "x"), np.broadcast_to(np.asarray(v), shape).copy()) for n, v in values.items()})


def random_scene(seed: int = 0, shape: tuple[int, int] = (40, 30)) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    bands = sorted(set(band_symbols().values()))
    scene = dataset({name: rng.uniform(0.02, 0.6, shape) for name in bands}, shape)
    for name in bands:
        scene[name].attrs["wavelength_um"] = 0.4 + 0.1 * bands.index(name)
    return scene


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name: str) -> None:
    pixels = {band: np.float32(value) for band, value in PIXELS.items()}
    assert float(compute_index(dataset(pixels), name)[0, 0]) == pytest.approx(BY_HAND[name], rel=2e-6)


def reference(scene: xr.Dataset, name: str) -> Any:
    """What spyndex's own evaluator makes of the same numbers."""
    info = catalogue()[name]
    arrays = {symbol: scene[band].values for symbol, band in band_symbols().items() if band in scene}
    parameters: dict[str, Any] = {s: arrays[s] for s in info.symbols}
    for symbol in spyndex.indices[name].bands:
        if symbol.startswith("k") and len(symbol) == 3:
            constants = {key: float(value) for key, value in info.constants.items() if value is not None}
            a, b = (arrays[c] if c in arrays else constants[c] for c in symbol[1:])
            parameters[symbol] = np.exp(-((a - b) ** 2) / (2 * (0.5 * (a + b)) ** 2))
    parameters |= {n: float(v) for n, v in info.constants.items() if v is not None} | given_constants(name)
    return spyndex.computeIndex(name, params=parameters)


def given_constants(name: str) -> dict[str, float]:
    unset = sorted(n for n, value in catalogue()[name].constants.items() if value is None)
    return {n: 500.0 + 150 * i for i, n in enumerate(unset)}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(spyndex.indices))
def test_all_indices_equal_spyndex(name: str) -> None:
    scene = random_scene()
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(reference(scene, name), (40, 30))
    mine = compute_index(scene, name, dtype="float64", **given_constants(name)).values
    defined = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(mine), defined)
    np.testing.assert_allclose(mine[defined], expected[defined], rtol=1e-6)


# Differences of nearly equal numbers, or poles inside the range of the bands: float32 loses digits there.
# The test below compares the 98 % of pixels that are away from them.
def test_float32_agrees_where_well_conditioned() -> None:
    scene = random_scene()
    bad = []
    for name in catalogue():
        exact = compute_index(scene, name, dtype="float64", **given_constants(name)).values
        quick = compute_index(scene, name, **given_constants(name)).values
        defined = np.isfinite(exact) & (np.abs(exact) > 1e-3) & np.isfinite(quick)
        off = defined & (np.abs(quick - exact) > 1e-3 * np.abs(exact))
        if off.mean() > 0.02:
            bad.append(name)
    assert bad == []


def test_nan_where_undefined_or_not_valid_and_nowhere_else() -> None:
    scene = dataset({"nir": np.array([[0.0, 0.4, 0.4, np.nan]]), "red": np.array([[0.0, 0.1, 0.1, 0.1]])}, (1, 4))
    scene["valid"] = (("y", "x"), np.array([[True, True, False, True]]))
    np.testing.assert_array_equal(np.isnan(compute_index(scene, "NDVI").values), [[True, False, True, True]])


def test_a_zero_divisor_inside_a_formula_is_undefined_too() -> None:
    scene = dataset({"nir": 0.4, "red": 0.0})
    assert np.isnan(compute_index(scene, "1 / (1 + nir / red)").values[0, 0])
    assert np.isnan(compute_index(scene, "red ** -1 * 0").values[0, 0])
    assert np.isnan(compute_index(scene, "(red - nir) ** 0.5").values[0, 0])


@given(
    nir=hnp.arrays("float32", (3, 4), elements=st.floats(-1, 1, width=16)),
    red=hnp.arrays("float32", (3, 4), elements=st.floats(-1, 1, width=16)),
)
def test_nan_exactly_where_the_divisor_is_zero(nir: Any, red: Any) -> None:
    scene = xr.Dataset({"nir": (("y", "x"), nir), "red": (("y", "x"), red)})
    np.testing.assert_array_equal(np.isnan(compute_index(scene, "NDVI").values), nir + red == 0)


def test_integers_cannot_wrap() -> None:
    scene = dataset({"nir": np.uint16(100), "red": np.uint16(300)})
    assert float(compute_index(scene, "NDVI")[0, 0]) == pytest.approx(-0.5)


def test_lazy_equals_eager_and_fused_equals_single() -> None:
    scene = random_scene(shape=(50, 70))
    scene["valid"] = scene["red"] > 0.1
    names = ["NDVI", "EVI", "SAVI", "MNDWI", "kNDVI"]
    fused = compute_indices(scene, names)
    lazy = compute_indices(scene.chunk(16), names)
    assert all(variable.chunks is not None for variable in lazy.data_vars.values())
    assert lazy["NDVI"].data.chunksize == (16, 16)
    xr.testing.assert_identical(lazy.compute(), fused)
    for name in names:
        xr.testing.assert_identical(compute_index(scene, name), fused[name])


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = random_scene()
    whole = compute_index(scene, "EVI")
    monkeypatch.setattr("spex_nb.spectral.indices.BLOCK_PX", 64)
    xr.testing.assert_identical(compute_index(scene, "EVI"), whole)


def test_formulas_of_names_symbols_and_constants() -> None:
    scene = dataset(PIXELS)
    expected = 0.36 / (0.48 + 0.5)
    for formula in ("(nir - red) / (nir + red + L)", "(N - R)/(N + R + L)", " ( nir-red )/( nir+red+L ) "):
        assert float(compute_index(scene, formula, L=0.5)[0, 0]) == pytest.approx(expected, rel=1e-6)


def test_result_says_what_it_is() -> None:
    scene = open_scene(np.full((4, 2, 2), 90, "uint8"), sensor="naip")
    index = compute_index(scene, "SAVI")
    assert index.name == "SAVI"
    assert index.attrs["bands"] == "N=nir, R=red"
    assert index.attrs["constants"] == "L=0.5"
    assert index.attrs["reference"].startswith("https://doi.org")
    assert "relative" in index.attrs["note"]
    assert index.attrs["units"] == "1"


def test_crs_is_kept() -> None:
    scene = dataset(PIXELS, (3, 3)).rio.write_crs(32632)
    assert compute_index(scene, "NDVI").rio.crs.to_epsg() == 32632


def test_one_near_infrared_serves_both_symbols_where_its_wavelength_allows() -> None:
    scene = dataset({"nir08": 0.4, "red": 0.1})
    assert compute_index(scene, "NDVI").attrs["bands"] == "N=nir08, R=red"
    broad = dataset({"nir": 0.4, "swir16": 0.1, "red": 0.1, "green": 0.1, "blue": 0.1, "rededge071": 0.1})
    broad["nir"].attrs["wavelength_um"] = 0.833
    names = [n for n, i in catalogue().items() if "N2" in i.symbols and set(i.bands) <= {*broad.data_vars, "nir08"}]
    assert names
    with pytest.raises(MissingBandError, match="no band nir08"):
        compute_index(broad, names[0])
    broad["nir"].attrs["wavelength_um"] = 0.865
    assert "N2=nir" in compute_index(broad, names[0]).attrs["bands"]


def test_missing_band_names_it_and_what_is_possible() -> None:
    with pytest.raises(MissingBandError, match=r"no band swir16.*Possible here: .*NDWI"):
        compute_index(dataset({"green": 0.1, "nir": 0.1}), "MNDWI")
    with pytest.raises(MissingBandError, match="pass PAR="):
        compute_index(random_scene(), next(n for n, i in catalogue().items() if "PAR" in i.constants))
    with pytest.raises(MissingBandError, match="some of green, nir"):
        compute_index(dataset({"green": 0.1, "nir": 0.1}), "nir - red")


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(IndexNameError, match=r"Did you mean .*NDVI"):
        compute_index(dataset(PIXELS), "NDVII")
    assert index_info("ndvi").name == "NDVI"
    with pytest.raises(FormulaError, match="Did you mean red"):
        compute_index(dataset(PIXELS), "nir - redd")
    with pytest.raises(FormulaError, match=r"Pass zzz=…"):
        compute_index(dataset(PIXELS), "nir - zzz")
    with pytest.raises(FormulaError, match="occurs in none"):
        compute_index(dataset(PIXELS), "NDVI", L=0.5)
    with pytest.raises(FormulaError, match="no band"):
        compute_index(dataset(PIXELS), "L * 2")


ATTACKS = [
    "__import__('os').system('true')", "nir.__class__", "nir.values", "open('x')", "(lambda: 0)()", "[1, 2]", "{1: 2}",
    "nir if red else blue", "nir < red", "nir and red", "not nir", "~nir", "nir % 2", "nir // 2", "nir @ red", "nir[0]",
    "'a'", "b'a'", "f'{nir}'", "(x := 3)", "*nir", "nir; red", "nir\nred", "9**9**9**9", "nir**red", "nir**99",
    "2**-99", "1/0 + nir", "nir / (2 - 2)", "(-8)**0.5 + nir", "1e999 * nir", "1j * nir", "True + nir", "None", "...",
    "await nir", "yield nir", "exp(nir)", "\0", "\uff4eir + red", "_nir", "", "   ", "(" * 200, "-" * 999 + "nir",
    "+".join(["nir"] * 100) , "nir + " * 2000 + "nir", "9" * 900 + " + nir", "[x for x in nir]", "nir: int", "del nir",
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_refused(attack: str) -> None:
    with pytest.raises((FormulaError, IndexNameError), match=r"Write it like|see list_indices|Use the names"):
        compute_index(dataset(PIXELS), attack)


def test_list_indices() -> None:
    table = list_indices()
    assert len(table) == 280
    assert bool(table["available"].all())
    scene = dataset({"red": 0.1, "nir": 0.4})
    mine = list_indices(scene, "vegetation")
    assert mine.loc["NDVI", "available"]
    assert (is_available(scene, "NDVI"), is_available(scene, "EVI")) == (True, False)
    assert mine.loc["EVI", "why_not"] == "no band blue"
    assert set(mine["domain"]) == {"vegetation"}
    assert "no band vv" in list_indices(scene, "radar")["why_not"].str.cat()
    with pytest.raises(FormulaError, match="Did you mean vegetation"):
        list_indices(domain="vegetatoin")
