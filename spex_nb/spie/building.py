"""Building a SPIE dataset: labelled scenes → tiles → records; in parallel, deterministic, and resumed after a kill."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spex_nb.errors import DatasetError, DatasetWarning, SpexWarning
from spex_nb.export import written_whole
from spex_nb.spie.instructing import Rewrite, instruct
from spex_nb.spie.labelled import LabelledScene
from spex_nb.spie.own import Classes, labelled_scenes
from spex_nb.spie.records import SPLITS, Record
from spex_nb.spie.settings import Settings, split_of
from spex_nb.spie.tiles import write_mask, write_rgb, write_tile

UNITS = 64
"""Few scenes are cut into at least this many units of work, so that several workers have something to do."""
WHOLE_WIDTH = 2**20
Window = tuple[int, int, int, int]
"""(row, column, height, width), in pixels."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes:
        folder: Where the dataset is.
        records: How many it holds.
        tiles: How many of the tiles have at least one record.
        left_out: Tiles without enough data, or without anything asked for.
        failures: Names of the tiles that failed, and why. Building again tries them again.
    """

    folder: Path
    records: int
    tiles: int
    left_out: int
    failures: dict[str, str] = field(default_factory=dict)


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
        return f"{self.scene.dataset}-{self.scene.name}-{self.part}"

    @property
    def journal(self) -> Path:
        """The file that exists once the unit is done."""
        return self.folder / "parts" / f"{self.name}.json"

    @property
    def is_done(self) -> bool:
        """Whether it was done, without failures."""
        return self.journal.exists() and not json.loads(self.journal.read_text(encoding="utf-8"))["failures"]


def build(  # noqa: PLR0913 (the one door to all that a build can be)
    scenes: Sequence[LabelledScene] | Sequence[str | Path],
    labels: Sequence[str | Path] | None,
    out: str | Path,
    settings: Settings | None = None,
    *,
    classes: Classes | None = None,
    workers: int | None = None,
    client: Any = None,
    rewrite: Rewrite | None = None,
    progress: bool = True,
) -> BuildReport:
    """Build a dataset, or go on where an earlier build of the same stopped.

    The folder then holds ``train.json``, ``val.json`` and ``test.json`` (LLaVA records), ``index.parquet``, the tiles
    with all their bands in ``images/``, and the masks in ``masks/``. The same scenes and settings give the same
    bytes, whatever the number of workers.

    Args:
        scenes: Labelled scenes, from a reader or ``labelled_scenes``; or files that ``open_scene`` understands.
        labels: None for labelled scenes, which know their labels; for files, as many rasters of class codes.
        out: Folder; made if missing.
        settings: The choices; the default ones if not given.
        classes: For files: what each class code is, such as ``{1: "water", 5: ["road", "built_up"], 9: None}``.
        workers: Processes on this machine; as many as it has cores if not given, 1 for none but this one. A script
            that asks for several needs ``if __name__ == "__main__":``.
        client: A ``distributed.Client``, on whose workers the tiles are made instead; they must see the same folders.
        rewrite: Says an answer in other words (see ``chat_rewriter``); must be picklable for several workers.
        progress: Whether to show a progress bar.

    Returns:
        What was done.

    Raises:
        DatasetError: If there is no scene, two scenes have one name, or the folder holds another build.

    Warns:
        DatasetWarning: If tiles failed; building again tries them again.
    """
    folder = Path(out)
    settings = settings or Settings()
    labelled = _labelled(scenes, labels, classes)
    units = _units(labelled, settings, folder, rewrite)
    _claim(folder, labelled, settings)
    waiting = [unit for unit in units if not unit.is_done]
    _run(waiting, workers or os.cpu_count() or 1, client, progress)
    return _finish(folder, units)


def _labelled(
    scenes: Sequence[Any], labels: Sequence[str | Path] | None, classes: Classes | None
) -> list[LabelledScene]:
    if labels is not None and classes is not None:
        return labelled_scenes(scenes, labels, classes)
    if labels is not None or not all(isinstance(scene, LabelledScene) for scene in scenes):
        raise DatasetError(
            "Scenes and labels do not go together",
            found=f"labels {'without classes' if labels else 'missing'}",
            expected="labelled scenes with labels=None, or files with labels and classes",
            fix="Pass classes={1: 'water', …}, or read the scenes with spie.read_labelled.",
        )
    return list(scenes)


def _units(scenes: Sequence[LabelledScene], settings: Settings, folder: Path, rewrite: Rewrite | None) -> list[Unit]:
    names = [f"{scene.dataset}/{scene.name}" for scene in scenes]
    doubled = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if doubled or not names:
        raise DatasetError(
            "A dataset cannot be built of these scenes",
            found=f"{', '.join(doubled[:5])} twice" if doubled else "no scene",
            expected="at least one labelled scene, each with a name of its own",
            fix="Read the scenes with spie.read_labelled, each folder once.",
        )
    parts = -(-UNITS // len(scenes))
    return [Unit(scene, part, parts, settings, folder, rewrite) for scene in scenes for part in range(parts)]


def _claim(folder: Path, scenes: Sequence[LabelledScene], settings: Settings) -> None:
    """Note what is built in this folder; refuse to mix it with something else."""
    plan = {"settings": asdict(settings), "scenes": [f"{scene.dataset}/{scene.name}" for scene in scenes]}
    text = json.dumps(plan, indent=1, sort_keys=True)
    noted = folder / "build.json"
    if noted.exists() and noted.read_text(encoding="utf-8") != text:
        raise DatasetError(
            "The folder holds a dataset of other scenes or settings",
            found=str(folder),
            expected="a new folder, or the scenes and settings that it was begun with",
            fix="Choose another folder, or delete this one.",
        )
    for name in ("images", "masks", "parts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not noted.exists():
        with written_whole(noted) as part:
            part.write_text(text, encoding="utf-8")


def _run(units: Sequence[Unit], workers: int, client: Any, progress: bool) -> None:
    from tqdm.auto import tqdm

    if client is not None:
        from distributed import as_completed

        futures = client.map(build_unit, units, pure=False, batch_size=1000)
        for future in tqdm(as_completed(futures), total=len(futures), unit="unit", disable=not progress):
            future.result()
        return
    from dask.base import compute
    from dask.delayed import delayed
    from tqdm.dask import TqdmCallback

    scheduler = "processes" if workers > 1 and len(units) > 1 else "synchronous"
    work = [delayed(build_unit, pure=False)(unit) for unit in units]
    with TqdmCallback(unit="unit", disable=not progress):
        compute(*work, scheduler=scheduler, num_workers=workers, optimize_graph=False)


def build_unit(unit: Unit) -> None:
    """Make the tiles and records of a unit, then its journal."""
    done = _Journal()
    strips = done.attempt(unit.name, partial(_Strips, unit))
    for window in strips.windows if strips else ():
        name = f"{unit.scene.dataset}-{unit.scene.name}-{window[0]}-{window[1]}"
        made = done.attempt(name, partial(_build_tile, strips, window, name, unit))
        if made is not None:
            done.add(made)
    with written_whole(unit.journal, overwrite=True) as part:
        part.write_text(json.dumps(asdict(done), ensure_ascii=False), encoding="utf-8")


class _Strips:
    """The tiles of a unit, read a row of tiles at a time: blocks of the file are larger than tiles."""

    def __init__(self, unit: Unit) -> None:
        shape = unit.scene.shape
        self.windows = _windows(shape, unit)
        one_strip = shape[0] <= unit.settings.tile_px
        self._scene = unit.scene.open("auto" if one_strip else (unit.settings.tile_px, WHOLE_WIDTH))
        self._row: int | None = None
        self._strip: Any = None

    def tile(self, window: Window) -> Any:
        row, col, height, width = window
        if row != self._row:
            columns = [(c, c + w) for r, c, _, w in self.windows if r == row]
            self._left, right = columns[0][0], columns[-1][1]
            strip = self._scene.spex.window(row, self._left, height, right - self._left)
            # Not by the default scheduler: in a cluster's worker that would be the cluster, which waits for this task.
            self._strip = strip.compute(scheduler="synchronous")
            self._row = row
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
    """Return the unit's share of the scene's tiles; the last of a row or column is moved inwards to end at the edge."""
    side = unit.settings.tile_px
    height, width = (min(side, length) for length in shape)
    rows, cols = (
        sorted({*range(0, length - step + 1, step), length - step})
        for length, step in zip(shape, (height, width), strict=True)
    )
    every = [(row, col, height, width) for row in rows for col in cols]
    first, end = (len(every) * part // unit.parts for part in (unit.part, unit.part + 1))
    return every[first:end]


def _build_tile(strips: _Strips, window: Window, name: str, unit: Unit) -> list[tuple[Record, dict[str, Any]]]:
    settings, source = unit.settings, unit.scene
    tile = strips.tile(window)
    if tile.spex.valid.values.mean() < settings.min_valid_frac:
        return []
    labels = source.labels(window)
    split = source.split or split_of(f"{source.dataset}/{source.place}", settings)
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
            "sensor": str(tile.attrs.get("sensor", "")), "bands": " ".join(tile.spex.bands),
            "gsd_m": gsd_m, "target": lesson.target, "source": lesson.source,
            "language": lesson.language, "share_frac": lesson.share_frac, "regions": lesson.regions,
            "template": lesson.template, "tile_hash": digest, "image": image, "mask": path,
        }  # fmt: skip
        made.append((record, row))
    return made


def _finish(folder: Path, units: Sequence[Unit]) -> BuildReport:
    """Gather the journals into the lists of records and the index."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    failures: dict[str, str] = {}
    tiles = left_out = 0
    with ExitStack() as stack:
        add = {split: stack.enter_context(_json_list(folder / f"{split}.json")) for split in SPLITS}
        for done in (json.loads(unit.journal.read_text(encoding="utf-8")) for unit in units):
            for record in done["records"]:
                add[record["split"]](record)
            rows += done["rows"]
            failures |= done["failures"]
            tiles, left_out = tiles + done["tiles"], left_out + done["left_out"]
    with written_whole(folder / "index.parquet", overwrite=True) as part:
        pd.DataFrame(rows).to_parquet(part, index=False)
    if failures:
        warnings.warn(
            f"{len(failures)} tiles failed, for example {next(iter(failures.items()))}. Build again to retry them.",
            DatasetWarning,
            stacklevel=3,
        )
    return BuildReport(folder, len(rows), tiles, left_out, failures)


@contextmanager
def _json_list(path: Path) -> Iterator[Callable[[Any], None]]:
    """Give a function that adds one item to a JSON list on disk, so that a million records need no memory."""
    with written_whole(path, overwrite=True) as part, part.open("w", encoding="utf-8") as file:
        lead = "["

        def add(item: Any) -> None:
            nonlocal lead
            file.write(f"{lead}\n{json.dumps(item, ensure_ascii=False)}")
            lead = ","

        yield add
        file.write("[]\n" if lead == "[" else "\n]\n")
