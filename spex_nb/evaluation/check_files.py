"""Checks of a map as files: a GeoPackage of our own with points, strata and answers; answers from files of others."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from spex_nb.errors import DatasetError, SourceNotFoundError, UnreadableSourceError
from spex_nb.evaluation.map_check import NO_ANSWER, UNSURE, MapCheck
from spex_nb.evaluation.sampling import OTHER, Design
from spex_nb.extraction import Extraction
from spex_nb.output.files import explain_write_errors, write_whole
from spex_nb.output.stored_files import require_plain_geopackage
from spex_nb.scene.windows.pointers import vector_pointer
from spex_nb.types.targets import TARGETS

if TYPE_CHECKING:
    import geopandas as gpd

POINTS, STRATA, DESIGN = "points", "strata", "design"
"""Layers of the GeoPackage."""
NEAREST_PX = 0.75
"""A point of another file belongs to a point of the sample within this distance: its pixel and rounding."""


def save_check(check: MapCheck, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write points, answers and strata as a GeoPackage.

    Args:
        check: The points with their answers.
        path: The file to write, with the suffix ``.gpkg``.
        overwrite: Whether an existing file is replaced (default: no).

    Raises:
        OutputError: If the path cannot be written.
    """
    import pyogrio

    payload = {"design": check.design, "seed": check.seed, "person": check.person, "classes": json.dumps(check.classes)}
    with explain_write_errors(path), write_whole(path, overwrite) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")  # pixels where the scene has no CRS
        check.to_geodataframe().to_file(part, driver="GPKG", layer=POINTS)
        pyogrio.write_dataframe(check.strata, part, layer=STRATA, driver="GPKG", append=True)
        pyogrio.write_dataframe(pd.DataFrame([payload]), part, layer=DESIGN, driver="GPKG", append=True)
    return Path(path)


