"""Where the bands of a scene lie: one file, several files, a Sentinel-2 SAFE, a Landsat folder or a STAC item."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spex_nb.errors import BandError, UnknownLayoutError, UnreadableSourceError
from spex_nb.scene.band_source import BandSource, Quality, Source, bands_of_file
from spex_nb.scene.rasters import is_remote, require_local

BASELINE_WITH_OFFSET = 4.0
"""Sentinel-2 products of this processing baseline and later add 1000 to every number (S2 PSD 14.9)."""
S2_OFFSET = -0.1
RASTER_SUFFIXES = {".tif", ".tiff", ".jp2", ".vrt", ".img"}


def locate(source: str | Path) -> Source:
    """Return the bands behind a path or URL, unread.

    Raises:
        SourceNotFoundError: If a local path does not exist.
        UnknownLayoutError: If a folder or JSON file has no layout that is known here.
        UnreadableSourceError: If a file is damaged.
    """
    location = str(source)
    require_local(location)
    if is_remote(location) or not Path(location).is_dir():
        return from_stac(_json(Path(location))) if location.endswith((".json", ".geojson")) else from_file(location)
    folder = Path(location)
    if any(folder.glob("MTD_MSIL*.xml")):
        return from_safe(folder)
    if any(folder.glob("*_MTL.*")):
        return from_landsat(folder)
    raise UnknownLayoutError(
        "The folder has no layout that is known here",
        found=f"{location}: {', '.join(sorted(p.name for p in folder.iterdir())[:5]) or 'empty'}",
        expected="a Sentinel-2 .SAFE (MTD_MSIL2A.xml), a Landsat Collection 2 scene (…_MTL.txt) or a Zarr store",
        fix="Pass the list of band files instead: open_scene([...]).",
    )


def from_file(location: str) -> Source:
    """Return the bands of one raster file; the processing baseline in a Sentinel-2 name is heeded."""
    bands = bands_of_file(location)
    tags = bands[0].file.tags if bands[0].file else {}
    return Source(location, "raster file", _with_baseline(bands, location), tags=tags)


def from_files(locations: Sequence[str | Path]) -> Source:
    """Return single-band files as the bands of one scene, labelled by description or by file name.

    Raises:
        BandError: If there is no file, or one holds several bands.
    """
    bands = [_single(str(location)) for location in locations]
    if not bands:
        raise BandError("The list of files is empty", found="[]", expected="one file a band", fix="Pass the files.")
    return Source(str(locations[0]), f"{len(bands)} single-band files", tuple(bands))


def _single(location: str) -> BandSource:
    bands = bands_of_file(location)
    if len(bands) != 1:
        raise BandError(
            "A file in the list holds several bands",
            found=f"{location}: {len(bands)} bands",
            expected="one band a file",
            fix="Open that file alone, or split it with `rio stack`/`gdal_translate -b`.",
        )
    band = _with_baseline(bands, location)[0]
    return band if band.label else replace(band, label=_label_of_name(location))


def _label_of_name(location: str) -> str:
    """Return the word of a file name that tells the band: ``B04`` of ``T32UQD_20200101_B04_10m.jp2``."""
    words = re.split(r"[._\s-]+", Path(location).stem)
    resolution = re.compile(r"\d+m$", re.IGNORECASE)
    words = [word for word in words if not resolution.match(word)]
    coded = [word for word in words if re.fullmatch(r"B\d{1,2}A?", word, re.IGNORECASE)]
    return coded[-1] if coded else words[-1]


def _with_baseline(bands: tuple[BandSource, ...], location: str) -> tuple[BandSource, ...]:
    match = re.search(r"S2[A-D]_MSIL(?:1C|2A)_.*?_N(\d{2})(\d{2})_", location)
    if not match or float(f"{match[1]}.{match[2]}") < BASELINE_WITH_OFFSET or bands[0].scale is not None:
        return bands
    reason = f"processing baseline {match[1]}.{match[2]} of the name: 1000 is subtracted"
    return tuple(replace(band, scale=1e-4, offset=S2_OFFSET, radiometry_reason=reason) for band in bands)


def from_safe(folder: Path) -> Source:
    """Return the bands of a Sentinel-2 SAFE folder, each in its finest resolution.

    Raises:
        UnknownLayoutError: If the folder holds no band file.
        UnreadableSourceError: If the metadata is no XML.
    """
    metadata = next(iter(sorted(folder.glob("MTD_MSIL*.xml"))))
    level = "l2a" if "L2A" in metadata.name else "l1c"
    files = sorted(folder.glob("GRANULE/*/IMG_DATA/**/*_B*.jp2")) or sorted(
        folder.glob("GRANULE/*/IMG_DATA/**/*_B*.tif")
    )
    finest = {_label_of_name(str(path)): path for path in sorted(files, key=_resolution, reverse=True)}
    _require_files(finest, folder, "GRANULE/*/IMG_DATA/**/*_B04*.jp2")
    scale, offsets, reason = _s2_radiometry(_xml(metadata))
    bands = [
        replace(
            bands_of_file(str(path))[0],
            label=label,
            nodata=0,
            scale=scale,
            offset=offsets(label),
            radiometry_reason=reason,
        )
        for label, path in sorted(finest.items())
    ]
    quality = next(iter(sorted(folder.glob("GRANULE/*/IMG_DATA/R20m/*_SCL_20m.*"))), None)
    return Source(
        str(folder),
        "Sentinel-2 SAFE folder",
        tuple(bands),
        f"sentinel2_{level}",
        f"the folder holds {metadata.name}",
        Quality(str(quality), "scl") if quality else None,
    )


def _resolution(path: Path) -> int:
    match = re.search(r"_(\d+)m\.", path.name)
    return int(match[1]) if match else 0


S2_BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""The band_id numbers of Sentinel-2 metadata, 0 to 12."""


