"""Make the sample scenes: small seeded landscapes with exact labels. Usage: python data_samples/make_samples.py [OUT].

Each landscape is painted on a grid three times finer than the scene and averaged, so that pixels at edges are mixed as
in a real scene, while a label is the class of most of its pixel.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from scipy.ndimage import gaussian_filter
from skimage.draw import disk, line, polygon

HERE = Path(__file__).parent
FINE = 3
LABELS = {"none": 0, "water": 1, "vegetation": 2, "building": 3, "bare_soil": 4, "road": 5}
LABEL_OF = {
    "lake": "water", "river": "water", "forest": "vegetation", "grass": "vegetation", "crop": "vegetation",
    "soil": "bare_soil", "roof": "building", "road": "road",
}  # fmt: skip
SURFACES = tuple(LABEL_OF)
COLORS = {
    0: (0, 0, 0), 1: (0, 114, 178), 2: (0, 158, 115), 3: (213, 94, 0), 4: (230, 159, 0), 5: (86, 86, 86),
    255: (220, 220, 220),
}  # fmt: skip
NODATA_LABEL = 255


def smooth(rng: np.random.Generator, side: int, scale: float) -> Any:
    """Return smooth noise [side, side] with mean 0 and standard deviation 1."""
    field = gaussian_filter(rng.standard_normal((side, side)), scale, mode="wrap")
    return (field - field.mean()) / field.std()


class Canvas:
    """A landscape: the surface of each fine pixel, and a factor for shade and parcel tone."""

    def __init__(self, seed: int, side: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.side = side * FINE
        self.surface = np.full((self.side, self.side), SURFACES.index("grass"), np.uint8)
        self.tone = np.ones((self.side, self.side))

    def paint(self, where: Any, surface: str, tone: float = 1.0) -> None:
        """Give a surface and tone to a region."""
        self.surface[where] = SURFACES.index(surface)
        self.tone[where] = tone

    def fields(self, parcel: int) -> None:
        """Cover the land with parcels of crop, grass and soil, each of its own tone, along a slanted pattern."""
        rows, cols = np.indices((self.side, self.side))
        u = (rows + 0.22 * cols + 6 * smooth(self.rng, self.side, 60)) // parcel
        v = (cols - 0.22 * rows + 6 * smooth(self.rng, self.side, 60)) // (parcel * 1.6)
        number = (u * 7919 + v * 104729).astype(np.int64) % 97
        kinds = np.array(["crop", "crop", "grass", "soil", "crop"])[number % 5]
        tones = 0.8 + 0.4 * ((number * 31) % 97) / 97
        for kind in ("crop", "grass", "soil"):
            self.surface[kinds == kind] = SURFACES.index(kind)
        self.tone[:] = tones

    def forest(self, share: float, scale: float) -> None:
        """Grow forest where smooth noise is highest, with crowns as texture."""
        field = smooth(self.rng, self.side, scale)
        self.paint(field > np.quantile(field, 1 - share), "forest")
        crowns = smooth(self.rng, self.side, 2.5)
        self.tone = np.where(self.surface == SURFACES.index("forest"), 1 + 0.16 * crowns, self.tone)

    def river(self, width: float) -> None:
        """Let a river meander from the left edge to the right one."""
        x = np.arange(self.side)
        bend = gaussian_filter(self.rng.standard_normal(self.side * 2), self.side / 14)[: self.side]
        middle = self.side * (0.45 + 0.16 * bend / bend.std() * 0.6 + 0.1 * np.sin(x / self.side * 9))
        reach = width * (1 + 0.3 * np.sin(x / self.side * 23))
        self.paint(np.abs(np.arange(self.side)[:, None] - middle[None, :]) < reach[None, :] / 2, "river")

    def lake(self, y: float, x: float, radius: float, surface: str = "lake") -> None:
        """Fill a lake with a ragged shore."""
        rows, cols = np.indices((self.side, self.side))
        reach = np.hypot(rows - y * self.side, cols - x * self.side)
        ragged = radius * self.side * (1 + 0.22 * smooth(self.rng, self.side, radius * self.side / 2.5))
        self.paint(reach < ragged, surface)

    def road(self, start: tuple[float, float], end: tuple[float, float], width: int) -> None:
        """Draw a straight road between two places given as shares (y, x) of the canvas."""
        a, b = (tuple(int(v * (self.side - 1)) for v in place) for place in (start, end))
        for y, x in zip(*line(*a, *b), strict=True):
            self.paint(disk((y, x), width / 2 + 0.5, shape=self.surface.shape), "road")

    def house(self, y: float, x: float, size: tuple[float, float], angle: float, shade: int) -> None:
        """Build a rectangular house and the shadow that it throws to the upper right."""
        corners = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * np.array(size) / 2
        turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
        outline = corners @ turn.T + (y, x)
        for step in range(1, shade + 1):
            shadow = polygon(*(outline + np.array([-step, step])).T, shape=self.surface.shape)
            self.tone[shadow] = 0.45
        self.paint(polygon(*outline.T, shape=self.surface.shape), "roof", float(self.rng.uniform(0.7, 1.35)))

    def town(self, top: float, left: float, size: float, block: int, house: tuple[float, float], shade: int) -> None:
        """Lay out a grid of streets with houses along them."""
        first_y, first_x, reach = int(top * self.side), int(left * self.side), int(size * self.side)
        for offset in range(0, reach + 1, block):
            self.road(*self._street(first_y + offset, first_x, first_y + offset, first_x + reach), max(2, block // 9))
            self.road(*self._street(first_y, first_x + offset, first_y + reach, first_x + offset), max(2, block // 9))
        step = house[1] * 1.7
        for y in np.arange(first_y + block * 0.3, first_y + reach, block / 2):
            for x in np.arange(first_x + block * 0.3, first_x + reach, step):
                clear = (x - first_x) % block > block * 0.2
                if clear and self.rng.random() < 0.85:
                    scale = self.rng.uniform(0.75, 1.2, 2)
                    self.house(y, x, (house[0] * scale[0], house[1] * scale[1]), self.rng.normal(0, 0.06), shade)

    def _street(self, y0: int, x0: int, y1: int, x1: int) -> tuple[tuple[float, float], tuple[float, float]]:
        last = self.side - 1
        return (min(y0, last) / last, min(x0, last) / last), (min(y1, last) / last, min(x1, last) / last)

    def labels(self) -> Any:
        """Return the label [H, W] that most of each pixel has."""
        numbers = np.array([LABELS[LABEL_OF[name]] for name in SURFACES], np.uint8)[self.surface]
        votes = np.stack([_averaged((numbers == value).astype(float)) for value in LABELS.values()])
        return np.argmax(votes, axis=0).astype(np.uint8)

    def reflectance(self, spectra: dict[str, Any], noise: float) -> Any:
        """Return [C, H, W] drawn from the spectra: a texture shared by all bands, a little of each band's own."""
        count = len(next(iter(spectra.values()))["mean"])
        texture = 0.6 * smooth(self.rng, self.side, 12) + 0.25 * smooth(self.rng, self.side, 1.5)
        bands = []
        for band in range(count):
            mean = np.array([spectra.get(s, spectra["lake"])["mean"][band] for s in SURFACES])[self.surface]
            std = np.array([spectra.get(s, spectra["lake"])["std"][band] for s in SURFACES])[self.surface]
            own = 0.15 * smooth(self.rng, self.side, 6)
            bands.append(_averaged((mean + 0.5 * std * (texture + own)) * self.tone))
        scene = np.stack(bands)
        return scene + noise * scene.mean() * self.rng.standard_normal(scene.shape)


