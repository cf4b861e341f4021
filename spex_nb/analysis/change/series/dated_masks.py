"""Each scene of a series on the shared grid, and the mask that is extracted from it there."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from spex_nb.analysis.change.alignment.opened_scene import identity_of
from spex_nb.analysis.change.alignment.overlap import grid_of, shared_grid, whole_pixel_grid
from spex_nb.analysis.change.alignment.registration import Registration, register
from spex_nb.analysis.change.alignment.scene_on_grid import SceneOnGrid
from spex_nb.analysis.change.doubts import distrust_of
from spex_nb.analysis.change.noise import count_noise
from spex_nb.analysis.change.series.scene_dates import DatedScene
from spex_nb.analysis.change.unfinished import ExtractionChoices, RunSettings, extract_or_load
from spex_nb.errors import BandError, GridWarning
from spex_nb.extraction.memory import return_free_memory
from spex_nb.output.export import save_cog
from spex_nb.output.files import write_whole
from spex_nb.regions.ground import EqualAreaGrid
from spex_nb.scene.grid import Grid
from spex_nb.scene.open import on_grid
from spex_nb.types.typed_json import decode, read_json


@dataclass(frozen=True)
class DatedMask:
    """What was extracted from one scene of a series, beside its pixels.

    Attributes:
        date: Of the scene.
        name: Of the scene.
        origin: Where its date stands.
        sensor: Id of its sensor.
        gsd_m: Side of its own pixels; None where it is not known.
        targets: Ids, in the order of their numbers in the mask.
        appeared_frac: By target, the share of the ground that as much noise again adds to it.
        vanished_frac: By target, the share of the ground that it removes.
        answered_by: By target, ``index`` or the id of the model.
        distrust: Sentences that call the extraction untrusted.
        failures: Number of tiles that failed.
        is_interpolated: Whether pixels of the shared grid lie between its own.
        is_relative: Whether its values are not calibrated.
        has_cloud_mask: Whether clouds were left out.
        scene_hash: Of the pixels that were read.
        uncertainty_px: What its place may be wrong by; 0 for the scene that the others are laid over.
        is_shift_measured: Whether its shift is known.
    """

    date: str
    name: str
    origin: str
    sensor: str
    gsd_m: float | None
    targets: tuple[str, ...]
    appeared_frac: Mapping[str, float]
    vanished_frac: Mapping[str, float]
    answered_by: Mapping[str, str]
    distrust: tuple[str, ...]
    failures: int
    is_interpolated: bool
    is_relative: bool
    has_cloud_mask: bool
    scene_hash: str
    uncertainty_px: float
    is_shift_measured: bool


@dataclass(frozen=True, eq=False)
class AlignedSeries:
    """Scenes of a series on one grid.

    Attributes:
        scenes: In the order of their dates.
        grid: The shared grid.
        reference: Number of the scene that the others are laid over.
        bands: Those that all scenes have.
    """

    scenes: tuple[DatedScene, ...]
    grid: Grid
    reference: int
    bands: tuple[str, ...]

    @classmethod
    def of(cls, scenes: Sequence[DatedScene]) -> AlignedSeries:
        """Return scenes with the grid and the bands that they share.

        Raises:
            GridError: If they share no ground, or only some of them lie on the map.
            BandError: If they have no band in common.
        """
        opened = [scene.opened.scene for scene in scenes]
        grid, reference = shared_grid(opened, [scene.name for scene in scenes])
        bands = tuple(name for name in opened[0].spex.bands if all(name in other.spex.bands for other in opened))
        if not bands:
            raise BandError(
                "The scenes have no band in common",
                found="; ".join(f"{scene.name}: {', '.join(scene.opened.scene.spex.bands)}" for scene in scenes),
                expected="at least one band of the same name in all scenes",
                fix="Open them with bands= or sensor=, so that their bands have STAC common names.",
            )
        return cls(tuple(scenes), grid, reference, bands)

    @property
    def identity(self) -> dict[str, Any]:
        """What tells the series from another one, as JSON."""
        return {"dates": [scene.date for scene in self.scenes]} | identity_of([scene.opened for scene in self.scenes])

    @cached_property
    def ground(self) -> EqualAreaGrid | None:
        """Measures the pixels; None where they lie off the map."""
        return EqualAreaGrid.of(self._reader(self.reference).dataset())

    def registration(self, number: int) -> Registration | None:
        """Return how a scene lies over the reference; None for the reference itself."""
        if number == self.reference:
            return None
        shape = (self.grid.height, self.grid.width)
        return register(self._reader(self.reference), self._reader(number), shape)

    def on_grid(self, number: int, registration: Registration | None) -> tuple[xr.Dataset, bool]:
        """Return a scene on the grid, moved by its shift, and whether it was interpolated.

        Pixels of the same size and direction are moved by whole pixels, for interpolation smooths, and an index finds
        less of what is small in a smooth scene.
        """
        scene = self.scenes[number].opened.scene
        shift_px = (0.0, 0.0) if registration is None else registration.shift_px
        pixels = whole_pixel_grid(self.grid, grid_of(scene), shift_px)
        if pixels is None:
            reader = self._reader(number, shift_px)
            return reader.dataset(), reader.is_interpolated
        moved = SceneOnGrid(scene, pixels, self.bands).dataset()
        return on_grid(moved.drop_vars(["x", "y", "spatial_ref"], errors="ignore"), self.grid), False

    def _reader(self, number: int, shift_px: tuple[float, float] = (0.0, 0.0)) -> SceneOnGrid:
        return SceneOnGrid(self.scenes[number].opened.scene, self.grid, self.bands, shift_px)


@dataclass(frozen=True)
class MaskFolder:
    """A folder with the masks of a series, each a GeoTIFF and what is known of it.

    Attributes:
        folder: Where they lie.
    """

    folder: Path

    def raster(self, date: str) -> Path:
        """Return the file of the mask of a date."""
        return self.folder / f"{date}.tif"

    def read(self, date: str) -> DatedMask | None:
        """Return what is known of the mask of a date; None where it is not done."""
        file = self._facts(date)
        if not file.is_file() or not self.raster(date).is_file():
            return None
        mask: DatedMask = decode(DatedMask, read_json(file))
        return mask

    def write(self, mask: DatedMask, pixels: xr.DataArray) -> None:
        """Keep a mask; what is known of it comes last and says that it is whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings(action="ignore", category=GridWarning):  # areas in pixels say it
            save_cog(pixels, self.raster(mask.date), overwrite=True)
        with write_whole(self._facts(mask.date), overwrite=True) as part:
            part.write_text(json.dumps(asdict(mask)), encoding="utf-8")

    def _facts(self, date: str) -> Path:
        return self.folder / f"{date}.json"


