"""Work units of a build: one worker builds some tiles of one scene, and then writes their journal."""

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
import xarray as xr

from spex_nb.errors import DatasetError, EmptySceneError, OutputError, SpexError, SpexWarning
from spex_nb.output.files import write_whole
from spex_nb.spie.date_labels import Label, labels_on_date
from spex_nb.spie.label_conflicts import find_conflicts
from spex_nb.spie.make_records import QAPair, Rewrite, make_qa_pairs
from spex_nb.spie.records import Record
from spex_nb.spie.settings import Settings, split_of
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.tiles import BUILD_AGAIN, write_mask, write_rgb, write_tile
from spex_nb.types import Window

WORK_UNITS = 64
"""A build has about this many work units at least, so that several workers have something to do."""
STRIP_PX = 8192
"""Widest strip of neighbouring tiles that are read together. Memory does not grow with the scene."""
INDEX_COLUMNS = (
    "id",
    "tile",
    "dataset",
    "place",
    "split",
    "official_split",
    "sensor",
    "bands",
    "gsd_m",
    "target",
    "source",
    "language",
    "share_frac",
    "regions",
    "template",
    "tile_hash",
    "image",
    "mask",
)
"""Columns of ``index.parquet``."""
Entry = tuple[Record, dict[str, Any]]
"""A record, and its row of the index."""


@dataclass(frozen=True)
class WorkUnit:
    """Some tiles of one scene. A worker builds one unit at a time; after a kill, unfinished units start again."""

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
        """File of the records and failures; it exists once the unit is finished."""
        return self.folder / "parts" / f"{self.name}.json"

    @property
    def is_done(self) -> bool:
        """Whether the unit is finished without failures, and all its files still exist."""
        try:
            journal = read_journal(self.journal)
            files = {path for row in journal["rows"] for path in (row["image"], row["mask"])}
            sizes = {path: (self.folder / path).stat().st_size for path in files}
        except (OSError, ValueError, LookupError, TypeError):  # none yet, or damaged
            return False
        stored = journal.get("sizes", sizes)  # version 0.1 stored none
        return not journal["failures"] and stored == sizes and all(sizes.values())


