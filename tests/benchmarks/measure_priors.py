"""Measure the rules of spex_nb.spectral.priors against labelled scenes and print a Markdown table.

    SPEX_TEST_DATA=<folder> python tests/benchmarks/measure_priors.py

Thresholds are looked for on one half of the places (`choose`) and scored on both: places are split by a hash of their
name, never by tile. The second half was seen while rules were picked, so it is no untouched test set. What is
measured, and what the labels are worth, stands in docs/priors.md.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import xarray as xr

from spex_nb.spectral.indices import compute_index
from spex_nb.spectral.priors import RULES, Guard, Rule
from spex_nb.spectral.thresholds import threshold_index
from spex_nb.spie.date_labels import BARE_NDVI, DRY_WETNESS, GREEN_NDVI

Mask = npt.NDArray[np.bool_]
PLANTS = (10, 20, 30, 40, 90, 100)  # WorldCover: tree, shrub, grass, crop, wetland, moss
MAY_BE_BARE = (20, 30, 40, 60)  # shrub, grass, crop, bare
BUILT = 50
SHADOW, CLOUD = 0, 4
LAST_GREEN = 3  # Chesapeake: tree canopy and low vegetation; what is above is sealed here
STEPS = 120

# Beside the rules that ship: what else was looked at. Thresholds are the literature's where it names one.
CANDIDATES: dict[str, tuple[Rule, ...]] = {
    "water": (
        *(
            Rule(index, threshold, "above", "")
            for index, threshold in (
                ("NDWI", 0.0), ("MNDWI", 0.0), ("AWEIsh", 0.0), ("AWEInsh", 0.0), ("MBWI", 0.0), ("WI2015", 0.63),
                ("SCoWI", -0.06), ("MuWIR", 0.0), ("MuWIR", 0.6),
            )
        ),
        Rule("EVI2", 0.02, "below", "", (Guard("nir", 0.2, "below"),)),
        Rule("NDVI", 0.0, "below", ""),
    ),
    "vegetation": tuple(
        Rule(index, threshold, "above", "")
        for index, threshold in (
            ("NDVI", 0.2), ("NDVI", 0.3), ("EVI2", 0.08), ("EVI2", 0.16), ("SAVI", 0.2),
            ("GLI", 0.0), ("VARI", 0.0), ("NGRDI", 0.0),
        )
    ),
    "built_up": (
        *(Rule(index, 0.0, "above", "") for index in ("NDBI", "UI", "IBI", "VIBI", "BLFEI")),
        Rule("IKAW", 0.24, "below", "", (Guard("NDWI", -0.1, "below"), Guard("NDVI", 0.5, "below"))),
        Rule("NDYI", 0.16, "below", "", (Guard("NDWI", -0.1, "below"),)),
        Rule("NGRDI", -0.08, "above", "", (Guard("NDWI", -0.1, "below"), Guard("NDVI", 0.4, "below"))),
        Rule("BCC", 0.248, "above", ""),
    ),
    "bare_soil": (
        *(Rule(index, 0.0, "above", "") for index in ("BI", "DBSI", "NDSoI", "MBI")),
        Rule("BITM", 0.19, "above", ""),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Tiles:
    """Tiles side by side as one scene [H, W * n], and for each pixel its label, place half and plausibility."""

    scene: xr.Dataset
    water: Mask
    worldcover: npt.NDArray[Any]
    held_out: Mask
    plausible: Mask

    @property
    def ndvi(self) -> npt.NDArray[Any]:
        """Greenness of the date."""
        return compute_index(self.scene, "NDVI").to_numpy()

    def truth(self, target: str) -> Mask:
        """Return where the target is on the date; water wins over the map, which is out of date inside floods."""
        if target == "water":
            return self.water
        seen = {
            "vegetation": np.isin(self.worldcover, PLANTS) & (self.ndvi >= GREEN_NDVI),
            "built_up": self.worldcover == BUILT,
            "bare_soil": np.isin(self.worldcover, MAY_BE_BARE) & (self.ndvi <= BARE_NDVI),
        }[target]
        return np.asarray(seen & ~self.water)

    def counted(self, target: str) -> Mask:
        """Return which pixels count: nothing is told of sparse or dry plants, and of plants that look like water."""
        if target not in ("vegetation", "bare_soil"):
            return np.ones_like(self.water)
        is_wet = compute_index(self.scene, "NDWI").to_numpy() > DRY_WETNESS
        is_between = (self.ndvi > BARE_NDVI) & (self.ndvi < GREEN_NDVI)
        is_land = (self.worldcover != 0) & ~is_between & ~is_wet
        return np.where(self.water, is_wet, is_land)


def to_scene(bands: dict[str, npt.NDArray[Any]], *, relative: bool = False) -> xr.Dataset:
    """Return bands [H, W] as a Dataset of float32 variables."""
    attrs = {"radiometry": "relative reflectance" if relative else "reflectance"}
    return xr.Dataset({name: (("y", "x"), values.astype("f4")) for name, values in bands.items()}, attrs=attrs)


def read(path: Path) -> npt.NDArray[Any]:
    """Return all bands [C, H, W], or the only one [H, W]."""
    with rasterio.open(path) as source:
        return np.asarray(source.read(1) if source.count == 1 else source.read())


def read_tiles(folder: Path) -> Tiles:
    """Return the surface reflectance tiles of ``hls`` with their labels."""
    with (folder / "places.csv").open() as file:
        places = {row["tile"]: row["place"] for row in csv.DictReader(file)}
    plausible = set((folder / "plausible_water.txt").read_text().split())
    names = sorted(places)
    images = np.concatenate([read(folder / "images" / f"{name}.tif") for name in names], axis=-1) / 10_000
    bands = dict(zip(("coastal", "blue", "green", "red", "nir", "swir16", "swir22"), images, strict=True))

    def labels(kind: str) -> npt.NDArray[Any]:
        return np.concatenate([read(folder / kind / f"{name}.tif") for name in names], axis=-1)

    def flag(of: Callable[[str], bool]) -> Mask:
        size = images.shape[1]
        return np.repeat([of(name) for name in names], size)[None, :].repeat(size, axis=0)

    return Tiles(
        scene=to_scene(bands),
        water=labels("water") == 1,
        worldcover=labels("worldcover"),
        held_out=flag(lambda name: is_held_out(places[name])),
        plausible=flag(plausible.__contains__),
    )


def is_held_out(place: str) -> bool:
    """Whether a place belongs to the second half."""
    return hashlib.sha256(place.encode()).digest()[-1] % 2 == 1


def read_cloud_shadow(folder: Path) -> tuple[xr.Dataset, npt.NDArray[Any]]:
    """Return the top-of-atmosphere scene with cloud shadow, and its labels."""
    bands = ("blue", "green", "red", "nir", "swir16", "swir22")
    scene = to_scene(dict(zip(bands, read(folder / "toa.tif") / 10_000, strict=True)))
    return scene, read(folder / "labels.tif")


def read_aerial(files: Iterable[Path]) -> xr.Dataset:
    """Return aerial tiles of digital numbers side by side."""
    values = np.concatenate([read(file) for file in files], axis=-1)
    return to_scene(dict(zip(("red", "green", "blue", "nir"), values, strict=True)), relative=True)


def read_chesapeake(folder: Path) -> tuple[xr.Dataset, npt.NDArray[Any]]:
    """Return the aerial tiles with land-cover codes; buildings are sealed ground, code 5."""
    files = sorted((folder / "images").glob("*.tif"))
    codes = np.concatenate([read(folder / "landcover" / file.name) for file in files], axis=-1)
    buildings = np.concatenate([read(folder / "buildings" / file.name) for file in files], axis=-1)
    return read_aerial(files), np.where(buildings == 1, 5, codes)


def read_tree_tops(folder: Path) -> tuple[xr.Dataset, Mask]:
    """Return aerial tiles and where a tree top was marked."""
    files = sorted((folder / "images").glob("*.tif"))
    scene = read_aerial(files)
    tops = np.zeros(scene.spex.shape, bool)
    for number, file in enumerate(files):
        points = folder / "tree_points" / f"{file.stem}.csv"
        if not points.exists():
            continue
        with points.open() as rows:
            x, y = np.array([(int(float(r["x"])), int(float(r["y"]))) for r in csv.DictReader(rows)]).T
        inside = (x >= 0) & (x < tops.shape[0]) & (y >= 0) & (y < tops.shape[0])
        tops[y[inside], number * tops.shape[0] + x[inside]] = True
    return scene, tops


def read_zion(folder: Path) -> tuple[xr.Dataset, npt.NDArray[Any]]:
    """Return the desert scene at top of atmosphere, and its land-cover classes (noisy; 0 is none)."""
    counts = read(folder / "LC08_L1_zion_20150818.tif").astype("f4")
    counts[:, (counts == 0).any(axis=0)] = np.nan
    reflectance = (counts * 2e-5 - 0.1) / np.sin(np.deg2rad(59))
    return to_scene(dict(zip(("blue", "green", "red", "nir"), reflectance, strict=True))), read(
        folder / "nlcd_classes.tif"
    )


def apply_rule(rule: Rule, scene: xr.Dataset) -> Mask:
    """Return the rule's mask [H, W], whatever the radiometry."""
    mask = threshold_index(compute_index(scene, rule.index), "fixed", rule.threshold, rule.side)
    found: Mask = mask.to_numpy() & apply_guards(rule, scene)
    return found


