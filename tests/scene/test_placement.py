"""Odd coordinates: a place that cannot be used is left out with a warning, one that can is used; sizes stay right."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC

from spex_nb import extract, open_scene, sample_scene
from spex_nb.errors import GridError, GridWarning, SpexWarning
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.scene.guard import notes_of_scene
from spex_nb.scene.windows.pyramid import Pyramid

NAMES = ("blue", "green", "red", "nir")
SIZE = 60
METRES = Affine(10, 0, 5e5, 0, -10, 5.5e6)
LAKE = (slice(10, 30), slice(20, 50))
"""600 pixels of water in a land of vegetation."""


def land() -> Any:
    spectra = np.array([(0.03, 0.06, 0.04, 0.38), (0.055, 0.05, 0.03, 0.015)])
    classes = np.zeros((SIZE, SIZE), int)
    classes[LAKE] = 1
    return np.moveaxis(spectra[classes], -1, 0).astype("float32")


def write(path: Path, transform: Affine | None = METRES, **options: Any) -> Path:
    profile = {"driver": "GTiff", "count": 4, "height": SIZE, "width": SIZE, "dtype": "float32"}
    profile |= ({"transform": transform} if transform else {}) | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as file:
            file.write(land())
            file.descriptions = NAMES
    return path


OFF_THE_MAP = {
    "local": ('LOCAL_CS["site grid",UNIT["metre",1]]', METRES, 10.0),
    "local feet": ('LOCAL_CS["site grid",UNIT["foot",0.3048]]', METRES, 3.048),
    "engineering": (
        'ENGCRS["Cartesian (Meter)",EDATUM["Unknown engineering datum"],CS[Cartesian,2],AXIS["(E)",east,ORDER[1],'
        'LENGTHUNIT["metre",1]],AXIS["(N)",north,ORDER[2],LENGTHUNIT["metre",1]]]',
        METRES,
        10.0,
    ),
    "vertical": ("EPSG:5703", METRES, 10.0),
    "geocentric": ("EPSG:4978", METRES, 10.0),
    "Moon": ("IAU_2015:30100", Affine(0.01, 0, 10, 0, -0.01, 20), None),
    "Mars": ("+proj=sinu +R=3396190 +units=m", METRES, 10.0),
    "without a geotransform": ("EPSG:32632", None, None),
    "degrees called metres": ("EPSG:32632", Affine(2.7e-4, 0, 9, 0, -2.7e-4, 50), None),
    "beyond Mercator": ("EPSG:3857", Affine(1000, 0, 0, 0, -1000, 5e8), None),
    "off the globe": ("+proj=geos +h=35785831 +lon_0=0 +units=m", Affine(2e5, 0, -6e6, 0, -2e5, 6e6), None),
}


@pytest.mark.parametrize(("crs", "transform", "gsd_m"), OFF_THE_MAP.values(), ids=OFF_THE_MAP)
def test_a_crs_that_is_no_place_on_earth_leaves_areas_in_pixels(
    tmp_path: Path, crs: str, transform: Affine | None, gsd_m: float | None
) -> None:
    path = write(tmp_path / "scene.tif", transform, crs=crs)
    with pytest.warns(GridWarning, match=r"is not used: .* areas are in pixels"):
        scene = open_scene(path)
    assert scene.spex.crs is None
    if gsd_m is not None:
        assert scene.spex.gsd_m == pytest.approx(gsd_m)
    result = extract(scene, "water", "index", progress=False)
    assert result.regions["area_px"].tolist() == [600]
    assert result.regions["area_m2"].isna().all()
    assert any("is not used" in note for note in result.notes)
    assert Pyramid(scene).grid.crs is None


def test_a_region_beside_rows_beyond_the_pole_is_measured(tmp_path: Path) -> None:
    transform = Affine(0.01, 0, 0, 0, -0.01, 90.05)
    result = extract(open_scene(write(tmp_path / "pole.tif", transform, crs="EPSG:4326")), "water", "index")
    rows, columns = LAKE
    north, south = (90.05 - 0.01 * row for row in (rows.start, rows.stop))
    west, east = 0.01 * columns.start, 0.01 * columns.stop
    ring = [(west, north), (east, north), (east, south), (west, south)]
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(*np.transpose(ring))
    assert result.regions["area_m2"].tolist() == pytest.approx([abs(area)], rel=0.02)


def test_a_dataset_with_a_local_crs_is_measured_in_pixels() -> None:
    variables = {name: (("y", "x"), band) for name, band in zip(NAMES, land(), strict=True)}
    data = xr.Dataset(variables).rio.write_crs(OFF_THE_MAP["local"][0]).rio.write_transform(METRES)
    assert data.spex.crs is None
    assert EqualAreaGrid.of(data) is None
    assert Pyramid(data).grid.crs is None
    with pytest.warns(GridWarning, match="Engineering CRS has no longitude"):
        result = extract(data, "water", "index", progress=False)
    assert result.regions["area_px"].tolist() == [600]


PLACES = {
    "North Pole": ("EPSG:3413", Affine(1000, 0, -30_000, 0, -1000, 30_000)),
    "South Pole": ("EPSG:3031", Affine(1000, 0, -30_000, 0, -1000, 30_000)),
    "antimeridian": ("EPSG:32601", Affine(1000, 0, 200_000, 0, -1000, 7.2e6)),
    "degrees across 180": ("EPSG:4326", Affine(0.01, 0, 179.7, 0, -0.01, -16)),
    "degrees to 360": ("EPSG:4326", Affine(0.01, 0, 275, 0, -0.01, 10)),
    "compound": ("EPSG:32632+5773", METRES),
    "sphere": ("+proj=sinu +R=6371007.181 +units=m", Affine(500, 0, 1e6, 0, -500, 5e6)),
    "feet": ("EPSG:2229", Affine(30, 0, 6.5e6, 0, -30, 1.9e6)),
}


@pytest.mark.parametrize(("crs", "transform"), PLACES.values(), ids=PLACES)
def test_unusual_places_are_measured_right(tmp_path: Path, crs: str, transform: Affine) -> None:
    path = write(tmp_path / "scene.tif", transform, crs=crs)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpexWarning)
        scene = open_scene(path)
    result = extract(scene, "water", "index", progress=False)
    rows, columns = LAKE
    ring = [(columns.start, y) for y in range(rows.start, rows.stop + 1)]
    ring += [(x, rows.stop) for x in range(columns.start, columns.stop + 1)]
    ring += [(columns.stop, y) for y in range(rows.stop, rows.start - 1, -1)]
    ring += [(x, rows.start) for x in range(columns.stop, columns.start - 1, -1)]
    x, y = np.array([transform @ corner for corner in ring]).T
    lonlat = Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(*lonlat)
    assert result.regions["area_m2"].tolist() == pytest.approx([abs(area)], rel=0.01)


@pytest.mark.parametrize(
    ("crs", "corners"),
    [
        ("EPSG:4326", [(9.0, 50.0), (9.01, 50.0), (9.0, 49.99), (9.01, 49.99)]),
        ("EPSG:4326", [(-70.0, -33.0), (-69.99, -33.002), (-70.002, -33.01), (-69.992, -33.012)]),
        ("EPSG:32632", [(5e5, 5.5e6), (5e5 + 600, 5.5e6), (5e5, 5.5e6 - 600), (5e5 + 600, 5.5e6 - 600)]),
        ("EPSG:4326", [(20.0, 85.0), (20.1, 85.0), (20.0, 84.99), (20.1, 84.99)]),
    ],
    ids=["degrees", "turned, in the south", "metres", "near the pole"],
)
def test_ground_control_points_place_a_scene(tmp_path: Path, crs: str, corners: list[tuple[float, float]]) -> None:
    at = [(0, 0), (0, SIZE), (SIZE, 0), (SIZE, SIZE)]
    points = [GroundControlPoint(*pixel, *corner) for pixel, corner in zip(at, corners, strict=True)]
    path = write(tmp_path / "points.tif", None, gcps=points, crs=crs)
    with pytest.warns(GridWarning, match=r"4 ground control points \(GCPs\)"):
        scene = open_scene(path)
    result = extract(scene, "water", "index", progress=False)
    upper_left, upper_right, lower_left, _ = np.array(corners)

    def place(column: float, row: float) -> Any:
        return upper_left + column / SIZE * (upper_right - upper_left) + row / SIZE * (lower_left - upper_left)

    ring = np.array([place(20, 10), place(20, 30), place(50, 30), place(50, 10)])
    x, y = Transformer.from_crs(crs, 4326, always_xy=True).transform(*ring.T)
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(x, y)
    assert result.regions["area_m2"].sum() == pytest.approx(abs(area), rel=0.1)
    centre = result.regions.to_crs(4326).geometry.union_all().centroid
    assert (centre.x, centre.y) == pytest.approx((x.mean(), y.mean()), abs=2e-3)


def test_two_control_points_and_rational_polynomials_place_nothing(tmp_path: Path) -> None:
    points = [GroundControlPoint(0, 0, 9, 50), GroundControlPoint(SIZE, SIZE, 9.01, 49.99)]
    with pytest.warns(GridWarning, match="too few"):
        assert open_scene(write(tmp_path / "two.tif", None, gcps=points, crs="EPSG:4326")).spex.crs is None
    numbers = [1.0] + [0.0] * 19
    rpc = RPC(100, 500, 50, 0.1, numbers, numbers, 30, 30, 9, 0.1, numbers, numbers, 30, 30)
    with pytest.warns(GridWarning, match=r"RPCs.*gdalwarp -rpc"):
        scene = open_scene(write(tmp_path / "rpc.tif", None, rpcs=rpc))
    assert scene.spex.crs is None
    assert len(notes_of_scene(scene)) == 1


def test_a_sidecar_that_moves_a_geotiff_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "terrain.tif", crs="EPSG:32632")
    sidecar = "<PAMDataset><GeoTransform> 600000, 20, 0, 5040000, 0, -20</GeoTransform></PAMDataset>"
    Path(f"{path}.aux.xml").write_text(sidecar)
    with pytest.warns(GridWarning, match=r"terrain\.tif\.aux\.xml overrides .* pixels of 20 in place of 10"):
        assert open_scene(path).spex.transform.a == 20
    Path(f"{path}.aux.xml").write_text("<PAMDataset><Metadata/></PAMDataset>")
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpexWarning)
        assert open_scene(path).spex.transform.a == 10


def test_a_sidecar_that_changes_what_numbers_mean_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "terrain.tif", crs="EPSG:32632", nodata=-1)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (1.0,) * 4, (0.01,) * 4
    numbers = "<Scale>2</Scale><Offset>0.02</Offset><NoDataValue>-2</NoDataValue>"
    Path(f"{path}.aux.xml").write_text(f'<PAMDataset><PAMRasterBand band="1">{numbers}</PAMRasterBand></PAMDataset>')
    with pytest.warns(
        GridWarning, match=r"overrides .*offset 0\.02 in place of 0\.01 in band 1.*data -2\.0 in place of -1"
    ):
        assert open_scene(path).spex.transform.a == 10


def test_the_size_of_a_pixel_comes_from_argument_or_sensor_where_no_crs_says_it() -> None:
    pixels = np.rint(land() * 1e4).astype("uint16")
    assert open_scene(pixels, bands=NAMES, sensor="sentinel2_l2a").spex.gsd_m == 10
    assert open_scene(pixels, bands=NAMES, sensor="sentinel2_l2a", gsd_m=20).spex.gsd_m == 20
    assert open_scene(land(), bands=NAMES).spex.gsd_m is None
    assert open_scene(land(), bands=NAMES, gsd_m=0.5).spex.gsd_m == 0.5
    assert sample_scene("sentinel2_crop").spex.gsd_m == 10
    with pytest.raises(GridError, match="side of a pixel in metres"):
        open_scene(land(), bands=NAMES, gsd_m=-1)


def test_a_result_says_that_the_size_of_a_pixel_is_unknown() -> None:
    scene = open_scene(land(), bands=NAMES)
    told = [note for note in extract(scene, "water", "tiny", progress=False).notes if "not known" in note]
    assert len(told) == 1
    assert "Pass gsd_m= to open_scene" in told[0]
