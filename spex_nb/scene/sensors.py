"""Sensors as data: which bands they have, at which wavelength, and how their numbers become reflectance."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spex_nb.errors import BandError, SensorError, nearest
from spex_nb.scene.windows.locations import is_pipe
from spex_nb.scene.windows.scene_files import note_files

if TYPE_CHECKING:
    import pandas as pd

LONGEST_UM = 3.0
"""Reflected sunlight ends here; a larger number was meant in nanometres."""


@dataclass(frozen=True)
class Band:
    """One band of a sensor.

    Attributes:
        name: STAC common name, such as ``red``.
        id: The maker's name, such as ``B04``.
        wavelength_um: Centre wavelength, µm.
        width_um: Full width, µm.
        gsd_m: Ground sampling distance, m.
    """

    name: str
    id: str
    wavelength_um: float
    width_um: float
    gsd_m: float


@dataclass(frozen=True)
class Sensor:
    """A sensor's bands in the order of its usual file, and how raw numbers become reflectance.

    Attributes:
        id: Short name, such as ``sentinel2_l2a``.
        title: What it is.
        bands: In file order.
        scale: Reflectance per raw number.
        offset: Added after scaling, in reflectance.
        nodata: Raw number that means no data, or None.
        relative: Whether the numbers are uncalibrated, so that scaling gives relative reflectance only.
        gsd_m: Ground sampling distance of the finest bands, m.
        source: Where the table comes from.
        not_reflective: Further layers of the product by the maker's name, and what they hold, such as thermal.
    """

    id: str
    title: str
    bands: tuple[Band, ...]
    scale: float
    offset: float
    nodata: float | None
    relative: bool
    gsd_m: float
    source: str
    not_reflective: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Common names of the bands, in file order."""
        return tuple(band.name for band in self.bands)

    def band(self, name_or_id: str) -> Band:
        """Return a band by common name or by the maker's name.

        Raises:
            BandError: If the sensor has no such band.
        """
        wanted = name_or_id.lower()
        for band in self.bands:
            if wanted in (band.name, band.id.lower()):
                return band
        raise BandError(
            f"Sensor {self.id} has no such band",
            found=repr(name_or_id),
            expected=", ".join(f"{band.name} ({band.id})" for band in self.bands),
            fix=nearest(name_or_id, self.names),
        )


@cache
def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(files("spex_nb.scene").joinpath("sensors.json").read_text(encoding="utf-8"))
    return tables


COMMON_BANDS: dict[str, tuple[float, float]] = {
    name: (row["wavelength_um"], row["width_um"]) for name, row in _tables()["common_names"].items()
}
"""Nominal centre wavelength and width, µm, of each STAC common name."""
_added: dict[str, Sensor] = {}


@cache
def _shipped() -> dict[str, Sensor]:
    return {name: _parse({"id": name} | table) for name, table in _tables()["sensors"].items()}


def get_sensor(sensor: str | Mapping[str, Any] | Path | Sensor) -> Sensor:
    """Return a sensor by id, or from a table of your own.

    Args:
        sensor: An id of ``list_sensors()``, a dict or JSON file laid out like ``sensors.json``, or a Sensor.

    Raises:
        SensorError: If the id is unknown or the table is broken.
    """
    if isinstance(sensor, Sensor):
        return sensor
    if isinstance(sensor, Mapping):
        return _parse(sensor)
    sensors = _shipped() | _added
    if str(sensor) in sensors:
        return sensors[str(sensor)]
    if str(sensor).endswith(".json"):
        return _parse(_read(Path(sensor)))
    raise SensorError(
        "The sensor is unknown",
        found=repr(str(sensor)),
        expected=", ".join(sensors),
        fix=f"{nearest(str(sensor), sensors)} Add one with register_sensor(dict or JSON file).".strip(),
    )


def register_sensor(source: Mapping[str, Any] | str | Path | Sensor) -> Sensor:
    """Add a sensor from a dict or JSON file, so that its id works in this process.

    Raises:
        SensorError: If the table is broken.
    """
    sensor = get_sensor(source)
    _added[sensor.id] = sensor
    return sensor