def apply_guards(rule: Rule, scene: xr.Dataset) -> Mask:
    """Return where all guards of a rule hold."""
    mask = np.ones(scene.spex.shape, bool)
    for guard in rule.guards:
        values = scene[guard.name] if guard.name in scene.spex.bands else compute_index(scene, guard.name)
        mask &= threshold_index(values, "fixed", guard.bound, guard.side).to_numpy()
    return mask


def iou(mask: Mask, truth: Mask) -> float:
    """Return intersection over union, pooled over all pixels; NaN where both are empty."""
    union = int((mask | truth).sum())
    return float((mask & truth).sum() / union) if union else float("nan")


def f1_tolerant(mask: Mask, truth: Mask, tile_px: int) -> float:
    """Return F1 with one pixel of tolerance; neighbours across the seams of tiles do not count."""
    precision = (mask & grow(truth, tile_px)).sum() / max(int(mask.sum()), 1)
    recall = (truth & grow(mask, tile_px)).sum() / max(int(truth.sum()), 1)
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def grow(mask: Mask, tile_px: int) -> Mask:
    """Return the mask of tiles [H, tile_px * n] grown by one pixel in eight directions, tile by tile."""
    from scipy.ndimage import maximum_filter

    tiles = mask.reshape(mask.shape[0], -1, tile_px)
    grown: npt.NDArray[Any] = np.asarray(maximum_filter(tiles, size=(3, 1, 3)))
    return grown.reshape(mask.shape)


