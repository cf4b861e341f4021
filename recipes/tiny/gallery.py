"""Real scenes of all sensors and scales, with what the product answers for each target beside them: docs/gallery.md.

Usage: python recipes/tiny/gallery.py DATA OUT
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

sys.path.append(str(Path(__file__).parent / "joint"))
from bars import scene_of
from tiles import Tile, read_tiles

from spex_nb import extract, open_scene, sample_scene
from spex_nb.errors import SpexError
from spex_nb.extraction.mask_models import load_mask_model

TILES = (
    "145", "087", "030", "249", "178", "276", "0_0",
    "m_3708035_ne_17_1-0", "m_3708035_ne_17_1-5",
    "claremont_2020_54", "claremont_2020_24", "claremont_2020_1", "bishop_2020_2",
    "zanzibar_319292_270960", "virac_443121_241593", "vienna2_29", "kitsap8_26", "paris_00",
    "las_vegas_10243", "gsi_51",
)  # fmt: skip
"""Tiles that no weights learned from, but for the one of Zion."""
TARGETS = ("water", "tree cover", "vegetation", "bare soil", "built-up areas", "buildings")
YELLOW = (1.0, 0.9, 0.1)
ROWS, INCHES, DPI = 8, 1.5, 100


def scenes(data: Path) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield scenes with their names."""
    yield "sentinel2_crop", sample_scene("sentinel2_crop")
    for folder, sensor in (
        ("naip_north_dakota_5m", "naip"),
        ("landsat8_sr", None),
        ("landsat7_cloud_shadow", "landsat7"),
    ):
        image = next(path for path in sorted((data / folder).glob("*.tif")) if "label" not in path.name)
        options: dict[str, Any] = {"scale": 1e-4, "offset": 0.0} if sensor == "landsat7" else {}
        scene = open_scene(image, sensor, **options)
        yield folder, scene.spex.window(0, 0, *(min(side, 512) for side in scene.spex.shape))
    by_name = {tile.name: tile for tile in read_tiles(data)}
    for name in TILES:
        yield f"{by_name[name].dataset} {name}", _scene(by_name[name])


def _scene(tile: Tile) -> xr.Dataset:
    return scene_of(
        [*tile.bands], np.stack([band.astype(np.float32) for band in tile.bands.values()]), tile, tile.gsd_m
    )


def draw(rows: list[tuple[str, xr.Dataset]], model: Any) -> Figure:
    """Return a sheet: a scene in each row, and what is found of each target in yellow."""
    figure = Figure(figsize=(INCHES * (len(TARGETS) + 1), INCHES * 1.12 * len(rows)), layout="constrained")
    for axes, (name, scene) in zip(figure.subplots(len(rows), len(TARGETS) + 1, squeeze=False), rows, strict=True):
        picture = _picture(scene)
        axes[0].imshow(picture)
        axes[0].set_title(f"{name}, {scene.spex.gsd_m:g} m" if scene.spex.gsd_m else name, fontsize=6)
        for axis, target in zip(axes[1:], TARGETS, strict=True):
            try:
                result = extract(scene, target, model, progress=False)
            except SpexError:
                axis.set_title(f"{target}: refused", fontsize=6)
                continue
            is_target = result.mask.values == 1
            axis.imshow(np.where(is_target[..., None], YELLOW, 0.45 * picture))
            kind = " (do not rely)" if result.is_untrusted else ""
            axis.set_title(f"{target}{kind}: {is_target.mean():.0%}", fontsize=6)
    for axis in figure.axes:
        axis.axis("off")
    return figure


def _picture(scene: xr.Dataset) -> Any:
    """Return a scene in red, green and blue, or in the infrared where it has it; float [H, W, 3]."""
    names = ("nir", "red", "green") if "nir" in scene.spex.bands else ("red", "green", "blue")
    bands = np.stack([scene[name].values for name in names], -1)
    high = np.nanpercentile(bands, 98, axis=(0, 1))
    return np.nan_to_num(np.clip(bands / high, 0, 1))


def main(data: Path, out: Path) -> None:
    """Write the sheets."""
    model, drawn = load_mask_model("tiny"), list(scenes(data))
    for number, first in enumerate(range(0, len(drawn), ROWS), start=1):
        sheet = draw(drawn[first : first + ROWS], model)
        sheet.savefig(out / f"gallery_{number}.jpg", dpi=DPI, pil_kwargs={"quality": 80})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
