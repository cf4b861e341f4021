"""The commands ``spex spie …``: build, check, count and look at a SPIE dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from spex_nb.cli.options import client_of

NOT_FIT = 1
"""Exit status where scenes failed or a check found errors."""
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(path_type=Path)


@click.group()
def spie() -> None:
    """Build, check and look at instruction datasets (SPIE)."""


@spie.command()
@click.argument("sources", nargs=-1, required=True, metavar="DATASET=FOLDER...")
@click.option("-o", "--output", required=True, type=NEW_FOLDER, help="Folder of the dataset.")
@click.option("--tile-px", type=int, default=512, show_default=True, help="Side of a tile.")
@click.option("--targets", help="Ids of targets, separated by commas; all by default.")
@click.option("--languages", default="en", show_default=True, help="Languages of the answers, separated by commas.")
@click.option("--attributes", type=click.Choice(["index", "label"]), default="index", show_default=True)
@click.option("--rich", is_flag=True, help="Attributes say index, mean index and share too.")
@click.option("--rgb", is_flag=True, help="Write a true-colour PNG beside each tile.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--classes", type=FILE, help="For DATASET 'own': JSON that says what each class code is.")
@click.option("--workers", type=int, help="Processes; by default as many as the machine has cores.")
@click.option("--scheduler", help="Address of a dask scheduler whose workers do it instead.")
@click.option("--rewrite", type=FILE, help="Folder of a chat model that says the answers in other words.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def build(  # noqa: PLR0913, PLR0917 (one argument an option)
    sources: tuple[str, ...],
    output: Path,
    targets: str | None,
    languages: str,
    classes: Path | None,
    workers: int | None,
    scheduler: str | None,
    rewrite: Path | None,
    quiet: bool,
    **choices: Any,
) -> None:
    """Build a dataset of labelled scenes; run it again to go on where it stopped.

    Each source is a reader and a folder, such as chesapeake=cvpr_chesapeake_landcover. For scenes of your own,
    own=FOLDER takes FOLDER/images/*.tif with FOLDER/labels/*.tif of the same names, and --classes.
    """
    from spex_nb.spie.build_dataset import build as build_dataset
    from spex_nb.spie.rephrase import chat_rewriter
    from spex_nb.spie.settings import Settings

    settings = Settings(languages=_listed(languages), **choices)
    if targets:
        settings = replace(settings, targets=_listed(targets))
    scenes = [scene for source in sources for scene in _read(source, classes)]
    summary = build_dataset(
        scenes,
        None,
        output,
        settings,
        workers=workers,
        client=client_of(scheduler) if scheduler else None,
        rewrite=chat_rewriter(rewrite) if rewrite else None,
        progress=not quiet,
    )
    click.echo(
        f"{summary.records:,} records of {summary.tiles:,} tiles in {summary.folder}; {summary.left_out:,} tiles "
        f"left out, {len(summary.failures):,} failed",
        err=True,
    )
    if summary.failures:
        raise SystemExit(NOT_FIT)


@spie.command()
@click.argument("folder", type=FOLDER)
@click.option("--report", type=FILE, help="HTML file to write, with pictures.")
def check(folder: Path, report: Path | None) -> None:
    """Look for leakage, broken records, wrong sizes, empty masks and duplicates; fail if there are errors."""
    from spex_nb.spie.report import write_report
    from spex_nb.spie.validate import check as check_dataset

    verdict = check_dataset(folder)
    click.echo(str(verdict))
    if report is not None:
        click.echo(f"report written to {write_report(verdict, report)}", err=True)
    if not verdict.is_fit:
        raise SystemExit(NOT_FIT)


@spie.command()
@click.argument("folder", type=FOLDER)
def stats(folder: Path) -> None:
    """Count records, tiles, places and mean shares by split and target."""
    from spex_nb.spie.dataset import open_dataset

    index = open_dataset(folder).index
    counts = index.groupby(["split", "target"]).agg(
        records=("tile", "size"),
        tiles=("tile", "nunique"),
        places=("place", "nunique"),
        mean_share=("share_frac", "mean"),
    )
    click.echo(counts.round(4).to_string())
    for column in ("dataset", "sensor", "language", "source"):
        click.echo(
            f"{column}: " + ", ".join(f"{name} {count:,}" for name, count in index[column].value_counts().items())
        )


@spie.command()
@click.argument("folder", type=FOLDER)
@click.argument("record", required=False)
@click.option("-o", "--output", type=FILE, help="PNG to write.")
def show(folder: Path, record: str | None, output: Path | None) -> None:
    """Print a RECORD (the first by default), and draw it."""
    from spex_nb.spie.dataset import open_dataset
    from spex_nb.spie.report import show_record

    dataset = open_dataset(folder)
    example = dataset.record(record) if record else dataset.first()
    click.echo(f"{example.id} ({example.split}, {example.language}, attributes from: {example.source})\n")
    click.echo(f"human: {example.prompt}\n\ngpt: {example.answer}")
    if output is not None:
        show_record(dataset, example).savefig(output, dpi=110)


def _read(source: str, classes: Path | None) -> list[Any]:
    from spex_nb.spie.sources.folders import files_of, label_of
    from spex_nb.spie.sources.readers import read_labelled
    from spex_nb.spie.sources.user_rasters import labelled_scenes, read_classes

    dataset, is_pair, folder = source.partition("=")
    if not is_pair:
        raise click.BadParameter(f"{source!r} is not of the form DATASET=FOLDER")
    if dataset != "own":
        return read_labelled(dataset, folder)
    if classes is None:
        raise click.BadParameter("own scenes need --classes, a JSON file that says what each class code is")
    images = files_of(Path(folder, "images"), ".tif", ".tiff")
    labels = files_of(Path(folder, "labels"), ".tif", ".tiff")
    paths = [label_of(image, labels.get(name, Path(folder, "labels", image.name))) for name, image in images.items()]
    return labelled_scenes([*images.values()], paths, read_classes(classes))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))