def choose(index: npt.NDArray[Any], truth: Mask, allowed: Mask, side: str) -> float:
    """Return the threshold of highest pooled IoU among quantiles of the index."""
    steps = np.unique(np.nanquantile(index[::3, ::3], np.linspace(0.005, 0.995, STEPS)))
    sign = 1 if side == "above" else -1
    scores = [iou((sign * index > sign * step) & allowed, truth) for step in steps]
    return float(steps[int(np.argmax(scores))])


def satellite_row(rule: Rule, target: str, tiles: Tiles, shadow: tuple[xr.Dataset, npt.NDArray[Any]]) -> list[str]:
    """Measure one rule on the tiles of satellite reflectance."""
    truth, counted = tiles.truth(target), tiles.counted(target)
    if target == "water":
        counted = counted & tiles.plausible
    mask = apply_rule(rule, tiles.scene)
    chosen, held_out = counted & ~tiles.held_out, counted & tiles.held_out
    index = compute_index(tiles.scene, rule.index).to_numpy()
    columns = chosen.any(axis=0)
    ignore = ~chosen[:, columns]
    best = choose(
        np.where(ignore, np.nan, index[:, columns]),
        truth[:, columns] & ~ignore,
        apply_guards(rule, tiles.scene)[:, columns],
        rule.side,
    )
    scene, labels = shadow
    taken = apply_rule(rule, scene)
    return [
        str(rule),
        f"{best:.2f}",
        f"{iou(mask[chosen], truth[chosen]):.2f}",
        f"{iou(mask[held_out], truth[held_out]):.2f}",
        f"{iou(mask, truth):.2f}",
        f"{f1_tolerant(mask, truth, mask.shape[0]):.2f}",
        f"{taken[labels == SHADOW].mean():.1%}",
        f"{taken[labels == CLOUD].mean():.1%}",
    ]


