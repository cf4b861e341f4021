"""Official product layouts: Sentinel-2 SAFE, Landsat Collection 2, STAC items."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from spex_nb import open_scene
from spex_nb.errors import UnknownLayoutError, UnreadableSourceError

Writer = Callable[..., Path]
SAFE = "S2B_MSIL2A_20240101T101010_N0510_R022_T32UQD_20240101T120000.SAFE"


def grid(size: int) -> Affine:
    return Affine(size, 0, 500_000, 0, -size, 5_500_000)


def write_safe(write_raster: Writer, level: str = "2A", offset: bool = True) -> Path:
    name = SAFE.replace("2A", level)
    folders = {10: "R10m/", 20: "R20m/", 60: "R60m/"} if level == "2A" else {10: "", 20: "", 60: ""}
    files = {"B02": (10, 12), "B04": (10, 12), "B08": (10, 12), "B11": (20, 6), "B09": (60, 2)}
    for band, (size, side) in files.items():
        suffix = f"_{size}m" if level == "2A" else ""
        path = f"{name}/GRANULE/L{level}_T32UQD/IMG_DATA/{folders[size]}T32UQD_20240101T101010_{band}{suffix}.jp2"
        raw = np.full((1, side, side), 1000 + 100 * int(band[1:]), "uint16")
        write_raster(raw, path, driver="JP2OpenJPEG", transform=grid(size), QUALITY=100, REVERSIBLE="YES")
    if level == "2A":
        path = f"{name}/GRANULE/L2A_T32UQD/IMG_DATA/R20m/T32UQD_20240101T101010_SCL_20m.jp2"
        quality = np.full((1, 6, 6), 4, "uint8")
        quality[0, 0, 0] = 9
        written = write_raster(quality, path, driver="JP2OpenJPEG", transform=grid(20), QUALITY=100, REVERSIBLE="YES")
        folder = written.parents[4]
    else:
        folder = write_raster(np.ones((1, 2, 2), "uint8"), f"{name}/preview.tif").parent
    tag = "BOA" if level == "2A" else "RADIO"
    offsets = "".join(f'<{tag}_ADD_OFFSET band_id="{i}">-1000</{tag}_ADD_OFFSET>' for i in range(13)) if offset else ""
    quantification = "BOA_QUANTIFICATION_VALUE" if level == "2A" else "QUANTIFICATION_VALUE"
    baseline = "05.10" if offset else "02.14"
    (folder / f"MTD_MSIL{level}.xml").write_text(
        f"<n><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>{offsets}"
        f'<{quantification} unit="none">10000</{quantification}></n>'
    )
    return folder


def test_safe_brings_all_bands_to_ten_metres_and_subtracts_the_offset(write_raster: Writer) -> None:
    scene = open_scene(write_safe(write_raster))
    assert scene.attrs["sensor"] == "sentinel2_l2a"
    assert set(scene.spex.bands) == {"blue", "red", "nir", "swir16", "nir09"}
    assert scene.spex.shape == (12, 12)
    assert scene.spex.gsd_m == 10
    np.testing.assert_allclose(scene["red"], 0.04, rtol=1e-5)
    np.testing.assert_allclose(scene["swir16"], 0.11, rtol=1e-5)
    assert "05.10" in scene.attrs["radiometry_reason"]


def test_old_baselines_have_no_offset(write_raster: Writer) -> None:
    np.testing.assert_allclose(open_scene(write_safe(write_raster, offset=False))["red"], 0.14, rtol=1e-5)


def test_safe_of_level_1c(write_raster: Writer) -> None:
    scene = open_scene(write_safe(write_raster, "1C"), bands=["red", "nir"])
    assert scene.attrs["sensor"] == "sentinel2_l1c"
    np.testing.assert_allclose(scene["nir"], 0.08, rtol=1e-5)


def test_safe_clouds_come_from_the_scene_classification(write_raster: Writer) -> None:
    scene = open_scene(write_safe(write_raster), clouds=True)
    assert int((~scene["valid"]).sum()) == 4
    assert not scene["valid"].values[1, 1]


def test_a_sentinel2_name_tells_the_baseline(write_raster: Writer) -> None:
    name = "S2A_MSIL2A_20230101T000000_N0509_R022_T32UQD_20230101T000000.tif"
    scene = open_scene(write_raster(np.full((1, 3, 3), 3000, "uint16"), name, ["red"]))
    np.testing.assert_allclose(scene["red"], 0.2, rtol=1e-5)
    assert scene.attrs["sensor"] == "sentinel2_l2a"


def test_harmonized_names_tell_landsat_from_sentinel(write_raster: Writer) -> None:
    raw = np.full((2, 3, 3), 3000, "int16")
    for product, expected in (("L30", ("red", "nir")), ("S30", ("red", "rededge071"))):
        scene = open_scene(write_raster(raw, f"HLS.{product}.T32UQD.tif", ("B04", "B05")))
        assert scene.spex.bands == expected


def write_landsat(write_raster: Writer, level: str, metadata: str = "txt") -> Path:
    stem = f"LC08_{level}_190025_20200101_20200113_02_T1"
    infix = "SR_" if level == "L2SP" else ""
    for number in (2, 4, 5, 6, 10):
        raw = np.full((1, 4, 4), 10_000 + 1000 * number, "uint16")
        name = f"{infix}B{number}" if number < 10 or level != "L2SP" else "ST_B10"
        path = write_raster(raw, f"scene/{stem}_{name}.TIF", transform=grid(30))
    quality = np.full((1, 4, 4), 21824, "uint16")
    quality[0, 0, :2] = 22280
    write_raster(quality, f"scene/{stem}_QA_PIXEL.TIF", transform=grid(30))
    facts = {"SPACECRAFT_ID": "LANDSAT_8", "SUN_ELEVATION": "30.0"}
    facts |= {f"REFLECTANCE_MULT_BAND_{n}": "2.0000E-05" for n in range(1, 10)}
    facts |= {f"REFLECTANCE_ADD_BAND_{n}": "-0.100000" for n in range(1, 10)}
    texts = {
        "txt": "\n".join(f'    {key} = "{value}"' for key, value in facts.items()),
        "json": json.dumps({"LANDSAT_METADATA_FILE": {"A": facts}}),
        "xml": "<L><A>" + "".join(f"<{k}>{v}</{k}>" for k, v in facts.items()) + "</A></L>",
    }
    (path.parent / f"{stem}_MTL.{metadata}").write_text(texts[metadata])
    return path.parent


@pytest.mark.parametrize("metadata", ["txt", "json", "xml"])
def test_landsat_level_2(write_raster: Writer, metadata: str) -> None:
    scene = open_scene(write_landsat(write_raster, "L2SP", metadata), clouds=True)
    assert scene.attrs["sensor"] == "landsat8"
    assert scene.spex.bands == ("blue", "red", "nir", "swir16")
    np.testing.assert_allclose(scene["red"], 14_000 * 2.75e-5 - 0.2, rtol=1e-5)
    assert int((~scene["valid"]).sum()) == 2


def test_landsat_level_1_is_divided_by_the_sine_of_the_sun(write_raster: Writer) -> None:
    scene = open_scene(write_landsat(write_raster, "L1TP"))
    assert scene.spex.bands == ("blue", "red", "nir", "swir16")
    np.testing.assert_allclose(scene["nir"], (15_000 * 2e-5 - 0.1) / 0.5, rtol=1e-5)
    assert "top of atmosphere" in scene.attrs["radiometry_reason"]


def stac_item(path: Path, **properties: Any) -> dict[str, Any]:
    asset = {
        "href": str(path),
        "eo:bands": [{"name": "B04", "common_name": "red"}],
        "raster:bands": [{"scale": 1e-4, "offset": -0.1, "nodata": 0}],
    }
    thumbnail = {"href": "thumbnail.jpg", "roles": ["thumbnail"]}
    described = {"platform": "sentinel-2a"} | properties
    return {"type": "Feature", "id": "S2A_x", "properties": described, "assets": {"red": asset, "t": thumbnail}}


def test_stac_item_as_file_dict_and_object(write_raster: Writer, tmp_path: Path) -> None:
    path = write_raster(np.full((1, 3, 3), 3000, "uint16"), "red.tif")
    file = tmp_path / "item.json"
    file.write_text(json.dumps(stac_item(Path("red.tif"))))
    for source in (file, stac_item(path)):
        scene = open_scene(source)
        assert scene.attrs["sensor"] == "sentinel2_l2a"
        np.testing.assert_allclose(scene["red"], 0.2, rtol=1e-5)
    import pystac

    described = stac_item(path) | {"stac_version": "1.0.0", "geometry": None, "bbox": None, "links": []}
    described["properties"] |= {"datetime": "2024-01-01T00:00:00Z"}
    np.testing.assert_allclose(open_scene(pystac.Item.from_dict(described))["red"], 0.2, rtol=1e-5)
    applied = open_scene(stac_item(path, **{"earthsearch:boa_offset_applied": True}))
    np.testing.assert_allclose(applied["red"], 0.3, rtol=1e-5)


def test_unknown_layouts_say_what_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "beach.jpg").write_bytes(b"x")
    with pytest.raises(UnknownLayoutError, match=r"beach\.jpg.*list of band files"):
        open_scene(folder)
    with pytest.raises(UnknownLayoutError, match="a path, a list of paths"):
        open_scene(3.14)
    item = tmp_path / "a.json"
    item.write_text('{"type": "Collection"}')
    with pytest.raises(UnknownLayoutError, match="not a catalogue"):
        open_scene(item)
    item.write_text("{")
    with pytest.raises(UnreadableSourceError, match="metadata cannot be read"):
        open_scene(item)


def test_incomplete_products(write_raster: Writer, tmp_path: Path) -> None:
    empty = tmp_path / "a.SAFE"
    empty.mkdir()
    (empty / "MTD_MSIL2A.xml").write_text("<n/>")
    with pytest.raises(UnknownLayoutError, match="Unpack or fetch the product completely"):
        open_scene(empty)
    folder = write_safe(write_raster)
    (folder / "MTD_MSIL2A.xml").write_text("<n")
    with pytest.raises(UnreadableSourceError, match="Fetch the product again"):
        open_scene(folder)
    landsat = write_landsat(write_raster, "L2SP")
    next(landsat.glob("*_MTL.txt")).write_text("SPACECRAFT_ID = MOON_1")
    with pytest.raises(UnknownLayoutError, match="LANDSAT_4 to LANDSAT_9"):
        open_scene(landsat)
