"""Building a SPIE dataset from labelled scenes: in parallel, deterministic, and resumed after a kill."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spex_nb.errors import DatasetError, DatasetWarning, explain_cluster_errors
from spex_nb.output.files import remove_leftovers, write_whole
from spex_nb.scene.windows.scene_files import changes_of, states_of
from spex_nb.spie.make_records import Rewrite
from spex_nb.spie.records import SPLITS
from spex_nb.spie.rephrase import ChatRewriter
from spex_nb.spie.settings import Settings
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.sources.user_rasters import Classes, labelled_scenes
from spex_nb.spie.work_units import INDEX_COLUMNS, WorkUnit, build_work_unit, cut_work_units, read_journal

FOLDERS = ("images", "masks", "parts")
"""What lies in the folder of a dataset."""


@dataclass(frozen=True)
class BuildReport:
    """The result of a build.

    Attributes:
        folder: Folder of the dataset.
        records: Number of records.
        tiles: Number of tiles with at least one record.
        left_out: Number of tiles with too little data, or without a record.
        failures: Names of the tiles that failed, and why. The next build tries them again.
    """

    folder: Path
    records: int
    tiles: int
    left_out: int
    failures: dict[str, str] = field(default_factory=dict)


def build(  # noqa: PLR0913 (the only entry point, with every option)
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
    """Build a dataset, or continue an earlier build of the same scenes and settings.

    The folder then holds ``train.json``, ``val.json`` and ``test.json`` (LLaVA records), ``index.parquet``, the tiles
    with all their bands in ``images/``, and the masks in ``masks/``. The same scenes and settings give the same
    bytes, with any number of workers.

    Args:
        scenes: Labelled scenes, from a reader or ``labelled_scenes``; or files that ``open_scene`` understands.
        labels: None for labelled scenes, which have their labels; for files, as many rasters of class codes.
        out: Folder of the dataset; made if missing.
        settings: Options of the build; the default settings if not given.
        classes: For files, the meaning of each class code, such as ``{1: "water", 5: ["road", "built_up"], 9: None}``.
        workers: Processes on this machine; one for each core by default, 1 for this process only. A script that uses
            several needs ``if __name__ == "__main__":``.
        client: A ``distributed.Client``, whose workers build the tiles instead. They must see the same folders.
        rewrite: Rephrases an answer (see ``chat_rewriter``); several workers need one that can be pickled.
        progress: Whether to show a progress bar.

    Returns:
        A report with the numbers of records and tiles, and the failures.

    Raises:
        DatasetError: If there is no scene, two scenes have one name, or the folder holds another build: one of other
            settings, scenes, classes, places or rewriter, or of files that have changed since.

    Warns:
        DatasetWarning: If tiles failed; the next build tries them again.
    """
    folder = Path(out)
    settings = settings or Settings()
    labelled = _labelled(scenes, labels, classes)
    units = cut_work_units(labelled, settings, folder, rewrite)
    _claim_folder(folder, labelled, settings, rewrite)
    unfinished = [unit for unit in units if not unit.is_done]
    _run(unfinished, workers or os.cpu_count() or 1, client, progress)
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


def _run(units: Sequence[WorkUnit], workers: int, client: Any, progress: bool) -> None:
    from tqdm.auto import tqdm

    if client is not None:
        from distributed import as_completed

        with explain_cluster_errors(client):
            futures = client.map(build_work_unit, units, pure=False, batch_size=1000)
            for future in tqdm(as_completed(futures), total=len(futures), unit="unit", disable=not progress):
                future.result()
        return
    from dask.base import compute
    from dask.delayed import delayed
    from tqdm.dask import TqdmCallback

    scheduler = "processes" if workers > 1 and len(units) > 1 else "synchronous"
    work = [delayed(build_work_unit, pure=False)(unit) for unit in units]
    with TqdmCallback(unit="unit", disable=not progress):
        compute(*work, scheduler=scheduler, num_workers=workers, optimize_graph=False, initializer=end_with_parent)


def end_with_parent() -> None:
    """Let this process end as soon as the one that started it ends, however that ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)  # not sys.exit, which ends this thread only


