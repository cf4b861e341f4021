"""Make the sample scenes: small seeded landscapes with exact labels. Usage: python data_samples/make_samples.py [OUT].

Each landscape is painted on a grid three times finer than the scene and averaged, so that pixels at edges are mixed as
in a real scene, while a label is the class of most of its pixel.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial import cKDTree
from skimage.draw import disk, polygon

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
NODATA = 0
NODATA_LABEL = 255
SHADE = 0.45  # what sky light alone leaves of the brightness
BLUE_UM = 0.49


def smooth(rng: np.random.Generator, side: int, scale: float) -> Any:
    """Return smooth noise [side, side] with mean 0 and standard deviation 1."""
    field = gaussian_filter(rng.standard_normal((side, side)), scale, mode="wrap")
    return (field - field.mean()) / field.std()


def rugged(rng: np.random.Generator, side: int, scale: float) -> Any:
    """Return noise [side, side] with detail on three scales, as natural outlines have it."""
    return sum(share * smooth(rng, side, scale / by) for share, by in ((1.0, 1), (0.4, 4), (0.15, 12)))


class Canvas:
    """A landscape: the surface of each fine pixel, and a factor for shade and parcel tone."""

    def __init__(self, seed: int, side: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.side = side * FINE
        self.surface = np.full((self.side, self.side), SURFACES.index("grass"), np.uint8)
        self.tone = np.ones((self.side, self.side))

    def paint(self, where: Any, surface: str, tone: Any = 1.0) -> None:
        """Give a surface and tone to a region."""
        self.surface[where] = SURFACES.index(surface)
        self.tone[where] = tone

    def is_any(self, where: Any, *surfaces: str) -> Any:
        """Return at which of the fine pixels of a region one of the surfaces lies."""
        return np.isin(self.surface[where], [SURFACES.index(name) for name in surfaces])

    def fields(self, parcel: float, slant: float) -> None:
        """Cover the land with long parcels of crop, grass and soil, each of its own tone, with grass between them."""
        reach = np.arange(-self.side, 2 * self.side, parcel)
        corners = np.stack(np.meshgrid(reach, reach * 1.7), -1).reshape(-1, 2)
        corners += self.rng.uniform(-0.3, 0.3, corners.shape) * parcel
        rows, cols = np.indices((self.side, self.side)) + 5 * np.stack([smooth(self.rng, self.side, 50)] * 2)
        turned = np.stack(
            [rows * np.cos(slant) - cols * np.sin(slant), rows * np.sin(slant) + cols * np.cos(slant)], -1
        )
        reach_px, number = cKDTree(corners).query(turned.reshape(-1, 2), k=2)
        number, margin = number[:, 0].reshape(self.surface.shape), np.diff(reach_px).reshape(self.surface.shape)
        kinds = self.rng.choice(["crop", "grass", "soil"], len(corners), p=[0.52, 0.24, 0.24])
        self.surface = np.array([SURFACES.index(kind) for kind in kinds], np.uint8)[number]
        self.tone = self.rng.uniform(0.75, 1.25, len(corners))[number]
        self.paint(margin < 2, "grass", 0.85)

    def forest(self, share: float, scale: float) -> None:
        """Grow forest where noise is highest, with crowns as texture."""
        field = rugged(self.rng, self.side, scale)
        grown = field > np.quantile(field, 1 - share)
        self.paint(grown, "forest", self._crowns()[grown])

    def _crowns(self) -> Any:
        return 1 + 0.16 * smooth(self.rng, self.side, 2.5)

    def river(self, width: float) -> None:
        """Let a river meander from the left edge to the right one, with woods and sand along its banks."""
        x = np.linspace(0, 1, self.side)
        bend = gaussian_filter(self.rng.standard_normal(self.side), self.side / 16, mode="wrap")
        middle = self.side * (0.47 + 0.05 * bend / bend.std() + 0.1 * np.sin(9 * x) + 0.03 * np.sin(27 * x + 1))
        away_px = self._away_from(np.stack([middle, x * (self.side - 1)], axis=1))
        reach = width / 2 * (1 + 0.15 * smooth(self.rng, self.side, 40))
        bank = smooth(self.rng, self.side, 30)
        woods = away_px < reach + width * np.clip(bank, 0, None)
        self.paint(woods, "forest", self._crowns()[woods])
        self.paint(away_px < reach + 0.35 * width * np.clip(-bank - 0.4, 0, 1), "soil", 1.2)
        self.paint(away_px < reach, "river")

    def lake(self, y: float, x: float, radius: float) -> None:
        """Fill a lake with a ragged shore."""
        rows, cols = np.indices(self.surface.shape)
        reach = np.hypot(rows - y * self.side, 0.8 * (cols - x * self.side))
        shore = radius * self.side * (1 + 0.2 * rugged(self.rng, self.side, radius * self.side / 2))
        self.paint(reach < shore, "lake")

    def quarry(self, y: float, x: float, radius: float) -> None:
        """Strip the ground bare."""
        rows, cols = np.indices(self.surface.shape)
        reach = np.hypot(rows - y * self.side, cols - x * self.side)
        self.paint(reach < radius * self.side * (1 + 0.15 * rugged(self.rng, self.side, 25)), "soil")

    def road(self, start: Any, end: Any, width: float, bend: float = 0.0) -> None:
        """Draw a road between two places (y, x) in fine pixels; ``bend`` is how far it leaves the straight line."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        way = np.linspace(0, 1, 4 * self.side)[:, None]
        aside = np.array([end[1] - start[1], start[0] - end[0]]) / np.hypot(*(end - start))
        places = start + way * (end - start) + bend * np.sin(2 * np.pi * way) * np.sin(1.7 * way) * aside
        self.paint(self._away_from(places) < width / 2, "road")

    def _away_from(self, places: Any) -> Any:
        """Return the distance [side, side] in fine pixels from a line given as places [N, 2] (y, x)."""
        off = np.ones(self.surface.shape, bool)
        inside = places.round().astype(int)
        inside = inside[((inside >= 0) & (inside < self.side)).all(axis=1)]
        off[tuple(inside.T)] = False
        return distance_transform_edt(off) if len(inside) else np.full(off.shape, np.inf)

    def house(self, y: float, x: float, size: Any, angle: float, shade: int) -> None:
        """Build a house with a ridge, and its shadow to the upper right; not on roads, water or other houses."""
        corners = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * np.asarray(size) / 2
        turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
        plot, outline = (corners * 1.15 + np.sign(corners)) @ turn.T + (y, x), corners @ turn.T + (y, x)
        taken = self.is_any(polygon(*plot.T, shape=self.surface.shape), "road", "roof", "lake", "river")
        if taken.any() or plot.min() < 0 or plot.max() >= self.side:
            return
        for step in range(1, shade + 1):
            self.tone[polygon(*(outline + np.array([-step, step])).T, shape=self.surface.shape)] = SHADE
        tone = float(self.rng.uniform(0.65, 1.3))
        self.paint(polygon(*outline.T, shape=self.surface.shape), "roof", tone)
        sunless = (corners * (0.5, 1) - np.array([size[0] / 4, 0])) @ turn.T + (y, x)
        self.tone[polygon(*sunless.T, shape=self.surface.shape)] = 0.8 * tone

    def town(self, middle: Any, reach: float, angle: float, block: float, size: Any, shade: int) -> None:
        """Lay out streets of uneven distance around a place (y, x), all in fine pixels, with houses on both sides."""
        turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
        middle, width = np.asarray(middle), max(2.0, block / 9)
        for across in (False, True):
            at = -reach
            while at <= reach:
                ends = np.array([(at, -reach), (at, reach)]) * (1, self.rng.uniform(0.75, 1.1))
                self.road(*(middle + (ends[:, ::-1] if across else ends) @ turn.T), width)
                at += block * (1.5 if across else 1.0) * self.rng.uniform(0.8, 1.25)
        for v in np.arange(-reach, reach, size[0] * 0.45):
            for u in np.arange(-reach, reach, size[1] * 1.35):
                y, x = middle + turn @ (v, u + self.rng.uniform(-0.1, 0.1) * size[1])
                if self._faces_street(y, x, size[0] + width):
                    grown = np.asarray(size) * self.rng.uniform(0.7, 1.15, 2)
                    self.house(y, x, grown, angle + self.rng.normal(0, 0.04), shade)

    def _faces_street(self, y: float, x: float, reach: float) -> bool:
        near = self.is_any(disk((y, x), reach, shape=self.surface.shape), "road")
        return bool(near.any()) and self.rng.random() < 0.75

    def trees(self, count: int, radius: float, shade: int) -> None:
        """Scatter single trees with their shadows over grass."""
        for y, x in self.rng.uniform(0, self.side, (count, 2)):
            crown = disk((y, x), radius * self.rng.uniform(0.6, 1.3), shape=self.surface.shape)
            if not self.is_any(crown, "grass").all():
                continue
            shadow = disk((y - shade, x + shade), radius, shape=self.surface.shape)
            open_ground = self.is_any(shadow, "grass", "road")
            self.tone[shadow] = np.where(open_ground, SHADE, self.tone[shadow])
            rows, cols = crown
            self.paint(crown, "forest", 1 + 0.3 * (rows - y - cols + x) / (2 * radius) + self.rng.normal(0, 0.08))

    def labels(self) -> Any:
        """Return the label [H, W] that most of each pixel has."""
        numbers = np.array([LABELS[LABEL_OF[name]] for name in SURFACES], np.uint8)[self.surface]
        votes = np.stack([_averaged((numbers == value).astype(float)) for value in LABELS.values()])
        return np.argmax(votes, axis=0).astype(np.uint8)

    def seen(self, spectra: dict[str, Any], noise: float) -> Any:
        """Return [C, H, W] drawn from the spectra: a texture shared by all bands, a little of each band's own."""
        texture = 0.6 * smooth(self.rng, self.side, 12) + 0.25 * smooth(self.rng, self.side, 1.5)
        bands = []
        for band in range(len(spectra["grass"]["mean"])):
            mean = _per_surface(spectra, "mean", band)[self.surface]
            spread = 0.5 * _per_surface(spectra, "std", band)[self.surface]
            own = 0.15 * smooth(self.rng, self.side, 6)
            bands.append(_averaged((mean + spread * (texture + own)) * self.tone))
        scene = np.stack(bands)
        return scene + noise * scene.mean(axis=(1, 2), keepdims=True) * self.rng.standard_normal(scene.shape)


