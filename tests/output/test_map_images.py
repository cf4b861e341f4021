"""Pictures for web maps: the right pixel at the right place, whatever the source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
import xarray as xr
from affine import Affine

from spex_nb.errors import BandError, GridError
from spex_nb.output.map_images import (
    encode_png,
    encode_webp,
    measure_limits,
    measure_stretch,
    render_index,
    render_live_mask,
    render_mask,
    render_probability,
    render_scene,
)
from spex_nb.output.web_mercator import WEB_MERCATOR, View, WebGrid, from_mercator, mercator
from spex_nb.scene.grid import Grid
from spex_nb.scene.open import on_grid, open_scene
from spex_nb.scene.windows.pyramid import Pyramid, raster_layer
from spex_nb.scene.windows.rasters import Reading

STRETCH = {"red": (0.0, 1.0), "green": (0.0, 1.0), "blue": (0.0, 1.0)}


def scene_of(pixels: Any, crs: Any = None) -> xr.Dataset:
    """Return red, green and blue [3, H, W]; with a CRS at x 0 and y 0, ten metres a pixel."""
    names = ("red", "green", "blue")
    bands = xr.Dataset(
        {name: (("y", "x"), plane.astype(np.float32)) for name, plane in zip(names, pixels, strict=True)}
    )
    grid = Grid(*pixels.shape[1:], Affine(10, 0, 0, 0, -10, 0) if crs else Affine.identity(), crs)
    return on_grid(bands, grid)


def view_of(left: float, top: float, right: float, bottom: float, size: tuple[int, int]) -> View:
    """Return the view of pixels between these edges, of a grid of ten metres in Web Mercator at (0, 0)."""
    lons, lats = from_mercator(np.array([left, right]) * 10.0, np.array([bottom, top]) * -10.0)
    return View((float(lons[0]), float(lats[0]), float(lons[1]), float(lats[1])), size)


@pytest.mark.parametrize("crs", [None, WEB_MERCATOR])
def test_each_pixel_is_where_it_belongs(crs: Any) -> None:
    pixels = np.zeros((3, 4, 5))
    pixels[0, 1, 3] = 1
    pixels[2, 3, 0] = np.nan
    scene = scene_of(pixels, crs)
    seen = render_scene(scene, view_of(0, 0, 5, 4, (8, 10)), stretch=STRETCH)  # two screen pixels each
    red = np.argwhere(seen[..., 0] == 255)
    assert red.tolist() == [[2, 6], [2, 7], [3, 6], [3, 7]]
    assert np.argwhere(seen[..., 3] == 0).tolist() == [[6, 0], [6, 1], [7, 0], [7, 1]]
    part = render_scene(scene, view_of(3, 1, 4, 2, (3, 3)), stretch=STRETCH)
    assert (part == [255, 0, 0, 255]).all()


def test_beyond_the_scene_all_is_transparent() -> None:
    scene = scene_of(np.ones((3, 4, 4)))
    seen = render_scene(scene, view_of(-4, 0, 4, 4, (4, 8)), stretch=STRETCH)
    assert (seen[:, :4, 3] == 0).all()
    assert (seen[:, 4:, 3] == 255).all()
    assert not render_scene(scene, view_of(10, 10, 20, 20, (4, 4)), stretch=STRETCH).any()


def test_a_scene_in_utm_lies_where_its_corner_does() -> None:
    grid = Grid(100, 100, Affine(10, 0, 500_000, 0, -10, 5_500_000), rasterio.crs.CRS.from_epsg(32632))
    place = WebGrid(grid)
    lons, lats = place.lonlat(np.array([0.0]), np.array([0.0]))
    latitude, longitude = pyproj.Transformer.from_crs(32632, 4326).transform(500_000, 5_500_000)
    assert (lons[0], lats[0]) == pytest.approx((longitude, latitude), abs=1e-9)
    assert longitude == pytest.approx(9)  # the middle meridian of zone 32
    cols, rows = place.pixels(lons, lats)
    assert (cols[0], rows[0]) == pytest.approx((0, 0), abs=1e-3)
    west, south, east, north = place.bounds_lonlat
    assert place.window(View((west, south, east, north), (200, 200))) == (0, 0, 100, 100)


def test_the_stretch_is_that_of_the_whole_scene() -> None:
    ramp = np.tile(np.linspace(0, 1, 101), (101, 1))
    scene = scene_of(np.stack([ramp, ramp, ramp]))
    low, high = measure_stretch(scene, "true", (0, 100))["red"]
    assert (low, high) == (0, 1)
    dark = render_scene(scene, view_of(0, 0, 10, 10, (10, 10)))
    assert dark[..., 0].max() < 30  # although nothing brighter is in view


def test_a_mask_has_the_colours_it_was_given() -> None:
    mask = on_grid(
        xr.DataArray(np.array([[0, 1], [2, 255]], np.uint8), dims=("y", "x")), Grid(2, 2, Affine.identity(), None)
    )
    seen = render_mask(mask, {1: (10, 20, 30), 2: (40, 50, 60, 70)}, view_of(0, 0, 2, 2, (2, 2)))
    assert seen.tolist() == [[[0, 0, 0, 0], [10, 20, 30, 255]], [[40, 50, 60, 70], [0, 0, 0, 0]]]


def test_a_probability_is_as_opaque_as_it_is_high() -> None:
    values = np.array([[0, 0.5, 1, np.nan]], np.float32)
    layer = on_grid(xr.DataArray(values, dims=("y", "x")), Grid(1, 4, Affine.identity(), None))
    seen = render_probability(layer, view_of(0, 0, 4, 1, (1, 4)), (1, 2, 3))
    assert seen[0, :, 3].tolist() == [0, 128, 255, 0]
    assert (seen[..., :3][seen[..., 3] > 0] == [1, 2, 3]).all()


def test_an_index_is_coloured_between_its_limits() -> None:
    pixels = np.stack([np.full((2, 2), 0.2), np.full((2, 2), 0.4), np.array([[0.2, 0.2], [0.6, np.nan]])])
    scene = scene_of(pixels)
    seen = render_index(scene, "(blue - red) / (blue + red)", view_of(0, 0, 2, 2, (2, 2)), (0.0, 0.5))
    assert seen[0, 0].tolist() == [68, 1, 84, 255]  # the first colour of viridis
    assert seen[1, 0].tolist() == [253, 231, 37, 255]  # and its last
    assert seen[1, 1, 3] == 0
    low, high = measure_limits(scene, "(blue - red) / (blue + red)")
    assert (low, high) == pytest.approx((0, 0.5), abs=0.02)


def test_a_live_mask_is_measured_on_the_window() -> None:
    pixels = np.zeros((3, 4, 4))
    pixels[0, :, :2] = 1
    seen = render_live_mask(
        scene_of(pixels), lambda part: part["red"].values > 0.5, {1: (9, 9, 9)}, view_of(0, 0, 4, 4, (4, 4)), ["red"]
    )
    assert (seen[..., 3] > 0).tolist() == [[True, True, False, False]] * 4


def test_a_file_is_drawn_like_what_it_holds(write_raster: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.integers(1, 10_000, (3, 600, 700), "uint16")
    numbers[:, :50] = 0
    path = write_raster(numbers, descriptions=("red", "green", "blue"), nodata=0)
    eager = open_scene(path, scale=1e-4, chunks=None)
    lazy = open_scene(path, scale=1e-4, chunks=256)
    view = View(WebGrid(Pyramid(eager).grid).bounds_lonlat, (900, 900))
    drawn = render_scene(eager, view, stretch=STRETCH)
    assert (drawn == render_scene(lazy, view, stretch=STRETCH)).all()
    assert (drawn == render_scene(lazy.copy(deep=True), view, stretch=STRETCH)).all()


def test_what_was_changed_is_not_read_from_the_file_it_came_from(write_raster: Callable[..., Path]) -> None:
    path = write_raster(np.full((3, 64, 64), 1000, np.uint16), descriptions=("red", "green", "blue"))
    scene = open_scene(path, scale=1e-4, chunks=32)
    doubled = scene.assign(red=scene["red"] * 2)
    read = Pyramid(doubled).read(["red", "green"], (0, 0, 64, 64), 2)
    assert np.allclose(read["red"], 0.2)
    assert np.allclose(read["green"], 0.1)
    assert read["red"].shape == (32, 32)


def test_a_thinned_read_uses_overviews(write_raster: Callable[..., Path]) -> None:
    path = write_raster(np.full((3, 512, 512), 1000, np.uint16), descriptions=("red", "green", "blue"))
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4], rasterio.enums.Resampling.nearest)
    with rasterio.open(path, "r+", OVERVIEW_LEVEL=0) as overview:
        overview.write(np.full((3, 256, 256), 3000, np.uint16))
    assert Reading(str(path), (1,)).has_overviews
    pyramid = Pyramid(path, scale=1e-4, chunks=256)
    assert np.allclose(pyramid.read(["red"], pyramid.whole, 2)["red"], 0.3)
    assert np.allclose(pyramid.read(["red"], pyramid.whole, 1)["red"], 0.1)


def test_what_has_no_overviews_is_thinned_once(
    write_raster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spex_nb.scene.windows.pyramid.KEPT_PX", 128)
    path = write_raster(np.full((3, 512, 512), 1000, np.uint16), descriptions=("red", "green", "blue"))
    pyramid = Pyramid(path, scale=1e-4, chunks=256)
    first = pyramid.read(["red", "green"], pyramid.whole, 4)
    path.unlink()
    again = pyramid.read(["red", "green"], (0, 256, 512, 256), 8)
    assert first["red"].shape == (128, 128)
    assert again["red"].shape == (64, 32)
    assert again.rio.transform() == first.rio.transform() @ Affine.translation(64, 0) @ Affine.scale(2)


def test_a_mask_file_is_drawn_too(write_raster: Callable[..., Path]) -> None:
    mask = np.zeros((1, 64, 64), np.uint8)
    mask[0, :32] = 1
    layer = raster_layer(write_raster(mask, nodata=255))
    view = View(WebGrid(Pyramid(layer).grid).bounds_lonlat, (64, 64))
    seen = render_mask(layer, {1: (0, 114, 178)}, view)
    assert seen[10, 32].tolist() == [0, 114, 178, 255]
    assert seen[50, 32].tolist() == [0, 0, 0, 0]


def test_pictures_survive_their_encoding() -> None:
    from io import BytesIO

    from PIL import Image

    picture = np.zeros((16, 16, 4), np.uint8)
    picture[:8] = (0, 114, 178, 255)
    assert (np.asarray(Image.open(BytesIO(encode_png(picture)))) == picture).all()
    webp = np.asarray(Image.open(BytesIO(encode_webp(picture))).convert("RGBA")).astype(int)
    assert (webp[..., 3] == picture[..., 3]).all()
    assert np.abs(webp[:4, :, :3] - [0, 114, 178]).max() < 12


def test_a_view_that_shows_nothing_is_refused() -> None:
    with pytest.raises(GridError, match=r"\(west, south, east, north\), and \(height, width\)"):
        View((10, 0, 5, 1), (10, 10))


def test_a_layer_that_is_not_there_is_named() -> None:
    scene = scene_of(np.ones((3, 4, 4)))
    with pytest.raises(BandError, match="Name three bands"):
        render_scene(scene, view_of(0, 0, 4, 4, (4, 4)), "false")
    with pytest.raises(BandError, match="Did you mean green"):
        Pyramid(scene).read(["gren"], (0, 0, 4, 4))


def test_mercator_and_back() -> None:
    lons, lats = from_mercator(*mercator(np.array([190.0]), np.array([-60.0])))
    assert (lons[0], lats[0]) == pytest.approx((190, -60))
