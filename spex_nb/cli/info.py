"""``spex info``: what a file is, and of each band its name, where that stands, scale, offset, no-data and doubts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
import numpy as np
import xarray as xr

from spex_nb.cli.options import open_options, scene_options

SAMPLED_PX = 256
"""Rows and columns of a band that its doubts are judged by, at most."""
DARKEST, BRIGHTEST = -0.02, 1.6
"""Reflectance below the first or above the second is no ground, but for noise and glint."""
FEW = 0.01
"""This share of pixels may be so."""
COLUMNS = ("band", "named by", "source band", "wavelength", "scale", "offset", "no-data", "doubts")


@click.command()
@click.argument("file")
@scene_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(file: str, as_json: bool, **options: Any) -> None:
    """Say what FILE is: sensor, radiometry, georeference; and of each band its name, scale, no-data and doubts."""
    from spex_nb.scene.open import open_scene

    facts, rows = describe_scene(open_scene(file, **open_options(**options)))
    if as_json:
        click.echo(json.dumps(facts | {"band_table": rows}, indent=2))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {value}")
    click.echo("\n" + "\n".join(_table([COLUMNS, *[[str(row[column]) for column in COLUMNS] for row in rows]])))


def describe_scene(scene: xr.Dataset) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return what is known of a scene, and of each of its bands.

    Args:
        scene: As `open_scene` returns it, bands [H, W].

    Returns:
        Facts by their name, and for each band a row by the column of the table.
    """
    from spex_nb.spectral.indices import list_indices

    facts = _facts(scene) | {"indices": f"{int(list_indices(scene)['available'].sum())} of 280 possible"}
    return facts, [_band_row(scene, band) for band in scene.spex.bands]


def _facts(scene: xr.Dataset) -> dict[str, str]:
    height, width = scene.spex.shape
    gsd, crs, attrs = scene.spex.gsd_m, scene.spex.crs, scene.attrs
    waves = scene.spex.wavelengths_um
    facts = {
        "size": f"{height} rows x {width} columns",
        "CRS": f"{crs.to_string()}, {gsd:g} m a pixel" if crs and gsd else "none: areas come in pixels",
        "sensor": f"{attrs['sensor']} ({attrs['sensor_reason']})",
        "bands": ", ".join(f"{b} {waves[b]:.3f} µm" if b in waves else b for b in scene.spex.bands),
        "named by": attrs["bands_reason"],
        "radiometry": (
            f"{attrs['radiometry']} = raw * {attrs['scale']:g} {attrs['offset']:+g} ({attrs['radiometry_reason']})"
        ),
        "valid": f"{float(scene['valid'].mean()):.1%} of the pixels ({attrs['valid_reason']})",
    }
    left_out = {"left out": attrs["left_out"]} if "left_out" in attrs else {}
    return facts | left_out | ({"note": scene.spex.number_note} if scene.spex.is_relative else {})


def _band_row(scene: xr.Dataset, band: str) -> dict[str, Any]:
    """Return what is known of a band, by the column of the table."""
    attrs = scene[band].attrs
    nodata = attrs.get("raw_nodata")
    return {
        "band": band,
        "named by": attrs["name_reason"],
        "source band": attrs["source_band"],
        "wavelength": f"{attrs['wavelength_um']:.3f} µm",
        "scale": f"{attrs['scale']:g}",
        "offset": f"{attrs['offset']:+g}",
        "no-data": "none stated" if nodata is None else f"{nodata:g}",
        "doubts": "; ".join(_concerns(scene, band, attrs)) or "none",
    }


def _concerns(scene: xr.Dataset, band: str, attrs: Mapping[str, Any]) -> list[str]:
    """Return what a user should check of a band: a name by place only, a guessed scale, values that cannot be."""
    reason = str(attrs["radiometry_reason"])
    concerns = []
    if "order" in attrs["name_reason"]:
        concerns.append("named by its place only")
    if "guessed" in reason:
        concerns.append("the scale is a guess")
    if str(attrs["radiometry"]).startswith("relative"):
        concerns.append("no calibrated reflectance")
    step = max(1, max(scene.spex.shape) // SAMPLED_PX)
    valid = scene["valid"].values[::step, ::step]
    sample = scene[band][::step, ::step].values[valid]
    for share, text in (
        (np.mean(sample < DARKEST), f"below {DARKEST}"),
        (np.mean(sample > BRIGHTEST), f"above {BRIGHTEST}"),
    ):
        if sample.size and share > FEW:
            concerns.append(f"{share:.0%} of the pixels lie {text}")
    return concerns


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