def _per_surface(spectra: dict[str, Any], what: str, band: int) -> Any:
    # A surface that a sensor's table leaves out is in none of its scenes.
    return np.array([spectra[name][what][band] if name in spectra else np.nan for name in SURFACES])


def _averaged(fine: Any) -> Any:
    side = fine.shape[0] // FINE
    return fine.reshape(side, FINE, side, FINE).mean(axis=(1, 3))


def haze_and_shadow(scene: Any, rng: np.random.Generator, wavelengths_um: Any, haze: float) -> Any:
    """Return the scene with haze (from the upper left) and one cloud's shadow, both by wavelength."""
    side = scene.shape[1]
    rows, cols = np.indices((side, side)) / side
    bluer = (BLUE_UM / np.asarray(wavelengths_um))[:, None, None]
    reach = 0.1 * (1 + 0.3 * rugged(rng, side, side / 16))
    dark = gaussian_filter((np.hypot(rows - 0.84, cols - 0.17) < reach).astype(float), 2)
    veil = np.clip(1 - 1.3 * (rows + cols), 0, 1)
    return scene * (1 - (0.68 - 0.2 * bluer**2) * dark) + haze * veil * bluer**3


@dataclass(frozen=True)
class Recipe:
    """How one scene is seen and stored."""

    crs: str
    place: Affine
    bands: tuple[str, ...]
    table: str
    haze: float
    noise: float
    dtype: Any
    scale: float = 1.0
    offset: float = 0.0


