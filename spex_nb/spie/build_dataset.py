"""Building a SPIE dataset: labelled scenes → tiles → records; in parallel, deterministic, and resumed after a kill."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spex_nb.errors import DatasetError, DatasetWarning
from spex_nb.output.files import write_whole
from spex_nb.spie.make_records import Rewrite
from spex_nb.spie.plan import claim_folder
from spex_nb.spie.records import SPLITS
from spex_nb.spie.settings import Settings
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.sources.own import Classes, labelled_scenes
from spex_nb.spie.work_units import INDEX_COLUMNS, Unit, build_unit, units_of


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
        DatasetError: If there is no scene, two scenes have one name, or the folder holds another build: other settings,
            scenes, classes, places, files that changed since, or another rewriter.

    Warns:
        DatasetWarning: If tiles failed; building again tries them again.
    """
    folder = Path(out)
    settings = settings or Settings()
    labelled = _labelled(scenes, labels, classes)
    units = units_of(labelled, settings, folder, rewrite)
    claim_folder(folder, labelled, settings, rewrite)
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
    with write_whole(folder / "index.parquet", overwrite=True) as part:
        pd.DataFrame(rows, columns=list(INDEX_COLUMNS)).to_parquet(part, index=False)
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
    with write_whole(path, overwrite=True) as part, part.open("w", encoding="utf-8") as file:
        lead = "["

        def add(item: Any) -> None:
            nonlocal lead
            file.write(f"{lead}\n{json.dumps(item, ensure_ascii=False)}")
            lead = ","

        yield add
        file.write("[]\n" if lead == "[" else "\n]\n")
