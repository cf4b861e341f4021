"""A first look, without arguments: a real scene and a generated one, indices, two targets, and files to open."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from spex_nb.errors import GridWarning
from spex_nb.export import MASK_NODATA, save_cog, save_geopackage
from spex_nb.indices import compute_indices
from spex_nb.plotting import plot_histogram, plot_index, plot_mask, plot_scene
from spex_nb.priors import spectral_prior
from spex_nb.regions import find_regions, regions_frame
from spex_nb.samples import sample_scene

if TYPE_CHECKING:
    import geopandas as gpd

    from spex_nb.scene import Scene
    from spex_nb.types import Prior

MIN_AREA_PX = 10
SQUARE_METRES_PER_HECTARE = 10_000
COLORS = {"vegetation": "#009e73", "water": "#0072b2"}


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("demo_output"), show_default=True)
def main(output: Path) -> None:
    """Open two sample scenes, compute indices, extract a target from each, and write pictures, COG and GeoPackage."""
    output.mkdir(parents=True, exist_ok=True)
    for name, target in (("sentinel2_crop", "vegetation"), ("river_10m", "water")):
        show(name, target, output)
    click.echo(f"\nEverything is in {output.absolute()}: open the .png files, or the .tif and .gpkg in a GIS.")


def show(name: str, target: str, output: Path) -> None:
    """Extract one target from one sample and write what came of it."""
    scene = sample_scene(name)
    click.echo(f"\n{name}: {scene.spex.shape[0]} x {scene.spex.shape[1]} px, bands {', '.join(scene.spex.bands)}")
    indices = compute_indices(scene, ["NDVI", "NDWI"])
    for index in indices.data_vars.values():
        click.echo(
            f"  {index.name}: mean {float(index.mean()):.3f}, from {float(index.min()):.3f} to {float(index.max()):.3f}"
        )
    prior = spectral_prior(scene, target)
    found = find_regions(prior.mask, index=prior.index, min_area_px=MIN_AREA_PX, top=None)
    regions = regions_frame(found, scene)
    click.echo(f"  {target} by {prior.index_name}: {_said(prior, regions, scene)}")
    click.echo(f"  {prior.reason}")
    _write(output / f"{name}_{target}", scene, prior, regions)
    with warnings.catch_warnings(action="ignore", category=GridWarning):  # said in words above
        save_cog(indices, output / f"{name}_indices.tif", overwrite=True)


def _said(prior: Prior, regions: gpd.GeoDataFrame, scene: Scene) -> str:
    share = float(prior.mask.sum() / scene["valid"].sum())
    found = f"{share:.1%} of the valid pixels, {len(regions)} regions of at least {MIN_AREA_PX} px"
    if not len(regions):
        return found
    if scene.spex.crs is None:
        return f"{found}; the largest has {regions['area_px'][0]:,} px (the scene has no georeference: areas in pixels)"
    hectares = regions["area_m2"] / SQUARE_METRES_PER_HECTARE
    return f"{found}; {hectares.sum():,.1f} ha in all, the largest {hectares[0]:,.1f} ha"


def _write(stem: Path, scene: Scene, prior: Prior, regions: gpd.GeoDataFrame) -> None:
    pictures = {
        "scene": plot_scene(scene),
        "mask": plot_mask(scene, prior.mask, COLORS[prior.target]),
        "index": plot_index(prior.index),
        "histogram": plot_histogram(prior.index, prior.threshold),
    }
    for what, figure in pictures.items():
        figure.savefig(stem.with_name(f"{stem.name}_{what}.png"), dpi=110)
    with warnings.catch_warnings(action="ignore", category=GridWarning):  # said in words above
        mask = prior.mask.astype(np.uint8).where(scene["valid"], MASK_NODATA).astype(np.uint8).rename(prior.target)
        save_cog(mask, stem.with_suffix(".tif"), overwrite=True, colors={1: (0, 114, 178)})
        save_geopackage(regions, stem.with_suffix(".gpkg"), overwrite=True)


if __name__ == "__main__":
    main()