def _s2_radiometry(root: ET.Element) -> tuple[float, Any, str]:
    """Return scale, a function from band id to offset in reflectance, and the reason."""
    quantification = float(_text(root, "BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE") or 10_000)
    stated = {
        S2_BAND_IDS[int(node.get("band_id", 0))]: float(node.text or 0)
        for tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
        for node in root.iter(tag)
    }
    baseline = _text(root, "PROCESSING_BASELINE") or "0"
    fallback = -1000.0 if float(baseline) >= BASELINE_WITH_OFFSET else 0.0
    reason = f"processing baseline {baseline}: (raw {stated.get('B04', fallback):+g}) / {quantification:g}"
    return 1 / quantification, lambda band: stated.get(band, fallback) / quantification, reason


def _text(root: ET.Element, *tags: str) -> str | None:
    return next((node.text for tag in tags for node in root.iter(tag) if node.text), None)


def from_landsat(folder: Path) -> Source:
    """Return the reflective bands of a Landsat Collection 2 folder, level 1 (as TOA reflectance) or level 2.

    Raises:
        UnknownLayoutError: If the folder holds no band file, or its metadata no spacecraft.
    """
    files = {
        match[1].upper(): path
        for path in sorted(folder.iterdir())
        if (match := re.search(r"_((?:SR_)?B\d{1,2})\.tiff?$", path.name, re.IGNORECASE))
    }
    _require_files(files, folder, "…_SR_B4.TIF or …_B4.TIF")
    facts = _mtl(folder)
    sensor = _landsat_sensor(facts.get("SPACECRAFT_ID", ""), folder)
    reflective = {label: path for label, path in files.items() if _is_reflective(label, sensor)}
    bands = [_landsat_band(label, path, facts) for label, path in sorted(reflective.items())]
    quality = next(iter(sorted(folder.glob("*_QA_PIXEL.*"))), None)
    return Source(
        str(folder),
        "Landsat Collection 2 folder",
        tuple(bands),
        sensor,
        f"SPACECRAFT_ID {facts['SPACECRAFT_ID']} in the metadata",
        Quality(str(quality), "qa_pixel") if quality else None,
    )


def _landsat_sensor(spacecraft: str, folder: Path) -> str:
    match = re.fullmatch(r"LANDSAT_([4-9])", spacecraft)
    if match is None:
        raise UnknownLayoutError(
            "The Landsat metadata names no spacecraft that is known here",
            found=f"SPACECRAFT_ID {spacecraft or 'missing'} in {folder}",
            expected="LANDSAT_4 to LANDSAT_9",
            fix="Pass the list of band files with sensor='landsat8' or the like.",
        )
    return f"landsat{match[1]}"


def _is_reflective(label: str, sensor: str) -> bool:
    """Leave out thermal bands, and the panchromatic one, whose grid is twice as fine as all others."""
    number = int(label.rpartition("B")[2])
    return number in ((1, 2, 3, 4, 5, 6, 7, 9) if sensor in ("landsat8", "landsat9") else (1, 2, 3, 4, 5, 7))


def _landsat_band(label: str, path: Path, facts: Mapping[str, str]) -> BandSource:
    number = label.rpartition("B")[2]
    scale, offset = 2.75e-5, -0.2
    reason = "Landsat Collection 2 level 2"
    if not label.startswith("SR_"):
        sine = math.sin(math.radians(float(facts.get("SUN_ELEVATION", 90))))
        scale = float(facts.get(f"REFLECTANCE_MULT_BAND_{number}", 2e-5)) / sine
        offset = float(facts.get(f"REFLECTANCE_ADD_BAND_{number}", -0.1)) / sine
        reason = "Landsat Collection 2 level 1, top of atmosphere, divided by the sine of the sun's elevation"
    return replace(
        bands_of_file(str(path))[0],
        label=f"B{number}",
        nodata=0,
        scale=scale,
        offset=offset,
        radiometry_reason=reason,
    )


