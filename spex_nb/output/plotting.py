"""Pictures of scenes, indices, masks, histograms and spectra, as matplotlib figures outside pyplot's global state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

import spex_nb.scene.accessor  # noqa: F401  (registers .spex)
from spex_nb.errors import BandError, nearest
from spex_nb.regions.find import region_mask
from spex_nb.scene.open import require_inside
from spex_nb.types import Region
from spex_nb.types.targets import class_rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_SIDE_PX = 1200
"""Larger scenes are thinned to this before they are drawn."""
COMPOSITES = {"true": ("red", "green", "blue"), "false": ("nir", "red", "green")}
NODATA_GREY = 0.85
STRIPE_PX = 4
"""Width of the stripes of what cannot be trusted."""


class Picture(Figure):
    """A figure that a notebook shows by itself, though pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        return picture_bytes(self)


def picture_bytes(figure: Figure) -> bytes:
    """Return a figure as a PNG for a notebook or page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def plot_scene(
    scene: xr.Dataset, bands: str | Sequence[str] = "true", percentiles: tuple[float, float] = (2, 98)
) -> Figure:
    """Draw three bands as a colour picture.

    Args:
        scene: Any Dataset of named bands [H, W].
        bands: "true" (red, green, blue), "false" (nir, red, green), or three names.
        percentiles: Percentiles of the valid pixels of a band that are dark and bright (default: 2 and 98).

    Raises:
        BandError: If a band is missing.
    """
    names = _composite_bands(scene, bands)
    figure, axes = _figure()
    axes.imshow(composite(_thinned(scene), names, percentiles), extent=_extent(scene), interpolation="nearest")
    axes.set_title(f"{' '.join(names)} ({_radiometry(scene)})")
    _label_axes(axes, scene)
    return figure


def composite(
    scene: xr.Dataset, bands: str | Sequence[str] = "true", percentiles: tuple[float, float] = (2, 98)
) -> NDArray[Any]:
    """Return three bands as a picture, float [H, W, 3] in 0..1; arguments and errors as for ``plot_scene``."""
    valid = scene.spex.valid.values
    names = _composite_bands(scene, bands)
    return np.stack([_stretched(scene[name].values, valid, percentiles) for name in names], axis=-1)


def _composite_bands(scene: xr.Dataset, bands: str | Sequence[str]) -> tuple[str, ...]:
    names = COMPOSITES.get(bands, (bands,)) if isinstance(bands, str) else tuple(bands)
    _require_bands(scene, names)
    return names


def plot_index(index: xr.DataArray, limits: tuple[float, float] | None = None) -> Figure:
    """Draw an index with a colour bar.

    Args:
        index: float [H, W]; NaN stays grey.
        limits: Values of the first and the last colour. By default nearly all values lie between them, and 0 is in the
            middle where the index takes both signs.
    """
    thin = _thinned(index)
    low, high = limits or color_limits(thin.values)
    figure, axes = _figure()
    axes.set_facecolor(str(NODATA_GREY))
    drawn = axes.imshow(
        thin.values,
        extent=_extent(index),
        cmap=colormap_name(low, high),
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )
    figure.colorbar(drawn, ax=axes, label=str(index.name or "index"), shrink=0.8)
    axes.set_title(_title(index))
    _label_axes(axes, index)
    return figure


def plot_mask(
    scene: xr.Dataset, mask: xr.DataArray, color: str = "#0072b2", bands: str | Sequence[str] = "true"
) -> Figure:
    """Draw a mask over the picture of its scene.

    Args:
        scene: The scene behind the mask, bands [H, W].
        mask: Where to paint, bool [H, W].
        color: A colour that matplotlib knows (default: blue).
        bands: Bands of the picture, as for `plot_scene`.

    Raises:
        BandError: If a band is missing.
    """
    from matplotlib.colors import to_rgba

    figure = plot_scene(scene, bands)
    overlay = np.zeros((*_thinned(mask).shape, 4))
    overlay[_thinned(mask).values.astype(bool)] = to_rgba(color, 0.6)
    axes = figure.axes[0]
    axes.imshow(overlay, extent=_extent(scene), interpolation="nearest")
    axes.set_title(f"{mask.name or 'mask'}: {float(mask.mean()):.1%} of the scene")
    return figure


def stripes(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return slanted stripes, bool [H, W]: half of the pixels are True."""
    rows, columns = np.indices(shape[:2])
    bands: NDArray[np.bool_] = (rows + columns) % (2 * STRIPE_PX) < STRIPE_PX
    return bands