def _finish(folder: Path, units: Sequence[WorkUnit]) -> BuildReport:
    """Join the journals of all work units to the lists of records and the index."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    failures: dict[str, str] = {}
    tiles = left_out = 0
    with ExitStack() as stack:
        add = {split: stack.enter_context(_json_list(folder / f"{split}.json")) for split in SPLITS}
        for unit in units:
            journal = read_journal(unit.journal)
            for record in journal["records"]:
                add[record["split"]](record)
            rows += journal["rows"]
            failures |= journal["failures"]
            tiles, left_out = tiles + journal["tiles"], left_out + journal["left_out"]
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
    """Yield a function that appends an item to a JSON list on disk: a million records need no memory."""
    with write_whole(path, overwrite=True) as part, part.open("w", encoding="utf-8") as file:
        lead = "["

        def add(item: Any) -> None:
            nonlocal lead
            file.write(f"{lead}\n{json.dumps(item, ensure_ascii=False)}")
            lead = ","

        yield add
        file.write("[]\n" if lead == "[" else "\n]\n")


def _claim_folder(folder: Path, scenes: Sequence[LabelledScene], settings: Settings, rewrite: Rewrite | None) -> None:
    """Write ``build.json``, which names the scenes and settings of a build; refuse the folder of another build."""
    plan: dict[str, Any] = {
        "settings": json.loads(json.dumps(asdict(settings))),
        "rewrite": None if rewrite is None else getattr(rewrite, "__qualname__", repr(rewrite)),
        "scenes": {scene.id: _fingerprint(scene) for scene in scenes},
        "files": states_of(_paths_of(scenes, rewrite)),
    }
    plan_file = folder / "build.json"
    differences = _differences(plan_file, plan) if plan_file.exists() else ""
    if differences:
        raise DatasetError(
            "The folder holds a dataset of other scenes or settings",
            found=f"{folder}: {differences}",
            expected="a new folder, or the scenes, labels and settings that it was begun with",
            fix="Choose another folder, or delete this one.",
        )
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(
            "The folder cannot be made",
            found=f"{folder}: {error.strerror}",
            expected="a folder that can be written",
            fix="Choose another.",
        ) from error
    for inner in (folder, *(folder / name for name in FOLDERS)):
        remove_leftovers(inner)
    if not plan_file.exists():
        with write_whole(plan_file) as part:
            part.write_text(json.dumps(plan, indent=1), encoding="utf-8")


def _differences(plan_file: Path, plan: dict[str, Any]) -> str:
    """Name the differences between a plan and the one in the file; empty if there are none."""
    try:
        begun = json.loads(plan_file.read_text(encoding="utf-8"))
        names = [name for name in ("settings", "rewrite") if begun[name] != plan[name]]
        before, now = begun["scenes"], plan["scenes"]
        names += [f"scene {name}" for name in {**before, **now} if before.get(name) != now.get(name)]
        names += changes_of(begun.get("files"), plan["files"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return "a build.json that cannot be read"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""  # noqa: PLR2004 (enough to see)
    return f"other {', '.join(names[:5])}{more}" if names else ""


def _paths_of(scenes: Sequence[LabelledScene], rewrite: Rewrite | None) -> list[str]:
    """Return the files that a dataset is made from: images, labels, and the model that says answers in other words."""
    paths = [path for scene in scenes for path in (scene.path, *(layer.path for layer in scene.layers))]
    return [*paths, rewrite.folder] if isinstance(rewrite, ChatRewriter) else paths


def _fingerprint(scene: LabelledScene) -> str:
    """Hash a scene with its labels: names, coding, and the size and time of its files."""
    paths = [scene.path, *(layer.path for layer in scene.layers)]
    states = [_file_state(path) for path in paths]
    return hashlib.blake2b(repr((asdict(scene), states)).encode(), digest_size=8).hexdigest()


def _file_state(path: str) -> tuple[int, int] | None:
    """Return the size and the time of change of a file; None if there is none."""
    try:
        state = os.stat(path)  # noqa: PTH116 (the path may be no file of this machine)
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns
