"""The commands ``spex eval``, ``spex check`` and ``spex zonal``: models, maps against points, maps by district."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
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


@click.group()
def check() -> None:
    """Check a map by points: draw them, answer them, read accuracy and areas with intervals."""


@check.command("draw")
@click.argument("result", type=FOLDER)
@click.option("-o", "--output", required=True, type=FILE, help="GeoPackage to write.")
@click.option("-n", "points", type=click.IntRange(min=1), default=100, show_default=True, help="Number of points.")
@click.option(
    "--design",
    type=click.Choice(["stratified", "random", "systematic"]),
    default="stratified",
    show_default=True,
    help="How points are drawn.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
def draw_check(result: Path, output: Path, points: int, design: Any, seed: int, overwrite: bool) -> None:
    """Draw points of the map in folder RESULT; answer them in the column "answer" of the GeoPackage."""
    from spex_nb.evaluation.map_check import check_map
    from spex_nb.extraction.storage import load_extraction

    drawn = check_map(load_extraction(result), points, design, seed)
    drawn.save(output, overwrite=overwrite)
    click.echo(
        f"{len(drawn.answers)} points written to {output}; answer {', '.join(drawn.classes)} or unsure", err=True
    )


@check.command("report")
@click.argument("result", type=FOLDER)
@click.argument("points", type=FILE)
@click.option("--answers", type=FILE, help="File with the answers, where they are not in POINTS.")
@click.option("--column", default="answer", show_default=True, help="Column of --answers with the answers.")
@click.option("--person", type=FILE, help="POINTS as another person answered them: how far both agree.")
@click.option("--versus", type=FOLDER, help="Folder of a second result: which of both is better.")
@click.option("--save", "output", type=FILE, help="Folder for the result with its checked areas.")
def report_check(
    result: Path,
    points: Path,
    answers: Path | None,
    column: str,
    person: Path | None,
    versus: Path | None,
    output: Path | None,
) -> None:
    """Print accuracy and areas of the map in folder RESULT from the answered POINTS."""
    from spex_nb.evaluation.check_files import load_check, read_answers
    from spex_nb.evaluation.map_check import compare_maps
    from spex_nb.extraction.storage import load_extraction

    answered = load_check(points, load_extraction(result))
    if answers is not None:
        answered = read_answers(answered, answers, column)
    click.echo(answered.sentence)
    click.echo(answered.table().to_string(index=False, float_format="{:.3f}".format))
    if person is not None:
        click.echo(str(answered.agreement(load_check(person, answered.result))))
    if versus is not None:
        click.echo(str(compare_maps(answered, load_extraction(versus))))
    if output is not None:
        click.echo(f"result with checked areas written to {answered.apply().save(output)}", err=True)


@click.command()
@click.argument("result", type=FOLDER)
@click.argument("districts", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", type=FILE, help="Table to write: .csv, or .gpkg or .parquet with the polygons.")
@click.option("--layer", help="Layer of DISTRICTS, where it has several.")
@click.option("--crs", help="CRS of DISTRICTS where it states none, such as EPSG:4326.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
def zonal(
    result: Path, districts: Path, output: Path | None, layer: str | None, crs: str | None, overwrite: bool
) -> None:
    """Measure each target of the map in folder RESULT within each polygon of DISTRICTS, a vector file.

    Without --output the table is printed.
    """
    from spex_nb.evaluation.districts import CSV_FORMAT, NOTES, save_zonal_table, zonal_table
    from spex_nb.extraction.storage import load_extraction

    table = zonal_table(load_extraction(result), districts, crs=crs, layer=layer)
    if output is None:
        click.echo(table.drop(columns=table.geometry.name).to_csv(index=False, float_format=CSV_FORMAT), nl=False)
    else:
        save_zonal_table(table, output, overwrite=overwrite)
        noted = int((table["note"] != "").sum())
        click.echo(f"{len(table)} districts written to {output}, {noted} of them with a note", err=True)
    for note in table.attrs[NOTES]:
        click.echo(note, err=True)


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(","))


def _subset(text: str) -> tuple[str, list[str]]:
    """Read NAME=FILE; the file names tiles, with white space between them."""
    name, is_pair, file = text.partition("=")
    if not is_pair or not Path(file).is_file():
        raise click.BadParameter(f"{text!r} is not of the form NAME=FILE, with a file that exists")
    return name, Path(file).read_text(encoding="utf-8").split()
