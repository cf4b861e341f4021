"""Landsat: folders and archives with metadata of any collection, and files that bear the name of a product."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from spex_nb.errors import UnknownLayoutError
from spex_nb.scene.band_labels import understand
from spex_nb.scene.band_source import BandSource, Quality, Source, bands_of_file
from spex_nb.scene.sensors import get_sensor
from spex_nb.scene.sources.folder import ProductFolder, open_folder, require_files
from spex_nb.scene.sources.names import label_of_file, sensor_of_name
from spex_nb.scene.windows.locations import is_remote

METADATA = r"_MTL\.(txt|json|xml)$"
BAND_FILE = r"_((?:(?:SR|TOA)_)?(?:B|band)\d{1,2})(?:_VCID_\d)?\.tiff?$"
LEVEL_1 = r"L[COTEM]0\d_L1(TP|GT|GS)_|L[COTEM][4-9]\d{13}[A-Z]{3}\d{2}"
"""Names of level 1 of Collections 1 and 2, and of scenes before there were collections."""
COLLECTION_2 = (2.75e-5, -0.2)
"""Scale and offset of Collection 2 surface reflectance (LSDS-1619)."""
COLLECTION_1 = (1e-4, 0.0)
"""Scale and offset of Collection 1 surface reflectance, and of all products that ESPA makes (LSDS-1368)."""
COLLECTION_1_NODATA = -9999
SOLAR_IRRADIANCE = {
    "landsat4": (1983, 1795, 1539, 1028, 219.8, None, 83.49),
    "landsat5": (1983, 1796, 1536, 1031, 220.0, None, 83.44),
    "landsat7": (1997, 1812, 1533, 1039, 230.8, None, 84.90),
    "landsat4_mss": (1827, 1569, 1260, 866.4),
    "landsat5_mss": (1824, 1570, 1249, 853.4),
}
"""Mean solar irradiance outside the atmosphere of bands 1 to 7, W m⁻² µm⁻¹ (Chander, Markham and Helder 2009,
https://doi.org/10.1016/j.rse.2009.01.007); metadata of before 2012 give radiance only."""


@dataclass(frozen=True)
class Facts:
    """The metadata of a Landsat product: every fact by its key, and the groups, whose keys may be the same."""

    by_key: Mapping[str, str]
    groups: Mapping[str, Mapping[str, str]]

    def get(self, *keys: str) -> str | None:
        """Return the first of the facts that is there."""
        return next((self.by_key[key] for key in keys if key in self.by_key), None)

    def number(self, *keys: str) -> float | None:
        """Return the first of the facts that is there, as a number."""
        text = self.get(*keys)
        return None if text is None else float(text)


def from_landsat(folder: ProductFolder) -> Source:
    """Return the reflective bands of a Landsat product: level 1 as top-of-atmosphere reflectance, or level 2.

    Raises:
        UnknownLayoutError: If it holds several products or no band file, or names no spacecraft and instrument.
    """
    metadata = _one_metadata(folder)
    facts = read_facts(folder, metadata)
    sensor = _sensor(facts, PurePosixPath(metadata).name, folder.root)
    files = _band_files(folder, facts)
    ids = [band.id for band in get_sensor(sensor).bands]
    require_files(files, folder.root, "…_SR_B4.TIF or …_B4.TIF beside the metadata")
    reflective = {label: name for label, name in files.items() if f"B{_number(label)}" in ids}
    require_files(reflective, folder.root, f"files of the reflective bands {', '.join(ids)}")
    bands = [
        scaled_by_metadata(replace(bands_of_file(folder.location(name))[0], label=label), facts, sensor)
        for label, name in sorted(reflective.items(), key=lambda row: int(_number(row[0])))
    ]
    quality = folder.matching(r"_QA_PIXEL\.\w+$")
    return Source(
        folder.root,
        "Landsat Collection 2 folder",
        tuple(bands),
        sensor,
        f"SPACECRAFT_ID {facts.get('SPACECRAFT_ID')} and SENSOR_ID {facts.get('SENSOR_ID')} in the metadata",
        Quality(folder.location(quality[0]), "qa_pixel") if quality else None,
        left_out={label: "no reflectance band of the sensor" for label in files if label not in reflective},
    )


def with_level_of_name(bands: tuple[BandSource, ...], location: str) -> tuple[BandSource, ...]:
    """Return the bands of a file with a Landsat product's name, scaled as its level and collection need.

    Level 1 needs the metadata beside the file; without them the bands are marked as unscaled numbers.
    """
    is_scaled = bands[0].scale is not None or np.dtype(bands[0].dtype).kind == "f"
    if is_scaled or not re.search(LEVEL_1, PurePosixPath(location).name):
        return bands
    if re.search(r"_(sr|toa)_(band|b)\d", location, re.IGNORECASE):
        reason = "Landsat Collection 1 reflectance, by the name of the file"
        return tuple(_scaled(band, *COLLECTION_1, reason, COLLECTION_1_NODATA) for band in bands)
    sensor, _ = sensor_of_name(location)
    if sensor in ("landsat8", "landsat9") and bands[0].dtype == "uint8":
        return bands  # a picture made of the product, whose own numbers have 16 bits
    facts = _facts_beside(location)
    return tuple(_scaled_by_label(band, location, facts, sensor, alone=len(bands) == 1) for band in bands)


def _scaled_by_label(
    band: BandSource, location: str, facts: Facts | None, sensor_id: str | None, *, alone: bool
) -> BandSource:
    """Return a band of level 1 scaled by the metadata, if its label or the file's name tells its number."""
    label = band.label or (label_of_file(location) if alone else "")
    sensor = get_sensor(sensor_id) if sensor_id else None
    name = understand(label, sensor).name
    number = next((row.id for row in sensor.bands if row.name == name), None) if sensor is not None else None
    if facts is None or sensor_id is None or number is None:
        why = "Landsat level-1 numbers, whose scale for each band stands in the …_MTL.txt of the product"
        return replace(band, unscaled=why)
    return replace(scaled_by_metadata(replace(band, label=number), facts, sensor_id), label_from=band.label_from)


def read_facts(folder: ProductFolder, name: str) -> Facts:
    """Return the facts of Landsat metadata in any of its forms (txt, json, xml)."""
    if name.lower().endswith(".xml"):
        root = folder.xml(name)
        return _facts([(group.tag, node.tag, (node.text or "").strip()) for group in root.iter() for node in group])
    if name.lower().endswith(".json"):
        return _facts(_leaves("", folder.json(name)))
    text = folder.read_bytes(name).decode("utf-8", errors="replace")
    return _facts(_lines(text))


def scaled_by_metadata(band: BandSource, facts: Facts, sensor: str) -> BandSource:
    """Return a band with the scale and offset that its product's metadata give, labelled by its number.

    Level 1 becomes reflectance at the top of the atmosphere: by the reflectance coefficients, else by radiance and
    solar irradiance, each divided by the sine of the sun's elevation.
    """
    number = _number(band.label)
    numbered = replace(band, label=f"B{number}", label_from="file name")
    if band.label.lower().startswith(("sr_", "toa_")):
        return _surface_reflectance(numbered, band.label, facts)
    coefficients = _reflectance(facts, number) or _radiance(facts, number, sensor)
    elevation = facts.number("SUN_ELEVATION")
    if coefficients is None or elevation is None:
        absent = "SUN_ELEVATION" if coefficients else f"REFLECTANCE_MULT_BAND_{number}"
        return replace(numbered, nodata=0, unscaled=f"Landsat level-1 numbers; the metadata lack {absent}")
    scale, offset, how = coefficients
    sine = math.sin(math.radians(elevation))
    collection = facts.get("COLLECTION_NUMBER")
    named = f"Collection {int(collection)}" if collection and collection.isdigit() else "of no stated collection"
    reason = f"Landsat {named} level 1, top of atmosphere by {how}, divided by the sine of the sun's elevation"
    return _scaled(numbered, scale / sine, offset / sine, reason, 0)


def _surface_reflectance(band: BandSource, label: str, facts: Facts) -> BandSource:
    if "band" in label.lower() or facts.get("COLLECTION_NUMBER") in ("1", "01"):
        return _scaled(band, *COLLECTION_1, "Landsat Collection 1 reflectance", COLLECTION_1_NODATA)
    group = facts.groups.get("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", {})
    number = _number(label)
    scale = float(group.get(f"REFLECTANCE_MULT_BAND_{number}", COLLECTION_2[0]))
    offset = float(group.get(f"REFLECTANCE_ADD_BAND_{number}", COLLECTION_2[1]))
    return _scaled(band, scale, offset, "Landsat Collection 2 level 2", 0)


def _reflectance(facts: Facts, number: str) -> tuple[float, float, str] | None:
    scale, offset = (facts.number(f"REFLECTANCE_{what}_BAND_{number}") for what in ("MULT", "ADD"))
    return None if scale is None or offset is None else (scale, offset, "its reflectance coefficients")


def _radiance(facts: Facts, number: str, sensor: str) -> tuple[float, float, str] | None:
    """Return scale and offset from radiance, as metadata of before 2012 need; None if a fact is missing."""
    gain, bias = _gain(facts, number)
    irradiances = SOLAR_IRRADIANCE.get(sensor, ())
    irradiance = irradiances[int(number) - 1] if int(number) <= len(irradiances) else None
    distance = facts.number("EARTH_SUN_DISTANCE") or _distance(facts.get("DATE_ACQUIRED", "ACQUISITION_DATE"))
    if gain is None or bias is None or irradiance is None or distance is None:
        return None
    factor = math.pi * distance**2 / irradiance
    return gain * factor, bias * factor, "radiance and solar irradiance"


def _gain(facts: Facts, number: str) -> tuple[float | None, float | None]:
    gain, bias = (facts.number(f"RADIANCE_{what}_BAND_{number}") for what in ("MULT", "ADD"))
    if gain is not None and bias is not None:
        return gain, bias
    brightest = facts.number(f"RADIANCE_MAXIMUM_BAND_{number}", f"LMAX_BAND{number}")
    darkest = facts.number(f"RADIANCE_MINIMUM_BAND_{number}", f"LMIN_BAND{number}")
    largest = facts.number(f"QUANTIZE_CAL_MAX_BAND_{number}", f"QCALMAX_BAND{number}")
    smallest = facts.number(f"QUANTIZE_CAL_MIN_BAND_{number}", f"QCALMIN_BAND{number}")
    if brightest is None or darkest is None or largest is None or smallest is None:
        return None, None
    gain = (brightest - darkest) / (largest - smallest)
    return gain, darkest - gain * smallest


def _distance(day: str | None) -> float | None:
    """Return the distance of Earth and Sun on a day, in astronomical units, to 0.1 %."""
    try:
        number = date.fromisoformat(day or "").timetuple().tm_yday
    except ValueError:
        return None
    return 1 - 0.01672 * math.cos(math.radians(0.9856 * (number - 4)))


def _scaled(band: BandSource, scale: float, offset: float, reason: str, nodata: float) -> BandSource:
    return replace(band, nodata=nodata, scale=scale, offset=offset, radiometry_reason=reason)


def _number(label: str) -> str:
    match = re.search(r"(?:B|band)0*(\d{1,2})", label, re.IGNORECASE)
    return match[1] if match else "0"


def _one_metadata(folder: ProductFolder) -> str:
    """Return the metadata file of the product, as text if there are several forms of it."""
    names = folder.matching(METADATA)
    products = sorted({re.sub(METADATA, "", name, flags=re.IGNORECASE) for name in names})
    if len(products) > 1:
        raise UnknownLayoutError(
            "The folder holds several Landsat products",
            found=f"{folder.root}: {', '.join(products)}",
            expected="one product a folder",
            fix="Open the metadata file of one of them: open_scene('…_MTL.txt').",
        )
    return min(names, key=lambda name: ("txt", "json", "xml").index(name.rpartition(".")[2].lower()))


def _band_files(folder: ProductFolder, facts: Facts) -> dict[str, str]:
    """Return the band files by label, by the names in the metadata or else by the pattern of all products."""
    by_pattern = {match[1]: name for name in folder.names if (match := re.search(BAND_FILE, name, re.IGNORECASE))}
    if any(label.lower().startswith("sr_") for label in by_pattern):
        return {label: name for label, name in by_pattern.items() if label.lower().startswith(("sr_", "b"))}
    listed = {
        f"B{match[1] or match[2]}": value
        for key, value in facts.by_key.items()
        if (match := re.fullmatch(r"FILE_NAME_BAND_(\d{1,2})|BAND(\d{1,2})_FILE_NAME", key))
    }
    by_name = {PurePosixPath(name).name.lower(): name for name in folder.names}
    there = {label: by_name[name.lower()] for label, name in listed.items() if name.lower() in by_name}
    return there or by_pattern


def _sensor(facts: Facts, name: str, where: str) -> str:
    spacecraft, instrument = facts.get("SPACECRAFT_ID") or "", (facts.get("SENSOR_ID") or "").upper()
    match = re.fullmatch(r"LANDSAT_?([4-9])", spacecraft.upper())
    if match is None or instrument in ("TIRS", "RBV"):
        raise UnknownLayoutError(
            "The Landsat metadata names no spacecraft and instrument that is known here",
            found=f"SPACECRAFT_ID {spacecraft or 'missing'}, SENSOR_ID {instrument or 'missing'} in {where}",
            expected="LANDSAT_4 to LANDSAT_9, with MSS, TM, ETM or OLI",
            fix="Pass the list of band files with sensor='landsat8' or the like.",
        )
    is_multispectral = instrument == "MSS" or (not instrument and name.upper().startswith("LM"))
    return f"landsat{match[1]}_mss" if is_multispectral else f"landsat{match[1]}"


def _facts_beside(location: str) -> Facts | None:
    """Return the facts of the metadata file beside a band file that bears the same product name."""
    if is_remote(location):
        return None
    path = Path(location)
    siblings = [
        file.name
        for file in sorted(path.parent.glob("*_MTL.*"))
        if path.name.startswith(re.sub(METADATA, "", file.name, flags=re.IGNORECASE))
    ]
    return read_facts(open_folder(str(path.parent)), siblings[0]) if siblings else None


def _facts(rows: Iterable[tuple[str, str, str]]) -> Facts:
    """Keep of every key the first value, and all by group: level 2 repeats the coefficients of level 1."""
    by_key: dict[str, str] = {}
    groups: dict[str, dict[str, str]] = {}
    for group, key, value in rows:
        by_key.setdefault(key, value)
        groups.setdefault(group, {})[key] = value
    return Facts(by_key, groups)


def _lines(text: str) -> Iterable[tuple[str, str, str]]:
    group = ""
    for line in text.splitlines():
        key, sign, value = (part.strip() for part in line.partition("="))
        if key == "GROUP":
            group = value
        elif sign:
            yield group, key, value.strip('"')


def _leaves(group: str, tree: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(key, value)
        else:
            yield group, key, str(value)
