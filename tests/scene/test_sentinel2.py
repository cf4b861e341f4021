"""Sentinel-2: what a name states, and an EOPF product that equals its SAFE bit for bit."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from spex_nb import open_scene
from spex_nb.errors import RadiometryWarning, UnknownLayoutError
from spex_nb.scene.reopen import open_identified
from spex_nb.scene.windows.scene_files import changes_of
from spex_nb.scene.windows.scene_source import SceneSource

Writer = Callable[..., Path]
PRODUCT = "S2B_MSIL2A_20240101T101010_N0510_R022_T32UQD_20240101T120000"
BANDS = {"B02": (10, 24), "B04": (10, 24), "B08": (10, 24), "B05": (20, 12), "B11": (20, 12), "B01": (60, 4)}


def numbers(band: str, side: int) -> Any:
    draw = np.random.default_rng(int(band[1:]))
    return draw.integers(1001, 6000, (side, side)).astype("uint16")


def write_safe(write_raster: Writer, name: str = PRODUCT) -> Path:
    for band, (size, side) in BANDS.items():
        path = f"{name}.SAFE/GRANULE/L2A_T32UQD/IMG_DATA/R{size}m/T32UQD_20240101T101010_{band}_{size}m.tif"
        file = write_raster(numbers(band, side)[None], path, transform=Affine(size, 0, 500_000, 0, -size, 5_500_000))
    folder = file.parents[4]
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{i}">-1000</BOA_ADD_OFFSET>' for i in range(13))
    (folder / "MTD_MSIL2A.xml").write_text(
        f"<n><PROCESSING_BASELINE>05.10</PROCESSING_BASELINE>{offsets}"
        "<BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE></n>"
    )
    return folder


def write_eopf(folder: Path, zarr_format: int) -> Path:
    """Write the same numbers as an EOPF product holds them: a group a resolution, CF attributes, CRS in the root."""
    store = folder / f"{PRODUCT}.zarr"
    discovery = {"stac_discovery": {"properties": {"proj:epsg": 32632, "product:type": "S02MSIL2A"}}}
    xr.Dataset(attrs=discovery).to_zarr(store, zarr_format=zarr_format, mode="w")
    for size in (10, 20, 60):
        bands = {band: side for band, (own, side) in BANDS.items() if own == size}
        facts = {"scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": np.uint16(0)}
        planes = {band.lower(): (("y", "x"), numbers(band, side), facts) for band, side in bands.items()}
        side = next(iter(bands.values()))
        centres = size * (np.arange(side) + 0.5)
        data = xr.Dataset(planes, coords={"y": 5_500_000 - centres, "x": 500_000 + centres})
        data.to_zarr(
            store, group=f"measurements/reflectance/r{size}m", zarr_format=zarr_format, mode="a", consolidated=False
        )
    return store


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("chunks", [None, 7])
def test_eopf_equals_its_safe_bit_for_bit(
    write_raster: Writer, tmp_path: Path, zarr_format: int, chunks: int | None
) -> None:
    safe = open_scene(write_safe(write_raster), chunks=chunks)
    eopf = open_scene(write_eopf(tmp_path, zarr_format), chunks=chunks)
    assert eopf.spex.bands == safe.spex.bands
    assert eopf.attrs["sensor"] == safe.attrs["sensor"] == "sentinel2_l2a"
    assert eopf.rio.crs == safe.rio.crs
    assert eopf.spex.transform == safe.spex.transform
    for band in safe.spex.bands:
        np.testing.assert_array_equal(eopf[band].values, safe[band].values)
    np.testing.assert_allclose(eopf["red"].values, numbers("B04", 24) * 1e-4 - 0.1, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_each_file_of_an_eopf_product_is_part_of_its_identity(tmp_path: Path) -> None:
    store = write_eopf(tmp_path, 2)
    before = dict(open_identified(SceneSource(store))[1].files)
    chunk = next(path for path in store.rglob("0.0") if path.parent.name == "b04")
    chunk.write_bytes(chunk.read_bytes() + b"x")
    assert changes_of(before, dict(open_identified(SceneSource(store))[1].files)) == [f"{chunk} (changed)"]


def test_a_zipped_safe_equals_the_folder(write_raster: Writer, tmp_path: Path) -> None:
    folder = write_safe(write_raster)
    plain = open_scene(folder)
    archive = tmp_path / "download.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder.parent))
    for source in (archive, folder / "MTD_MSIL2A.xml", folder.parent):
        if source == folder.parent:
            archive.unlink()
        scene = open_scene(source)
        assert scene.spex.bands == plain.spex.bands
        np.testing.assert_array_equal(scene["nir"].values, plain["nir"].values)


def test_a_tar_of_a_safe_opens(write_raster: Writer, tmp_path: Path) -> None:
    folder = write_safe(write_raster)
    archive = shutil.make_archive(str(tmp_path / "download"), "tar", folder.parent, folder.name)
    np.testing.assert_allclose(open_scene(archive)["red"], numbers("B04", 24) * 1e-4 - 0.1, atol=1e-6)


def test_several_tiles_in_one_safe_are_refused(write_raster: Writer) -> None:
    folder = write_safe(write_raster)
    shutil.copytree(folder / "GRANULE/L2A_T32UQD", folder / "GRANULE/L2A_T32UQE")
    with pytest.raises(UnknownLayoutError, match=r"several tiles.*T32UQD.*T32UQE"):
        open_scene(folder)


def stack_named(write_raster: Writer, name: str, pixels: Any, **options: Any) -> Path:
    return write_raster(pixels, name, ("blue", "green", "red", "nir"), **options)


@pytest.mark.parametrize(
    ("dtype", "factor"),
    [("float32", 1.0), ("float64", 1.0)],
)
def test_a_name_scales_no_floats(write_raster: Writer, dtype: str, factor: float) -> None:
    pixels = np.linspace(0.02, 0.4, 4 * 9).reshape(4, 3, 3).astype(dtype)
    scene = open_scene(stack_named(write_raster, f"{PRODUCT}_reflectance.tif", pixels))
    np.testing.assert_allclose(scene["nir"], pixels[3] * factor, rtol=1e-6)


def test_a_picture_named_after_a_product_is_relative(write_raster: Writer) -> None:
    pixels = np.full((3, 4, 4), 51, "uint8")
    with pytest.warns(RadiometryWarning, match="8-bit"):
        scene = open_scene(write_raster(pixels, f"{PRODUCT}_TCI.tif", photometric="RGB"))
    np.testing.assert_allclose(scene["red"], 0.2, rtol=1e-6)
    assert scene.spex.is_relative


@pytest.mark.parametrize("baseline", ["N0214", "N0301", "N9999"])
def test_no_offset_without_a_baseline_that_adds_one(write_raster: Writer, baseline: str) -> None:
    pixels = np.full((4, 3, 3), 600, "uint16")
    scene = open_scene(stack_named(write_raster, f"{PRODUCT.replace('N0510', baseline)}_12_34.tif", pixels))
    np.testing.assert_allclose(scene["red"], 0.06, rtol=1e-5)
    if baseline == "N9999":
        assert "99.99" in scene.attrs["radiometry_reason"]


def test_pixels_without_the_offset_that_the_name_promises_keep_their_values(write_raster: Writer) -> None:
    pixels = np.stack([np.full((8, 8), value) for value in (300, 600, 400, 3800)]).astype("uint16")
    with pytest.warns(RadiometryWarning, match=r"contradict the name.*05\.10.*Pass offset="):
        scene = open_scene(stack_named(write_raster, f"{PRODUCT}_harmonized.tif", pixels))
    np.testing.assert_allclose(scene["red"], 0.04, rtol=1e-5)
    assert "offset" in scene.attrs["radiometry_reason"]
    given = open_scene(stack_named(write_raster, f"{PRODUCT}_x.tif", pixels), scale=1e-4, offset=-0.01)
    np.testing.assert_allclose(given["red"], 0.03, rtol=1e-5)


def test_dark_water_alone_does_not_contradict_the_name(write_raster: Writer) -> None:
    pixels = np.stack([np.full((8, 8), value) for value in (1300, 1600, 1400, 4800)]).astype("uint16")
    pixels[:, 0, 0] = 980
    scene = open_scene(stack_named(write_raster, f"{PRODUCT}_stack.tif", pixels))
    np.testing.assert_allclose(scene["red"].values[1:], 0.04, rtol=1e-5)


def test_a_folder_of_one_patch_opens_and_one_of_two_is_refused(write_raster: Writer) -> None:
    patch = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_26_57"
    for band, value in (("B02", 300), ("B04", 400), ("B08", 3800)):
        path = write_raster(np.full((1, 5, 5), value, "uint16"), f"patch/{patch}_{band}.tif")
    scene = open_scene(path.parent)
    assert scene.spex.bands == ("blue", "red", "nir")
    np.testing.assert_allclose(scene["nir"], 0.38, rtol=1e-5)
    with rasterio.open(path) as file:
        assert file.count == 1
    write_raster(np.full((1, 5, 5), 1, "uint16"), f"patch/{patch.replace('26_57', '26_58')}_B02.tif")
    with pytest.raises(UnknownLayoutError, match=r"2 products.*list of band files"):
        open_scene(path.parent)


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("T32UQD_20240101T101010_{}_10m.tif", -0.1),
        ("T32UQD_20220125T101010_{}.tif", -0.1),
        ("T32UQD_20220124T101010_{}_10m.tif", 0.0),
        ("T32UQD_20240101T101010_{}_10m_harmonized.tif", 0.0),
    ],
)
def test_a_band_file_of_a_safe_alone_tells_its_offset_by_its_day(
    write_raster: Writer, name: str, offset: float
) -> None:
    files = [write_raster(numbers(band, 24)[None], name.format(band)) for band in ("B04", "B08")]
    scene = open_scene(files, sensor="sentinel2_l2a")
    np.testing.assert_allclose(scene["red"].values, numbers("B04", 24) * 1e-4 + offset, atol=1e-6)


def test_the_day_of_a_band_file_gives_way_to_its_pixels(write_raster: Writer) -> None:
    harmonised = np.arange(100, 676, dtype="uint16").reshape(1, 24, 24)
    files = [write_raster(harmonised, f"T32UQD_20240101T101010_{band}_10m.tif") for band in ("B04", "B08")]
    with pytest.warns(RadiometryWarning, match="contradict the name"):
        scene = open_scene(files, sensor="sentinel2_l2a")
    np.testing.assert_allclose(scene["red"].values, harmonised[0] * 1e-4, atol=1e-6)
