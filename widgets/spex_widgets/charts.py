"""Small charts as SVG in the colours of the theme: drawn in a millisecond, so that a slider can move them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 420, 150, 46, 30, 8
BINS = 70
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")
"""Okabe and Ito's; lines differ in their dashes too."""
DASHES = ("", "7 3", "2 3", "9 3 2 3")
Points = Sequence[tuple[float, float]]


def histogram(values: NDArray[np.floating], threshold: float, label: str) -> str:
    """Return how often values occur, with a line at the threshold.

    Args:
        values: float of any shape; NaN is left out.
        threshold: A value, in the unit of the values.
        label: Name of the values.
    """
    finite = np.asarray(values)[np.isfinite(values)]
    if not finite.size:
        return ""
    low, high = (float(end) for end in np.percentile(finite, (0.5, 99.5)))
    low, high = min(low, threshold), max(high, threshold)
    high = high if high > low else low + 1e-6
    counts, _ = np.histogram(finite, BINS, (low, high))
    step, most = (WIDTH - LEFT) / BINS, max(1, int(counts.max()))
    tall = (HEIGHT - BOTTOM - TOP) * counts / most
    bars = "".join(
        f'<rect x="{LEFT + i * step:.1f}" y="{HEIGHT - BOTTOM - h:.1f}" width="{step - 0.6:.1f}" height="{h:.1f}"/>'
        for i, h in enumerate(tall)
    )
    at = LEFT + (threshold - low) / (high - low) * (WIDTH - LEFT)
    line = f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT - BOTTOM}" stroke="#d55e00" stroke-width="2"/>'
    description = f"Histogram of {label}; threshold {threshold:.3f}"
    return _svg(f'<g fill="#56738a">{bars}</g>{line}{_ends(low, high, label)}', description)


def color_bar(name: str, colors: NDArray[np.uint8], limits: tuple[float, float]) -> str:
    """Return what the colours of an index mean.

    Args:
        name: Name of the index.
        colors: RGB from low to high, uint8 [N, 3].
        limits: Values of the first and the last colour.
    """
    stops = ", ".join("#{:02x}{:02x}{:02x}".format(*color) for color in colors.tolist())
    low, high = limits
    return (
        f"<div role='img' aria-label='colours of {escape(name)}'><b>{escape(name)}</b>"
        f"<div style='width:160px;height:10px;background:linear-gradient(to right, {stops})'></div>"
        f"<span style='display:flex;justify-content:space-between'><span>{low:.2f}</span>"
        f"<span>{high:.2f}</span></span></div>"
    )


def lines(series: Mapping[str, Points], across: str, up: str) -> str:
    """Return lines through points (x, y), each with its name.

    Args:
        series: Points (x, y) by name; a point whose y is NaN is left out.
        across: Name of x.
        up: Name of y.
    """
    finite = {name: [(x, y) for x, y in points if np.isfinite(y)] for name, points in series.items()}
    corners = np.array([point for points in finite.values() for point in points], float).reshape(-1, 2)
    if not len(corners):
        return ""
    (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
    low, right, high = min(0.0, float(low)), max(float(right), float(left) + 1e-9), max(float(high), float(low) + 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + 6 + (x - left) / (right - left) * (WIDTH - LEFT - 12),
            TOP + (high - y) / (high - low) * (HEIGHT - BOTTOM - TOP),
        )

    drawn = "".join(_line([place(x, y) for x, y in points], i) for i, points in enumerate(finite.values()))
    ticks = f'<text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{high:.3g}</text>' + (
        f'<text x="{LEFT - 4}" y="{HEIGHT - BOTTOM}" text-anchor="end">{low:.3g}</text>'
    )
    description = f"{up} by {across}: {', '.join(series)}"
    body = _svg(f"{drawn}{ticks}{_ends(float(left), right, across)}", description)
    return f"<div>{escape(up)}</div>{body}{_legend([*series])}"


def _line(points: list[tuple[float, float]], number: int) -> str:
    color, dash = COLORS[number % len(COLORS)], DASHES[number // len(COLORS) % len(DASHES)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{color}"/>' for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.8"{dashes}/>{dots}'


def _legend(names: Sequence[str]) -> str:
    if len(names) < 2:  # noqa: PLR2004 (one line needs no legend)
        return ""
    keys = (
        f"<span style='margin-right: 1em; white-space: nowrap'><span style='color: {COLORS[i % len(COLORS)]}'>●</span> "
        f"{escape(name)}</span>"
        for i, name in enumerate(names)
    )
    return f"<div>{' '.join(keys)}</div>"


def _ends(low: float, high: float, label: str) -> str:
    """Return the axis below: its ends, and what it is."""
    base = HEIGHT - BOTTOM
    return (
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{base}" y2="{base}" stroke="currentColor" stroke-width=".7"/>'
        f'<text x="{LEFT}" y="{base + 13}">{low:.3g}</text>'
        f'<text x="{WIDTH}" y="{base + 13}" text-anchor="end">{high:.3g}</text>'
        f'<text x="{(LEFT + WIDTH) / 2}" y="{base + 25}" text-anchor="middle">{escape(label)}</text>'
    )


def _svg(body: str, description: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(description)}" fill="currentColor" '
        f'style="width: 100%; max-width: 520px; font-size: 11px">{body}</svg>'
    )
