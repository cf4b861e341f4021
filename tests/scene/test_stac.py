"""STAC items in the shapes that public catalogues serve: each gives the right reflectance, or a helpful refusal.

The shapes follow items of Planetary Computer, Earth Search, USGS, CDSE and LP CLOUD, with files of this machine. The
right values are those that the files were written from.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spex_nb import open_scene
from spex_nb.errors import (
    BandError,
    RadiometryError,
    RadiometryWarning,
    SourceNotFoundError,
    SpexError,
    UnknownLayoutError,
)

pytestmark = pytest.mark.slow

Writer = Callable[..., Path]
Item = dict[str, Any]
TRUTH = {
    "coastal": 0.02, "blue": 0.03, "green": 0.06, "red": 0.04, "rededge071": 0.09, "rededge075": 0.25,
    "rededge078": 0.32, "nir": 0.38, "nir08": 0.40, "nir09": 0.36, "cirrus": 0.01, "swir16": 0.20, "swir22": 0.09,
}  # fmt: skip
S2 = {
    "B01": ("coastal", "coastal", 0.443), "B02": ("blue", "blue", 0.49), "B03": ("green", "green", 0.56),
    "B04": ("red", "red", 0.665), "B05": ("rededge071", "rededge", 0.704), "B06": ("rededge075", "rededge", 0.74),
    "B07": ("rededge078", "rededge", 0.783), "B08": ("nir", "nir", 0.842), "B8A": ("nir08", "rededge", 0.865),
    "B09": ("nir09", None, 0.945), "B11": ("swir16", "swir16", 1.61), "B12": ("swir22", "swir22", 2.19),
}  # fmt: skip
OLI = {
    "B1": ("coastal", "coastal"), "B2": ("blue", "blue"), "B3": ("green", "green"), "B4": ("red", "red"),
    "B5": ("nir", "nir08"), "B6": ("swir16", "swir16"), "B7": ("swir22", "swir22"),
}  # fmt: skip
TM = {
    "B1": ("blue", "blue"), "B2": ("green", "green"), "B3": ("red", "red"), "B4": ("nir", "nir08"),
    "B5": ("swir16", "swir16"), "B7": ("swir22", "swir22"),
}  # fmt: skip
EARTH_SEARCH_KEYS = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B06": "rededge2",
    "B07": "rededge3", "B08": "nir", "B8A": "nir08", "B09": "nir09", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


class Files:
    """Writes one small file a number, and gives its path again when the number comes again."""

    def __init__(self, write_raster: Writer) -> None:
        self.write = write_raster
        self.paths: dict[tuple[Any, ...], str] = {}

    def of(self, name: str, number: int, dtype: str = "uint16", folder: str = "a") -> str:
        key = (name, number, dtype, folder)
        if key not in self.paths:
            self.paths[key] = str(self.write(np.full((1, 3, 3), number, dtype), f"{folder}/{name}"))
        return self.paths[key]

    def band(self, name: str, band: str, scale: float, offset: float, dtype: str = "uint16") -> str:
        return self.of(name, round((TRUTH[band] - offset) / scale), dtype)


def item_of(assets: Item, properties: Item, **fields: Any) -> Item:
    described = {"datetime": "2024-01-01T00:00:00Z"} | properties
    base = {"type": "Feature", "stac_version": "1.0.0", "id": "item", "geometry": None, "links": []}
    return base | {"properties": described, "assets": assets} | fields


def sentinel2(files: Files, *, offset: float = 0.0, version: str = "1.0", names: bool = True, **fields: Any) -> Item:
    """Return an item as Planetary Computer serves it; with ``version`` 1.1 its bands are those of STAC 1.1."""
    assets: Item = {}
    for key, (band, common, wavelength) in S2.items():
        prefix = "eo:" if version == "1.1" else ""
        described = {f"{prefix}common_name": common, f"{prefix}center_wavelength": wavelength}
        described = {name: value for name, value in described.items() if value} | ({"name": key} if names else {})
        href = files.band(f"T32UQD_{key}_10m.tif" if names else f"file{key[1:]}.tif", band, 1e-4, offset)
        described_as = "bands" if version == "1.1" else "eo:bands"
        assets[key if names else f"asset{key[1:]}"] = {"href": href, "type": TIFF, described_as: [described]}
    for key, number in (("AOT", 120), ("WVP", 900), ("SCL", 4)):
        assets[key] = {"href": files.of(f"T32UQD_{key}_20m.tif", number), "type": TIFF, "roles": ["data"]}
    rgb = [{"name": name} for name in ("B04", "B03", "B02")]
    assets["visual"] = {"href": "nowhere.tif", "type": TIFF, "eo:bands": rgb, "roles": ["data"]}
    assets["preview"] = {"href": "nowhere.tif", "type": TIFF, "roles": ["thumbnail"]}
    assets["product-metadata"] = {"href": "MTD.xml", "type": "application/xml", "roles": ["metadata"]}
    properties = {"platform": "Sentinel-2B"} | fields.pop("properties", {})
    return item_of(assets, properties, **({"collection": "sentinel-2-l2a"} | fields))


def earth_search(files: Files, *, applied: bool | None, offset: float, version: str = "1.0", **fields: Any) -> Item:
    """Return an item as Earth Search serves it: each band as GeoTIFF and JPEG 2000, with the offset or without."""
    added = 0.0 if applied else offset
    assets: Item = {}
    for band_id, key in EARTH_SEARCH_KEYS.items():
        band, common, wavelength = S2[band_id]
        scales = {"nodata": 0, "data_type": "uint16", "scale": 1e-4, "offset": offset}
        described = {"name": key, "common_name": common, "center_wavelength": wavelength}
        if version == "1.1":
            asset: Item = {"bands": [{"name": key, "eo:common_name": common, "eo:center_wavelength": wavelength}]}
            asset |= {"raster:scale": 1e-4, "raster:offset": offset, "nodata": 0}
        else:
            asset = {"eo:bands": [described], "raster:bands": [scales]}
        href = files.band(f"{band_id}.tif", band, 1e-4, added)
        assets[key] = asset | {"href": href, "type": TIFF, "roles": ["data", "reflectance"]}
        assets[f"{key}-jp2"] = asset | {"href": f"s3://sentinel/{band_id}.jp2", "type": "image/jp2"}
    assets["scl"] = {"href": files.of("SCL.tif", 4), "type": TIFF, "roles": ["data", "reflectance"]}
    assets["scl-jp2"] = {"href": "s3://sentinel/SCL.jp2", "type": "image/jp2"}
    assets["snow"] = {"href": files.of("SNW.tif", 1), "type": TIFF, "roles": ["data", "snow-ice"]}
    assets["tileinfo_metadata"] = {"href": "tileInfo.json", "type": "application/json", "roles": ["metadata"]}
    properties: Item = {"constellation": "sentinel-2", "platform": "sentinel-2a"}
    properties |= {} if applied is None else {"earthsearch:boa_offset_applied": applied}
    return item_of(assets, properties, **({"collection": "sentinel-2-l2a"} | fields))


def cdse(files: Files, *, offset: float, level: str = "L2A") -> Item:
    """Return an item as CDSE serves it: STAC 1.1, each band in several resolutions."""
    assets: Item = {}
    for key, (band, common, _) in S2.items():
        for size in (10, 20, 60) if level == "L2A" else (10,):
            if level == "L2A" and size == 10 and key not in ("B02", "B03", "B04", "B08"):
                continue
            name = f"{key}_{size}m" if level == "L2A" else key
            number = round((TRUTH[band] - offset) / 1e-4) + (0 if size < 60 else 777)
            described = {"name": key, "raster:scale": 1e-4, "raster:offset": offset}
            described |= {"eo:common_name": common} if common else {}
            facts = {"bands": [described], "gsd": size, "nodata": 0, "type": "image/jp2"}
            if size == 60 and key not in ("B01", "B09"):
                assets[name] = facts | {"href": "nowhere.jp2"}
            elif size == 60:
                assets[name] = facts | {"href": files.band(f"T_{name}.tif", band, 1e-4, offset)}
            else:
                assets[name] = facts | {"href": files.of(f"T_{name}.tif", number)}
    assets["SCL_20m"] = {"href": files.of("T_SCL_20m.tif", 4), "type": "image/jp2", "bands": [{"name": "SCL"}]}
    assets["TCI_10m"] = {"href": "nowhere.jp2", "type": "image/jp2", "roles": ["visual"]}
    properties = {"platform": "sentinel-2a", "constellation": "sentinel-2", "processing:level": level}
    return item_of(assets, properties, stac_version="1.1.0", collection=f"sentinel-2-{level.lower()}")


def landsat(
    files: Files,
    platform: str = "landsat-8",
    *,
    table: dict[str, tuple[str, str]] = OLI,
    prefix: str = "OLI_",
    scales: bool = True,
    version: str = "1.0",
    keys: str = "common",
    identifier: str = "LC08_L2SP_047027_20201204_02_T1",
) -> Item:
    """Return an item of Collection 2 as Planetary Computer, USGS or Earth Search serve it, thermal and quality too."""
    assets: Item = {}
    for band_id, (band, common) in table.items():
        key = {"common": common, "file": f"SR_{band_id}.TIF", "id": band_id}[keys]
        described = {"name": f"{prefix}{band_id}" if prefix else common, "common_name": common}
        if version == "1.1":
            described = {"name": described["name"], "eo:common_name": common}
        asset: Item = {"href": files.band(f"{identifier}_SR_{band_id}.tif", band, 2.75e-5, -0.2), "type": TIFF}
        asset["bands" if version == "1.1" else "eo:bands"] = [described]
        scale = {"scale": 2.75e-5, "offset": -0.2, "nodata": 0}
        asset |= {"raster:bands": [scale]} if scales else {}
        assets[key] = asset | {"roles": ["data", "reflectance"]}
    kelvin = {"scale": 0.00341802, "offset": 149.0, "nodata": 0, "unit": "kelvin"}
    thermal = {"name": "TIRS_B10", "common_name": "lwir11"}
    assets["lwir11" if keys != "file" else "ST_B10.TIF"] = {
        "href": files.of(f"{identifier}_ST_B10.tif", 44_000),
        "type": TIFF,
        "eo:bands": [thermal],
        "raster:bands": [kelvin] if scales else [],
        "roles": ["data", "temperature"],
    }
    quality = files.of(f"{identifier}_QA_PIXEL.tif", 21_824)
    assets["qa_pixel"] = {"href": quality, "type": TIFF, "roles": ["cloud", "cloud-shadow", "snow-ice", "water-mask"]}
    for key in ("qa_aerosol", "qa_radsat", "atran", "emis", "cdist"):
        assets[key] = {"href": files.of(f"{identifier}_{key}.tif", 5), "type": TIFF, "roles": ["data"]}
    assets["mtl.json"] = {"href": "MTL.json", "type": "application/json", "roles": ["metadata"]}
    assets["rendered_preview"] = {"href": "nowhere.png", "type": "image/png", "roles": ["overview"]}
    return item_of(assets, {"platform": platform}, id=identifier, collection="landsat-c2-l2")


def hls(files: Files, product: str, *, described: bool, collection: str, platform: str) -> Item:
    """Return a granule of Harmonized Landsat Sentinel-2, whose platforms are those of other products."""
    s30 = {key: row[0] for key, row in S2.items() if key not in ("B08", "B8A")} | {"B8A": "nir", "B10": "cirrus"}
    l30 = {
        "B01": "coastal",
        "B02": "blue",
        "B03": "green",
        "B04": "red",
        "B05": "nir",
        "B06": "swir16",
        "B07": "swir22",
    }
    l30["B09"] = "cirrus"
    name = f"HLS.{product}.T32UQD.2024001T101010.v2.0"
    assets: Item = {}
    for key, band in (s30 if product == "S30" else l30).items():
        assets[key] = {"href": files.band(f"{name}.{key}.tif", band, 1e-4, 0.0, "int16"), "type": TIFF}
        assets[key] |= (
            {"eo:bands": [{"name": key, "common_name": "nir08" if band == "nir" else band}]} if described else {}
        )
    extra = {"B08": 3100} if product == "S30" else {"B10": 2950, "B11": 2940}
    for key, number in (extra | {"SAA": 15_000, "SZA": 4000, "VAA": 10_000, "VZA": 500}).items():
        assets[key] = {"href": files.of(f"{name}.{key}.tif", number, "int16"), "type": TIFF}
    if product == "S30" and described:
        assets["B08"]["eo:bands"] = [{"name": "B08", "common_name": "nir"}]
    assets["Fmask"] = {"href": files.of(f"{name}.Fmask.tif", 64, "uint8"), "type": TIFF}
    return item_of(assets, {"platform": platform}, id=name, collection=collection)


def without(item: Item, *names: str) -> Item:
    """Return the item without some fields of all of its assets' bands."""
    for asset in item["assets"].values():
        for band in [*asset.get("eo:bands", ()), *asset.get("bands", ())]:
            for name in names:
                band.pop(name, None)
    return item


