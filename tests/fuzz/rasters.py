"""Rasters of a seeded generator: any size, type, CRS, geotransform, metadata and damage that a file may come with."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS

DTYPES = ("uint8", "uint16", "int16", "int32", "uint32", "float32", "float64", "int8", "complex64")
NAMES = ("blue", "green", "red", "nir", "swir16", "swir22")
ENGINEERING = 'LOCAL_CS["site",UNIT["metre",1]]'
MOON = (
    'GEOGCS["Moon",DATUM["D_Moon",SPHEROID["Moon",1737400,0]],PRIMEM["Reference",0],UNIT["degree",0.0174532925199433]]'
)
VERTICAL = 'VERT_CS["height",VERT_DATUM["height",2005],UNIT["metre",1],AXIS["Up",UP]]'
CRSES: tuple[Any, ...] = (
    *(None, 32632, 32632, 32632, 4326, 3857, 3031, 2154, 4978, 27700, 3395, 54009, 6933, 5041, 4979),
    *(ENGINEERING, MOON, VERTICAL, "+proj=ortho +lat_0=50 +lon_0=10", "+proj=gnom +lat_0=90", "+proj=geos +h=35785831"),
    *("+proj=utm +zone=33 +units=us-ft", "+proj=longlat +pm=paris +datum=WGS84", "EPSG:4326+5773"),
)
TRANSFORMS = (
    *(Affine(10, 0, 500_000, 0, -10, 5_500_000),) * 4,
    *(Affine(1e-4, 0, 10, 0, -1e-4, 50), Affine(1, 0, -180, 0, -1, 90), Affine.identity()),
    *(Affine(10, 0, 500_000, 0, 10, 5_500_000), Affine(7, 7, 500_000, 7, -7, 5_500_000)),
    *(Affine(1e-9, 0, 500_000, 0, -1e-9, 5_500_000), Affine(10, 0, 1e12, 0, -10, 1e12), Affine(1e9, 0, 0, 0, -1e9, 0)),
    *(Affine(0, 0, 0, 0, 0, 0), Affine(float("nan"), 0, 0, 0, -1, 0), Affine(10, 0, 1e7, 0, -10, 9.99e6)),
    *(
        Affine(-10, 0, 500_000, 0, -10, 5_500_000),
        Affine(1e-3, 0, 179.99, 0, -1e-3, 0.01),
        Affine(1, 0, 0, 0, -1, 89.9),
    ),
)
ODD_FRAC = 0.3
"""Share of rasters with odd bands, places, descriptions or options, each by itself."""
NODATA = (None, None, None, 0, 255, -9999, float("nan"), 65535, 1e30)
OPTIONS: tuple[dict[str, Any], ...] = (
    *({}, {}, {}, {}, {"scale": 1e-4}, {"scale": 1e-4, "offset": -0.1}, {"nodata": 0}, {"chunks": 16}, {"scale": 0}),
    *({"scale": float("nan")}, {"bands": ["red", "nir"]}, {"bands": {"nir": 1}}, {"sensor": "sentinel2_l2a"}),
    *({"clouds": True}, {"gsd_m": 10}, {"gsd_m": -1}, {"nodata": float("inf")}, {"bands": ["red"] * 3}),
)


def make_raster(rng: np.random.Generator, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write a raster, and return its path with options of `open_scene`."""
    path = folder / str(rng.choice(["scene.tif", "scene.tif", "S2A_MSIL2A_20240101_N0510_B04.tif", "m_3611.img", "x"]))
    is_odd = rng.random(4) < ODD_FRAC
    count, height, width = (
        int(rng.integers(1, 7) if is_odd[0] else rng.integers(4, 7)),
        int(rng.integers(1, 97)),
        int(rng.integers(1, 97)),
    )
    dtype = str(rng.choice(DTYPES, p=[0.15, 0.3, 0.15, 0.05, 0.05, 0.2, 0.05, 0.03, 0.02]))
    pixels = _pixels(rng, dtype, (count, height, width))
    profile: dict[str, Any] = {"driver": "HFA" if path.suffix == ".img" and dtype != "int8" else "GTiff"}
    profile |= {"width": width, "height": height, "count": count, "dtype": dtype}
    nodata = NODATA[rng.integers(len(NODATA))]
    fits = nodata is None or "f" in np.dtype(dtype).kind or _holds(dtype, nodata)
    profile |= {
        "nodata": nodata if fits else None,
        "crs": _crs(rng),
        "transform": TRANSFORMS[rng.integers(len(TRANSFORMS)) if is_odd[1] else 0],
    }
    if rng.random() < 0.3 and profile["driver"] == "GTiff":
        profile |= {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": str(rng.choice(["deflate", "lzw"]))}
    with warnings.catch_warnings(action="ignore"), rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
        _describe(rng, file, count, is_odd=bool(is_odd[2]))
    _damage(rng, path)
    usual = {} if "f" in dtype else {"scale": 1e-4}
    return path, OPTIONS[rng.integers(len(OPTIONS))] if is_odd[3] else usual


def _pixels(rng: np.random.Generator, dtype: str, shape: tuple[int, int, int]) -> Any:
    kind = rng.integers(6)
    low, high = ((0.0, 1.0), (0.0, 10_000.0), (0.0, 255.0), (-1e5, 1e5), (0.0, 0.0), (0.0, 4e9))[kind]
    values = rng.uniform(low, max(high, low + 1e-9), shape)
    values[:, : shape[1] // 2] *= rng.uniform(0, 1, (shape[0], 1, 1))
    if "f" in np.dtype(dtype).kind and rng.random() < 0.2:
        values[rng.random(shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf, 1e38])
    if rng.random() < 0.2:
        values[:, :3] = 0
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        values = values.clip(info.min, info.max)
    return values.astype(dtype)


def _holds(dtype: str, number: float) -> bool:
    if np.dtype(dtype).kind not in "iu" or not np.isfinite(number):
        return False
    return bool(np.iinfo(dtype).min <= number <= np.iinfo(dtype).max)


def _crs(rng: np.random.Generator) -> Any:
    given = CRSES[rng.integers(len(CRSES))]
    if given is None:
        return None
    try:
        return CRS.from_epsg(given) if isinstance(given, int) else CRS.from_user_input(given)
    except rasterio.errors.CRSError:
        return None


def _describe(rng: np.random.Generator, file: Any, count: int, *, is_odd: bool) -> None:
    style = rng.integers(6) if is_odd else 0
    words = ["", "B4", "red", "Band 1", "NDVI", "wavelength 665 nm", "\U0001f6f0", "x" * 500]
    for index in range(1, count + 1):
        text = (NAMES[index - 1], NAMES[index - 1], f"B{index}", "", "red", str(rng.choice(words)))[style]
        if text:
            file.set_band_description(index, text)
    if rng.random() < 0.15:
        file.scales = [float(rng.choice([1e-4, 0.0, -1.0, 1e300, np.nan]))] * count
    if rng.random() < 0.15:
        file.offsets = [float(rng.choice([-0.1, 1e300, np.nan, -1000]))] * count
    if rng.random() < 0.1:
        file.update_tags(1, wavelength=str(rng.choice(["665", "nan", "-1", "1e400", "red", "9" * 400])))
    if rng.random() < 0.1 and file.driver == "GTiff":
        file.write_mask(rng.random((file.height, file.width)) < 0.7)


def _damage(rng: np.random.Generator, path: Path) -> None:
    chance = rng.random()
    content = bytearray(path.read_bytes())
    if chance < 0.06:
        path.write_bytes(content[: int(len(content) * rng.random())])
    elif chance < 0.15:
        for _ in range(int(rng.integers(1, 30))):
            content[rng.integers(min(len(content), 2000) if chance < 0.1 else len(content))] = int(rng.integers(256))
        path.write_bytes(content)
    elif chance < 0.2:
        numbers = ", ".join(str(x) for x in rng.choice([0, 10, -10, 5e5, 1e300, 1e-12], 6))
        Path(f"{path}.aux.xml").write_text(f"<PAMDataset><GeoTransform>{numbers}</GeoTransform></PAMDataset>")
