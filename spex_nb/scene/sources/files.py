"""What lies behind a path: one file, several files, a product's folder or archive, a container or a STAC item."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from spex_nb.errors import BandError, UnknownLayoutError
from spex_nb.scene.band_labels import understand
from spex_nb.scene.band_source import BandSource, Quality, Source, bands_of_file
from spex_nb.scene.sensors import get_sensor
from spex_nb.scene.sources import eopf, landsat, planet, sentinel2, stac
from spex_nb.scene.sources.containers import files_of_container
from spex_nb.scene.sources.folder import ProductFolder, archive_prefix, open_folder, read_json
from spex_nb.scene.sources.names import label_of_file, sensor_of_name
from spex_nb.scene.windows.locations import gdal_file, is_remote, require_local
from spex_nb.scene.windows.scene_files import note_files

RASTER = r"\.(tiff?|jp2|img|vrt)$"


def locate(source: str | Path) -> Source:
    """Return the bands behind a path, a URL or a name that GDAL reads, unread.

    Raises:
        SourceNotFoundError: If a local path does not exist.
        UnknownLayoutError: If a folder or JSON file has no layout that is known here.
        UnreadableSourceError: If a file is damaged.
    """
    location = str(source)
    require_local(location)
    if is_remote(location) or gdal_file(location):
        return from_file(location)
    if Path(location).is_dir():
        return _from_folder(location)
    if archive_prefix(location):
        return _from_product(open_folder(location), location)
    return _from_metadata(Path(location)) or from_file(location)


def _from_metadata(path: Path) -> Source | None:
    """Return the bands of the product whose metadata file is named; None for any other file."""
    if re.search(sentinel2.METADATA, path.name) or path.name.lower() == "manifest.safe":
        return _from_product(open_folder(str(path.parent), deep=True), str(path))
    if re.search(landsat.METADATA, path.name, re.IGNORECASE):
        return landsat.from_landsat(_of_one_product(open_folder(str(path.parent)), path.name))
    if path.suffix in (".json", ".geojson"):
        note_files(path)
        return stac.from_stac(read_json(path.read_bytes(), str(path)), file=path)
    return None


def from_file(location: str) -> Source:
    """Return the bands of one raster file, or of a container whose subdatasets are bands.

    What a product's name states is kept as far as it states it: a baseline, a level, radiance.
    """
    parts = files_of_container(location)
    if parts:
        return replace(from_files(parts, label_from="subdataset"), location=location, layout="subdatasets of one file")
    bands = _named_by_subdataset(bands_of_file(location), location)
    tags = bands[0].file.tags if bands[0].file else {}
    return Source(location, "raster file", with_claims(bands, location), tags=tags)


def _named_by_subdataset(bands: tuple[BandSource, ...], location: str) -> tuple[BandSource, ...]:
    """Return the one band of ``NETCDF:scene.nc:red`` with its variable as label, where it has no other."""
    if len(bands) > 1 or bands[0].label or not gdal_file(location):
        return bands
    variable = re.split(r"[:/]", location)[-1].strip('"')
    if gdal_file(location).endswith(variable) or not understand(variable).name:
        return bands
    return (replace(bands[0], label=variable, label_from="subdataset"),)


def from_files(locations: Sequence[str | Path], *, label_from: str = "file name") -> Source:
    """Return single-band files as the bands of one scene, labelled by description or by file name.

    Files of a product that hold no reflectance (scene classes, angles, a picture) are left out; its quality layer is
    remembered for ``clouds=True``.

    Args:
        locations: The files, in any order.
        label_from: Where labels come from that are no band descriptions.

    Raises:
        BandError: If there is no band file, or one holds several bands.
        SpexError: If a band file cannot be read; the message names it.
    """
    names = [str(location) for location in locations]
    if not names:
        raise BandError("The list of files is empty", found="[]", expected="one file a band", fix="Pass the files.")
    sensor_id, _ = sensor_of_name(names[0])
    sensor = get_sensor(sensor_id) if sensor_id else None
    layers = {name: understand(label_of_file(name), sensor).layer for name in names}
    bands = [_single(name, label_from) for name in names if not layers[name]]
    if not bands:
        raise BandError(
            "None of the files is a band",
            found="; ".join(f"{Path(name).name}: {layer}" for name, layer in layers.items()),
            expected="at least one file of reflectance",
            fix="Pass the files of the bands too.",
        )
    left_out = {PurePosixPath(name).name: layer for name, layer in layers.items() if layer}
    quality = _quality(name for name, layer in layers.items() if layer)
    return Source(
        next(name for name in names if not layers[name]),
        f"{len(bands)} single-band files",
        tuple(bands),
        quality=quality,
        left_out=left_out,
    )


def _single(location: str, label_from: str) -> BandSource:
    bands = bands_of_file(location)
    if len(bands) != 1:
        raise BandError(
            "A file in the list holds several bands",
            found=f"{location}: {len(bands)} bands",
            expected="one band a file",
            fix="Open that file alone, or split it with `rio stack`/`gdal_translate -b`.",
        )
    band = bands[0]
    if not band.label:
        band = replace(band, label=label_of_file(location), label_from=label_from)
    return with_claims((band,), location)[0]


def with_claims(bands: tuple[BandSource, ...], location: str) -> tuple[BandSource, ...]:
    """Return bands with what their product's name and the metadata beside them state of scale and offset."""
    bands = sentinel2.with_offset_of_name(bands, location)
    bands = landsat.with_level_of_name(bands, location)
    return planet.with_reflectance_coefficients(bands, location)


