"""The commands ``spex scenes`` and ``spex mosaic``: a table of many results on the map, and one map of neighbours."""

from __future__ import annotations

from pathlib import Path

import click

from spex_nb.errors import OutputError

FOLDERS = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("results", nargs=-1, required=True, type=FOLDERS, metavar="RESULT...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write: .gpkg, .geojson or .csv.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def scenes(results: tuple[Path, ...], output: Path | None, overwrite: bool) -> None:
    """Sum up RESULTs of `spex extract`, a row each; with a footprint on the map where the output has one."""
    from spex_nb.extraction.many.scene_table import scene_table
    from spex_nb.output.export import save_geojson, save_geopackage
    from spex_nb.output.files import write_whole

    table = scene_table(results)
    if output is None:
        click.echo(table.drop(columns="geometry").to_string(index=False))
        return
    if output.suffix == ".csv":
        with write_whole(output, overwrite) as part:
            table.drop(columns="geometry").to_csv(part, index=False)
    elif output.suffix in (".gpkg", ".geojson"):
        save = save_geopackage if output.suffix == ".gpkg" else save_geojson
        save(table, output, overwrite=overwrite)
    else:
        raise OutputError(
            "The format is unknown",
            found=output.suffix or "no ending",
            expected=".gpkg, .geojson or .csv",
            fix="Rename it.",
        )
    click.echo(f"{len(table):,} results written to {output}", err=True)


@click.command()
@click.argument("results", nargs=-1, required=True, type=FOLDERS, metavar="RESULT...")
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write."
)
@click.option("--overwrite", is_flag=True, help="Replace an existing mosaic.")
def mosaic(results: tuple[Path, ...], output: Path, overwrite: bool) -> None:
    """Join neighbouring RESULTs of one instruction and model into one map without seams."""
    from spex_nb.extraction.many.mosaic import mosaic_results

    joined = mosaic_results(results)
    for name, area in joined.areas_ha.items():
        click.echo(f"{joined.class_names[name]}: {area:,.1f} ha")
    for note in joined.notes:
        click.echo(f"  {note}")
    click.echo(f"written to {joined.save(output, overwrite=overwrite)}", err=True)