def extract_series(
    series: AlignedSeries, choices: ExtractionChoices, settings: RunSettings, seed: int, masks: MaskFolder
) -> tuple[DatedMask, ...]:
    """Extract every scene of a series that is not done; arguments and errors as of `compare_series`.

    Args:
        series: The scenes on their grid.
        choices: How they are extracted.
        settings: As of `extract`.
        seed: Of the noise that the intervals are tried with.
        masks: Where the masks are kept.
    """
    return tuple(
        masks.read(scene.date) or _extract(series, number, choices, settings, seed, masks)
        for number, scene in enumerate(series.scenes)
    )


def _extract(
    series: AlignedSeries,
    number: int,
    choices: ExtractionChoices,
    settings: RunSettings,
    seed: int,
    masks: MaskFolder,
) -> DatedMask:
    dated = series.scenes[number]
    registration = series.registration(number)
    scene, is_interpolated = series.on_grid(number, registration)
    place = masks.folder / f"extraction-{dated.date}"
    masks.folder.mkdir(parents=True, exist_ok=True)
    result = extract_or_load(scene, choices, settings, place)
    noise = count_noise(scene, choices, seed)
    mask = DatedMask(
        date=dated.date,
        name=dated.name,
        origin=dated.origin,
        sensor=str(scene.attrs.get("sensor", "unknown")),
        gsd_m=dated.opened.scene.spex.gsd_m,
        targets=tuple(result.class_names),
        appeared_frac={target: noise.frac(noise.appeared, target) for target in result.class_names},
        vanished_frac={target: noise.frac(noise.vanished, target) for target in result.class_names},
        answered_by=dict(result.provenance["answered_by"]),
        distrust=distrust_of(result),
        failures=len(result.failures),
        is_interpolated=is_interpolated,
        is_relative=bool(scene.spex.is_relative),
        has_cloud_mask="cloud" in str(scene.attrs.get("valid_reason", "")),
        scene_hash=str(result.provenance["scene_hash"]),
        uncertainty_px=0.0 if registration is None else registration.uncertainty_px,
        is_shift_measured=registration is None or registration.is_measured,
    )
    masks.write(mask, result.mask)
    shutil.rmtree(place, ignore_errors=True)
    return_free_memory(result.mask.size)
    return mask
