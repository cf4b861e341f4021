"""What the name of a product states, and no more: the sensor, the level and the processing baseline."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

PRODUCTS = (
    (r"S2[A-D]_MSIL1C_", "sentinel2_l1c"),
    (r"S2[A-D]_MSIL2A_", "sentinel2_l2a"),
    (r"HLS\.S30\.", "hls"),
    (r"HLS\.L30\.", "hls_l30"),
    (r"LM04_L1|LM4\d{13}", "landsat4_mss"),
    (r"LM05_L1|LM5\d{13}", "landsat5_mss"),
    (r"L[COTE]04_L[12]|LT4\d{13}", "landsat4"),
    (r"L[COTE]05_L[12]|LT5\d{13}", "landsat5"),
    (r"L[COTE]07_L[12]|LE7\d{13}", "landsat7"),
    (r"L[COTE]08_L[12]|L[CO]8\d{13}", "landsat8"),
    (r"L[COTE]09_L[12]", "landsat9"),
)
"""Names of public products, which stand in the name of a file or of a folder above it; and the sensor of each."""

FILES = (
    (r"^m_\d{7}_(ne|nw|se|sw)_\d{1,2}_", "naip"),
    (r"_(analyticms|ortho_analytic|basic_analytic).*_8b", "planetscope8"),
    (r"_analyticms|_ortho_analytic_4b|_basic_analytic_4b", "planetscope4"),
    (r"^gf1_", "gf1"),
    (r"^gf2_", "gf2"),
    (r"(^|_)wv0?2[_-]", "wv2"),
    (r"(^|_)wv0?3[_-]", "wv3"),
    (r"(^|_)qb0?2[_-]", "quickbird"),
    (r"(^|_)spot_?6", "spot6"),
    (r"(^|_)spot_?7", "spot7"),
)
"""Names that commercial and aerial imagery bears, which stand in the name of the file only, in any case."""

BASELINE_WITH_OFFSET = 4.0
"""Sentinel-2 products of this processing baseline and later add 1000 to every number (S2 PSD 14.9)."""
FIRST_DAY_WITH_OFFSET = "20220125"
"""Baseline 04.00 was introduced on this day, for all products from then on (S2 PSD 14.9)."""
OWN_BASELINE = 99.0
"""Baselines from here on (N9999) mark products of the user's own Sen2Cor: they tell nothing of an offset."""


def sensor_of_name(location: str) -> tuple[str | None, str]:
    """Return the sensor that the name of a file tells, and the reason; None for no known name."""
    for pattern, sensor in PRODUCTS:
        if re.search(pattern, location):
            return sensor, f"the name of the file matches {sensor}"
    name = PurePosixPath(location.replace("\\", "/")).name.lower()
    for pattern, sensor in FILES:
        if re.search(pattern, name):
            return sensor, f"the name of the file matches {sensor}"
    return None, ""


def baseline_of_name(location: str) -> str | None:
    """Return the processing baseline of a Sentinel-2 product's name, such as ``05.10``; None without one."""
    match = re.search(r"S2[A-D]_MSIL(?:1C|2A)_.*?_N(\d{2})(\d{2})(?:_|$)", location)
    return f"{match[1]}.{match[2]}" if match else None


def day_with_offset(location: str) -> str | None:
    """Return the day that the name of a band file in a SAFE tells, where all products of that day add 1000.

    ``T32UQD_20240101T101010_B04_10m.jp2`` alone tells no baseline. Products of older days may add it or not.
    """
    name = PurePosixPath(location.replace("\\", "/")).name
    match = re.fullmatch(r"T\d{2}[A-Z]{3}_(\d{8})T\d{6}_B\w{2}(?:_\d{2}m)?\.(?:jp2|tiff?)", name)
    return match[1] if match and match[1] >= FIRST_DAY_WITH_OFFSET else None


def has_offset(baseline: str | None) -> bool:
    """Whether a processing baseline promises that 1000 was added to every number."""
    return BASELINE_WITH_OFFSET <= _number(baseline) < OWN_BASELINE


def is_own_baseline(baseline: str | None) -> bool:
    """Whether a processing baseline marks a product of the user's own Sen2Cor."""
    return _number(baseline) >= OWN_BASELINE


def _number(baseline: str | None) -> float:
    try:
        return float(baseline or 0)
    except ValueError:
        return 0.0


def label_of_file(location: str) -> str:
    """Return the words of a file name that tell the layer: ``B04`` of ``T32UQD_20200101_B04_10m.jp2``.

    The maker's name comes first, with the prefix that changes its meaning (``ST_B10``); then the last word, or the
    last two or three of a quality layer (``QA_PIXEL``). Resolution and words of processing (``clip``) count as nothing.
    """
    stem = PurePosixPath(location.replace("\\", "/")).stem
    words = [word for word in re.split(r"[._\s-]+", stem) if word]
    words = [word for word in words if not re.fullmatch(r"\d+m", word, re.IGNORECASE)]
    while len(words) > 1 and re.fullmatch(_PROCESSING, words[-1].lower()):
        words.pop()
    coded = [i for i, word in enumerate(words) if re.fullmatch(r"(B|band)\d{1,2}[A-Za-z]?", word, re.IGNORECASE)]
    if coded:
        has_prefix = coded[-1] > 0 and words[coded[-1] - 1].lower() in ("sr", "st", "toa")
        return "_".join(words[coded[-1] - has_prefix : coded[-1] + 1])
    numbered = [i for i, word in enumerate(words) if re.fullmatch(r"nbart?|edge|swir", word.lower())]
    if numbered and numbered[0] < len(words) - 1:
        return "_".join(words[numbered[0] - (words[numbered[0]].lower() == "edge") :])
    quality = [i for i, word in enumerate(words) if word.lower() in ("qa", "pixel", "sr", "st")]
    tail = [i for i in quality if i >= len(words) - _LONGEST_LAYER]
    if tail and tail[0] < len(words) - 1:
        return "_".join(words[tail[0] :])
    return words[-1] if words else ""


_PROCESSING = r"clip(ped)?|crop(ped)?|cut|subset|mosaic|merged?|resampled|reproj(ected)?|warp(ed)?|cog|utm"
_LONGEST_LAYER = 3
