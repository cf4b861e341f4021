"""STAC items as catalogues serve them: which asset is which band, with which scale, and what is no band."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from spex_nb.errors import BandError, SourceNotFoundError, SpexError, UnknownLayoutError, UnreadableSourceError
from spex_nb.scene.band_labels import understand
from spex_nb.scene.band_source import BandSource, Quality, Source, bands_of_file
from spex_nb.scene.sensors import LONGEST_UM, get_sensor
from spex_nb.scene.sources import landsat, sentinel2
from spex_nb.scene.sources.folder import open_folder
from spex_nb.scene.sources.names import baseline_of_name, has_offset
from spex_nb.scene.sources.stac_assets import Asset, assets_of, best_assets, mapping_or_empty
from spex_nb.scene.sources.stac_sensor import sensor_of_item
from spex_nb.scene.windows.locations import is_remote
from spex_nb.scene.windows.network import has_network_leave, names_address

QUALITY_CODINGS = {"qa_pixel": "qa_pixel", "qa": "qa_pixel", "scl": "scl", "fmask": "fmask"}
NAME = "name in the STAC item"


def from_stac(item: Mapping[str, Any], file: Path | None = None) -> Source:
    """Return the bands of a STAC item, by the names, common names and wavelengths that its assets state.

    Items of versions 1.0 (``eo:bands``, ``raster:bands``), 1.1 (``bands``) and older (numbers into the bands of the
    properties) are read. Thermal bands, angles, quality layers and pictures are left out. Of a band that several
    assets hold, the finest GeoTIFF is taken. An offset that the item says is already applied is not applied again.

    Args:
        item: The item as in its JSON.
        file: The JSON file, if it was read from one. Its assets must then lie beside it or elsewhere on this machine:
            the path of a file is no address, and nothing is asked of the network.

    Raises:
        UnknownLayoutError: If the JSON is no STAC item, or none of its assets is a band.
        SourceNotFoundError: If no band's file is there.
        BandError: If an asset has another number of bands than the item describes.
    """
    if item.get("type") != "Feature" or not isinstance(item.get("assets"), Mapping):
        raise UnknownLayoutError(
            "The JSON file is no STAC item",
            found=f"type {item.get('type')!r}, keys {sorted(map(str, item))[:8]}",
            expected="a STAC item: type 'Feature' with assets",
            fix="Pass the item itself, not a catalogue, collection or search result.",
        )
    where = f"STAC item {item.get('id')}"
    sensor_id, reason = sensor_of_item(item)
    sensor = get_sensor(sensor_id) if sensor_id else None
    assets = list(assets_of(item, sensor))
    bands = best_assets(asset for asset in assets if not asset.layer)
    _require_bands(bands, assets, item)
    folder = _folder_of(item, file)
    left_out = {asset.key: asset.layer for asset in assets if asset.layer}
    read, missing = _read(bands, folder, file)
    scaled = [_with_scale(band, asset, item, sensor_id, folder) for band, asset in read]
    return Source(
        where,
        "STAC item",
        tuple(scaled),
        sensor_id,
        reason,
        _quality(assets, folder, file),
        left_out=left_out | missing,
    )


def _require_bands(bands: Sequence[Asset], assets: Sequence[Asset], item: Mapping[str, Any]) -> None:
    if not bands:
        layers = [f"{asset.key}: {asset.layer}" for asset in assets] or [
            ", ".join(map(str, item["assets"])) or "no asset"
        ]
        raise UnknownLayoutError(
            "None of the assets is a band",
            found=f"STAC item {item.get('id')}, without bands ({'; '.join(layers)})",
            expected="assets with eo:bands and a common_name, or names of bands of a platform that is known",
            fix="Pass the list of band files with sensor='…' and bands=[…] instead.",
        )


def _read(
    assets: Sequence[Asset], folder: Path | None, file: Path | None
) -> tuple[list[tuple[BandSource, Asset]], dict[str, str]]:
    """Return the bands whose files can be read, and why others are left out.

    Raises:
        SourceNotFoundError, UnreadableSourceError: If none can be read.
    """
    bands: list[tuple[BandSource, Asset]] = []
    missing: dict[str, str] = {}
    problem: SpexError | None = None
    for asset in assets:
        try:
            bands.append((_open(asset, folder, file), asset))
        except (SourceNotFoundError, UnreadableSourceError) as error:
            why = "not there" if isinstance(error, SourceNotFoundError) else "cannot be read"
            missing[asset.key], problem = f"{why}: {error.found}", problem or error
    if problem is not None and not bands:
        raise problem
    return bands, missing


def _open(asset: Asset, folder: Path | None, file: Path | None) -> BandSource:
    bands = bands_of_file(_path_of(asset.href, folder, file))
    if len(bands) != asset.count:
        raise BandError(
            "An asset has another number of bands than the item describes",
            found=f"asset {asset.key}: {len(bands)} bands in its file, {asset.count} described",
            expected="as many bands in the file as in the item",
            fix="Open the file alone, with bands={'red': 1, …}.",
        )
    wavelength = asset.number("eo:center_wavelength", "center_wavelength")
    in_um = None if wavelength is None else wavelength / (1000 if wavelength > LONGEST_UM else 1)
    band = bands[asset.index - 1]
    return replace(
        band,
        label=asset.label,
        label_from=NAME,
        common_name=asset.common_name,
        wavelength_um=in_um or band.wavelength_um,
    )


def _path_of(href: str, folder: Path | None, file: Path | None) -> str:
    """Return where the file of an asset lies.

    Raises:
        SourceNotFoundError: If it lies on the network and the caller passed the path of a file, no address.
    """
    local = href.removeprefix("file://")
    if not is_remote(local):
        return str(folder / local) if folder is not None else local
    beside = file.parent / PurePosixPath(local.partition("?")[0]).name if file is not None else None
    if beside is not None and beside.exists():
        return str(beside)
    if file is None or has_network_leave() or not names_address(local):
        return local
    raise SourceNotFoundError(
        "The file of an asset lies on the network",
        found=href,
        expected=f"the file beside {file.name}: the path of an item is no leave to use the network",
        fix="Fetch the file or pass remote=True; or pass the item itself (a dict or pystac.Item), which is leave too.",
    )


def _folder_of(item: Mapping[str, Any], file: Path | None) -> Path | None:
    """Return the folder that relative addresses start from: of the JSON file, or of the item's link to itself."""
    if file is not None:
        return file.parent
    links = item.get("links")
    rows = [link for link in links if isinstance(link, Mapping)] if isinstance(links, list) else []
    href = next((str(link.get("href")) for link in rows if link.get("rel") == "self"), "").removeprefix("file://")
    return None if not href or is_remote(href) else Path(href).parent