def _mtl(folder: Path) -> dict[str, str]:
    """Return the facts of Landsat metadata in any of its forms (txt, json, xml), without their groups."""
    path = min(folder.glob("*_MTL.*"), key=lambda p: ("txt", "json", "xml").index(p.suffix[1:].lower()))
    if path.suffix.lower() == ".xml":
        return {node.tag: (node.text or "").strip() for node in _xml(path).iter()}
    if path.suffix.lower() == ".json":
        return dict(_leaves(_json(path)))
    lines = (line.partition("=") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return {key.strip(): value.strip().strip('"') for key, sign, value in lines if sign}


def _leaves(tree: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield key, str(value)


def from_stac(item: Mapping[str, Any]) -> Source:
    """Return the bands of a STAC item (a dict as in its JSON), by the common names that its assets state.

    Scale and offset come from ``raster:bands`` (or ``bands`` of STAC 1.1); an offset that the item says is already
    applied (``earthsearch:boa_offset_applied``) is not applied again.

    Raises:
        UnknownLayoutError: If the JSON is no STAC item, or none of its assets is a band with a common name.
    """
    if item.get("type") != "Feature" or "assets" not in item:
        raise UnknownLayoutError(
            "The JSON file is no STAC item",
            found=f"type {item.get('type')!r}, keys {sorted(item)[:8]}",
            expected="a STAC item: type 'Feature' with assets",
            fix="Pass the item itself, not a catalogue, collection or search result.",
        )
    folder = _folder_of(item)
    sensor = _stac_sensor(item)
    applied = bool(item.get("properties", {}).get("earthsearch:boa_offset_applied"))
    bands = [b for asset in item["assets"].values() if (b := _stac_band(asset, folder, applied))]
    _require_files(bands, f"STAC item {item.get('id')}", "assets with eo:bands and a common_name")
    return Source(f"STAC item {item.get('id')}", "STAC item", tuple(bands), sensor, "platform of the STAC item")


def _folder_of(item: Mapping[str, Any]) -> Path:
    link = next((link["href"] for link in item.get("links", ()) if link.get("rel") == "self"), "")
    return Path(link).parent


def _stac_sensor(item: Mapping[str, Any]) -> str | None:
    properties = item.get("properties", {})
    platform = str(properties.get("platform", properties.get("constellation", ""))).lower()
    if "sentinel-2" in platform:
        level = "l1c" if "l1c" in f"{item.get('collection', '')}{item.get('id', '')}".lower() else "l2a"
        return f"sentinel2_{level}"
    match = re.search(r"landsat-?_?([4-9])", platform)
    return f"landsat{match[1]}" if match else None


def _stac_band(asset: Mapping[str, Any], folder: Path, offset_applied: bool) -> BandSource | None:
    described = asset.get("eo:bands") or asset.get("bands") or []
    names = [band.get("common_name") or band.get("eo:common_name") for band in described]
    if len(names) != 1 or not names[0]:
        return None
    href = str(asset["href"])
    path = href if is_remote(href) else str(folder / href)
    band = replace(bands_of_file(path)[0], label=str(described[0].get("name") or names[0]))
    band = replace(band, label=names[0])
    facts = (asset.get("raster:bands") or described)[0]
    scale, offset = facts.get("scale", facts.get("raster:scale")), facts.get("offset", facts.get("raster:offset"))
    nodata = facts.get("nodata", band.nodata)
    if scale is None:
        return replace(band, nodata=nodata)
    reason = "raster:bands of the STAC item"
    if offset_applied and offset:
        offset, reason = 0.0, f"{reason}; its offset is already applied"
    return replace(band, nodata=nodata, scale=float(scale), offset=float(offset or 0), radiometry_reason=reason)


def _require_files(found: Any, where: object, wanted: str) -> None:
    if not found:
        raise UnknownLayoutError(
            "There is no band file",
            found=f"{where}, without bands",
            expected=wanted,
            fix="Unpack or fetch the product completely.",
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _broken(path, error, "JSON") from error
    if not isinstance(content, dict):
        raise _broken(path, TypeError(f"a {type(content).__name__}"), "a JSON object")
    links = [{"rel": "self", "href": str(path)}, *content.get("links", ())]
    return content | {"links": links} if "assets" in content else content


def _xml(path: Path) -> ET.Element:
    try:
        return ET.parse(path).getroot()
    except ET.ParseError as error:
        raise _broken(path, error, "XML") from error


def _broken(path: Path, error: Exception, kind: str) -> UnreadableSourceError:
    return UnreadableSourceError(
        "The metadata cannot be read", found=f"{path} ({error})", expected=kind, fix="Fetch the product again."
    )