def changed(item: Item, **changes: Callable[[Any], Any]) -> Item:
    """Return the item with fields of all bands changed."""
    for asset in item["assets"].values():
        for band in asset.get("eo:bands", ()):
            band |= {name: change(band[name]) for name, change in changes.items() if name in band}
    return item


def readdressed(item: Item, change: Callable[[str], str]) -> Item:
    """Return the item with all addresses changed."""
    for asset in item["assets"].values():
        asset["href"] = change(asset["href"])
    return item


def untyped(item: Item) -> Item:
    """Return the item without media types."""
    for asset in item["assets"].values():
        asset.pop("type", None)
    return item


def dea(files: Files) -> Item:
    """Return an item of Digital Earth Australia, which numbers the infrared bands of Sentinel-2 in its own way."""
    names = {
        "nbart_blue": "blue",
        "nbart_red": "red",
        "nbart_nir_1": "nir",
        "nbart_nir_2": "nir08",
        "nbart_red_edge_1": "rededge071",
        "nbart_swir_2": "swir16",
        "nbart_swir_3": "swir22",
    }
    assets: Item = {
        key: {"href": files.band(f"{key}.tif", band, 1e-4, 0.0, "int16"), "type": TIFF, "eo:bands": [{"name": key}]}
        for key, band in names.items()
    }
    for key in ("oa_fmask", "oa_solar_zenith", "oa_nbart_contiguity"):
        assets[key] = {"href": files.of(f"{key}.tif", 1, "uint8"), "type": TIFF, "eo:bands": [{"name": key}]}
    return item_of(assets, {"platform": "sentinel-2a"}, collection="ga_s2am_ard_3")