def list_sensors() -> pd.DataFrame:
    """Return the known sensors: index id; title, bands, gsd_m, relative, source."""
    import pandas as pd

    sensors = _shipped() | _added
    columns = {
        "title": [s.title for s in sensors.values()],
        "bands": [" ".join(s.names) for s in sensors.values()],
        "gsd_m": [s.gsd_m for s in sensors.values()],
        "relative": [s.relative for s in sensors.values()],
        "source": [s.source for s in sensors.values()],
    }
    return pd.DataFrame(columns, index=pd.Index(sensors, name="id"))


def _read(path: Path) -> Mapping[str, Any]:
    note_files(path)
    if is_pipe(path):
        raise _broken(str(path), "a pipe or a device", "a readable JSON file")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _broken(str(path), str(error), "a readable JSON file") from error
    if not isinstance(table, dict):
        raise _broken(str(path), f"a {type(table).__name__}", "a JSON object")
    return table


def _parse(table: Mapping[str, Any]) -> Sensor:
    name = str(table.get("id", "?"))
    optional: dict[str, Any] = {
        "title": name,
        "scale": 1e-4,
        "offset": 0.0,
        "nodata": None,
        "relative": False,
        "source": "given by the user",
        "not_reflective": {},
    }
    row = optional | dict(table)
    listed = row.get("bands", ())
    if not isinstance(listed, list | tuple) or not all(isinstance(band, Mapping) for band in listed):
        raise _broken(name, f"bands {listed!r}", "a list of objects, one a band")
    row.setdefault("gsd_m", min((band.get("gsd_m", 1.0) for band in listed), default=1.0))
    _require_keys(name, row, {field.name for field in fields(Sensor)})
    _require_radiometry(name, row)
    bands = tuple(_parse_band(name, band, row["gsd_m"]) for band in row["bands"])
    names = [band.name for band in bands]
    if not names or len(set(names)) < len(names):
        raise _broken(name, f"bands {names}", "at least one band, each common name once")
    return Sensor(**(row | {"bands": bands}))


def _parse_band(sensor: str, row: Mapping[str, Any], gsd_m: float) -> Band:
    full = {"id": row.get("name", ""), "gsd_m": gsd_m} | dict(row)
    _require_keys(sensor, full, {field.name for field in fields(Band)})
    if not isinstance(full["name"], str) or full["name"] not in COMMON_BANDS:
        raise _broken(sensor, f"band name {full['name']!r}", f"one of {', '.join(COMMON_BANDS)}")
    for key in ("wavelength_um", "width_um", "gsd_m"):
        number = full[key]
        if not _is_number(number) or not math.isfinite(number) or number <= 0:
            raise _broken(sensor, f"{key} {number!r} of {full['name']}", "a positive number")
    for key in ("wavelength_um", "width_um"):
        if full[key] > LONGEST_UM:
            raise _broken(sensor, f"{key} {full[key]} of {full['name']}", "µm, not nm: 0.665 for the centre of red")
    return Band(**(full | {"id": str(full["id"])}))


def _require_radiometry(name: str, row: Mapping[str, Any]) -> None:
    """Check what would otherwise fail, or silently scale wrongly, only when pixels are read."""
    scale, offset, nodata = row["scale"], row["offset"], row["nodata"]
    if not _is_number(scale) or not math.isfinite(scale) or scale <= 0:
        raise _broken(name, f"scale {scale!r}", "a positive number")
    if not _is_number(offset) or not math.isfinite(offset):
        raise _broken(name, f"offset {offset!r}", "a finite number")
    if nodata is not None and not _is_number(nodata):
        raise _broken(name, f"nodata {nodata!r}", "a number or null")
    if not isinstance(row["relative"], bool):
        raise _broken(name, f"relative {row['relative']!r}", "true or false")
    if not isinstance(row["not_reflective"], Mapping):
        raise _broken(name, f"not_reflective {row['not_reflective']!r}", "an object of names and what they hold")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require_keys(name: str, row: Mapping[str, Any], wanted: set[str]) -> None:
    missing, surplus = sorted(wanted - set(row)), sorted(set(row) - wanted)
    if missing or surplus:
        raise _broken(name, f"missing {missing}, unknown {surplus}", f"the keys {sorted(wanted)}")


def _broken(name: str, problem: str, expected: str) -> SensorError:
    return SensorError(
        f"The table of sensor {name} is broken",
        found=problem,
        expected=expected,
        fix="See spex_nb/scene/sensors.json for the form.",
    )
