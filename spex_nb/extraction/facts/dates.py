"""The date of a scene, as far as its description or its name tells it, and the season on that date."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePath

import xarray as xr

DATE_KEYS = ("datetime", "date", "acquired", "time_coverage_start")
"""Attributes of a scene that may hold its date."""
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?!\d)")
TROPIC_DEGREES = 23.44
"""Nearer to the equator there are no four seasons."""
SEASONS = ("winter", "spring", "summer", "autumn")


def date_of(scene: xr.Dataset, source_name: str) -> tuple[str, str] | None:
    """Return the date of a scene as ``2009-08-18``, and where it stands: ``scene`` or ``name``; None without one.

    Of several dates in a name the first one counts, which is that of the picture in names of Landsat and Sentinel.
    """
    stated = " ".join(str(scene.attrs[key]) for key in DATE_KEYS if key in scene.attrs)
    for text, origin in ((stated, "scene"), (PurePath(source_name).name, "name")):
        for match in _DATE.finditer(text):
            try:
                return dt.date(*map(int, match.groups())).isoformat(), origin
            except ValueError:  # the 31st of June is no date
                continue
    return None


def season_of(date: str, latitude: float | None) -> str | None:
    """Return the meteorological season of a date; None in the tropics and where the latitude is not known."""
    if latitude is None or abs(latitude) < TROPIC_DEGREES:
        return None
    quarter = dt.date.fromisoformat(date).month % 12 // 3
    return SEASONS[quarter if latitude > 0 else (quarter + 2) % 4]


def latitude_of(scene: xr.Dataset) -> float | None:
    """Return the latitude of the middle of a scene, in degrees; None without a CRS."""
    crs = scene.spex.crs
    if crs is None:
        return None
    from pyproj import Transformer

    height, width = scene.spex.shape
    x, y = scene.spex.transform @ (width / 2, height / 2)
    _, latitude = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    return float(latitude)
