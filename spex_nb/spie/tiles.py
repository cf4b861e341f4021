"""Tiles on disk: all bands of a window as a small GeoTIFF, its mask as a PNG with a palette, a picture on request."""

from __future__ import annotations

import hashlib
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spex_nb.errors import UnreadableSourceError
from spex_nb.output.files import write_whole
from spex_nb.output.plotting import picture_of

BUILD_AGAIN = "Make room and build again: what is finished is kept."
STEP = 1e-4
"""Reflectance is kept in steps of this size, as the products of most sensors do."""
NODATA = -32768
LARGEST = 32767
TILE_ATTRIBUTES = ("sensor", "radiometry", "gsd_m")
"""Attributes of a scene that its tiles carry."""
UNKNOWN = 255
"""Value of a mask where the label is unknown."""
PALETTE = {0: (0, 0, 0), 1: (0, 158, 224), UNKNOWN: (128, 128, 128)}


def write_tile(tile: xr.Dataset, path: Path) -> str:
    """Write all bands of a tile as int16 steps of 0.0001, with names, wavelengths and georeference.

    Numbers beyond the range of such steps are no reflectance; a tile that has them is kept in float32.

    Returns:
        A hash of the pixels: equal tiles have equal hashes, whatever their place.

    Raises:
        OutputError: If the disk is full or fails.
    """
    import rasterio

    bands = tile.spex.bands
    valid = tile.spex.valid.values
    pixels = np.stack([np.where(valid, tile[band].values, np.nan) for band in bands])
    is_fit = np.nanmax(np.abs(pixels), initial=0) < LARGEST * STEP
    stored = np.where(np.isnan(pixels), NODATA, np.rint(pixels / STEP)).astype(np.int16) if is_fit else pixels
    height, width = tile.spex.shape
    profile = {
        "driver": "GTiff",
        "count": len(bands),
        "height": height,
        "width": width,
        "dtype": stored.dtype.name,
        "nodata": NODATA if is_fit else np.nan,
        "compress": "deflate",
        "predictor": 2 if is_fit else 3,
        "zlevel": 1,
    }
    if tile.spex.crs is not None:
        profile |= {"crs": tile.spex.crs, "transform": tile.spex.transform}
    with _whole(path, stored.nbytes) as part, _quiet(), rasterio.open(part, "w", **profile) as file:
        file.write(stored)
        file.scales = [STEP if is_fit else 1.0] * len(bands)
        for i, band in enumerate(bands, start=1):
            file.set_band_description(i, band)
            attributes = tile[band].attrs
            file.update_tags(i, **{key: attributes[key] for key in ("wavelength_um", "width_um") if key in attributes})
        file.update_tags(**{key: str(tile.attrs[key]) for key in TILE_ATTRIBUTES if key in tile.attrs})
    return hash_pixels(stored)


def hash_pixels(stored: Any) -> str:
    """Return a hash of a tile's pixels [B, H, W] as they are stored."""
    return hashlib.blake2b(np.ascontiguousarray(stored).tobytes(), digest_size=8).hexdigest()


def read_tile(path: Path) -> xr.Dataset:
    """Read a tile as a scene: float32 bands [H, W] by name, ``valid``, CRS where it has one.

    Raises:
        UnreadableSourceError: If the file is missing or damaged.
    """
    import rasterio

    try:
        with _quiet(), rasterio.open(path) as file:
            steps = file.read()
            tags, names = file.tags(), file.descriptions
            waves = [
                {key: float(text) for key, text in file.tags(i).items() if key.endswith("_um")} for i in file.indexes
            ]
            crs, transform = file.crs, file.transform
    except rasterio.errors.RasterioError as error:
        raise UnreadableSourceError(
            "The tile cannot be read", found=str(error), expected="a tile of the dataset", fix="Build it again."
        ) from error
    is_float = steps.dtype.kind == "f"
    missing = np.isnan(steps) if is_float else steps == NODATA
    pixels = np.where(missing, np.float32(np.nan), steps if is_float else steps * np.float32(STEP))
    bands = {name: (("y", "x"), band, wave) for name, band, wave in zip(names, pixels, waves, strict=True)}
    attributes = {key: tags[key] for key in TILE_ATTRIBUTES if key in tags} | {"tile_hash": hash_pixels(steps)}
    tile = xr.Dataset(bands | {"valid": (("y", "x"), ~missing.all(0))}, attrs=attributes)
    import rioxarray  # noqa: F401  (registers .rio)

    return tile if crs is None else tile.rio.write_crs(crs).rio.write_transform(transform)


def write_mask(mask: Any, is_known: Any, path: Path) -> None:
    """Write a mask as an 8-bit PNG: 1 target, 0 not, 255 where the label is unknown."""
    from PIL import Image

    picture = Image.fromarray(np.where(is_known, mask.astype(np.uint8), np.uint8(UNKNOWN)), mode="P")
    colors = np.zeros((256, 3), np.uint8)
    colors[list(PALETTE)] = list(PALETTE.values())
    picture.putpalette(colors.tobytes())
    with _whole(path, mask.size) as part:
        picture.save(part, compress_level=1)


def read_mask(path: Path) -> tuple[Any, Any]:
    """Read a mask.

    Returns:
        (mask, known), both bool [H, W].

    Raises:
        UnreadableSourceError: If the file is missing or damaged.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture)
    except (OSError, SyntaxError) as error:  # Pillow calls a broken PNG a syntax error
        raise UnreadableSourceError(
            "The mask cannot be read", found=f"{path}: {error}", expected="a PNG", fix="Build it again."
        ) from error
    return pixels == 1, pixels != UNKNOWN


def write_rgb(tile: xr.Dataset, path: Path) -> None:
    """Write a picture of a tile, for tools that take three channels only."""
    from PIL import Image

    picture = (255 * picture_of(tile)).astype(np.uint8)
    with _whole(path, picture.nbytes) as part:
        Image.fromarray(picture).save(part, compress_level=1)


def _whole(path: Path, needs_bytes: int) -> AbstractContextManager[Path]:
    """Write a file of a dataset whole; the build removes what killed workers left."""
    return write_whole(path, overwrite=True, needs_bytes=needs_bytes, removes_leftovers=False, fix=BUILD_AGAIN)


def _quiet() -> Any:
    from rasterio.errors import NotGeoreferencedWarning

    return warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning)
