"""Scenes with the dates that they state, or that they were given, in the order of time."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any, Literal

import xarray as xr

from spex_nb.analysis.change.alignment.opened_scene import OpenedScene, open_compared
from spex_nb.errors import SceneError, SourceNotFoundError
from spex_nb.extraction.facts.dates import date_of

RASTERS = frozenset({".tif", ".tiff", ".vrt", ".jp2", ".img", ".nc", ".zip", ".tar"})
"""Endings of files of a folder that are scenes; each folder in it is one too."""
FEWEST, MOST = 2, 254
"""Scenes of a series; the observations of a pixel are counted in eight bits."""
_GIVEN = re.compile(r"(?:19|20)\d\d(?:-(?:0[1-9]|1[0-2])(?:-\d\d)?)?")
"""A date that a user gives: a year, a month, or a day."""
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


@dataclass(frozen=True, eq=False)
class DatedScene:
    """A scene of a series.

    Attributes:
        date: Such as ``2009-08-18``; a month or a year where no more is known.
        origin: Where the date stands: it was given, the scene states it, or the name does.
        name: What the scene is called.
        opened: The scene as it is.
    """

    date: str
    origin: Literal["given", "scene", "name", "year in the name"]
    name: str
    opened: OpenedScene


def open_dated_scenes(
    scenes: Any, dates: Sequence[str] | None, open_options: Mapping[str, Any] | None
) -> tuple[DatedScene, ...]:
    """Open the scenes of a series, and return them in the order of their dates.

    A date is what is given, or else what the scene states, or else what its name holds. If all names are the same but
    for one year, the years are the dates.

    Args:
        scenes: A folder of rasters or products, a list of whatever `open_scene` takes, or such scenes by date.
        dates: Of the scenes, in their order: days, months or years. None where they state them.
        open_options: Of `open_scene`, for all scenes.

    Raises:
        SceneError: If there are fewer than two, a date is not known or not understood, two have the same date, or one
            cannot be opened.
    """
    sources, given = _listed(scenes, dates)
    opened = [open_compared(source, open_options) for source in sources]
    names = [_name_of(source, scene) for source, scene in zip(sources, opened, strict=True)]
    stated = [_dated(scene, name, date) for scene, name, date in zip(opened, names, given, strict=True)]
    dated = sorted(_require_dates(_with_years(stated)), key=lambda scene: scene.date)
    _require_single_dates(dated)
    return tuple(dated)


def _listed(scenes: Any, dates: Sequence[str] | None) -> tuple[list[Any], list[str | None]]:
    """Return the sources of a series, and the dates that were given, in one order."""
    if isinstance(scenes, Mapping) and not isinstance(scenes, xr.Dataset):
        sources, given = [*scenes.values()], [*map(str, scenes)]
    else:
        sources = _in_folder(Path(scenes)) if isinstance(scenes, str | Path) else [*scenes]
        given = [] if dates is None else [*map(str, dates)]
    if not FEWEST <= len(sources) <= MOST:
        raise SceneError(
            "This is no series of scenes",
            found=f"{len(sources)} scene{'' if len(sources) == 1 else 's'}",
            expected=f"{FEWEST} to {MOST} scenes of one place",
            fix="Pass a folder or a list with a scene for each date.",
        )
    if given and len(given) != len(sources):
        raise SceneError(
            "Dates and scenes do not match",
            found=f"{len(given)} dates for {len(sources)} scenes",
            expected="one date for each scene, in the order of the scenes",
            fix="Pass the scenes as a list, so that their order is yours, and a date for each.",
        )
    return sources, [_require_date(date) for date in given] or [None] * len(sources)


def _in_folder(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SourceNotFoundError(
            "There is no folder of scenes",
            found=str(folder),
            expected="a folder with a raster or a product for each date",
            fix="Check the path, or pass the scenes as a list.",
        )
    inner = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return [path for path in inner if path.is_dir() or path.suffix.lower() in RASTERS]


def _require_date(text: str) -> str:
    """Return a given date, or raise unless it is a day, a month or a year."""
    is_date = _GIVEN.fullmatch(text) is not None
    if is_date and len(text) == len("2009-08-18"):
        try:
            dt.date.fromisoformat(text)
        except ValueError:
            is_date = False
    if is_date:
        return text
    raise SceneError(
        "A date is not understood",
        found=repr(text),
        expected="a day, a month or a year, such as 2009-08-18, 2009-08 or 2009",
        fix="Write dates in this order.",
    )


def _name_of(source: Any, opened: OpenedScene) -> str:
    if isinstance(source, str | Path):
        return PurePath(str(source)).name
    return str(opened.scene.attrs.get("source", "a Dataset"))


def _dated(opened: OpenedScene, name: str, given: str | None) -> DatedScene:
    """Return a scene with its date; an empty one where it is not known yet."""
    if given is not None:
        return DatedScene(given, "given", name, opened)
    stated = date_of(opened.scene, name)
    if stated is None:
        return DatedScene("", "name", name, opened)
    return DatedScene(stated[0], "scene" if stated[1] == "scene" else "name", name, opened)


def _with_years(scenes: Sequence[DatedScene]) -> list[DatedScene]:
    """Return scenes without any date with the years of their names, if these differ in nothing else."""
    undated = [scene for scene in scenes if not scene.date]
    stems = {_YEAR.sub("year", scene.name) for scene in undated}
    years = [_YEAR.findall(scene.name) for scene in undated]
    are_dates = len(undated) == len(scenes) and len(stems) == 1 and all(len(numbers) == 1 for numbers in years)
    if not are_dates:
        return list(scenes)
    return [
        replace(scene, date=numbers[0], origin="year in the name")
        for scene, numbers in zip(undated, years, strict=True)
    ]


def _require_dates(scenes: Sequence[DatedScene]) -> Sequence[DatedScene]:
    undated = [scene.name for scene in scenes if not scene.date]
    if undated:
        raise SceneError(
            "The date of a scene is not known",
            found=", ".join(undated),
            expected="a date that the scene states, or in its name, such as lake_2009-08-18.tif or lake_20090818.tif",
            fix="Pass dates=[...] (--dates for the command), one for each scene in its order, or scenes by date.",
        )
    return scenes


def _require_single_dates(scenes: Sequence[DatedScene]) -> None:
    for first, second in pairwise(scenes):
        if first.date == second.date:
            raise SceneError(
                "Two scenes have the same date",
                found=f"{first.name} and {second.name}, both {first.date}",
                expected="one scene for each date",
                fix="Join the parts of one date into one scene, leave one of them out, or pass other dates.",
            )
