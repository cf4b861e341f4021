"""A window of a scene, index, mask or probability as a picture in Web Mercator, for a layer of a web map.

Pictures are RGBA, uint8 [H, W, 4], of the size that the view has on the screen. Where there is nothing to show they are
transparent. Pixels are never mixed: each shows the nearest pixel of the scene.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spex_nb.errors import BandError
from spex_nb.output.plotting import COMPOSITES, color_limits, colormap_name, stripes
from spex_nb.output.web_mercator import WEB_MERCATOR, View, WebGrid
from spex_nb.scene.windows.pyramid import Pyramid
from spex_nb.spectral.indices import compute_index
from spex_nb.types import Window
from spex_nb.types.targets import class_rgb as class_rgb  # noqa: PLC0414 (maps ask for it here)

Limits = tuple[float, float]
Color = tuple[int, int, int]
Rgba = NDArray[np.uint8]
"""A picture [H, W, 4]."""
PERCENTILES = (2, 98)
THINNED_PX = 512
"""Longest side of the thinned scene on which a stretch is measured."""
PNG_LEVEL = 3
WEBP_QUALITY = 85
WEBP_EFFORT = 2


def composite_bands(scene: Any, bands: str | Sequence[str] = "true") -> tuple[str, ...]:
    """Return the three bands of a composite.

    Args:
        scene: A Pyramid, or a Dataset of bands.
        bands: "true" (red, green, blue), "false" (nir, red, green), or three names.

    Raises:
        BandError: If they are not three bands of the scene.
    """
    names = COMPOSITES.get(bands, (bands,)) if isinstance(bands, str) else tuple(bands)
    available = _pyramid(scene).layers.spex.bands
    if len(names) != 3 or any(name not in available for name in names):  # noqa: PLR2004 (a colour picture)
        raise BandError(
            "The picture needs three bands of the scene",
            found=", ".join(names),
            expected=f"'true', 'false', or three of {', '.join(available)}",
            fix="Name three bands.",
        )
    return names


def measure_stretch(
    scene: Any, bands: str | Sequence[str] = "true", percentiles: tuple[float, float] = PERCENTILES
) -> dict[str, Limits]:
    """Return between which values each band of a composite runs from dark to bright, over the whole scene.

    Args:
        scene: A path, a Dataset of bands [H, W], or a Pyramid of either.
        bands: As for ``composite_bands``.
        percentiles: Percentiles of the valid pixels that are dark and bright (default: 2 and 98).
    """
    pyramid = _pyramid(scene)
    names = composite_bands(pyramid, bands)
    layers = _thinned(pyramid, names)
    good = layers.spex.valid.values
    return {name: _limits_between(layers[name].values[good], percentiles) for name in names}


def measure_limits(scene: Any, index: str) -> Limits:
    """Return between which values an index is coloured over the whole scene, as ``color_limits`` of a thinned one."""
    pyramid = _pyramid(scene)
    layers = _thinned(pyramid, pyramid.layers.spex.bands)
    return color_limits(compute_index(layers, index).values)


def render_scene(
    scene: Any, view: View, bands: str | Sequence[str] = "true", stretch: Mapping[str, Limits] | None = None
) -> Rgba:
    """Draw three bands of a scene.

    Args:
        scene: A path, a Dataset of bands [H, W], or a Pyramid of either.
        view: What the map shows.
        bands: As for ``composite_bands``.
        stretch: Of each band, as ``measure_stretch`` returns; None measures it on the whole scene.

    Returns:
        RGBA, uint8 [H, W, 4].
    """
    pyramid = _pyramid(scene)
    names = composite_bands(pyramid, bands)
    stretch = measure_stretch(pyramid, names) if stretch is None else stretch

    def color_layers(layers: xr.Dataset) -> NDArray[np.uint8]:
        planes = [_to_uint8(layers[name].values, stretch[name]) for name in names]
        return np.stack([*planes, _alpha(layers.spex.valid.values)])

    return _render(pyramid, names, view, color_layers)


def render_index(scene: Any, index: str, view: View, limits: Limits | None = None) -> Rgba:
    """Draw a spectral index.

    Args:
        scene: As for ``render_scene``.
        index: A name of the catalogue, or a formula.
        view: What the map shows.
        limits: Values of the first and last colour; None measures it on the whole scene.

    Returns:
        RGBA, uint8 [H, W, 4].

    Raises:
        IndexNameError, MissingBandError, FormulaError: As ``compute_index``.
    """
    pyramid = _pyramid(scene)
    low, high = measure_limits(pyramid, index) if limits is None else limits
    colors = color_table(low, high)

    def color_layers(layers: xr.Dataset) -> NDArray[np.uint8]:
        values = compute_index(layers, index).values
        picture = colors[_to_uint8(values, (low, high))].transpose(2, 0, 1)
        return np.concatenate([picture, _alpha(np.isfinite(values))[None]])

    return _render(pyramid, _bands_of(pyramid, index), view, color_layers)


def render_mask(mask: Any, colors: Mapping[int, Sequence[int]], view: View) -> Rgba:
    """Draw the classes of a mask in their exact colours.

    Args:
        mask: bool or uint8 [H, W], as DataArray with CRS and transform (or neither), or a Pyramid of one.
        colors: RGB (or RGBA) of each class number, 0..255; what has no colour is transparent.
        view: What the map shows.

    Returns:
        RGBA, uint8 [H, W, 4].
    """
    pyramid = _pyramid(mask)
    table = _class_table(colors)
    name = pyramid.names[0]
    return _render(pyramid, [name], view, lambda layers: _classes(layers[name].values, table))


def hatch_picture(picture: Rgba) -> Rgba:
    """Return a picture whose colours show in slanted stripes only: what it shows cannot be trusted."""
    striped = picture.copy()
    striped[~stripes(picture.shape[:2])] = 0
    return striped


def render_live_mask(
    scene: Any,
    measure: Callable[[xr.Dataset], Any],
    colors: Mapping[int, Sequence[int]],
    view: View,
    bands: Sequence[str] | None = None,
) -> Rgba:
    """Draw a mask that is measured on what the view shows, such as a prior while its threshold is moved.

    Args:
        scene: As for ``render_scene``.
        measure: Takes the thinned scene [h, w], returns bool or uint8 [h, w].
        colors: As for ``render_mask``.
        view: What the map shows.
        bands: Those that ``measure`` needs; None takes all.

    Returns:
        RGBA, uint8 [H, W, 4].
    """
    pyramid = _pyramid(scene)
    table = _class_table(colors)
    names = pyramid.layers.spex.bands if bands is None else bands
    return _render(pyramid, names, view, lambda layers: _classes(np.asarray(measure(layers)), table))


def render_probability(probability: Any, view: View, color: Color | None = None) -> Rgba:
    """Draw a probability: the more probable, the more opaque.

    Args:
        probability: float [H, W] in 0..1, NaN where there is no data, as for ``render_mask``.
        view: What the map shows.
        color: RGB, 0..255.

    Returns:
        RGBA, uint8 [H, W, 4].
    """
    pyramid = _pyramid(probability)
    name = pyramid.names[0]
    red, green, blue = class_rgb("") if color is None else color

    def color_layers(layers: xr.Dataset) -> NDArray[np.uint8]:
        opaque = _to_uint8(layers[name].values, (0.0, 1.0))
        return np.stack([np.full_like(opaque, part) for part in (red, green, blue)] + [opaque])

    return _render(pyramid, [name], view, color_layers)


def color_table(low: float, high: float) -> NDArray[np.uint8]:
    """Return the colours of an index from low to high: uint8 [256, 3]."""
    import matplotlib as mpl

    shades = mpl.colormaps[colormap_name(low, high)](np.arange(256))
    table: NDArray[np.uint8] = np.round(255 * shades[:, :3]).astype(np.uint8)
    return table


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """Return a picture, uint8 [H, W, 3 or 4], as a PNG: exact, and small where it has few colours."""
    return _encode(picture, "PNG", compress_level=PNG_LEVEL)


def encode_webp(picture: NDArray[np.uint8], quality: int = WEBP_QUALITY) -> bytes:
    """Return a picture, uint8 [H, W, 3 or 4], as a WebP: small, with nearly the right colours."""
    return _encode(picture, "WEBP", quality=quality, method=WEBP_EFFORT)


def data_uri(encoded: bytes, kind: Literal["png", "webp"]) -> str:
    """Return an encoded picture as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"