def cut_work_units(
    scenes: Sequence[LabelledScene], settings: Settings, folder: Path, rewrite: Rewrite | None
) -> list[WorkUnit]:
    """Divide scenes into work units.

    Raises:
        DatasetError: If there is no scene, or two have one name.
    """
    doubled = sorted(name for name, times in Counter(scene.id for scene in scenes).items() if times > 1)
    if doubled or not scenes:
        raise DatasetError(
            "A dataset cannot be built of these scenes",
            found=f"{', '.join(doubled[:5])} twice" if doubled else "no scene",
            expected="at least one labelled scene, each with another name",
            fix="Give each scene once, and sets whose scenes are called alike different dataset=… names."
            if doubled
            else "Check that the folder is the right one and that its images end in .tif.",
        )
    parts_of_each = -(-WORK_UNITS // len(scenes))
    units = []
    for scene in scenes:
        parts = _parts(scene, parts_of_each, settings.tile_px)
        units += [WorkUnit(scene, part, parts, settings, folder, rewrite) for part in range(parts)]
    return units


def _parts(scene: LabelledScene, wanted: int, tile_px: int) -> int:
    """Return into how many work units a scene is divided: no more than it has tiles."""
    if wanted == 1:
        return 1
    try:
        return min(wanted, len(_all_windows(scene.shape, tile_px)))
    except SpexError:  # the one unit reports it
        return 1


def read_journal(path: Path) -> dict[str, Any]:
    """Return the journal of a finished work unit.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no journal.
    """
    journal = json.loads(path.read_text(encoding="utf-8"))
    kinds = {"records": list, "rows": list, "failures": dict, "tiles": int, "left_out": int}
    if not isinstance(journal, dict) or not all(isinstance(journal.get(name), kind) for name, kind in kinds.items()):
        raise ValueError(f"{path} is no journal")
    return journal


def build_work_unit(unit: WorkUnit) -> None:
    """Build the tiles and records of a work unit, and write its journal."""
    journal = _Journal()
    strips = journal.attempt(unit.name, partial(_Strips.of, unit))
    if strips is not None:
        for window in strips.windows:
            name = f"{unit.scene.id}-{window[0]}-{window[1]}"
            entries = journal.attempt(name, partial(_build_tile, strips, window, name, unit))
            if entries is not None:
                journal.add(entries)
        journal.left_out += strips.empty
    journal.sizes = {path: (unit.folder / path).stat().st_size for path in journal.files}
    with write_whole(unit.journal, overwrite=True, removes_leftovers=False, fix=BUILD_AGAIN) as part:
        part.write_text(json.dumps(asdict(journal), ensure_ascii=False), encoding="utf-8")


class _Strips:
    """Reads the tiles of a work unit in strips of neighbours, since blocks of a file are larger than tiles."""

    def __init__(self, scene: Any, windows: list[Window], empty: int = 0) -> None:
        self.windows, self.empty = windows, empty
        self._scene = scene
        self._left = self._right = self._row = -1
        self._strip: Any = None

    @classmethod
    def of(cls, unit: WorkUnit) -> _Strips:
        """Open the scene of a work unit. All tiles of a scene without data count as ``empty``."""
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
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of each tile and mask, by path: a file of another size was cut since."""

    @property
    def files(self) -> list[str]:
        """Paths of its tiles and masks, each once."""
        return sorted({row[name] for row in self.rows for name in ("image", "mask")})

    def attempt(self, name: str, work: Callable[[], Any]) -> Any:
        """Return the result of some work. It is tried twice, in case a drive was busy; then the failure is noted.

        Raises:
            OutputError: If the disk is full.
        """
        for last in (False, True):
            try:
                return work()
            except OutputError:  # the disk is full: no other tile would fit
                raise
            except Exception as error:  # noqa: BLE001 (the other tiles go on; the report names the failure)
                if last:
                    self.failures[name] = f"{type(error).__name__}: {error}"
        return None

    def add(self, entries: list[Entry]) -> None:
        """Add the records of a tile; a tile without any is left out."""
        self.tiles += bool(entries)
        self.left_out += not entries
        self.records += [record.to_json() for record, _ in entries]
        self.rows += [row for _, row in entries]


def _windows(shape: tuple[int, int], unit: WorkUnit) -> list[Window]:
    """Return the windows of a work unit: its share of the tiles of the scene."""
    windows = _all_windows(shape, unit.settings.tile_px)
    first, end = (len(windows) * part // unit.parts for part in (unit.part, unit.part + 1))
    return windows[first:end]


def _all_windows(shape: tuple[int, int], side: int) -> list[Window]:
    """Return the windows of a scene's tiles; the last of a row or column moves inwards to end at the edge."""
    height, width = (min(side, length) for length in shape)
    rows, cols = (
        sorted({*range(0, length - step + 1, step), length - step})
        for length, step in zip(shape, (height, width), strict=True)
    )
    return [(row, col, height, width) for row in rows for col in cols]


def _build_tile(strips: _Strips, window: Window, name: str, unit: WorkUnit) -> list[Entry]:
    """Write a tile with its masks; return its records and rows of the index, none for a tile that is left out."""
    settings, source = unit.settings, unit.scene
    tile = strips.tile(window)
    valid = tile.spex.valid.values
    if valid.mean() < settings.min_valid_frac:
        return []
    split = source.split or split_of(f"{source.dataset}/{source.place}", settings)
    labels = _labels(tile, window, split, unit)
    with warnings.catch_warnings(action="ignore", category=SpexWarning):  # spie.check reports them for the whole set
        pairs = make_qa_pairs(tile, labels, name, split, settings, unit.rewrite)
    if not pairs:
        return []
    digest = write_tile(tile, unit.folder / f"images/{name}.tif")
    if settings.rgb:
        write_rgb(tile, unit.folder / f"images/{name}.png")
    for pair in pairs:
        mask, is_known = labels[pair.target]
        write_mask(mask & valid, is_known & valid, unit.folder / _mask_path(name, pair))
    return [_entry(tile, digest, name, pair, split, source) for pair in pairs]


def _labels(tile: xr.Dataset, window: Window, split: str, unit: WorkUnit) -> dict[str, Label]:
    """Return the labels of a tile, as the settings of the build want them read."""
    settings, source = unit.settings, unit.scene
    labels = source.labels(window)
    if settings.labels == "on_date" and not source.is_drawn:  # who draws labels looks at the date
        labels = labels_on_date(tile, labels)
    if not settings.drop_conflicts or split != "train":
        return labels
    return {
        target: (mask, is_known & ~find_conflicts(tile, target, mask)) for target, (mask, is_known) in labels.items()
    }


def _mask_path(name: str, pair: QAPair) -> str:
    return f"masks/{name}-{pair.target}.png"


def _entry(tile: xr.Dataset, digest: str, name: str, pair: QAPair, split: str, source: LabelledScene) -> Entry:
    """Return the record of a question with its row of the index."""
    record = Record(
        id=f"{name}-{pair.target}",
        image=f"images/{name}.tif",
        gt_image=_mask_path(name, pair),
        prompt=pair.prompt,
        answer=pair.answer,
        target=pair.target,
        source=pair.source,
        language=pair.language,
        split=split,
        place=f"{source.dataset}/{source.place}",
    )
    row = {
        "id": record.id,
        "tile": name,
        "dataset": source.dataset,
        "place": record.place,
        "split": split,
        "official_split": bool(source.split),
        "sensor": str(tile.attrs.get("sensor", "")),
        "bands": " ".join(tile.spex.bands),
        "gsd_m": tile.spex.gsd_m or np.nan,
        "target": pair.target,
        "source": pair.source,
        "language": pair.language,
        "share_frac": pair.share_frac,
        "regions": pair.regions,
        "template": pair.template,
        "tile_hash": digest,
        "image": record.image,
        "mask": record.gt_image,
    }
    return record, row