def load_check(path: str | Path, result: Extraction) -> MapCheck:
    """Read a check that was saved.

    Args:
        path: The GeoPackage that was written.
        result: The map that the answers are held against: that of the check, or another one of the same scene.

    Raises:
        SourceNotFoundError: If there is no such file.
        UnreadableSourceError: If it holds no check.
        DatasetError: If the points lie outside the map, or an answer is no class of it.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    _require_file(path)
    try:
        require_plain_geopackage(Path(path))
        frame, strata, design = (
            pyogrio.read_dataframe(path, layer=layer, read_geometry=False) for layer in (POINTS, STRATA, DESIGN)
        )
        payload = design.iloc[0]
        points = frame[["row", "column", "stratum"]].astype(int)
        strata = strata.assign(is_doubtful=strata["is_doubtful"].astype(bool))
        person, kind, seed = str(payload["person"] or ""), _as_design(payload["design"]), int(payload["seed"])
    except (DataSourceError, DataLayerError, LookupError, ValueError, TypeError, sqlite3.Error) as error:
        raise UnreadableSourceError(
            "The file holds no check of a map",
            found=f"{path}: {error}",
            expected=f"a GeoPackage with the layers {POINTS}, {STRATA} and {DESIGN}",
            fix="Draw points with check_map, save them, and answer that file.",
        ) from error
    _require_inside(points, strata, result)
    check = MapCheck(result, points, strata, (NO_ANSWER,) * len(points), kind, seed, person)
    _require_same_ground(pyogrio.read_dataframe(path, layer=POINTS), check)
    return replace(check, answers=_as_answers(frame["answer"].tolist(), check))


def read_answers(check: MapCheck, path: str | Path, column: str = "answer", person: str = "") -> MapCheck:
    """Return a check with the answers of a file: of field work, or of another person.

    Args:
        check: The points of the sample.
        path: A file that GDAL reads, such as a GeoPackage, GeoJSON or CSV. Its rows are known by a column ``point``
            with the numbers of the sample, or else by their place.
        column: Name of the column with the answers: ids or names of classes, ``other``, ``unsure``, or the keys 1 to 9.
        person: Who answered; empty for nobody in particular.

    Returns:
        The same points with the answers of the file; points that it lacks have none.

    Raises:
        SourceNotFoundError: If there is no such file.
        UnreadableSourceError: If it is no table.
        DatasetError: If the column is missing, an answer is no class, or a point is not of the sample.
    """
    import geopandas as gpd
    from pyogrio.errors import DataSourceError

    _require_file(path)
    if pointer := vector_pointer(Path(path)):
        raise _unreadable_answers(path, pointer)
    try:
        frame = gpd.read_file(path, layer=POINTS if _has_layer(path, POINTS) else 0)
    except DataSourceError as error:
        raise _unreadable_answers(path, str(error)) from error
    if column not in frame.columns:
        raise DatasetError(
            "The file has no such column",
            found=", ".join(map(str, frame.columns)),
            expected=f"a column {column!r} with the answers",
            fix="Name the column with the answers.",
        )
    answers = [NO_ANSWER] * len(check.answers)
    values = _as_answers(frame[column].tolist(), check)
    for position, answer in zip(_positions(frame, check), values, strict=True):
        answers[position] = answer
    return replace(check, answers=tuple(answers), person=person or check.person)


def _as_design(text: Any) -> Design:
    for design in get_args(Design):
        if design == text:
            return design  # type: ignore[no-any-return]
    raise ValueError(f"unknown design {text!r}")


def _unreadable_answers(path: str | Path, reason: str) -> UnreadableSourceError:
    return UnreadableSourceError(
        "The answers cannot be read",
        found=f"{path}: {reason}",
        expected="a GeoPackage, GeoJSON or CSV",
        fix="Write the answers in one of these formats.",
    )


def _require_file(path: str | Path) -> None:
    if not Path(path).is_file():
        raise SourceNotFoundError("There is no such file", found=str(path), expected="a file", fix="Check the path.")


def _has_layer(path: str | Path, name: str) -> bool:
    import pyogrio

    return name in pyogrio.list_layers(path)[:, 0]


def _require_inside(points: pd.DataFrame, strata: pd.DataFrame, result: Extraction) -> None:
    height, width = result.mask.shape
    is_inside = points["row"].between(0, height - 1) & points["column"].between(0, width - 1)
    targets, names = set(strata["target"]), {*result.class_names, OTHER}
    if not is_inside.all() or not targets <= names:
        raise DatasetError(
            "The check is not of this map",
            found=f"{int((~is_inside).sum())} points outside, classes {', '.join(sorted(targets))}",
            expected=f"points within {height} x {width} pixels, of {', '.join(sorted(names))}",
            fix="Load it with the result that its points were drawn from.",
        )


def _require_same_ground(stored: gpd.GeoDataFrame, check: MapCheck) -> None:
    """Refuse points that lie elsewhere than the same pixels of the map."""
    expected = check.to_geodataframe()
    is_same_crs = (stored.crs is None) == (expected.crs is None) and (stored.crs is None or stored.crs == expected.crs)
    x, y = (np.abs(getattr(stored.geometry, axis) - getattr(expected.geometry, axis)) for axis in "xy")
    transform = check.result.mask.rio.transform()
    pixel = max(np.hypot(transform.a, transform.d), np.hypot(transform.b, transform.e))
    if not is_same_crs or (np.hypot(x, y) > NEAREST_PX * pixel).any():
        raise DatasetError(
            "The check is of another place",
            found=f"points in {stored.crs or 'pixels'} that are not where the map has these pixels",
            expected=f"points of this map, in {expected.crs or 'pixels'}",
            fix="Load it with the result that its points were drawn from.",
        )


def _as_answers(values: Sequence[Any], check: MapCheck) -> tuple[str, ...]:
    """Return what a column says as ids of classes."""
    meanings = {UNSURE: UNSURE, "?": UNSURE, "0": UNSURE}
    for number, (name, title) in enumerate(check.classes.items(), start=1):
        words = (name, title, str(number), TARGETS[name].word if name in TARGETS else name)
        meanings |= {word.casefold(): name for word in words}
    texts = [_text_of(value) for value in values]
    strange = sorted({text for text in texts if text and text not in meanings})
    if strange:
        raise DatasetError(
            "An answer is no class of the map",
            found=", ".join(strange[:5]),
            expected=f"{', '.join(check.classes)} or {UNSURE}",
            fix="Rename the answers, or leave them empty.",
        )
    return tuple(meanings.get(text, NO_ANSWER) for text in texts)


def _text_of(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    text = str(value).strip().casefold()
    return text.removesuffix(".0") if text.removesuffix(".0").isdigit() else text


def _positions(frame: Any, check: MapCheck) -> list[int]:
    """Return which point of the sample each row of a file answers."""
    if "point" in frame.columns:
        numbers = pd.to_numeric(frame["point"], errors="coerce").to_numpy(float)
    else:
        numbers = _nearest_points(frame, check)
    is_known = (numbers >= 1) & (numbers <= len(check.answers))
    if not is_known.all():
        raise DatasetError(
            "A row of the file answers no point of the sample",
            found=f"{int((~is_known).sum())} of {len(frame)} rows",
            expected=f"a column 'point' with numbers from 1 to {len(check.answers)}, or places on points of the sample",
            fix="Save the check, and answer the points of that file.",
        )
    return [int(number) - 1 for number in numbers]


def _nearest_points(frame: Any, check: MapCheck) -> Any:
    """Return the number of the sample's point at the place of each row; 0 where there is none."""
    mask = check.result.mask
    geometry = getattr(frame, "geometry", None)
    if geometry is None or geometry.isna().any():
        return np.zeros(len(frame))
    if frame.crs is not None and mask.rio.crs is not None:
        geometry = geometry.to_crs(mask.rio.crs)
    columns, rows = ~mask.rio.transform() @ (geometry.x.to_numpy(), geometry.y.to_numpy())
    distances = np.hypot(
        columns[:, None] - check.points["column"].to_numpy() - 0.5, rows[:, None] - check.points["row"].to_numpy() - 0.5
    )
    return np.where(distances.min(1) <= NEAREST_PX, distances.argmin(1) + 1, 0)