def _quality(locations: Iterable[str]) -> Quality | None:
    """Return the first layer of a list whose coding its product's name tells."""
    for location in locations:
        name = PurePosixPath(location).name.lower()
        for pattern, coding in ((r"qa_pixel", "qa_pixel"), (r"(^|_)scl(_|\.)", "scl"), (r"^hls\..*fmask", "fmask")):
            if re.search(pattern, name):
                return Quality(location, coding)
    return None


def _from_folder(location: str) -> Source:
    folder = open_folder(location)
    inner = [path for path in Path(location).iterdir() if path.is_dir() and path.suffix.upper() == ".SAFE"]
    if len(inner) == 1:
        return _from_folder(str(inner[0]))
    if folder.matching(sentinel2.METADATA):
        return sentinel2.from_safe(open_folder(location, deep=True))
    if eopf.is_product(location):
        return eopf.from_eopf(location)
    return _from_product(folder, location)


def _from_product(folder: ProductFolder, location: str) -> Source:
    """Return the bands of a folder or an archive of a product that is known here."""
    if folder.matching(sentinel2.METADATA):
        return sentinel2.from_safe(folder)
    if folder.matching(landsat.METADATA):
        return landsat.from_landsat(folder)
    rasters = [name for name in folder.matching(RASTER) if sensor_of_name(folder.location(name))[0]]
    products = sorted({_product_of(name) for name in rasters})
    if len(products) == 1:
        return replace(from_files([folder.location(name) for name in rasters]), location=folder.location(rasters[0]))
    only = folder.matching(RASTER)
    if archive_prefix(location) and len(only) == 1:
        return from_file(folder.location(only[0]))
    shown = ", ".join(sorted(p.name for p in Path(location).iterdir())[:5]) if Path(location).is_dir() else ""
    several = f"{len(products)} products: {', '.join(products[:5])}" if products else ""
    raise UnknownLayoutError(
        "The folder has no layout that is known here",
        found=f"{location}: {several or shown or ', '.join(folder.names[:5]) or 'empty'}",
        expected="one product: a Sentinel-2 .SAFE (MTD_MSIL2A.xml), a Landsat scene (…_MTL.txt), band files of one HLS "
        "granule or BigEarthNet patch, or a Zarr store",
        fix="Pass the list of band files instead: open_scene([...]).",
    )


def _product_of(name: str) -> str:
    """Return the name of a file without the words that tell its layer."""
    stem = PurePosixPath(name).stem
    label = label_of_file(name).split("_")[0]
    return stem.rpartition(label)[0].rstrip("._-") or stem


def _of_one_product(folder: ProductFolder, metadata: str) -> ProductFolder:
    """Return only the files of the product whose metadata file is named."""
    stem = re.sub(landsat.METADATA, "", metadata, flags=re.IGNORECASE)
    names = tuple(name for name in folder.names if name.startswith(stem))
    return replace(folder, names=names)