RECIPES = {
    "river_10m": Recipe(
        "EPSG:32632",
        Affine(10, 0, 604_000, 0, -10, 5_312_000),
        ("blue", "green", "red", "rededge071", "nir", "swir16", "swir22"),
        "reflectance",
        0.03,
        0.012,
        np.uint16,
        1e-4,
        -0.1,
    ),
    "town_1m": Recipe(
        "EPSG:26917",
        Affine(1, 0, 351_000, 0, -1, 4_098_000),
        ("red", "green", "blue", "nir"),
        "aerial",
        14.0,
        0.015,
        np.uint8,
    ),
    "lake_30m": Recipe(
        "EPSG:32719",
        Affine(30, 0, 250_000, 0, -30, 5_950_000),
        ("blue", "green", "red", "nir", "swir16", "swir22"),
        "reflectance",
        0.03,
        0.012,
        np.uint16,
        2.75e-5,
        -0.2,
    ),
}


def river_10m() -> Canvas:
    """Return farmland with a turbid river, a lake, a village and forest."""
    canvas = Canvas(20_240_601, 320)
    canvas.fields(46, 0.3)
    canvas.forest(0.2, 45)
    canvas.lake(0.2, 0.72, 0.085)
    canvas.river(30)
    canvas.road((0, 290), (959, 520), 4, 60)
    canvas.road((735, 420), (750, 959), 4, 30)
    canvas.town((735, 715), 105, 0.3, 42, (9, 13), 1)
    return canvas


