"""Which asset of a STAC item is which band: by names, common names and roles, in all versions of the standard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spex_nb.errors import UnknownLayoutError
from spex_nb.scene.band_labels import Meaning, spectral_group, understand
from spex_nb.scene.sensors import Sensor
from spex_nb.scene.sources.names import label_of_file

PICTURE_ROLES = {"thumbnail", "overview", "visual", "metadata", "tiles"}
LAYER_ROLES = {
    "cloud": "cloud",
    "cloud-shadow": "cloud",
    "snow-ice": "classes",
    "water-mask": "classes",
    "saturation": "quality",
    "temperature": "thermal",
    "data-mask": "mask",
    "quality": "quality",
    "angle": "angle",
    "azimuth": "angle",
}
"""Roles of assets that are no reflectance, and what such an asset holds."""


@dataclass(frozen=True)
class Asset:
    """One band of one asset, before its file is read."""

    key: str
    label: str
    href: str
    index: int
    """Number of the band in the file, from 1."""
    count: int
    """Bands that the item describes for the asset."""
    facts: Mapping[str, Any]
    """Fields of the band, with those of the asset where the band has none."""
    layer: str
    """What it holds if it is no reflectance."""
    common_name: str

    def number(self, *keys: str) -> float | None:
        """Return the first field that is there and is a number."""
        values = (self.facts.get(key) for key in keys)
        return next((float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)), None)

    @property
    def preference(self) -> tuple[bool, float]:
        """What sorts assets of one band: GeoTIFF before JPEG 2000, fine before coarse."""
        stated = re.search(r"_(\d+)m(_|\.|$)", self.key) or re.search(r"_(\d+)m\.", self.href)
        resolution = float(stated[1]) if stated else self.number("gsd", "spatial_resolution") or 0.0
        return self.href.lower().endswith(".jp2"), resolution


def assets_of(item: Mapping[str, Any], sensor: Sensor | None) -> Iterable[Asset]:
    """Yield the bands of all assets; those of assets with several bands only if no asset holds a single one."""
    described = {
        str(key): (asset, _described(asset, item))
        for key, asset in item["assets"].items()
        if isinstance(asset, Mapping) and isinstance(asset.get("href"), str) and _is_raster(asset)
    }
    single = [
        _asset(key, asset, bands[0] if bands else {}, sensor)
        for key, (asset, bands) in described.items()
        if len(bands) <= 1 and not _is_picture(key, asset)
    ]
    recognised = [asset for asset in single if asset is not None]
    yield from recognised
    if any(not asset.layer for asset in recognised):
        return
    stacks = {key: row for key, row in described.items() if len(row[1]) > 1 and not _is_picture(key, row[0])}
    key = _one_stack(list(stacks), str(item.get("id")))
    asset, bands = stacks.get(key, ({}, []))
    for index, band in enumerate(bands, start=1):
        one_of_stack = _asset(key, asset, band, sensor, index, len(bands))
        if one_of_stack is not None:
            yield one_of_stack


def _one_stack(keys: Sequence[str], name: str) -> str:
    surface = [key for key in keys if re.search(r"(^|_)sr(_|$)", key)]
    if len(surface or keys) > 1:
        raise UnknownLayoutError(
            "Several assets of the item hold all bands",
            found=f"{name}: {', '.join(keys)}",
            expected="one stack of bands",
            fix="Open the file of one of them.",
        )
    return (surface or list(keys) or [""])[0]


def _asset(
    key: str, asset: Mapping[str, Any], band: Mapping[str, Any], sensor: Sensor | None, index: int = 1, count: int = 1
) -> Asset | None:
    """Return a band of an asset, labelled by the first of its names that is known; None where nothing names it."""
    raster = asset.get("raster:bands")
    rasters = [row for row in raster if isinstance(row, Mapping)] if isinstance(raster, list) else []
    facts = {**asset, **band, **(rasters[index - 1] if index <= len(rasters) else {})}
    common = str(facts.get("eo:common_name") or facts.get("common_name") or "")
    names = [str(facts.get("name") or ""), *([key, label_of_file(asset["href"])] if count == 1 else []), common]
    meanings = {name: understand(name, sensor) for name in names if name}
    layer = next((meaning.layer for meaning in meanings.values() if meaning.layer), "") or _layer(asset, facts)
    label = _label({name: meaning for name, meaning in meanings.items() if meaning.name or meaning.conflict})
    wavelength = facts.get("eo:center_wavelength", facts.get("center_wavelength"))
    if not (layer or label or common or wavelength):
        return None
    return Asset(key, label or names[0] or key, asset["href"], index, count, facts, layer, common)


def _label(meanings: Mapping[str, Meaning]) -> str:
    """Return the name that tells the band best: a maker's name first; all names together where they contradict."""
    names = sorted(meanings, key=lambda name: re.search(r"(^|_)b(and)?\d", name.lower()) is None)
    groups = {spectral_group(meanings[name].name or "") for name in names}
    return " ".join(names) if len(groups) > 1 else next(iter(names), "")


def _layer(asset: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    layer = next((LAYER_ROLES[role] for role in _strings(asset.get("roles")) if role in LAYER_ROLES), "")
    return "thermal" if str(facts.get("unit", "")).lower() in ("kelvin", "k") else layer


def _described(asset: Mapping[str, Any], item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the bands that an asset describes; numbers of old items point into the bands of the properties."""
    bands = asset.get("eo:bands") or asset.get("bands") or []
    shared = mapping_or_empty(item.get("properties")).get("eo:bands") or item.get("eo:bands")
    if not isinstance(bands, list):
        return []
    table = shared if isinstance(shared, list) else []
    rows = [
        table[band] if isinstance(band, int) and not isinstance(band, bool) and 0 <= band < len(table) else band
        for band in bands
    ]
    return [row if isinstance(row, Mapping) else {} for row in rows]


def _is_raster(asset: Mapping[str, Any]) -> bool:
    """Whether an asset may be a raster, by its media type, or by the ending of its file without one."""
    kind = str(asset.get("type") or "").lower()
    if kind:
        return kind.startswith("image/") and not re.search(r"png|gif|webp|image/jpe?g", kind)
    return bool(re.search(r"\.(tiff?|jp2|img|vrt)$", asset["href"].partition("?")[0].lower()))


def _is_picture(key: str, asset: Mapping[str, Any]) -> bool:
    is_named_so = re.search(r"visual|preview|thumbnail|overview|(^|_)tci", key.lower())
    return bool(PICTURE_ROLES & set(_strings(asset.get("roles")))) or is_named_so is not None


def best_assets(assets: Iterable[Asset]) -> list[Asset]:
    """Return one asset of each label, the one that is best read, in the order of the item."""
    best: dict[tuple[str, str], Asset] = {}
    for asset in assets:
        label = re.sub(r"_\d+m$|-jp2$", "", asset.label)
        name = (str(asset.facts.get("name") or label), asset.common_name)
        rival = best.get(name)
        best[name] = asset if rival is None or asset.preference < rival.preference else rival
    return list(best.values())


def mapping_or_empty(value: object) -> Mapping[str, Any]:
    """Return a field of an item that should be an object; an empty one where it is of another type."""
    return value if isinstance(value, Mapping) else {}


def _strings(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else []
