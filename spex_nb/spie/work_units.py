"""A unit of a build: some tiles of one scene, made by one worker, with a journal that says that it is done."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spex_nb.errors import DatasetError, EmptySceneError, SpexError, SpexWarning
from spex_nb.output.files import write_whole
from spex_nb.spie.date_labels import labels_on_date
from spex_nb.spie.label_conflicts import doubtful
from spex_nb.spie.make_records import Rewrite, instruct
from spex_nb.spie.records import Record
from spex_nb.spie.settings import Settings, split_of
from spex_nb.spie.sources.catalogue import list_facts
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.tiles import write_mask, write_rgb, write_tile
from spex_nb.types import Window

UNITS = 64
"""Few scenes are cut into about this many units of work, so that several workers have something to do."""
STRIP_PX = 8192
"""Tiles side by side are read together, but no wider than this: memory does not grow with the scene."""
INDEX_COLUMNS = (
    "id", "tile", "dataset", "place", "split", "official_split", "sensor", "bands", "gsd_m", "target", "source",
    "language", "share_frac", "regions", "template", "tile_hash", "image", "mask",
)  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """Some tiles of one scene: what one worker does at a time, and what is done again after a kill."""

    scene: LabelledScene
    part: int
    parts: int
    settings: Settings
    folder: Path
    rewrite: Rewrite | None = None

    @property
    def name(self) -> str:
        """Unique in the dataset, and fit for a file name."""
        return f"{self.scene.id}-{self.part}"

    @property
    def journal(self) -> Path:
        """The file that exists once the unit is done."""
        return self.folder / "parts" / f"{self.name}.json"

    @property
    def is_done(self) -> bool:
        """Whether it was done, without failures, and what it made is still there."""
        try:
            done = json.loads(self.journal.read_text(encoding="utf-8"))
            made = {path for row in done["rows"] for path in (row["image"], row["mask"])}
        except (OSError, ValueError, LookupError, TypeError):  # none yet, or damaged
            return False
        return not done["failures"] and all((self.folder / path).exists() for path in made)


def units_of(scenes: Sequence[LabelledScene], settings: Settings, folder: Path, rewrite: Rewrite | None) -> list[Unit]:
    """Cut scenes into units.

    Raises:
        DatasetError: If there is no scene, or two have one name.
    """
    doubled = sorted(name for name, times in Counter(scene.id for scene in scenes).items() if times > 1)
    if doubled or not scenes:
        raise DatasetError(
            "A dataset cannot be built of these scenes",
            found=f"{', '.join(doubled[:5])} twice" if doubled else "no scene",
            expected="at least one labelled scene, each with a name of its own",
            fix="Give each scene once, and sets whose scenes are called alike different dataset=… names."
            if doubled
            else "Check that the folder is the right one and that its images end in .tif.",
        )
    return [
        Unit(scene, part, parts, settings, folder, rewrite)
        for scene in scenes
        for parts in (_parts(scene, -(-UNITS // len(scenes)), settings.tile_px),)
        for part in range(parts)
    ]


def _parts(scene: LabelledScene, wanted: int, tile_px: int) -> int:
    """Return into how many units a scene is cut: no more than it has tiles."""
    if wanted == 1:
        return 1
    try:
        return min(wanted, len(_all_windows(scene.shape, tile_px)))
    except SpexError:  # the one unit reports it
        return 1


def build_unit(unit: Unit) -> None:
    """Make the tiles and records of a unit, then its journal."""
    done = _Journal()
    strips = done.attempt(unit.name, partial(_Strips.of, unit))
    if strips is not None:
        for window in strips.windows:
            name = f"{unit.scene.id}-{window[0]}-{window[1]}"
            made = done.attempt(name, partial(_build_tile, strips, window, name, unit))
            if made is not None:
                done.add(made)
        done.left_out += strips.empty
    with write_whole(unit.journal, overwrite=True) as part:
        part.write_text(json.dumps(asdict(done), ensure_ascii=False), encoding="utf-8")


class _Strips:
    """The tiles of a unit, read several side by side: blocks of the file are larger than tiles."""

    def __init__(self, scene: Any, windows: list[Window], empty: int = 0) -> None:
        self.windows, self.empty = windows, empty
        self._scene = scene
        self._left = self._right = self._row = -1
        self._strip: Any = None

    @classmethod
    def of(cls, unit: Unit) -> _Strips:
        """Open the scene of a unit; one without any data has ``empty`` tiles only."""
        shape, side = unit.scene.shape, unit.settings.tile_px
        windows = _windows(shape, unit)
        is_small = shape[0] <= side and shape[1] <= STRIP_PX
        try:
            return cls(unit.scene.open("auto" if is_small else (side, STRIP_PX)), windows)
        except EmptySceneError:
            return cls(None, [], len(windows))

    def tile(self, window: Window) -> Any:
        row, col, height, width = window
        if row != self._row or col + width > self._right:
            self._row, self._left = row, col
            ends = (c + w for r, c, _, w in self.windows if r == row and c >= col)
            self._right = max(end for end in ends if end <= max(col + width, col + STRIP_PX))
            strip = self._scene.spex.window(row, col, height, self._right - col)
            # Not by the default scheduler: in a cluster's worker that would be the cluster, which waits for this task.
            self._strip = strip.compute(scheduler="synchronous")
        return self._strip.spex.window(0, col - self._left, height, width)


@dataclass
class _Journal:
    records: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    tiles: int = 0
    left_out: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    def attempt(self, name: str, work: Callable[[], Any]) -> Any:
        """Return what the work gives. It is tried twice, for a drive may have hiccuped; then it is noted, for None."""
        for last in (False, True):
            try:
                return work()
            except Exception as error:  # noqa: BLE001 (whatever it is, the other tiles go on, and it is reported)
                if last:
                    self.failures[name] = f"{type(error).__name__}: {error}"
        return None

    def add(self, made: list[tuple[Record, dict[str, Any]]]) -> None:
        self.tiles += bool(made)
        self.left_out += not made
        self.records += [record.to_json() for record, _ in made]
        self.rows += [row for _, row in made]


def _windows(shape: tuple[int, int], unit: Unit) -> list[Window]:
    """Return the unit's share of the scene's tiles."""
    every = _all_windows(shape, unit.settings.tile_px)
    first, end = (len(every) * part // unit.parts for part in (unit.part, unit.part + 1))
    return every[first:end]


def _all_windows(shape: tuple[int, int], side: int) -> list[Window]:
    """Return the tiles of a scene; the last of a row or column is moved inwards to end at the edge."""
    height, width = (min(side, length) for length in shape)
    rows, cols = (
        sorted({*range(0, length - step + 1, step), length - step})
        for length, step in zip(shape, (height, width), strict=True)
    )
    return [(row, col, height, width) for row in rows for col in cols]


def _build_tile(strips: _Strips, window: Window, name: str, unit: Unit) -> list[tuple[Record, dict[str, Any]]]:
    settings, source = unit.settings, unit.scene
    tile = strips.tile(window)
    if tile.spex.valid.values.mean() < settings.min_valid_frac:
        return []
    labels = source.labels(window)
    if settings.labels == "on_date" and source.dataset in list_facts():  # who draws labels looks at the date
        labels = labels_on_date(tile, labels)
    split = source.split or split_of(f"{source.dataset}/{source.place}", settings)
    if settings.doubtful and split == "train":
        labels = {target: (mask, known & ~doubtful(tile, target, mask)) for target, (mask, known) in labels.items()}
    with warnings.catch_warnings(action="ignore", category=SpexWarning):  # said of the whole, by spie.check
        lessons = instruct(tile, labels, name, split, settings, unit.rewrite)
    if not lessons:
        return []
    image, digest = f"images/{name}.tif", write_tile(tile, unit.folder / f"images/{name}.tif")
    gsd_m = tile.spex.gsd_m or np.nan
    if settings.rgb:
        write_rgb(tile, unit.folder / f"images/{name}.png")
    made = []
    for lesson in lessons:
        mask, known = labels[lesson.target]
        valid = tile.spex.valid.values
        path = f"masks/{name}-{lesson.target}.png"
        write_mask(mask & valid, known & valid, unit.folder / path)
        record = Record(
            f"{name}-{lesson.target}", image, path, lesson.prompt, lesson.answer, lesson.target, lesson.source,
            lesson.language, split, f"{source.dataset}/{source.place}",
        )  # fmt: skip
        row = {
            "id": record.id, "tile": name, "dataset": source.dataset, "place": record.place, "split": split,
            "official_split": bool(source.split), "sensor": str(tile.attrs.get("sensor", "")),
            "bands": " ".join(tile.spex.bands), "gsd_m": gsd_m, "target": lesson.target, "source": lesson.source,
            "language": lesson.language, "share_frac": lesson.share_frac, "regions": lesson.regions,
            "template": lesson.template, "tile_hash": digest, "image": image, "mask": path,
        }  # fmt: skip
        made.append((record, row))
    return made