def _quality(assets: Sequence[Asset], folder: Path | None, file: Path | None) -> Quality | None:
    for asset in assets:
        coding = next((QUALITY_CODINGS[name] for name in (asset.key.lower(),) if name in QUALITY_CODINGS), None)
        if coding is None:
            match = re.search(r"(qa_pixel|scl|fmask)", asset.key.lower())
            coding = match[1] if match else None
        path = _existing(asset.href, folder, file) if coding else None
        if coding and path:
            return Quality(path, coding)
    return None


def _existing(href: str, folder: Path | None, file: Path | None) -> str | None:
    try:
        path = _path_of(href, folder, file)
    except SourceNotFoundError:
        return None
    return path if is_remote(path) or Path(path).exists() else None


def _with_scale(
    band: BandSource, asset: Asset, item: Mapping[str, Any], sensor_id: str | None, folder: Path | None
) -> BandSource:
    """Return a band with the scale and offset of the item, else those that its product and level promise."""
    nodata = asset.number("nodata")
    band = band if nodata is None else replace(band, nodata=nodata)
    scale, offset = asset.number("raster:scale", "scale"), asset.number("raster:offset", "offset") or 0.0
    if scale is not None and (scale, offset) != (1.0, 0.0):
        applied = offset != 0 and _offset_is_applied(item)
        reason = "raster:bands of the STAC item" + ("; its offset is already applied" if applied else "")
        return replace(band, scale=scale, offset=0.0 if applied else offset, radiometry_reason=reason)
    if sensor_id is not None and sensor_id.startswith("sentinel2"):
        return _with_baseline(band, item)
    if sensor_id is not None and sensor_id.startswith("landsat") and _is_level_1(item):
        return _with_landsat_metadata(band, asset, item, sensor_id, folder)
    return band


def _offset_is_applied(item: Mapping[str, Any]) -> bool:
    properties = mapping_or_empty(item.get("properties"))
    return any(str(key).endswith("boa_offset_applied") and value is True for key, value in properties.items())


def _with_baseline(band: BandSource, item: Mapping[str, Any]) -> BandSource:
    """Subtract what newer processing adds, unless the item says that this was done."""
    properties = mapping_or_empty(item.get("properties"))
    stated = [properties.get(key) for key in ("s2:processing_baseline", "processing:version", "processing_baseline")]
    names = [str(properties.get(key, "")) for key in ("s2:product_uri", "s2:product_id", "sentinel:product_id")]
    baselines = [str(text) for text in stated if text] + [baseline_of_name(name) or "" for name in names]
    baseline = next((text for text in baselines if text), "")
    if not has_offset(baseline) or _offset_is_applied(item) or band.dtype not in ("uint16", "int16", "int32"):
        return band
    reason = f"processing baseline {baseline} of the STAC item: 1000 is subtracted"
    return replace(band, scale=sentinel2.SCALE, offset=sentinel2.OFFSET, radiometry_reason=reason, scale_is_claim=True)


def _is_level_1(item: Mapping[str, Any]) -> bool:
    text = f"{item.get('collection')} {item.get('id')}".lower()
    return re.search(r"l1(tp|gt|gs)|c2-?l1", text) is not None


def _with_landsat_metadata(
    band: BandSource, asset: Asset, item: Mapping[str, Any], sensor_id: str, folder: Path | None
) -> BandSource:
    """Return a band of level 1 scaled by the metadata asset, if that lies on this machine."""
    hrefs = [str(row.get("href", "")) for row in item["assets"].values() if isinstance(row, Mapping)]
    paths = [folder / href if folder is not None else Path(href) for href in hrefs if not is_remote(href)]
    metadata = next((p for p in paths if re.search(landsat.METADATA, p.name, re.IGNORECASE) and p.exists()), None)
    number = next(
        (
            row.id
            for row in get_sensor(sensor_id).bands
            if row.name == understand(asset.label, get_sensor(sensor_id)).name
        ),
        None,
    )
    if metadata is None or number is None:
        return replace(band, unscaled="Landsat level-1 numbers, whose scale stands in the …_MTL.txt of the product")
    facts = landsat.read_facts(open_folder(str(metadata.parent)), metadata.name)
    scaled = landsat.scaled_by_metadata(replace(band, label=number), facts, sensor_id)
    return replace(scaled, label=asset.label, label_from=NAME)