def plot_classes(
    scene: xr.Dataset,
    mask: xr.DataArray,
    names: Mapping[str, str],
    *,
    hatched: bool = False,
    colors: Mapping[str, Sequence[int]] | None = None,
) -> Figure:
    """Draw the classes of a mask over the picture of its scene, with a legend.

    Args:
        scene: Bands [H, W]; in true colour where they allow it.
        mask: uint8 [H, W] of the same ground, with as many pixels or more: 0 none, 1 ... n the classes, 255 no data.
        names: Id of each class, in the order of its number, and what the legend calls it.
        hatched: Whether stripes show that the mask cannot be trusted (default: no).
        colors: Red, green and blue of classes, 0..255, by id; those of the targets if not given.
    """
    from matplotlib.patches import Patch

    shades = {name: np.divide((colors or {}).get(name, class_rgb(name)), 255) for name in names}

    figure, axes = _figure()
    axes.imshow(picture_of(_thinned(scene)), extent=_extent(scene), interpolation="nearest")
    thin = _thinned(mask).values
    overlay = np.zeros((*thin.shape, 4))
    for number, name in enumerate(names, start=1):
        overlay[thin == number] = (*shades[name], 0.6)
    if hatched:
        overlay[~stripes(overlay.shape)] = 0
    left, right, bottom, top = axes.images[0].get_extent()
    axes.imshow(overlay, extent=(left, right, bottom, top), interpolation="nearest")
    _label_axes(axes, scene)
    keys = [Patch(color=(*shades[name], 0.6), label=_plain(label)) for name, label in names.items()]
    axes.legend(handles=keys, loc="upper left", bbox_to_anchor=(0, -0.12), frameon=False, ncols=2)
    return figure


def picture_of(scene: xr.Dataset) -> NDArray[Any]:
    """Return a scene in true colour, its first band in grey where it has no red, green and blue: 0..1 [H, W, 3]."""
    try:
        return composite(scene)
    except BandError:
        return composite(scene, scene.spex.bands[:1] * 3)


def _plain(text: str) -> str:
    """Return text that matplotlib does not read as a formula, nor hides in a legend."""
    return text.replace("$", r"\$").lstrip("_")


def plot_regions(
    scene: xr.Dataset, regions: Sequence[Region], color: str = "#f0e442", bands: str | Sequence[str] = "true"
) -> Figure:
    """Draw regions over the picture of their scene: their pixels, the least-area rectangle, and their rank.

    Args:
        scene: The scene behind the regions, bands [H, W].
        regions: Regions of this scene, the first in rank first.
        color: A colour that matplotlib knows (default: yellow).
        bands: Bands of the picture, as for `plot_scene`.

    Raises:
        BandError: If a band is missing.
    """
    from matplotlib.colors import to_rgb

    figure = plot_scene(scene, bands)
    axes = figure.axes[0]
    height, width = scene.spex.shape
    left, right, bottom, top = axes.images[0].get_extent()
    mask = _thinned(xr.DataArray(region_mask(regions, (height, width)), dims=("y", "x"))).values
    overlay = np.zeros((*mask.shape, 4), np.float32)
    overlay[mask] = (*to_rgb(color), 0.45)
    axes.imshow(overlay, extent=(left, right, bottom, top), interpolation="nearest")
    for rank, region in enumerate(regions, start=1):
        corners = np.array([*region.rectangle_px, region.rectangle_px[0], region.centroid_px])
        x = left + corners[:, 0] * (right - left) / width
        y = top + corners[:, 1] * (bottom - top) / height
        axes.plot(x[:5], y[:5], color=color, linewidth=1)
        axes.annotate(str(rank), (x[5], y[5]), color="white", ha="center", va="center", fontweight="bold")
    axes.set_title(f"{len(regions)} region{'' if len(regions) == 1 else 's'}")
    return figure


def plot_histogram(index: xr.DataArray, threshold: float | None = None, bins: int = 128) -> Figure:
    """Draw how often each value of an index occurs.

    Args:
        index: float [H, W]; NaN is left out.
        threshold: Value at which a line is drawn (default: no line).
        bins: Number of bars (default: 128).
    """
    values = _thinned(index).values
    figure, axes = _figure(height=3.2)
    axes.hist(values[np.isfinite(values)], bins=bins, color="#56738a")
    if threshold is not None:
        axes.axvline(threshold, color="#d55e00", linewidth=2, label=f"threshold {threshold:g}")
        axes.legend(frameon=False, loc="upper right")  # "best" looks at every bar
    axes.set(xlabel=str(index.name or "index"), ylabel="pixels", title=_title(index))
    return figure


