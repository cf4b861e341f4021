"""The colour of each land cover, wherever it is drawn."""

from __future__ import annotations

COLORS = {
    "water": "#0072b2", "vegetation": "#009e73", "building": "#d55e00", "built_up": "#cc79a7", "bare_soil": "#e69f00",
    "road": "#56b4e9", "snow": "#ffffff", "burn": "#000000",
}  # fmt: skip
"""Okabe and Ito's colours, by target."""
OTHER = "#f0e442"


def class_color(name: str) -> tuple[float, float, float]:
    """Return the colour of a target, red, green and blue in 0..1, that readers without red or green tell apart."""
    return tuple(part / 255 for part in class_rgb(name))  # type: ignore[return-value]


def class_rgb(name: str) -> tuple[int, int, int]:
    """Return the colour of a target, red, green and blue in 0..255."""
    red, green, blue = bytes.fromhex(COLORS.get(name, OTHER).removeprefix("#"))
    return red, green, blue
