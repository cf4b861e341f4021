"""The command ``spex teach``: a class of one's own from examples in vector files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spex_nb.cli.options import open_options, scene_options


@click.command()
@click.argument("scene")
@click.argument("name")
@click.option("--yes", required=True, help="Vector file (GeoJSON, GeoPackage …) of points or polygons of the class.")
@click.option("--no", help="Vector file of points or polygons of everything else.")
@click.option("--other-than", multiple=True, metavar="TARGET", help="A target that the class is not, such as water.")
@click.option("--crs", help="CRS of the examples where their files state none.")
@click.option("--also-called", multiple=True, metavar="LANGUAGE=NAME", help="A further name, such as de=Schilf.")
@click.option("--definition", default="", help="What the class means, in words.")
@click.option("--color", default="#882255", show_default=True, help="How the class is drawn.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; NAME.spex-class by default.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draw of pixels.")
@click.option("--places", type=click.IntRange(0, 100), default=0, help="Print so many places to look at next.")
@scene_options
@click.option("--overwrite", is_flag=True, help="Replace an existing class.")
def teach(
    scene: str,
    name: str,
    output: Path | None,
    also_called: tuple[str, ...],
    places: int,
    overwrite: bool,
    **choices: Any,
) -> None:
    """Teach a class NAME by examples on SCENE, and write it as a file for `spex extract --taught`."""
    from spex_nb.analysis.teaching import next_places
    from spex_nb.analysis.teaching import teach as teach_class
    from spex_nb.scene.open import open_scene

    keys = ("yes", "no", "other_than", "crs", "definition", "color", "seed")
    settings = {key: choices.pop(key) for key in keys}
    opened = open_scene(scene, chunks="auto", **open_options(**choices))
    taught = teach_class(opened, name, names=_names(also_called), **settings)
    file = taught.save(output or Path(f"{taught.name}.spex-class"), overwrite=overwrite)
    click.echo(str(taught))
    for place in next_places(taught, opened, places) if places else []:
        click.echo(f"look at column {place.x_px:g}, row {place.y_px:g} (probability {place.probability:.2f})")
    click.echo(f"written to {file}", err=True)


def _names(also_called: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the names of ``de=Schilf``, by language."""
    names: dict[str, list[str]] = {}
    for entry in also_called:
        language, sign, word = entry.partition("=")
        if not (sign and word.strip()):
            raise click.BadParameter(f"{entry!r}: write LANGUAGE=NAME, such as de=Schilf", param_hint="--also-called")
        names.setdefault(language.strip(), []).append(word.strip())
    return names
