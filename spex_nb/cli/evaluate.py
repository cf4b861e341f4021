"""The command ``spex eval``: a model against baselines on a SPIE dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path)
PICTURES = 4
"""Number of the worst and of the best tiles of each target that are drawn."""
PRIOR_SOURCES = click.Choice(["index", "withheld", "swapped"])


@click.command("eval")
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True)
@click.option("--targets", help="Ids of targets, separated by commas; all by default.")
@click.option("--baselines", help="Any of index, fixed, tuned, otsu, boosting, unet, separated by commas.")
@click.option("--datasets", help="Ids of the datasets that tiles must come from, separated by commas.")
@click.option(
    "--unet-steps",
    type=click.IntRange(min=1),
    default=700,
    show_default=True,
    help="For how long the baseline unet is trained.",
)
@click.option(
    "--subset",
    "subsets",
    multiple=True,
    metavar="NAME=FILE",
    help="Separate rows for the tiles that a text file names.",
)
@click.option("--priors", type=PRIOR_SOURCES, default="index", show_default=True, help="Source of the dense priors.")
@click.option(
    "--attributes", type=PRIOR_SOURCES, default="index", show_default=True, help="Source of the regions in the prompts."
)
@click.option("--bands", help="All bands that models may see, separated by commas.")
@click.option("--explain", type=int, default=0, metavar="N", help="Check explanations of N tiles of each target.")
@click.option(
    "--languages", default="en", show_default=True, help="Languages of the explanations, separated by commas."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--report", type=FILE, help="HTML file to write, with pictures.")
@click.option("--json", "json_file", type=FILE, help="JSON file to write.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def eval_(  # noqa: PLR0913, PLR0917 (one argument an option)
    model: str,
    data: Path,
    targets: str | None,
    datasets: str | None,
    baselines: str | None,
    subsets: tuple[str, ...],
    bands: str | None,
    explain: int,
    languages: str,
    report: Path | None,
    json_file: Path | None,
    quiet: bool,
    **choices: Any,
) -> None:
    """Measure MODEL (index, a checkpoint's name or folder) and baselines on the dataset in folder DATA."""
    from spex_nb.evaluation.evaluate_model import evaluate

    evaluation = evaluate(
        model,
        data,
        targets=_listed(targets),
        datasets=_listed(datasets),
        baselines=_listed(baselines) or (),
        subsets=dict(map(_subset, subsets)),
        bands=_listed(bands),
        explanations=explain,
        languages=_listed(languages) or (),
        pictures=0 if report is None else PICTURES,
        progress=not quiet,
        **choices,
    )
    click.echo(str(evaluation))
    if report is not None:
        click.echo(f"report written to {evaluation.to_html(report)}", err=True)
    if json_file is not None:
        click.echo(f"figures written to {evaluation.to_json(json_file)}", err=True)


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(","))


def _subset(text: str) -> tuple[str, list[str]]:
    """Read NAME=FILE; the file names tiles, with white space between them."""
    name, is_pair, file = text.partition("=")
    if not is_pair or not Path(file).is_file():
        raise click.BadParameter(f"{text!r} is not of the form NAME=FILE, with a file that exists")
    return name, Path(file).read_text(encoding="utf-8").split()
