"""Which sensor and level a STAC item is of: by the product's name, the collection and the platform."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from spex_nb.scene.sources.names import sensor_of_name


def sensor_of_item(item: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the sensor of an item and the reason; None where nothing tells it.

    Collections that change the numbers of a platform, such as Harmonized Landsat Sentinel-2, come first.
    """
    properties = item.get("properties")
    facts: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    text = f"{item.get('collection')} {item.get('id')}".lower()
    harmonized = re.search(r"hls[^ ]*?(s30|l30)", text)
    if harmonized:
        return {"s30": "hls", "l30": "hls_l30"}[harmonized[1]], "collection and id of the STAC item"
    if re.search(r"\bnaip\b", text):
        return "naip", "collection of the STAC item"
    sensor, reason = sensor_of_name(str(item.get("id")))
    if sensor is not None:
        return sensor, reason.replace("the name of the file", "the id of the STAC item")
    platform = str(facts.get("platform") or facts.get("eo:platform") or facts.get("constellation") or "").lower()
    return _sensor_of_platform(platform, text, facts), "platform of the STAC item"


def _sensor_of_platform(platform: str, text: str, facts: Mapping[str, Any]) -> str | None:
    if re.search(r"sentinel-?_?2", platform):
        level = f"{text} {facts.get('processing:level')} {facts.get('s2:product_type')}".lower()
        return "sentinel2_l1c" if re.search(r"l1c|msi1c|\bl1\b", level) else "sentinel2_l2a"
    match = re.search(r"landsat-?_?([4-9])", platform)
    if match is None:
        return None
    instruments = facts.get("instruments") or facts.get("eo:instrument") or facts.get("instrument") or ""
    return f"landsat{match[1]}_mss" if "mss" in str(instruments).lower() else f"landsat{match[1]}"
