"""The command ``spex``; its subcommands call the functions of the package."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import click

from spex_nb import __version__
from spex_nb.cli.agents.server import mcp
from spex_nb.cli.compare import compare
from spex_nb.cli.doctor.examination import doctor
from spex_nb.cli.evaluate import check, eval_, zonal
from spex_nb.cli.extract import extract, report
from spex_nb.cli.info import info
from spex_nb.cli.lessons import lessons
from spex_nb.cli.many.commands import mosaic, scenes
from spex_nb.cli.options import open_options, scene_options
from spex_nb.cli.spie import spie
from spex_nb.cli.teach import teach
from spex_nb.cli.train import train
from spex_nb.errors import SpexError, SpexWarning, require_extra

BAD_INPUT = 2
WINDOWS = (512, 8192)
"""Rows and columns of lazy chunks: they match the windows that are written, so wide scenes take no more memory."""


class SpexGroup(click.Group):
    """A group of commands that end with one sentence, not a traceback, on bad input."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; show errors and warnings of spex_nb on stderr."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default", SpexWarning)
            try:
                return super().invoke(ctx)
            except SpexError as error:
                click.echo(f"Error: {error}", err=True)
                ctx.exit(BAD_INPUT)
            finally:
                for warning in caught:
                    if issubclass(warning.category, SpexWarning):
                        click.echo(f"Warning: {warning.message}", err=True)


@click.group(cls=SpexGroup)
@click.version_option(__version__, prog_name="spex")
def main() -> None:
    """Extract land cover by instruction, compare dates, compute indices, build datasets, evaluate models."""


WORK = (extract, teach, scenes, mosaic, compare, zonal, check, spie, train, eval_)
"""Commands that make something."""
for _command in (info, *WORK, report, lessons, doctor, mcp):
    main.add_command(_command)


def _open(source: str, chunks: Any = "auto", **options: Any) -> Any:
    from spex_nb.scene.open import open_scene

    return open_scene(source, chunks=chunks, **open_options(**options))


@main.command()
@click.argument("file")
@click.argument("indices", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="GeoTIFF to write.")
@scene_options
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def index(file: str, indices: tuple[str, ...], output: Path, overwrite: bool, quiet: bool, **options: Any) -> None:
    """Compute INDICES (names such as NDVI, or formulas) of FILE into a cloud-optimised GeoTIFF, one band each."""
    from spex_nb.output.export import save_cog
    from spex_nb.spectral.indices import compute_indices

    scene = _open(file, chunks=WINDOWS, **options)
    save_cog(compute_indices(scene, indices), output, overwrite=overwrite, progress=not quiet)
    if not quiet:
        click.echo(f"{', '.join(indices)} written to {output}", err=True)


@main.command("indices")
@click.argument("file", required=False)
@click.option("--domain", help="Only indices of this domain, such as water.")
@scene_options
def indices_(file: str | None, domain: str | None, **options: Any) -> None:
    """List the spectral indices; with FILE, those that it allows."""
    from spex_nb.spectral.indices import list_indices

    table = list_indices(_open(file, **options) if file else None, domain)
    for row in table[table["available"]].itertuples():
        click.echo(f"{row.Index:<14} {row.long_name}  [{row.bands}]")


@main.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--sam-heads", type=int, default=8, show_default=True, help="Attention heads of the mask decoder.")
def convert(source: Path, target: Path, sam_heads: int) -> None:
    """Turn a SPEX checkpoint of the released layout (SOURCE, safetensors) into one of spex_nb (TARGET)."""
    require_extra("model", "Converting a checkpoint")
    from spex_nb.model.conversion import convert as convert_checkpoint

    conversion = convert_checkpoint(source, target, sam_heads=sam_heads)
    processor = "with a processor" if conversion.has_processor else "without a processor, as there is no tokenizer.json"
    unused = ", ".join(conversion.unused) or "none"
    click.echo(
        f"{conversion.tensors:,} tensors written to {conversion.folder}, {processor}; not used: {unused}", err=True
    )