def _encode(picture: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()


def _pyramid(source: Any) -> Pyramid:
    return source if isinstance(source, Pyramid) else Pyramid(source)


def _thinned(pyramid: Pyramid, names: Sequence[str]) -> xr.Dataset:
    return pyramid.read(names, pyramid.whole, pyramid.step_for(THINNED_PX))


def _bands_of(pyramid: Pyramid, index: str) -> list[str]:
    """Return the bands that an index takes, computed on a single pixel."""
    pixel = pyramid.read(pyramid.layers.spex.bands, (0, 0, 1, 1))
    pairs = compute_index(pixel, index).attrs["bands"].split(", ")
    return [pair.split("=")[1] for pair in pairs]


def _render(
    pyramid: Pyramid, names: Sequence[str], view: View, color_layers: Callable[[xr.Dataset], NDArray[np.uint8]]
) -> Rgba:
    """Read what a view shows, colour it as uint8 [4, h, w], and bring it onto the pixels of the view."""
    web_grid = WebGrid(pyramid.grid)
    step = web_grid.step(view)
    window = web_grid.window(view, step)
    if window is None:
        return np.zeros((*view.size_px, 4), np.uint8)
    return _warp(color_layers(pyramid.read(names, window, step)), web_grid, window, step, view)


def _warp(picture: NDArray[np.uint8], web_grid: WebGrid, window: Window, step: int, view: View) -> Rgba:
    """Return a picture [4, h, w] of a window on the pixels of a view."""
    from affine import Affine
    from rasterio.warp import Resampling, reproject

    row, col, *_ = window
    warped = np.zeros((4, *view.size_px), np.uint8)
    reproject(
        np.ascontiguousarray(picture),
        warped,
        src_transform=web_grid.grid.transform @ Affine.translation(col, row) @ Affine.scale(step),
        src_crs=web_grid.grid.crs,
        dst_transform=view.transform,
        dst_crs=WEB_MERCATOR,
        resampling=Resampling.nearest,
    )
    return np.ascontiguousarray(warped.transpose(1, 2, 0))


def _to_uint8(values: NDArray[Any], limits: Limits) -> NDArray[np.uint8]:
    """Return values as uint8, 0 at the lower limit and where there is no data, 255 at the upper."""
    low, high = limits
    scaled = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    pixels: NDArray[np.uint8] = np.nan_to_num(255 * scaled + 0.5).astype(np.uint8)
    return pixels


def _limits_between(values: NDArray[Any], percentiles: tuple[float, float]) -> Limits:
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, percentiles))
    return low, high


def _alpha(shown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(shown, np.uint8(255), np.uint8(0))


def _class_table(colors: Mapping[int, Sequence[int]]) -> NDArray[np.uint8]:
    table = np.zeros((256, 4), np.uint8)
    for number, color in colors.items():
        table[number] = [*color, 255][:4]
    return table


def _classes(mask: NDArray[Any], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = table[mask.astype(np.uint8)].transpose(2, 0, 1)
    return pixels
