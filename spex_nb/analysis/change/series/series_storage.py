"""A series as a folder, and back: areas, rasters of frequency, a mask for each date, charts and an explanation."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spex_nb.analysis.change.result import Area
from spex_nb.analysis.change.series.series_result import ChangeSeries, DateArea
from spex_nb.analysis.change.storage.stored_rasters import read_layers
from spex_nb.errors import GridWarning
from spex_nb.extraction.memory import return_free_memory
from spex_nb.language.languages import LANGUAGES
from spex_nb.output.export import save_cog
from spex_nb.output.files import write_folder_whole
from spex_nb.output.plotting import picture_bytes
from spex_nb.output.stored_files import reading_stored, require_plain_file
from spex_nb.scene.windows.rasters import probe
from spex_nb.types.targets import TARGETS
from spex_nb.types.typed_json import decode, read_json

DESCRIPTION, FREQUENCY, OBSERVATIONS = "series.json", "frequency.tif", "observations.tif"
TABLE, EXPLANATION, MASKS = "areas.csv", "explanation.txt", "masks"
FORMAT = 1
PERCENTS = {*range(101), 255}
_DATE = re.compile(r"\d{4}(-\d\d){0,2}")


def save_series(series: ChangeSeries, folder: Path, *, overwrite: bool = False) -> Path:
    """Write a series into a folder; all of it or nothing.

    Raises:
        OutputError: If the folder exists and may not be overwritten, holds something else, or cannot be written; if the
            disk is full.
    """
    pixels = series.observations.size * (len(series.areas) + 1 + len(series.scenes))
    with (
        write_folder_whole(folder, overwrite, DESCRIPTION, needs_bytes=3 * pixels) as part,
        warnings.catch_warnings(action="ignore", category=GridWarning),  # the areas in pixels say that there is no CRS
    ):
        return_free_memory(pixels)
        save_cog(series.frequency, part / FREQUENCY)
        save_cog(series.observations, part / OBSERVATIONS)
        (part / MASKS).mkdir()
        for date, file in series.mask_files.items():
            (part / MASKS / f"{date}.tif").write_bytes(file.read_bytes())
        (part / TABLE).write_text(series.table().to_csv(index=False), encoding="utf-8")
        for target in series.areas:
            (part / f"{target}_areas.png").write_bytes(picture_bytes(series.plot(target)))
        (part / EXPLANATION).write_text(series.explanation + "\n", encoding="utf-8")
        text = json.dumps(describe_series(series), indent=1, ensure_ascii=False, allow_nan=False)
        (part / DESCRIPTION).write_text(text, encoding="utf-8")
    return folder


def describe_series(series: ChangeSeries) -> dict[str, Any]:
    """Return all figures of a series, as JSON."""
    return {
        "format": FORMAT,
        "scenes": dict(series.scenes),
        "areas": {target: [asdict(of_date) for of_date in dates] for target, dates in series.areas.items()},
        "ground": asdict(series.ground),
        "common": asdict(series.common),
        "doubts": [*series.doubts],
        "frequency_attributes": {str(name): str(text) for name, text in series.frequency.attrs.items()},
        "explanation": series.explanation,
        "language": series.language,
        "provenance": dict(series.provenance),
    }


@dataclass(frozen=True)
class _Description:
    """What `series.json` holds; every key is known and every value of its type."""

    format: int
    scenes: Mapping[str, str]
    areas: Mapping[str, tuple[DateArea, ...]]
    ground: Area
    common: Area
    doubts: tuple[str, ...]
    frequency_attributes: Mapping[str, str]
    explanation: str
    provenance: Mapping[str, Any]
    language: str = "en"

    def __post_init__(self) -> None:
        """Refuse a later format, an unknown language, dates that are no dates, and areas of other dates or targets."""
        if self.format != FORMAT:
            raise ValueError(f"format {self.format}")
        if self.language not in LANGUAGES:
            raise ValueError(f"the language {self.language}")
        strange = [date for date in self.scenes if not _DATE.fullmatch(date)]
        if strange or len(self.scenes) < 2:  # noqa: PLR2004 (or there is no series)
            raise ValueError(f"scenes of the dates {', '.join(self.scenes)}")
        if not self.areas or not set(self.areas) <= set(TARGETS):
            raise ValueError(f"areas of {', '.join(self.areas) or 'nothing'}")
        for target, dates in self.areas.items():
            if [of_date.date for of_date in dates] != [*self.scenes]:
                raise ValueError(f"areas of {target} on other dates than those of the scenes")


def load_series(folder: str | Path) -> ChangeSeries:
    """Read a series that was saved.

    Args:
        folder: What `ChangeSeries.save` or `compare_series` wrote.

    Raises:
        SourceNotFoundError: If the folder holds no series.
        ExtractionError: If it is damaged, was written by a later version, or holds more than a series.
    """
    place = Path(folder)
    with reading_stored(place, DESCRIPTION, "series", writer="compare_series", version=FORMAT, again="compare again"):
        return _loaded(place)


def _loaded(place: Path) -> ChangeSeries:
    require_plain_file(place / DESCRIPTION)
    description: _Description = decode(_Description, read_json(place / DESCRIPTION))
    targets = tuple(description.areas)
    frequency = read_layers(place / FREQUENCY, targets, PERCENTS).assign_attrs(description.frequency_attributes)
    grid = probe(place / FREQUENCY, driver="GTiff").grid
    counts = {*range(len(description.scenes) + 1)}
    observations = read_layers(place / OBSERVATIONS, ("observations",), counts, grid)["observations"]
    files = {date: place / MASKS / f"{date}.tif" for date in description.scenes}
    for file in files.values():
        _require_mask(file, frequency.sizes["y"], frequency.sizes["x"])
    return ChangeSeries(
        areas=description.areas,
        frequency=frequency,
        observations=observations,
        ground=description.ground,
        common=description.common,
        scenes=description.scenes,
        doubts=description.doubts,
        mask_files=files,
        provenance=description.provenance,
        language=description.language,
    )


def _require_mask(file: Path, height: int, width: int) -> None:
    require_plain_file(file)
    raster = probe(file, driver="GTiff")
    if raster.dtypes != ("uint8",) or (raster.grid.height, raster.grid.width) != (height, width):
        raise ValueError(f"{file.name} does not belong to the series")