def own_sensor(files: Files, version: str = "1.0") -> Item:
    """Return an item of a sensor that is in no table: common names and scales say all."""
    assets: Item = {}
    for band in ("blue", "green", "red", "nir", "swir16"):
        asset: Item = {"href": files.band(f"cam_{band}.tif", band, 1e-3, 0.0), "type": TIFF}
        if version == "1.1":
            asset["bands"] = [{"name": band, "eo:common_name": band, "raster:scale": 1e-3, "raster:offset": 0}]
        else:
            asset |= {"eo:bands": [{"name": band, "common_name": band}], "raster:bands": [{"scale": 1e-3}]}
        assets[band] = asset
    return item_of(assets, {"platform": "drone-1"})


def beta(files: Files, *, first: int = 0) -> Item:
    """Return an item of 2020, whose assets name their bands by number in the properties."""
    names = {"SR_B2": "blue", "SR_B3": "green", "SR_B4": "red", "SR_B5": "nir"}
    assets: Item = {
        f"{key}.TIF": {"href": files.band(f"x_{key}.tif", band, 2.75e-5, -0.2), "type": TIFF, "eo:bands": [i + first]}
        for i, (key, band) in enumerate(names.items())
    }
    table = [{"name": key, "common_name": "nir08" if band == "nir" else band} for key, band in names.items()]
    properties = {"eo:platform": "LANDSAT_8", "eo:instrument": "OLI_TIRS", "eo:bands": table}
    return item_of(assets, properties, stac_version="1.0.0-beta.2", id="LC08_L2SR_081119_20200101_20200823_02_T2")


