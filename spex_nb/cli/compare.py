"""The command ``spex compare``: two dates of one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spex_nb.cli.options import open_options, scene_options
from spex_nb.errors import OutputError


@click.command()
@click.argument("before")
@click.argument("after")
@click.option(
    "--targets",
    multiple=True,
    required=True,
    metavar="TARGET[,TARGET...]",
    help="Ids of land covers, such as water; separated by commas, or the option several times.",
)
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write."
)
@click.option("--model", default="tiny", show_default=True, help="Name or folder of a checkpoint; index for none.")
@click.option("--threshold", type=float, default=0.5, show_default=True, help="Least probability of a pixel of a mask.")
@click.option("--min-area-px", type=int, default=4, show_default=True, help="Smaller regions are left out.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the noise that the floor is tried with.")
@click.option("--clouds", is_flag=True, help="Leave out clouds and shadows by the quality layer of each product.")
@scene_options
@click.option("--overwrite", is_flag=True, help="Replace an existing change.")
@click.option("--anyway", is_flag=True, help="Begin though memory or disk may not suffice.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def compare(
    before: str,
    after: str,
    targets: tuple[str, ...],
    output: Path,
    clouds: bool,
    overwrite: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Compare the scenes BEFORE and AFTER: what was gained, lost and kept of each target.

    Options that say how a scene is opened hold for both.
    """
    from spex_nb.change import compare as compare_scenes

    _require_free(output, overwrite)
    settings = {name: choices.pop(name) for name in ("model", "threshold", "min_area_px", "seed", "anyway")}
    options = open_options(**choices) | ({"clouds": True} if clouds else {})
    names = [name.strip() for listed in targets for name in listed.split(",") if name.strip()]
    change = compare_scenes(before, after, names, progress=not quiet, open_options=options, **settings)
    click.echo(change.explanation)
    click.echo(f"written to {change.save(output, overwrite=overwrite)}", err=True)


def _require_free(output: Path, overwrite: bool) -> None:
    """Raise before the work if the result could not be written after it."""
    if output.exists() and any(output.iterdir()) and not overwrite:
        raise OutputError(
            "The output exists",
            found=str(output),
            expected="a new folder",
            fix="Choose another --output, or replace it with --overwrite.",
        )