def _averaged(fine: Any) -> Any:
    side = fine.shape[0] // FINE
    return fine.reshape(side, FINE, side, FINE).mean(axis=(1, 3))


def haze_and_shadow(scene: Any, rng: np.random.Generator, bands: int, haze: float, shadow: bool) -> Any:
    """Return the scene with haze that fades with wavelength (from the upper left) and the shadow of one cloud."""
    side = scene.shape[1]
    rows, cols = np.indices((side, side)) / side
    veil = np.clip(1 - 1.3 * (rows + cols), 0, 1)
    scene = scene + haze * veil * np.exp(-np.arange(bands) / 1.5)[:, None, None]
    if not shadow:
        return scene
    ragged = 0.11 * (1 + 0.3 * smooth(rng, side, side / 20))
    dark = gaussian_filter((np.hypot(rows - 0.8, cols - 0.25) < ragged).astype(float), 2)
    return scene * (1 - 0.62 * dark)


def river_10m() -> tuple[Canvas, dict[str, Any]]:
    """Return farmland with a turbid river, a lake, a village and forest, as Sentinel-2 would see it."""
    canvas = Canvas(20_240_601, 320)
    canvas.fields(42)
    canvas.forest(0.22, 45)
    canvas.lake(0.2, 0.72, 0.085)
    canvas.river(30)
    canvas.town(0.62, 0.62, 0.24, 40, (9, 13), 1)
    canvas.road((0.0, 0.3), (1.0, 0.52), 4)
    return canvas, {"crs": "EPSG:32632", "transform": Affine(10, 0, 604_000, 0, -10, 5_312_000)}