def plot_spectra(scene: xr.Dataset, points: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw the values of pixels by wavelength.

    Args:
        scene: Bands [H, W] that state their wavelength.
        points: Label and pixel position (x, y) of each.

    Raises:
        GridError: If a point lies outside the scene.
        BandError: If no band states its wavelength.
    """
    wavelengths = dict(sorted(scene.spex.wavelengths_um.items(), key=lambda item: item[1]))
    if not wavelengths:
        raise BandError(
            "No band states its wavelength",
            found=", ".join(scene.spex.bands),
            expected="the attribute wavelength_um",
            fix="Open the scene with sensor=…",
        )
    figure, axes = _figure(height=3.6)
    for label, (x, y) in points.items():
        require_inside(scene, label, x, y)
        pixel = scene.isel(x=x, y=y)
        axes.plot(
            list(wavelengths.values()), [float(pixel[name]) for name in wavelengths], marker="o", label=_plain(label)
        )
    axes.set(xlabel="wavelength (µm)", ylabel=_radiometry(scene), title="Spectra")
    axes.legend(frameon=False)
    return figure


def plot_maps(maps: Mapping[str, ArrayLike], columns: int = 5) -> Figure:
    """Draw arrays side by side, each in its own range from dark to bright.

    Args:
        maps: Arrays [h, w] of any sizes, by title.
        columns: Pictures in a row (default: 5).
    """
    rows = -(-len(maps) // columns)
    figure = Picture(figsize=(2.4 * columns, 2.6 * rows), layout="constrained")
    for place, (name, values) in enumerate(maps.items(), start=1):
        axes = figure.add_subplot(rows, columns, place, title=name, xticks=[], yticks=[])
        axes.imshow(values, cmap="viridis", interpolation="nearest")
    return figure


def _figure(height: float = 5.0) -> tuple[Figure, Axes]:
    figure = Picture(figsize=(6.4, height), layout="constrained")
    return figure, figure.add_subplot()


def _thinned(data: Any) -> Any:
    step = max(1, -(-max(data.sizes["y"], data.sizes["x"]) // LONGEST_SIDE_PX))
    return data.isel(y=slice(None, None, step), x=slice(None, None, step)).compute()


def _stretched(band: NDArray[Any], valid: NDArray[np.bool_], percentiles: tuple[float, float]) -> NDArray[Any]:
    good = valid & np.isfinite(band)
    if not good.any():
        return np.full(band.shape, NODATA_GREY)
    low, high = np.percentile(band[good], percentiles)
    scaled = np.clip((band - low) / max(float(high - low), 1e-6), 0, 1)
    return np.where(good, scaled, NODATA_GREY)


def color_limits(values: NDArray[Any]) -> tuple[float, float]:
    """Return between which values an index [H, W] is coloured: nearly all, centred on 0 where it takes both signs."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return -1.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, (1, 99)))
    reach = max(abs(low), abs(high))
    return (-reach, reach) if low < 0 < high else (low, high if high > low else low + 1e-6)


def colormap_name(low: float, high: float) -> str:
    """Return the colours of an index: diverging from 0, or rising from dark to bright."""
    return "BrBG" if low < 0 < high else "viridis"


def _extent(data: Any) -> tuple[float, float, float, float] | None:
    """Return left, right, bottom, top in map units; None (pixels) without CRS or on a rotated grid."""
    import rioxarray  # noqa: F401  (registers .rio)

    transform = data.rio.transform()
    if data.rio.crs is None or transform.b or transform.d:
        return None
    right, bottom = transform @ (data.sizes["x"], data.sizes["y"])
    return transform.c, right, bottom, transform.f


def _label_axes(axes: Axes, data: Any) -> None:
    if _extent(data) is None:
        axes.set(xlabel="x (pixels)", ylabel="y (pixels)")
        return
    unit = "°" if data.rio.crs.is_geographic else "m"
    axes.set(xlabel=f"x ({unit}, {data.rio.crs.to_string()[:20]})", ylabel=f"y ({unit})")
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.locator_params(nbins=4)


def _radiometry(scene: xr.Dataset) -> str:
    return "relative reflectance" if scene.spex.is_relative else "reflectance"


def _title(index: xr.DataArray) -> str:
    title = str(index.attrs.get("long_name", index.name or "index"))
    return f"{title}\n(relative)" if "note" in index.attrs else title


def _require_bands(scene: xr.Dataset, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in scene.spex.bands]
    if missing or len(names) != 3:  # noqa: PLR2004 (a colour picture)
        raise BandError(
            "The picture needs three bands of the scene",
            found=f"{', '.join(names)}; not in the scene: {', '.join(missing) or 'none'}",
            expected=f"'true', 'false', or three of {', '.join(scene.spex.bands)}",
            fix=nearest(missing[0], scene.spex.bands) if missing else "Name three bands.",
        )
