"""A first look without arguments: three instructions on two scenes, and all results as files to open."""

from __future__ import annotations

import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spex_nb.errors import GridWarning
from spex_nb.extraction import extract
from spex_nb.extraction.mask_models import INDEX, load_mask_model, usual_model
from spex_nb.output.plotting import plot_index, plot_scene
from spex_nb.scene.samples import sample_scene
from spex_nb.spectral.indices import compute_indices

if TYPE_CHECKING:
    from spex_nb.extraction import Extraction
    from spex_nb.scene.accessor import Scene
    from spex_nb.types import Evidence, MaskModel

EXAMPLES = (
    ("sentinel2_crop", "water and vegetation larger than 30 px", "water_and_vegetation"),
    ("river_10m", "the water bodies and the built-up areas larger than 0.1 ha", "water_and_built_up"),
    ("river_10m", "las 2 masas de agua más grandes", "masas_de_agua"),
)
"""Sample, instruction, and the name of its files."""


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("demo_output"), show_default=True)
def main(output: Path) -> None:
    """Extract from two sample scenes what three instructions ask for; write pictures, COG, GeoPackage and pages."""
    output.mkdir(parents=True, exist_ok=True)
    model, why = _model()
    click.echo(why)
    for name in dict.fromkeys(name for name, _, _ in EXAMPLES):
        _show_scene(name, sample_scene(name), output)
        for sample, instruction, files in EXAMPLES:
            if sample == name:
                _show_extraction(sample_scene(name), instruction, model, output / f"{name}_{files}")
    click.echo(
        f"\nEverything is in {output.absolute()}: open the .html and .png files, or the .tif and .gpkg in a GIS."
    )


def _model() -> tuple[MaskModel, str]:
    """Return the model that ships, or the index where nothing can compute it, and a sentence on which."""
    name = usual_model()
    if name == INDEX:
        return load_mask_model(name), "Neither torch nor ONNX Runtime is installed: the spectral index answers."
    return load_mask_model(name), f"The checkpoint {name!r} answers."


def _show_scene(name: str, scene: Scene, output: Path) -> None:
    height, width = scene.spex.shape
    click.echo(f"\n{name}: {height} x {width} px, bands {', '.join(scene.spex.bands)}")
    plot_scene(scene).savefig(output / f"{name}_scene.png", dpi=110)
    for index in compute_indices(scene, ["NDVI", "NDWI"]).data_vars.values():
        low, mean, high = float(index.min()), float(index.mean()), float(index.max())
        click.echo(f"  {index.name}: mean {mean:.3f}, from {low:.3f} to {high:.3f}")
        plot_index(index).savefig(output / f"{name}_{index.name}.png", dpi=110)


def _show_extraction(scene: Scene, instruction: str, model: MaskModel, stem: Path) -> None:
    """Extract from a scene, print the result, and write it."""
    result = extract(scene, instruction, model, progress=False)
    click.echo(f"\n  “{instruction}” → {result.instruction.meaning}")
    for text in (*result.explanation.splitlines(), *result.notes):
        click.echo(textwrap.fill(text, 116, initial_indent="    ", subsequent_indent="    "))
    for line in (*_evidence_lines(result), _timing_line(result)):
        click.echo(f"    {line}")
    result.plot().savefig(stem.with_suffix(".png"), dpi=110)
    with warnings.catch_warnings(action="ignore", category=GridWarning):  # the notes say it
        result.to_cog(stem.with_suffix(".tif"), overwrite=True)
        result.to_geopackage(stem.with_suffix(".gpkg"), overwrite=True)
    result.to_html(stem.with_suffix(".html"), overwrite=True)


def _evidence_lines(result: Extraction) -> list[str]:
    """Return the figures that were measured, a line a target."""
    return [_evidence_line(target, evidence) for target, evidence in result.evidence.items()]


def _evidence_line(target: str, evidence: Evidence) -> str:
    share = f"{evidence.share_frac:.1%} of the valid pixels"
    return f"evidence of {target}: {_area(evidence)}, {share}; regions: {evidence.number}"


def _area(evidence: Evidence) -> str:
    return f"{evidence.area_px:,} px" if evidence.area_m2 is None else f"{evidence.area_m2 / 1e4:,.1f} ha"


def _timing_line(result: Extraction) -> str:
    seconds = result.provenance["timing_s"]
    return f"{sum(seconds.values()):.1f} s: " + ", ".join(f"{part} {time:.1f}" for part, time in seconds.items())


if __name__ == "__main__":
    main()
