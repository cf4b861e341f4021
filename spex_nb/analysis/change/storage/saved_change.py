"""A change as a folder: a raster of classes, polygons, the explanation, and one JSON file of figures."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spex_nb.analysis.change.result import CLASS_COLORS, Area, Change, TargetChange
from spex_nb.errors import GridWarning
from spex_nb.extraction.memory import return_free_memory
from spex_nb.output.export import save_cog, save_geopackage
from spex_nb.output.files import write_folder_whole

DESCRIPTION, CLASSES, REGIONS, EXPLANATION = "change.json", "classes.tif", "regions.gpkg", "explanation.txt"
FILES = (DESCRIPTION, CLASSES, REGIONS, EXPLANATION)
"""What the folder of a change holds."""
FORMAT = 1


def save_change(change: Change, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a change into a folder; all of it or nothing.

    Args:
        change: The result of `compare`.
        folder: The folder to write.
        overwrite: Whether an existing change is replaced (default: no).

    Raises:
        OutputError: If the folder exists and may not be overwritten, holds something else, or cannot be written; if the
            disk is full.
    """
    pixels = sum(classes.size for classes in change.classes.data_vars.values())
    with (
        write_folder_whole(folder, overwrite, DESCRIPTION, needs_bytes=3 * pixels) as part,
        warnings.catch_warnings(action="ignore", category=GridWarning),  # the explanation says that there is no CRS
    ):
        return_free_memory(pixels)
        colors = CLASS_COLORS if len(change.targets) == 1 else None  # a GeoTIFF of several layers has no colours
        save_cog(change.classes, part / CLASSES, colors=colors)
        save_geopackage(change.regions, part / REGIONS)
        (part / EXPLANATION).write_text(change.explanation + "\n", encoding="utf-8")
        text = json.dumps(describe_change(change), indent=1, ensure_ascii=False, allow_nan=False)
        (part / DESCRIPTION).write_text(text, encoding="utf-8")
    return Path(folder)


def describe_change(change: Change) -> dict[str, Any]:
    """Return all figures of a change, as JSON."""
    return {
        "format": FORMAT,
        "date_before": change.date_before,
        "date_after": change.date_after,
        "targets": {name: _described_target(target) for name, target in change.targets.items()},
        "registration": _without_nan(asdict(change.registration)),
        "compared": _described_area(change.compared),
        "left_out": _described_area(change.left_out),
        "doubts": [*change.doubts],
        "language": change.language,
        "asked_classes": [*change.asked_classes],
        "meaning": change.meaning,
        "explanation": change.explanation,
        "class_attributes": {str(name): str(text) for name, text in change.classes.attrs.items()},
        "columns": {name: str(kind) for name, kind in change.regions.dtypes.items() if name != "geometry"},
        "provenance": dict(change.provenance),
    }


def _described_target(change: TargetChange) -> dict[str, Any]:
    areas = dict(change.areas) | {
        "floor_shift": change.floor.shift,
        "floor_noise_gained": change.floor.noise_gain,
        "floor_noise_lost": change.floor.noise_loss,
        "floor_interpolation_gained": change.floor.interpolation_gain,
        "floor_interpolation_lost": change.floor.interpolation_loss,
    }
    described: dict[str, Any] = {name: _described_area(area) for name, area in areas.items()}
    described["floor_windows"] = change.floor.windows
    for name, counts in (("gained_regions", change.gained_regions), ("lost_regions", change.lost_regions)):
        described[name] = {
            "listed": counts.listed,
            "below_floor": counts.below_floor,
            "below_floor_area": _described_area(counts.below_floor_area),
            "unlisted_area": _described_area(counts.unlisted_area),
        }
    return described


def _described_area(area: Area) -> dict[str, float | None]:
    return {"px": area.px, "m2": area.m2, "ha": area.ha}


def _without_nan(figures: dict[str, Any]) -> dict[str, Any]:
    """Return figures with null where there is no number."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in figures.items()
    }