def town_1m() -> tuple[Canvas, dict[str, Any]]:
    """Return a suburb with houses, shadows, trees and a pond, as an aerial camera would see it."""
    canvas = Canvas(7, 384)
    canvas.forest(0.24, 22)
    canvas.town(0.06, 0.08, 0.8, 190, (34, 44), 10)
    canvas.lake(0.86, 0.84, 0.1)
    canvas.paint(np.s_[40:140, 1040:1140], "soil")
    return canvas, {"crs": "EPSG:26917", "transform": Affine(1, 0, 351_000, 0, -1, 4_098_000)}


def lake_30m() -> tuple[Canvas, dict[str, Any]]:
    """Return a lake district with forest and dry plains, as Landsat would see it south of the equator."""
    canvas = Canvas(99, 256)
    canvas.fields(24)
    canvas.forest(0.4, 60)
    for y, x, radius in ((0.45, 0.55, 0.19), (0.18, 0.2, 0.06), (0.8, 0.82, 0.05), (0.12, 0.8, 0.03)):
        canvas.lake(y, x, radius)
    canvas.town(0.68, 0.36, 0.1, 24, (5, 6), 0)
    return canvas, {"crs": "EPSG:32719", "transform": Affine(30, 0, 250_000, 0, -30, 5_950_000)}


def save(path: Path, pixels: Any, names: Any, nodata: float, place: dict[str, Any], **more: Any) -> None:
    """Write bands [C, H, W] as a small tiled GeoTIFF with their names."""
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "compress": "deflate", "predictor": 2, "zlevel": 9, "tiled": True}
    profile |= {"blockxsize": 128, "blockysize": 128, "count": count, "height": height, "width": width}
    with rasterio.open(path, "w", dtype=pixels.dtype, nodata=nodata, **profile, **place) as file:
        file.write(pixels)
        for i, name in enumerate(names, start=1):
            file.set_band_description(i, name)
        if "scale" in more:
            file.scales, file.offsets = [more["scale"]] * count, [more["offset"]] * count
        if "colors" in more:
            file.write_colormap(1, more["colors"])
            file.update_tags(1, **{str(value): name for name, value in LABELS.items()})


def make(out: Path) -> None:
    """Write the three scenes and their labels into a folder."""
    spectra = json.loads((HERE / "spectra.json").read_text(encoding="utf-8"))
    for name, build, scale, offset in (("river_10m", river_10m, 1e-4, -0.1), ("lake_30m", lake_30m, 2.75e-5, -0.2)):
        canvas, place = build()
        clean = canvas.reflectance(spectra["reflectance"], 0.01)
        seen = haze_and_shadow(clean, canvas.rng, len(clean), 0.03, shadow=True)
        raw = np.clip((seen - offset) / scale, 1, 65_535).round().astype(np.uint16)
        kept = [i for i, band in enumerate(spectra["bands"]) if name == "river_10m" or band != "rededge071"]
        names = [spectra["bands"][i] for i in kept]
        _finish(out, name, canvas, raw[kept], (names, 0, place), scale=scale, offset=offset)
    canvas, place = town_1m()
    seen = haze_and_shadow(canvas.reflectance(spectra["aerial"], 0.015), canvas.rng, 4, 6.0, shadow=False)
    raw = np.clip(seen, 1, 255).round().astype(np.uint8)
    _finish(out, "town_1m", canvas, raw, (spectra["aerial_bands"], 0, place))


def _finish(
    out: Path, name: str, canvas: Canvas, raw: Any, about: tuple[Any, int, dict[str, Any]], **more: Any
) -> None:
    names, nodata, place = about
    side = raw.shape[-1]
    corner = np.add.outer(np.arange(side)[::-1], np.arange(side)[::-1]) < side // 8
    raw[:, corner] = nodata
    labels = canvas.labels()
    labels[corner] = NODATA_LABEL
    save(out / f"{name}.tif", raw, names, nodata, place, **more)
    save(out / f"{name}_labels.tif", labels[None], ["label"], NODATA_LABEL, place, colors=COLORS)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
