"""Spectral indices of a scene: by name from the catalogue or by formula, several in one pass over the bands."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.errors import FormulaError, MissingBandError, nearest
from spex_nb.spectral.catalogue import (
    IndexInfo,
    band_symbols,
    catalogue,
    constant_defaults,
    formula_tree,
    index_info,
)
from spex_nb.spectral.compiler import Formula, Program, compile_formulas
from spex_nb.spectral.formulas import names_in

if TYPE_CHECKING:
    import pandas as pd

BLOCK_PX = 2**16
"""Pixels that one step works on: a few bands of them stay in the processor's cache."""
NARROW_NIR_UM = (0.85, 0.88)
"""Wavelengths of the catalogue's narrow near infrared (N2)."""


def compute_index(scene: xr.Dataset, index: str, *, dtype: Any = "float32", **constants: float) -> xr.DataArray:
    """Compute one spectral index.

    Args:
        scene: A Scene, or any Dataset of bands [H, W] named by STAC common name; lazy in, lazy out.
        index: A name of the catalogue ("NDVI"), or a formula of band names, catalogue symbols and constants
            ("(nir - red) / (nir + red + L)").
        dtype: float32 or float64, of the computation and the result.
        **constants: Values of constants, such as ``L=0.5``. The default is that of ``index_info(index)``.

    Returns:
        The index [H, W], unitless; NaN where ``valid`` is False or the formula is undefined. Attributes say which
        band served which symbol, the constants, and the reference.

    Raises:
        IndexNameError: If the name is not in the catalogue.
        MissingBandError: If the scene lacks a band, or a constant has no value.
        FormulaError: If a formula holds more than band arithmetic.
    """
    return _compute(scene, [index], dtype, constants)[index]


def compute_indices(
    scene: xr.Dataset, indices: Sequence[str], *, dtype: Any = "float32", **constants: float
) -> xr.Dataset:
    """Compute several spectral indices in one pass over the bands.

    Args:
        scene: Bands [H, W], as for ``compute_index``.
        indices: Names of the catalogue, or formulas.
        dtype: Type of the result, float32 or float64.
        **constants: Each must occur in at least one of the indices.

    Returns:
        A Dataset with one variable [H, W] per index.

    Raises:
        IndexNameError, MissingBandError, FormulaError: As for ``compute_index``.
    """
    layers = _compute(scene, indices, dtype, constants)
    named = {layer.name: layer for layer in layers.values()}
    return xr.Dataset(named, attrs={"note": scene.spex.number_note} if scene.spex.is_relative else {})


NORMALISED_DIFFERENCE = re.compile(r"\((\w+)-(\w+)\)/\(\1\+\2\)")
ROUNDING = 1e-6


def within_range(index: xr.DataArray) -> xr.DataArray:
    """Return an index without the values that it cannot have: they are evidence for nothing.

    Args:
        index: As `compute_index` gives it, [H, W].

    Returns:
        The index; NaN where a normalised difference, as its attribute ``formula`` tells, lies outside [-1, 1], which
        only reflectance below zero makes it do.
    """
    formula = str(index.attrs.get("formula", "")).replace(" ", "")
    if not NORMALISED_DIFFERENCE.fullmatch(formula):
        return index
    return index.where(np.abs(index) <= 1 + ROUNDING)


def _compute(
    scene: xr.Dataset, indices: Sequence[str], dtype: Any, constants: Mapping[str, float]
) -> dict[str, xr.DataArray]:
    """Return the layer of each index, by the name or formula that the user gave."""
    distinct = tuple(dict.fromkeys(indices))
    recipes = [_recipe(scene, index, constants) for index in distinct]
    _require_used(constants, recipes)
    bands = tuple(dict.fromkeys(name for recipe in recipes for name in recipe.formula.bands_used))
    program = compile_formulas([recipe.formula for recipe in recipes])
    inputs = [scene[name].data for name in bands]
    valid = scene["valid"].data if "valid" in scene else None
    evaluate = _evaluate_lazily if any(_is_lazy(a) for a in (*inputs, valid)) else _evaluate
    planes = evaluate(program, bands, inputs, valid, np.dtype(dtype), len(recipes))
    coords = scene[bands[0]].coords
    return {
        index: xr.DataArray(plane, coords, ("y", "x"), recipe.name, recipe.attrs)
        for index, recipe, plane in zip(distinct, recipes, planes, strict=True)
    }


def is_available(scene: xr.Dataset, index: str) -> bool:
    """Return whether the bands of a scene allow an index of the catalogue.

    Raises:
        IndexNameError: If the name is not in the catalogue.
    """
    return not _why_not(scene, index_info(index))


