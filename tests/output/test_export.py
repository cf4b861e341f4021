"""Files that leave the house: valid COG, GeoPackage with areas, nothing half written."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from pyproj import Geod

from spex_nb import compute_indices, find_regions, regions_frame, sample_scene
from spex_nb.errors import GridWarning, OutputError
from spex_nb.output import save_cog, save_geopackage


def mask_of(crs: str | None, transform: Affine, shape: tuple[int, int] = (20, 30)) -> xr.DataArray:
    pixels = np.zeros(shape, bool)
    pixels[2:6, 3:9] = True
    pixels[10, 10] = pixels[11, 11] = True  # touch at a corner: one region
    mask = xr.DataArray(pixels, dims=("y", "x"), name="water").rio.write_transform(transform)
    return mask if crs is None else mask.rio.write_crs(crs)


def polygons_of(mask: xr.DataArray) -> gpd.GeoDataFrame:
    return regions_frame(find_regions(mask), mask)


def test_cog_holds_the_indices(tmp_path: Path) -> None:
    scene = sample_scene("river_10m")
    indices = compute_indices(scene.chunk(100), ["NDVI", "NDWI"])
    path = save_cog(indices, tmp_path / "out.tif")
    with rasterio.open(path) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.descriptions == ("NDVI", "NDWI")
        assert file.crs == scene.rio.crs
        assert file.transform == scene.spex.transform
        assert np.isnan(file.nodata)
        np.testing.assert_array_equal(file.read(1), indices["NDVI"].values)
        assert file.tags(1)["reference"].startswith("http")
    assert [p.name for p in tmp_path.iterdir()] == ["out.tif"]


def test_cog_of_a_mask_has_colours_and_nodata(tmp_path: Path) -> None:
    mask = mask_of("EPSG:32632", Affine(10, 0, 5e5, 0, -10, 5e6)).astype("uint8")
    with rasterio.open(save_cog(mask, tmp_path / "m.tif", colors={1: (0, 114, 178)})) as file:
        assert file.dtypes == ("uint8",)
        assert file.nodata == 255
        assert file.colormap(1)[1] == (0, 114, 178, 255)


def test_a_scene_without_crs_says_why_its_file_has_none(tmp_path: Path) -> None:
    mask = mask_of(None, Affine.identity())
    with pytest.warns(GridWarning, match=r"coordinates are pixels.*Give the scene a CRS"):
        save_cog(mask, tmp_path / "m.tif")
    frame = polygons_of(mask)
    assert frame.crs is None
    assert frame["area_m2"].isna().all()
    with pytest.warns(GridWarning, match="coordinates are pixels"):
        save_geopackage(frame, tmp_path / "m.gpkg")


def test_polygons_are_eight_connected_and_sorted(tmp_path: Path) -> None:
    frame = polygons_of(mask_of("EPSG:32632", Affine(10, 0, 5e5, 0, -10, 5e6)))
    assert list(frame["area_px"]) == [24, 2]
    assert list(frame["area_m2"]) == pytest.approx([2400, 200], rel=2e-3)
    back = gpd.read_file(save_geopackage(frame, tmp_path / "r.gpkg"))
    assert back.crs.to_epsg() == 32632
    assert len(back) == 2


def test_areas_in_degrees_equal_the_geodesic_ones() -> None:
    frame = polygons_of(mask_of("EPSG:4326", Affine(0.001, 0, 10, 0, -0.001, 60)))
    geodesic = [abs(Geod(ellps="WGS84").geometry_area_perimeter(shape)[0]) for shape in frame.geometry]
    assert list(frame["area_m2"]) == pytest.approx(geodesic, rel=1e-3)


def test_an_empty_mask_has_no_polygons(tmp_path: Path) -> None:
    mask = mask_of("EPSG:32632", Affine(10, 0, 5e5, 0, -10, 5e6)) & False
    frame = polygons_of(mask)
    assert frame.empty
    assert len(gpd.read_file(save_geopackage(frame, tmp_path / "r.gpkg"))) == 0


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    mask = mask_of("EPSG:32632", Affine(10, 0, 5e5, 0, -10, 5e6))
    path = save_cog(mask, tmp_path / "m.tif")
    with pytest.raises(OutputError, match="Choose another, or allow overwriting"):
        save_cog(mask, path)
    save_cog(mask, path, overwrite=True)
    with pytest.raises(OutputError, match="Create it"):
        save_cog(mask, tmp_path / "nowhere" / "m.tif")


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    import dask.array as da

    def fail(_: np.ndarray) -> np.ndarray:
        raise RuntimeError("the disk is on fire")

    lazy = da.ones((40, 40), chunks=20).map_blocks(fail, dtype="float32", meta=np.empty((0, 0), "float32"))
    layer = xr.DataArray(lazy, dims=("y", "x"), name="NDVI").rio.write_crs(32632)
    with pytest.raises(RuntimeError, match="on fire"):
        save_cog(layer, tmp_path / "out.tif")
    assert list(tmp_path.iterdir()) == []
