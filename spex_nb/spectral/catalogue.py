"""The catalogue of spectral indices: spyndex's data, read without its evaluator.

Source of the data: Awesome Spectral Indices, Montero et al. 2023, https://doi.org/10.1038/s41597-023-02096-0
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spex_nb.errors import IndexNameError, nearest
from spex_nb.spectral.formulas import names_in, parse_formula

CORRECTED_CONSTANTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "SAVI": {"L": 0.5},  # Huete 1988, https://doi.org/10.1016/0034-4257(88)90106-X
        "SARVI": {"L": 0.5},  # Huete & Liu 1994, https://doi.org/10.1109/36.134076
        "GSAVI": {"L": 0.5},  # Sripada 2005: SAVI with the green band
        "MNLI": {"L": 0.5},  # Gong et al. 2003, https://doi.org/10.1109/TGRS.2003.812910
        "IBI": {"L": 0.5},  # Xu 2008, https://doi.org/10.1080/01431160802039957
        "SAVIT": {"L": 0.5},  # as SAVI
        "NDPI": {"alpha": 0.74},  # Wang et al. 2017, https://doi.org/10.1016/j.rse.2017.04.031
        "WCI1": {"epsilon": 1e-10},  # as the catalogue itself gives it
        "WCI2": {"epsilon": 1e-10},
    }
)
"""Constants whose default in the catalogue differs from the paper of the index."""

ALIASES: Mapping[str, str] = MappingProxyType({"BSI": "BI"})
"""Names in wide use for an index that has another name in the catalogue."""

KERNEL = re.compile(r"k([A-Z])([A-Z])")
"""Names of kernels in the catalogue: ``kNR`` is k(N, R)."""


@dataclass(frozen=True)
class IndexInfo:
    """One spectral index.

    Attributes:
        name: Short name, such as ``NDVI``.
        long_name: Full name.
        formula: As the catalogue writes it.
        symbols: Band symbols of the formula, kernels resolved: ``N``, ``R``.
        bands: STAC common names of these symbols.
        constants: Constants and their defaults; None where a value must be given.
        domain: vegetation, water, burn, snow, soil, urban, radar, kernel or clouds.
        reference: DOI or URL.
        platforms: Missions for which the catalogue lists it.
    """

    name: str
    long_name: str
    formula: str
    symbols: tuple[str, ...]
    bands: tuple[str, ...]
    constants: Mapping[str, float | None]
    domain: str
    reference: str
    platforms: tuple[str, ...]


def _data(name: str) -> Any:
    spec = importlib.util.find_spec("spyndex")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "spyndex, which holds the catalogue of indices, is not installed: pip install spyndex"
        )
    return json.loads((Path(spec.submodule_search_locations[0]) / "data" / name).read_text(encoding="utf-8"))


@cache
def band_symbols() -> Mapping[str, str]:
    """Return the STAC common name of each band symbol; radar symbols stand for themselves, in lower case."""
    symbols = {symbol: str(row["common_name"]) for symbol, row in _data("bands.json").items()}
    return MappingProxyType(symbols | {symbol: symbol.lower() for symbol in ("VV", "VH", "HV", "HH")})


@cache
def constant_defaults() -> Mapping[str, float | None]:
    """Return the catalogue's default of each constant; None where there is none."""
    rows = _data("constants.json")
    return MappingProxyType({n: None if row["default"] is None else float(row["default"]) for n, row in rows.items()})


@cache
def catalogue() -> Mapping[str, IndexInfo]:
    """Return all indices by name."""
    rows = _data("spectral-indices-dict.json")["SpectralIndices"]
    return MappingProxyType({name: _info(name, row) for name, row in rows.items()})


def _info(name: str, row: Mapping[str, Any]) -> IndexInfo:
    names = names_in(formula_tree(row["formula"]))
    symbols = tuple(n for n in names if n in band_symbols())
    defaults = {**constant_defaults(), **CORRECTED_CONSTANTS.get(name, {})}
    return IndexInfo(
        name=name,
        long_name=row["long_name"],
        formula=row["formula"],
        symbols=symbols,
        bands=tuple(band_symbols()[s] for s in symbols),
        constants=MappingProxyType({n: defaults.get(n) for n in names if n not in symbols}),
        domain=row["application_domain"],
        reference=row["reference"],
        platforms=tuple(row["platforms"]),
    )


def index_info(name: str) -> IndexInfo:
    """Return the catalogue's entry of an index; upper and lower case may differ.

    Raises:
        IndexNameError: If it is not in the catalogue.
    """
    entries = catalogue()
    name = ALIASES.get(name, name)
    if name in entries:
        return entries[name]
    alike = [candidate for candidate in entries if candidate.lower() == name.lower()]
    if len(alike) == 1:
        return entries[alike[0]]
    raise IndexNameError(
        "The spectral index is not in the catalogue",
        found=repr(name),
        expected=f"one of {len(entries)} names, see list_indices()",
        fix=nearest(name, entries) or "Write it as a formula of bands instead.",
    )


def formula_tree(formula: str) -> ast.expr:
    """Return the tree of a formula with kernels written out.

    k(a, b) = exp(-(a - b)² / (2 sigma²)) with sigma = (a + b) / 2 in each pixel, so that kNDVI = tanh(NDVI²), as
    Camps-Valls et al. 2021 recommend (https://doi.org/10.1126/sciadv.abc7447).
    """
    tree = parse_formula(formula)
    return _Kernels().visit(tree) if "k" in formula else tree


class _Kernels(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        match = KERNEL.fullmatch(node.id)
        if match is None:
            return node
        a, b = match.groups()
        if a == b:
            return ast.Constant(1.0)
        squared = parse_formula(f"-2 * (({a} - {b}) / ({a} + {b})) ** 2")
        return ast.Call(ast.Constant("exp"), [squared], [])
