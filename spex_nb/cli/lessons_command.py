"""The command ``spex lessons``: the lessons as notebooks for a class, solved ones for its teacher."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, metavar="[LESSON]...")
@click.option("--solutions", is_flag=True, help="With the exercises solved.")
@click.option("--overwrite", is_flag=True, help="Replace notebooks of the same name, and what was written into them.")
def lessons(out: Path, names: tuple[str, ...], solutions: bool, overwrite: bool) -> None:
    """Write the lessons into the folder OUT; all of them, or those that are named by number or name."""
    from spex_nb.cli.lessons import copy_lessons

    written = copy_lessons(out, names, solutions=solutions, overwrite=overwrite)
    click.echo(f"{len(written)} lesson{'' if len(written) == 1 else 's'} written to {out}", err=True)