def list_indices(scene: xr.Dataset | None = None, domain: str | None = None) -> pd.DataFrame:
    """Return the catalogue as a table, with the indices that a scene allows.

    Args:
        scene: The scene that ``available`` and ``why_not`` describe. Without a scene every index is available.
        domain: vegetation, water, burn, snow, soil, urban, radar, kernel or clouds; all of them by default.

    Returns:
        A DataFrame indexed by name: long_name, formula, bands, domain, available, why_not, reference.

    Raises:
        FormulaError: If the domain is unknown.
    """
    import pandas as pd

    domains = sorted({info.domain for info in catalogue().values()})
    if domain is not None and domain not in domains:
        raise FormulaError(
            "The domain is unknown", found=repr(domain), expected=", ".join(domains), fix=nearest(domain, domains)
        )
    chosen = [info for info in catalogue().values() if domain in (None, info.domain)]
    reasons = ["" if scene is None else _why_not(scene, info) for info in chosen]
    rows = {
        "long_name": [info.long_name for info in chosen],
        "formula": [info.formula for info in chosen],
        "bands": [" ".join(info.bands) for info in chosen],
        "domain": [info.domain for info in chosen],
        "available": [not reason for reason in reasons],
        "why_not": reasons,
        "reference": [info.reference for info in chosen],
    }
    return pd.DataFrame(rows, index=pd.Index([info.name for info in chosen], name="name"))


@dataclass(frozen=True)
class _Recipe:
    """An index with the bands and constants of one scene."""

    name: str
    formula: Formula
    attrs: dict[str, Any]


def _recipe(scene: xr.Dataset, index: str, given: Mapping[str, float]) -> _Recipe:
    if re.fullmatch(r"\w+", index) and index not in scene.spex.bands:
        return _catalogue_recipe(scene, index_info(index), given)
    tree = formula_tree(index)
    names = names_in(tree)
    served = {name: band for name in names if (band := _band_for(scene, name))}
    constants = {name: _number(scene, name, index, given) for name in names if name not in served}
    return _finish(scene, index, tree, served, constants, {"long_name": index, "formula": index})


def _catalogue_recipe(scene: xr.Dataset, info: IndexInfo, given: Mapping[str, float]) -> _Recipe:
    lacking = _why_not(scene, info, given)
    if lacking:
        possible = [name for name, other in catalogue().items() if not _why_not(scene, other)]
        alike = [name for name in possible if catalogue()[name].domain == info.domain]
        raise MissingBandError(
            f"{info.name} cannot be computed from this scene",
            found=f"{lacking}; the scene has {', '.join(scene.spex.bands)}",
            expected=f"bands {', '.join(info.bands)} for {info.formula}",
            fix=f"Possible here: {', '.join((alike or possible)[:8]) or 'none'} (see list_indices(scene)).",
        )
    served = {symbol: str(_band_for(scene, symbol)) for symbol in info.symbols}
    constants = {name: float(_constant(scene, info, name, given) or 0.0) for name in info.constants}
    attrs = {"long_name": info.long_name, "formula": info.formula, "reference": info.reference}
    return _finish(scene, info.name, formula_tree(info.formula), served, constants, attrs)


def _finish(
    scene: xr.Dataset,
    name: str,
    tree: ast.expr,
    served: Mapping[str, str],
    constants: Mapping[str, float],
    attrs: dict[str, Any],
) -> _Recipe:
    if not served:
        raise FormulaError(
            "The formula holds no band",
            found=repr(name),
            expected=f"at least one of {', '.join(scene.spex.bands)}",
            fix="Use the names of the bands.",
        )
    formula = Formula(tree, constants, served, name)
    notes = {"units": "1", "bands": ", ".join(f"{symbol}={band}" for symbol, band in served.items())}
    notes["constants"] = ", ".join(f"{key}={value:g}" for key, value in constants.items())
    if scene.spex.is_relative:
        notes["note"] = scene.spex.number_note
    return _Recipe(name, formula, attrs | {key: text for key, text in notes.items() if text})


def _band_for(scene: xr.Dataset, name: str) -> str | None:
    """Return the band that serves a name: the band of that name, or the band of the catalogue's symbol.

    Where a sensor has only one near infrared, it serves both N and N2, if its wavelength allows. A single thermal band
    serves T.
    """
    if name in scene.spex.bands:
        return name
    common = band_symbols().get(name)
    if common is None or common in scene.spex.bands:
        return common
    if name in scene.data_vars or name.upper() not in ("N", "N2", "T"):
        return None
    other = {"nir": "nir08", "nir08": "nir", "lwir": "lwir11"}.get(common)
    if other not in scene.spex.bands:
        return None
    low, high = NARROW_NIR_UM
    narrow = low <= scene.spex.wavelengths_um.get(other, 0.0) <= high
    return other if common != "nir08" or narrow else None


