"""Sentinel-2: SAFE folders and archives, and files that bear the name of a product."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET

import numpy as np

from spex_nb.errors import UnknownLayoutError
from spex_nb.scene.band_source import BandSource, Quality, Source, bands_of_file
from spex_nb.scene.sources.folder import ProductFolder, require_files
from spex_nb.scene.sources.names import baseline_of_name, day_with_offset, has_offset, is_own_baseline, label_of_file

METADATA = r"(^|/)(MTD_MSI|S2[A-D]_\w*MTD_SAF)(L1C|L2A)\w*\.xml$"
"""Names of the metadata of a SAFE, of today and of products before 2016."""
OFFSET = -0.1
"""The 1000 that newer products add, in reflectance."""
SCALE = 1e-4
BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""The band_id numbers of Sentinel-2 metadata, 0 to 12."""


def from_safe(folder: ProductFolder) -> Source:
    """Return the bands of a Sentinel-2 SAFE, each in its finest resolution.

    Raises:
        UnknownLayoutError: If it holds no band file, or several tiles.
        UnreadableSourceError: If the metadata is no XML.
    """
    metadata = folder.matching(METADATA)[0]
    level = "l2a" if "L2A" in PurePosixPath(metadata).name else "l1c"
    files = folder.matching(r"GRANULE/[^/]+/IMG_DATA/.*_B\w{2}(_\d+m)?\.(jp2|tiff?)$")
    _require_one_tile(files, folder)
    finest = {label_of_file(name): name for name in sorted(files, key=_resolution_m, reverse=True)}
    require_files(finest, folder.root, "GRANULE/*/IMG_DATA/**/*_B04*.jp2")
    scale, offset_of, reason = _radiometry(folder.xml(metadata))
    bands = [
        replace(
            bands_of_file(folder.location(name))[0],
            label=label,
            label_from="file name",
            nodata=0,
            scale=scale,
            offset=offset_of(label),
            radiometry_reason=reason,
        )
        for label, name in sorted(finest.items())
    ]
    classes = folder.matching(r"GRANULE/[^/]+/IMG_DATA/R20m/.*_SCL_20m\.\w+$")
    return Source(
        folder.root,
        "Sentinel-2 SAFE folder",
        tuple(bands),
        f"sentinel2_{level}",
        f"the folder holds {PurePosixPath(metadata).name}",
        Quality(folder.location(classes[0]), "scl") if classes else None,
    )


def with_offset_of_name(bands: tuple[BandSource, ...], location: str) -> tuple[BandSource, ...]:
    """Return bands with the scale and offset that a product's name promises, where their pixels may be its numbers.

    Floating-point and 8-bit pixels are no numbers of the product. The offset is only a claim: `hold_against` compares
    it with the pixels. Baseline N9999 promises none. A band file of a SAFE alone promises it by its day.
    """
    baseline, day = baseline_of_name(location), day_with_offset(location)
    if not (baseline or day) or bands[0].scale is not None or not _may_be_numbers(bands):
        return bands
    if is_own_baseline(baseline):
        reason = f"baseline {baseline} in the name tells no offset, so that none is taken off"
        return tuple(replace(band, radiometry_reason=reason) for band in bands)
    if baseline and not has_offset(baseline):
        return bands
    source = f"processing baseline {baseline} of the name" if baseline else f"products of {day}, the day in the name"
    reason = f"{source}: 1000 is subtracted"
    return tuple(
        replace(band, scale=SCALE, offset=OFFSET, radiometry_reason=reason, scale_is_claim=True) for band in bands
    )


def _may_be_numbers(bands: tuple[BandSource, ...]) -> bool:
    kinds = [np.dtype(band.dtype) for band in bands]
    return all(kind.kind in "iu" and kind.itemsize > 1 for kind in kinds)


def _require_one_tile(files: list[str], folder: ProductFolder) -> None:
    tiles = sorted({match[1] for name in files if (match := re.search(r"GRANULE/([^/]+)/", name))})
    if len(tiles) > 1:
        raise UnknownLayoutError(
            "The SAFE holds several tiles",
            found=f"{folder.root}: {', '.join(tiles)}",
            expected="one tile, as products since 2016 have",
            fix="Pass the band files of one tile as a list: open_scene([...]).",
        )


def _resolution_m(name: str) -> int:
    match = re.search(r"_(\d+)m\.", name)
    return int(match[1]) if match else 0


def _radiometry(root: ET.Element) -> tuple[float, Callable[[str], float], str]:
    """Return scale, a function from band id to offset in reflectance, and the reason."""
    quantification = float(_text(root, "BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE") or 10_000)
    stated = {
        BAND_IDS[int(node.get("band_id", 0))]: float(node.text or 0)
        for tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
        for node in root.iter(tag)
    }
    baseline = _text(root, "PROCESSING_BASELINE") or "0"
    fallback = -1000.0 if has_offset(baseline) else 0.0
    reason = f"processing baseline {baseline}: (raw {stated.get('B04', fallback):+g}) / {quantification:g}"
    return 1 / quantification, lambda band: stated.get(band, fallback) / quantification, reason


def _text(root: ET.Element, *tags: str) -> str | None:
    return next((node.text for tag in tags for node in root.iter(tag) if node.text), None)
