"""The command ``spex compare``: two dates of one place, or a series of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spex_nb.cli.options import open_options, scene_options

if TYPE_CHECKING:
    from spex_nb.analysis.change import Change, ChangeSeries


@click.command()
@click.argument("scenes", nargs=-1, required=True)
@click.option(
    "--targets",
    multiple=True,
    required=True,
    metavar="TARGET[,TARGET...]",
    help="Ids of land covers, such as water; separated by commas, or the option several times. "
    "Or an instruction, such as 'new lakes larger than 1 ha'.",
)
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write."
)
@click.option("--model", default="tiny", show_default=True, help="Name or folder of a checkpoint; index for none.")
@click.option("--threshold", type=float, default=0.5, show_default=True, help="Least probability of a pixel of a mask.")
@click.option("--min-area-px", type=int, default=4, show_default=True, help="Smaller regions are left out.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the noise that the floor is tried with.")
@click.option("--dates", metavar="DATE,DATE...", help="Dates of the scenes, where they and their names state none.")
@click.option("--clouds", is_flag=True, help="Leave out clouds and shadows by the quality layer of each product.")
@scene_options
@click.option("--overwrite", is_flag=True, help="Replace an existing change.")
@click.option("--anyway", is_flag=True, help="Begin though memory or disk may not suffice.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def compare(
    scenes: tuple[str, ...],
    targets: tuple[str, ...],
    dates: str | None,
    output: Path,
    clouds: bool,
    overwrite: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Compare SCENES of one place.

    Two scenes give what was gained, lost and kept of each target, from the first to the second. More scenes, or one
    folder of them, give the area of each target by date, and how often each pixel was it.

    Options that say how a scene is opened hold for all.
    """
    settings = {name: choices.pop(name) for name in ("model", "threshold", "min_area_px", "seed", "anyway")}
    options = open_options(**choices) | ({"clouds": True} if clouds else {})
    question = _question(targets)
    settings |= {"open_options": options, "progress": not quiet, "out": output, "overwrite": overwrite}
    is_pair = len(scenes) == 2 and dates is None  # noqa: PLR2004 (before and after)
    click.echo(
        (_changed(scenes, question, settings) if is_pair else _series(scenes, question, dates, settings)).explanation
    )
    click.echo(f"written to {output}", err=True)


def _question(given: Sequence[str]) -> str | list[str]:
    """Return ids of targets, or the instruction that is given in their place: it has several words."""
    names = [name.strip() for listed in given for name in listed.split(",") if name.strip()]
    is_instruction = len(given) == 1 and any(" " in name for name in names)
    return given[0] if is_instruction else names


def _changed(scenes: Sequence[str], targets: str | Sequence[str], settings: dict[str, Any]) -> Change:
    from spex_nb.analysis.change import compare as compare_scenes

    return compare_scenes(scenes[0], scenes[1], targets, **settings)


def _series(
    scenes: Sequence[str], targets: str | Sequence[str], dates: str | None, settings: dict[str, Any]
) -> ChangeSeries:
    from spex_nb.analysis.change import compare_series

    listed = None if dates is None else [date.strip() for date in dates.split(",")]
    return compare_series(scenes[0] if len(scenes) == 1 else scenes, targets, dates=listed, **settings)