def _why_not(scene: xr.Dataset, info: IndexInfo, given: Mapping[str, float] = {}) -> str:
    missing = [band for symbol, band in zip(info.symbols, info.bands, strict=True) if not _band_for(scene, symbol)]
    if missing:
        return f"no band {' and no band '.join(missing)}"
    unset = [name for name in info.constants if _constant(scene, info, name, given) is None]
    return f"no value for the constant {', '.join(unset)}: pass {unset[0]}=…" if unset else ""


def _constant(scene: xr.Dataset, info: IndexInfo, name: str, given: Mapping[str, float]) -> float | None:
    """Return a constant: as given, as a wavelength of the scene (nm), or by default."""
    if name in given:
        return given[name]
    if name.startswith("lambda"):
        band = _band_for(scene, name.removeprefix("lambda"))
        wavelength = scene.spex.wavelengths_um.get(band or "")
        return None if wavelength is None else 1000 * wavelength
    return info.constants[name]


def _number(scene: xr.Dataset, name: str, formula: str, given: Mapping[str, float]) -> float:
    if name in given:
        return float(given[name])
    if name in band_symbols().values() or name in band_symbols():
        raise MissingBandError(
            "The formula needs a band that the scene does not have",
            found=f"{name} in {formula!r}",
            expected=f"some of {', '.join(scene.spex.bands)}",
            fix=nearest(name, scene.spex.bands) or "Choose among the bands that are there.",
        )
    default = constant_defaults().get(name)
    if default is None:
        raise FormulaError(
            "The formula holds an unknown name",
            found=f"{name} in {formula!r}",
            expected=f"bands {', '.join(scene.spex.bands)}, or constants given by name",
            fix=nearest(name, scene.spex.bands) or f"Pass {name}=… if it is a constant.",
        )
    return default


def _require_used(constants: Mapping[str, float], recipes: Sequence[_Recipe]) -> None:
    used = {name for recipe in recipes for name in recipe.formula.constants}
    surplus = sorted(set(constants) - used)
    if surplus:
        raise FormulaError(
            "A constant occurs in none of the indices",
            found=", ".join(surplus),
            expected=", ".join(sorted(used)) or "no constants",
            fix=nearest(surplus[0], used) or "Leave it out.",
        )


def _is_lazy(array: Any) -> bool:
    return hasattr(array, "dask")


def _evaluate(
    program: Program, bands: Sequence[str], inputs: Sequence[Any], valid: Any, dtype: Any, count: int
) -> list[Any]:
    """Return one array [H, W] per formula, working through cache-sized blocks of rows."""
    height, width = inputs[0].shape
    planes = [np.empty((height, width), dtype) for _ in range(count)]
    step = max(1, min(height, BLOCK_PX // width))
    buffers = np.empty((program.buffers, step, width), dtype)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        arrays = {name: np.asarray(array[rows], dtype) for name, array in zip(bands, inputs, strict=True)}
        clear = None if valid is None else np.asarray(valid[rows], bool)
        program.run(arrays, clear, [plane[rows] for plane in planes], buffers[:, : rows.stop - top])
    return planes


def _evaluate_lazily(
    program: Program, bands: Sequence[str], inputs: Sequence[Any], valid: Any, dtype: Any, count: int
) -> list[Any]:
    """Return one dask array [H, W] per formula; each block is one task, in which all formulas share its bands."""
    import dask.array as da

    chunks = next(a.chunks for a in (*inputs, valid) if _is_lazy(a))
    arrays = [da.asarray(a).rechunk(chunks) for a in (*inputs, *(() if valid is None else (valid,)))]
    stack = da.map_blocks(
        _stacked,
        *arrays,
        program=program,
        bands=tuple(bands),
        kind=dtype,
        count=count,
        dtype=dtype,
        new_axis=0,
        chunks=((count,), *chunks),
    )
    return [stack[i] for i in range(count)]


def _stacked(*arrays: Any, program: Program, bands: Sequence[str], kind: Any, count: int) -> Any:
    valid = arrays[len(bands)] if len(arrays) > len(bands) else None
    return np.stack(_evaluate(program, bands, arrays[: len(bands)], valid, kind, count))