def stack(files: Files, names: Iterable[str], *, key: str, version: str = "1.0", **fields: Any) -> Item:
    """Return an item with all bands in one file, in ten-thousandths."""
    names = list(names)
    pixels = np.stack([np.full((3, 3), round(TRUTH[name] * 1e4), "uint16") for name in names])
    path = files.write(pixels, f"stack/{key}.tif")
    prefix = "eo:" if version == "1.1" else ""
    bands = [{f"{prefix}common_name": name, "name": name.title()} for name in names]
    scales = [{"scale": 1e-4, "offset": 0, "nodata": 0}] * len(names)
    asset = {"href": str(path), "type": TIFF, "bands" if version == "1.1" else "eo:bands": bands}
    asset |= {"raster:bands": scales}
    return item_of({key: asset}, {"platform": "PSB"}, **fields)


BOTH = {"s2:processing_baseline": "05.10"}
SHAPES: dict[str, Callable[[Files], Item]] = {
    "pc s2 old baseline": lambda f: sentinel2(f, properties={"s2:processing_baseline": "02.12"}),
    "pc s2 no baseline": sentinel2,
    "pc s2 baseline 5.10": lambda f: sentinel2(f, offset=-0.1, properties=BOTH),
    "pc s2 baseline 4.00": lambda f: sentinel2(f, offset=-0.1, properties={"s2:processing_baseline": "04.00"}),
    "pc s2 baseline 99.99": lambda f: sentinel2(f, properties={"s2:processing_baseline": "99.99"}),
    "pc s2 baseline in product_uri": lambda f: sentinel2(
        f, offset=-0.1, properties={"s2:product_uri": "S2B_MSIL2A_20240101T1_N0510_R022_T32UQD_2.SAFE"}
    ),
    "pc s2 v1.1": lambda f: sentinel2(f, offset=-0.1, version="1.1", properties=BOTH),
    "s2 processing:version": lambda f: sentinel2(f, offset=-0.1, properties={"processing:version": "05.09"}),
    "s2 names only": lambda f: without(sentinel2(f), "common_name", "center_wavelength"),
    "s2 names only v1.1": lambda f: without(sentinel2(f, version="1.1"), "eo:common_name", "eo:center_wavelength"),
    "s2 without wavelengths": lambda f: without(sentinel2(f), "center_wavelength"),
    "s2 wavelengths tell the red edges": lambda f: sentinel2(f, names=False),
    "s2 wavelengths tell the red edges v1.1": lambda f: sentinel2(f, names=False, version="1.1"),
    "s2 keys only": lambda f: without(sentinel2(f), "name", "common_name", "center_wavelength"),
    "s2 id is the product": lambda f: sentinel2(f, id="S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531"),
    "s2 constellation only": lambda f: sentinel2(f, properties={"platform": None, "constellation": "Sentinel-2"}),
    "earth search applied": lambda f: earth_search(f, applied=True, offset=-0.1),
    "earth search not applied": lambda f: earth_search(f, applied=False, offset=-0.1),
    "earth search silent": lambda f: earth_search(f, applied=None, offset=-0.1),
    "earth search no offset": lambda f: earth_search(f, applied=True, offset=0.0),
    "earth search v1.1": lambda f: earth_search(f, applied=True, offset=-0.1, version="1.1"),
    "earth search c1": lambda f: earth_search(f, applied=None, offset=-0.1, collection="sentinel-2-c1-l2a"),
    "earth search l1c": lambda f: earth_search(f, applied=None, offset=0.0, collection="sentinel-2-l1c"),
    "earth search id": lambda f: earth_search(f, applied=True, offset=-0.1, id="S2B_T32UQD_20240101T101010_L2A"),
    "earth search v0": lambda f: earth_search(f, applied=None, offset=0.0, collection="sentinel-s2-l2a-cogs"),
    "cdse l2a": lambda f: cdse(f, offset=-0.1),
    "cdse l2a old": lambda f: cdse(f, offset=0.0),
    "cdse l1c": lambda f: cdse(f, offset=-0.1, level="L1C"),
    "pc landsat 8": landsat,
    "pc landsat 9": lambda f: landsat(f, "landsat-9", identifier="LC09_L2SP_047027_20221204_02_T1"),
    "pc landsat 7": lambda f: landsat(
        f, "landsat-7", table=TM, prefix="ETM_", identifier="LE07_L2SP_047027_20001204_02_T1"
    ),
    "pc landsat 5": lambda f: landsat(
        f, "landsat-5", table=TM, prefix="TM_", identifier="LT05_L2SP_047027_19901204_02_T1"
    ),
    "pc landsat 4": lambda f: landsat(
        f, "landsat-4", table=TM, prefix="TM_", identifier="LT04_L2SP_047027_19881204_02_T1"
    ),
    "usgs landsat 8": lambda f: landsat(f, "LANDSAT_8", scales=False, prefix=""),
    "usgs landsat 5": lambda f: landsat(
        f, "LANDSAT_5", scales=False, prefix="", table=TM, identifier="LT05_L2SP_047027_19901204_02_T1_SR"
    ),
    "usgs keys of files": lambda f: landsat(f, "LANDSAT_8", scales=False, prefix="", keys="file"),
    "usgs ids": lambda f: landsat(f, "LANDSAT_8", scales=False, prefix="", keys="id"),
    "landsat v1.1": lambda f: landsat(f, version="1.1"),
    "landsat v1.1 without scales": lambda f: landsat(f, version="1.1", scales=False),
    "landsat names only": lambda f: without(landsat(f), "common_name"),
    "landsat common names only": lambda f: without(landsat(f), "name"),
    "landsat id tells the sensor": lambda f: landsat(f, ""),
    "landsat beta": beta,
    "hls s30 pc": lambda f: hls(f, "S30", described=True, collection="hls2-s30", platform="sentinel-2a"),
    "hls l30 pc": lambda f: hls(f, "L30", described=True, collection="hls2-l30", platform="landsat-8"),
    "hls s30 lp cloud": lambda f: hls(f, "S30", described=False, collection="HLSS30_2.0", platform="Sentinel-2B"),
    "hls l30 lp cloud": lambda f: hls(f, "L30", described=False, collection="HLSL30.v2.0", platform="LANDSAT-9"),
    "planet stack": lambda f: stack(f, ("blue", "green", "red", "nir"), key="ortho_analytic_4b_sr"),
    "planet stack v1.1": lambda f: stack(f, ("blue", "green", "red", "nir"), key="analytic", version="1.1"),
    "wavelengths in nm": lambda f: changed(sentinel2(f, names=False), center_wavelength=lambda um: um * 1000),
    "addresses of files": lambda f: readdressed(landsat(f), lambda href: f"file://{href}"),
    "no media types": lambda f: untyped(sentinel2(f)),
    "landsat keys of files with common names only": lambda f: without(landsat(f, keys="file"), "name"),
    "dea": dea,
    "own sensor": own_sensor,
    "own sensor v1.1": lambda f: own_sensor(f, version="1.1"),
    "any stack": lambda f: stack(f, ("nir", "red", "swir16"), key="data"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_of_a_catalogue_gives_the_right_reflectance(write_raster: Writer, shape: str) -> None:
    scene = open_scene(SHAPES[shape](Files(write_raster)))
    assert {"red", "nir"} <= set(scene.spex.bands)
    assert not scene.spex.is_relative
    for band in scene.spex.bands:
        np.testing.assert_allclose(scene[band].values, TRUTH[band], atol=2e-4, err_msg=f"{shape}: {band}")


@pytest.mark.parametrize(
    "shape", ["pc s2 old baseline", "earth search applied", "cdse l2a", "hls s30 pc", "pc landsat 8"]
)
def test_bands_choose_among_the_assets(write_raster: Writer, shape: str) -> None:
    scene = open_scene(SHAPES[shape](Files(write_raster)), bands=["swir16", "red"])
    assert scene.spex.bands == ("swir16", "red")
    np.testing.assert_allclose(scene["swir16"].values, TRUTH["swir16"], atol=2e-4)


@pytest.mark.parametrize("shape", ["pc s2 old baseline", "earth search applied", "hls l30 pc", "pc landsat 8"])
def test_clouds_come_from_the_quality_asset(write_raster: Writer, shape: str) -> None:
    assert bool(open_scene(SHAPES[shape](Files(write_raster)), clouds=True)["valid"].all())


def test_what_is_left_out_is_said(write_raster: Writer) -> None:
    scene = open_scene(landsat(Files(write_raster)))
    assert "lwir11: thermal" in scene.attrs["left_out"]
    assert "qa_pixel" in scene.attrs["left_out"]
    assert "B05" not in scene.attrs["left_out"]


def test_naip_of_eight_bits_is_relative(write_raster: Writer) -> None:
    path = write_raster(np.stack([np.full((3, 3), n, "uint8") for n in (51, 102, 153, 204)]), "m_3708020_sw.tif")
    bands = [{"name": n, "common_name": n.lower()} for n in ("Red", "Green", "Blue", "NIR")]
    item = item_of({"image": {"href": str(path), "type": TIFF, "eo:bands": bands}}, {}, collection="naip")
    scene = open_scene(item)
    assert scene.attrs["sensor"] == "naip"
    np.testing.assert_allclose(scene["nir"], 0.8, rtol=1e-6)
    assert scene.spex.is_relative


def level_1(files: Files, sensor: str, metadata: Path | None) -> Item:
    identifier = {"oli": "LC08_L1TP_047027_20201204_02_T1", "mss": "LM05_L1TP_047027_19850524_02_T2"}[sensor]
    names = {"oli": {"B4": "red", "B5": "nir"}, "mss": {"B2": "red", "B3": "nir08", "B4": "nir09"}}[sensor]
    numbers = {"B2": 100, "B3": 150, "B4": 200, "B5": 250}
    assets: Item = {
        common: {
            "href": files.of(f"{identifier}_{key}.tif", numbers[key]),
            "type": TIFF,
            "eo:bands": [{"name": key, "common_name": common}],
        }
        for key, common in names.items()
    }
    if metadata is not None:
        assets["MTL.txt"] = {"href": str(metadata), "type": "text/plain", "roles": ["metadata"]}
    return item_of(assets, {"platform": "landsat-8" if sensor == "oli" else "landsat-5"}, id=identifier)


def test_level_1_needs_its_metadata(write_raster: Writer, tmp_path: Path) -> None:
    files = Files(write_raster)
    with pytest.raises(RadiometryError, match=r"level-1 numbers.*MTL"):
        open_scene(level_1(files, "oli", None))
    metadata = tmp_path / "LC08_L1TP_047027_20201204_02_T1_MTL.txt"
    facts = "SUN_ELEVATION = 30.0\n"
    facts += "".join(f"REFLECTANCE_MULT_BAND_{n} = 2.0E-03\nREFLECTANCE_ADD_BAND_{n} = -0.1\n" for n in range(1, 8))
    metadata.write_text(facts)
    scene = open_scene(level_1(files, "oli", metadata))
    np.testing.assert_allclose(scene["red"], (200 * 2e-3 - 0.1) / 0.5, rtol=1e-5)
    old = open_scene(level_1(files, "mss", metadata))
    assert old.attrs["sensor"] == "landsat5_mss"
    assert old.spex.bands == ("red", "rededge075", "nir")
    np.testing.assert_allclose(old["nir"], (200 * 2e-3 - 0.1) / 0.5, rtol=1e-5)


def contradiction(files: Files) -> Item:
    item = sentinel2(files)
    item["assets"]["B04"]["eo:bands"][0] |= {"common_name": "nir"}
    return item


def only_layers(files: Files) -> Item:
    item = landsat(files)
    item["assets"] = {key: asset for key, asset in item["assets"].items() if key.startswith(("lwir", "qa", "atran"))}
    return item


def two_stacks(files: Files) -> Item:
    item = stack(files, ("blue", "green", "red", "nir"), key="analytic")
    item["assets"]["analytic_copy"] = item["assets"]["analytic"]
    return item


def too_few(files: Files) -> Item:
    item = stack(files, ("blue", "green", "red", "nir"), key="analytic")
    item["assets"]["analytic"]["eo:bands"].pop()
    return item


REFUSED: dict[str, tuple[Callable[[Files], Item], type[SpexError], str]] = {
    "a name contradicts the common name": (contradiction, BandError, "contradict each other.*red.*nir"),
    "no reflectance": (only_layers, UnknownLayoutError, "eo:bands and a common_name"),
    "two stacks": (two_stacks, UnknownLayoutError, "Open the file of one"),
    "another number of bands": (too_few, BandError, "asset analytic: 4 bands in its file, 3 described"),
    "no assets": (lambda _: item_of({}, {}), UnknownLayoutError, "without bands"),
    "assets are a list": (lambda _: item_of({}, {}) | {"assets": []}, UnknownLayoutError, "no STAC item"),
    "a search result": (lambda _: {"type": "FeatureCollection", "features": []}, UnknownLayoutError, "search result"),
    "numbers that point nowhere": (
        lambda f: beta(f, first=40) | {"id": "x", "properties": {}},
        UnknownLayoutError,
        "a platform that is known",
    ),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_a_shape_that_cannot_be_read_is_refused_with_the_way_out(write_raster: Writer, shape: str) -> None:
    build, error, message = REFUSED[shape]
    with pytest.raises(error, match=message):
        open_scene(build(Files(write_raster)))


@pytest.mark.parametrize("value", [None, "red", 3, [None], [3], [[1]], {"a": 1}, [{"common_name": 5}]])
def test_fields_of_a_wrong_type_never_crash(write_raster: Writer, value: Any) -> None:
    for field in ("eo:bands", "bands", "raster:bands", "roles", "type", "gsd"):
        item = sentinel2(Files(write_raster))
        item["assets"]["B11"][field] = value
        scene = open_scene(item, bands=["red", "nir"])
        np.testing.assert_allclose(scene["red"].values, TRUTH["red"], atol=2e-4)
    for field in ("links", "collection", "properties", "id"):
        item = sentinel2(Files(write_raster)) | {field: value}
        with warnings.catch_warnings(action="ignore", category=RadiometryWarning), contextlib.suppress(SpexError):
            open_scene(item, bands=["red"])


def test_a_missing_file_is_left_out_and_named_when_it_is_asked_for(write_raster: Writer) -> None:
    item = sentinel2(Files(write_raster))
    item["assets"]["B11"]["href"] = "gone/B11.tif"
    scene = open_scene(item)
    assert "swir16" not in scene.spex.bands
    assert "B11" in scene.attrs["left_out"]
    with pytest.raises(BandError, match=r"swir16.*B11: not there.*gone"):
        open_scene(item, bands=["red", "swir16"])
    broken = Path(item["assets"]["B12"]["href"]).with_name("broken.tif")
    broken.write_bytes(b"no raster")
    item["assets"]["B12"]["href"] = str(broken)
    assert "B12: cannot be read" in open_scene(item, bands=["red", "nir"]).attrs["left_out"]
    with pytest.raises(BandError, match=r"swir22.*B12: cannot be read.*broken\.tif"):
        open_scene(item, bands=["swir22"])
    for asset in item["assets"].values():
        asset["href"] = "gone.tif"
    with pytest.raises(SourceNotFoundError, match="Check the path"):
        open_scene(item)


def test_the_path_of_an_item_is_no_leave_to_use_the_network(write_raster: Writer, tmp_path: Path) -> None:
    item = sentinel2(Files(write_raster))
    kept = Path(item["assets"]["B04"]["href"])
    for key, asset in item["assets"].items():
        asset["href"] = f"https://example.invalid/{key}.tif?token=1"
    file = tmp_path / "item.json"
    file.write_text(json.dumps(item))
    with pytest.raises(SourceNotFoundError, match=r"lies on the network.*pass the item itself"):
        open_scene(file)
    (tmp_path / "B04.tif").write_bytes(kept.read_bytes())
    scene = open_scene(file)
    assert scene.spex.bands == ("red",)
    np.testing.assert_allclose(scene["red"].values, TRUTH["red"], atol=2e-4)


def test_relative_addresses_start_at_the_file_and_not_at_a_link(write_raster: Writer, tmp_path: Path) -> None:
    item = sentinel2(Files(write_raster))
    for asset in item["assets"].values():
        asset["href"] = f"./a/{Path(asset['href']).name}"
    item["links"] = [{"rel": "self", "href": "https://example.invalid/items/x.json"}]
    file = tmp_path / "item.json"
    file.write_text(json.dumps(item))
    np.testing.assert_allclose(open_scene(file)["red"].values, TRUTH["red"], atol=2e-4)


def test_an_offset_that_the_pixels_contradict_is_not_taken_off(write_raster: Writer) -> None:
    with pytest.warns(RadiometryWarning, match="contradict"):
        scene = open_scene(sentinel2(Files(write_raster), offset=0.0, properties=BOTH))
    np.testing.assert_allclose(scene["red"].values, TRUTH["red"], atol=2e-4)
