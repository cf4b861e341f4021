"""Planet: radiance at the sensor becomes reflectance by the coefficients in the metadata beside the file."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from spex_nb.scene.band_source import BandSource
from spex_nb.scene.sources.folder import open_folder
from spex_nb.scene.windows.locations import is_remote

ANALYTIC = r"_analytic(ms)?(_|\.|$)"
"""Analytic products; of these, names with SR are surface reflectance, and all others radiance."""
REFLECTANCE = r"_SR(_|\.|$)"
RADIANCE = (
    "radiance at the sensor, in 0.01 W m⁻² sr⁻¹ µm⁻¹: its coefficients stand in the …_metadata.xml beside the file"
)
NUMBERS = "uncalibrated numbers (DN)"


def with_reflectance_coefficients(bands: tuple[BandSource, ...], location: str) -> tuple[BandSource, ...]:
    """Return the bands of an analytic product as top-of-atmosphere reflectance.

    Each band is multiplied by the reflectanceCoefficient of its number. Without the metadata the bands are marked as
    radiance. Surface reflectance, floating-point and 8-bit pixels stay as they are.
    """
    name = location.rpartition("/")[2]
    analytic = re.search(ANALYTIC, name, re.IGNORECASE)
    is_wide = all(np.dtype(band.dtype).kind in "iu" and np.dtype(band.dtype).itemsize > 1 for band in bands)
    if not analytic or re.search(REFLECTANCE, name, re.IGNORECASE) or not is_wide or bands[0].scale is not None:
        return bands
    if re.search(r"_DN(_|\.|$)", name, re.IGNORECASE):
        return tuple(replace(band, unscaled=NUMBERS) for band in bands)
    coefficients = _coefficients(location, name[: analytic.start()])
    if not all(band.index in coefficients for band in bands):
        return tuple(replace(band, unscaled=RADIANCE) for band in bands)
    reason = "radiance times the reflectanceCoefficient of the metadata: top of atmosphere"
    return tuple(replace(band, scale=coefficients[band.index], offset=0.0, radiometry_reason=reason) for band in bands)


def _coefficients(location: str, stem: str) -> dict[int, float]:
    """Return the coefficient of each band number from the metadata beside a file; none without it."""
    if is_remote(location):
        return {}
    folder = open_folder(str(Path(location).parent))
    names = [name for name in folder.matching(r"^[^/]*metadata[^/]*\.xml$") if name.startswith(stem)]
    for name in names:
        numbers = _by_band(folder.xml(name))
        if numbers:
            return numbers
    return {}


def _by_band(root: ET.Element) -> dict[int, float]:
    """Return the reflectance coefficients by band number, in any version of Planet's namespace."""
    numbers: dict[int, float] = {}
    for node in root.iter():
        if node.tag.rpartition("}")[2] != "bandSpecificMetadata":
            continue
        facts = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in node}
        if "bandNumber" in facts and "reflectanceCoefficient" in facts:
            numbers[int(facts["bandNumber"])] = float(facts["reflectanceCoefficient"])
    return numbers
