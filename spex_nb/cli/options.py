"""Options that several commands share: how to open a scene, and which dask cluster to use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def scene_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a scene is opened."""
    for option in (
        click.option("--time", help="One date of a file that has several, such as 2024-05-01."),
        click.option("--nodata", type=float, help="Raw number that means no data."),
        click.option("--offset", type=float, help="Added after scaling."),
        click.option("--scale", type=float, help="Reflectance per raw number."),
        click.option("--bands", help="Band names, or name=number in the file, separated by commas."),
        click.option("--sensor", help="Sensor id, or a JSON file with a sensor table."),
    ):
        command = option(command)
    return command


def open_options(bands: str | None, **options: Any) -> dict[str, Any]:
    """Return the given `scene_options` as arguments of `open_scene`."""
    arguments = {name: value for name, value in options.items() if value is not None}
    return arguments | ({"bands": _bands(bands)} if bands else {})


def _bands(text: str) -> list[str] | dict[str, int]:
    """Return the names of ``red,nir``, or the numbers of ``red=3,nir=4``."""
    parts = [part.strip() for part in text.split(",")]
    if not any("=" in part for part in parts):
        return parts
    pairs = [part.partition("=") for part in parts]
    if not all(number.strip().isdigit() for _, _, number in pairs):
        raise click.BadParameter(
            f"{text!r}: write names (red,nir), or names with numbers (red=3,nir=4)", param_hint="--bands"
        )
    return {name.strip(): int(number) for name, _, number in pairs}


def client_of(address: str) -> Any:
    """Return a client of the dask cluster whose scheduler listens at an address.

    Raises:
        MissingExtraError: If dask's distributed is not installed.
    """
    from spex_nb.errors import require_extra

    require_extra("cluster", "A dask cluster")
    from distributed import Client

    return Client(address)