def aerial_row(
    rule: Rule, chesapeake: tuple[xr.Dataset, npt.NDArray[Any]], trees: tuple[xr.Dataset, Mask]
) -> list[str]:
    """Measure one rule on aerial digital numbers."""
    mask, codes = apply_rule(rule, chesapeake[0]), chesapeake[1]
    other = apply_rule(rule, trees[0])
    return [
        str(rule),
        f"{mask[codes <= LAST_GREEN].mean():.1%}",
        f"{mask[codes > LAST_GREEN].mean():.1%}",
        f"{other[trees[1]].mean():.1%}",
        f"{other.mean():.1%}",
    ]


def table(head: str, rows: Iterable[list[str]]) -> str:
    """Return a Markdown table."""
    columns = head.split("|")
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def satellite_rules(target: str) -> list[Rule]:
    """Return shipped rules that hold for reflectance, then the candidates."""
    shipped = [rule for rule in RULES[target] if rule.radiometry != "relative"]
    return [*shipped, *CANDIDATES[target]]


def main() -> None:
    """Print every table of docs/priors.md."""
    data = Path(os.environ["SPEX_TEST_DATA"])
    tiles, shadow = read_tiles(data / "hls"), read_cloud_shadow(data / "landsat7_cloud_shadow")
    head = "rule|best threshold, chosen half|IoU chosen|IoU second half|IoU all tiles|F1 ± 1 px|of shadow|of cloud"
    for target in CANDIDATES:
        rows = [satellite_row(rule, target, tiles, shadow) for rule in satellite_rules(target)]
        print(f"\n### {target}\n\n{table(head, rows)}")  # noqa: T201
    chesapeake, trees = read_chesapeake(data / "chesapeake_naip"), read_tree_tops(data / "naip_california")
    shipped = [rule for rules in RULES.values() for rule in rules if rule.radiometry in ("relative", "any")]
    rules = [r for r in {str(r): r for r in shipped}.values() if "swir16" not in r.bands]
    rules += [Rule("NDWI", 0.0, "above", ""), Rule("NDVI", 0.0, "above", ""), Rule("NDVI", 0.2, "above", "")]
    head = "rule|of vegetation, flight A|of sealed ground, flight A|of tree tops, flight B|of all pixels, flight B"
    print(f"\n### aerial\n\n{table(head, [aerial_row(rule, chesapeake, trees) for rule in rules])}")  # noqa: T201
    land = ~tiles.water
    rows = [
        [target, str(rule), f"{apply_rule(rule, tiles.scene)[land].mean():.1%}"]
        for target in ("snow", "burn")
        for rule in RULES[target]
    ]
    print(f"\n### no labels\n\n{table('target|rule|of land without it', rows)}")  # noqa: T201
    scene, classes = read_zion(data / "landsat8_zion")
    rows = [
        [target, str(rule), f"{iou(apply_rule(rule, scene)[classes > 0], np.isin(classes, codes)[classes > 0]):.2f}"]
        for target, codes in {"water": (1,), "vegetation": (4, 5, 6, 7, 8), "bare_soil": (3,), "built_up": (2,)}.items()
        for rule in RULES[target]
        if rule.radiometry != "relative" and set(rule.bands) <= set(scene.spex.bands)
    ]
    print(f"\n### desert\n\n{table('target|rule|IoU', rows)}")  # noqa: T201


if __name__ == "__main__":
    main()