def town_1m() -> Canvas:
    """Return a suburb with houses, shadows, trees and a pond."""
    canvas = Canvas(7, 384)
    canvas.forest(0.2, 40)
    canvas.lake(0.88, 0.62, 0.06)
    canvas.quarry(0.12, 0.9, 0.06)
    canvas.town((490, 520), 400, 0.12, 190, (32, 42), 10)
    canvas.trees(420, 9, 6)
    return canvas


def lake_30m() -> Canvas:
    """Return a lake district with forest and dry plains."""
    canvas = Canvas(99, 256)
    canvas.fields(26, -0.2)
    canvas.forest(0.42, 55)
    for y, x, radius in ((0.45, 0.55, 0.17), (0.18, 0.2, 0.06), (0.8, 0.82, 0.05), (0.12, 0.8, 0.03)):
        canvas.lake(y, x, radius)
    canvas.road((767, 180), (0, 330), 2, 50)
    canvas.town((560, 260), 55, -0.2, 26, (6, 8), 0)
    return canvas


def make(out: Path) -> None:
    """Write the three scenes and their labels into a folder."""
    spectra = json.loads((HERE / "spectra.json").read_text(encoding="utf-8"))
    for name, build in (("river_10m", river_10m), ("town_1m", town_1m), ("lake_30m", lake_30m)):
        canvas, recipe = build(), RECIPES[name]
        table = spectra[recipe.table]
        clean = canvas.seen(table["classes"], recipe.noise)
        hazy = haze_and_shadow(clean, canvas.rng, table["wavelengths_um"], recipe.haze)
        kept = hazy[[table["bands"].index(band) for band in recipe.bands]]
        raw = np.clip((kept - recipe.offset) / recipe.scale, NODATA + 1, np.iinfo(recipe.dtype).max).round()
        labels = canvas.labels()
        side = np.arange(len(labels))[::-1]
        corner = np.add.outer(side, side) < len(labels) // 8
        raw[:, corner], labels[corner] = NODATA, NODATA_LABEL
        save_scene(out / f"{name}.tif", raw.astype(recipe.dtype), recipe)
        save_labels(out / f"{name}_labels.tif", labels, recipe)


def save_scene(path: Path, raw: Any, recipe: Recipe) -> None:
    """Write raw numbers [C, H, W] with the names of their bands and, where they have one, scale and offset."""
    with rasterio.open(path, "w", nodata=NODATA, **_profile(raw, recipe)) as file:
        file.write(raw)
        file.descriptions = recipe.bands
        if recipe.scale != 1:
            file.scales, file.offsets = [recipe.scale] * len(raw), [recipe.offset] * len(raw)


def save_labels(path: Path, labels: Any, recipe: Recipe) -> None:
    """Write labels [H, W] with a colour table, and the names of the classes as tags."""
    with rasterio.open(path, "w", nodata=NODATA_LABEL, **_profile(labels[None], recipe)) as file:
        file.write(labels, 1)
        file.set_band_description(1, "label")
        file.write_colormap(1, COLORS)
        file.update_tags(1, **{str(value): name for name, value in LABELS.items()})


def _profile(raw: Any, recipe: Recipe) -> dict[str, Any]:
    count, height, width = raw.shape
    size = {"count": count, "height": height, "width": width, "dtype": raw.dtype, "blockxsize": 128, "blockysize": 128}
    packed = {"driver": "GTiff", "compress": "deflate", "predictor": 2, "zlevel": 9, "tiled": True}
    return size | packed | {"crs": recipe.crs, "transform": recipe.place}


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
