"""The main job: a scene of any size and an instruction → mask, regions, evidence, explanation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from spex_nb.errors import ExtractionError, OutputError, explain_cluster_errors
from spex_nb.extraction.explain import ExplanationStream
from spex_nb.extraction.finish import finish, parameters_of
from spex_nb.extraction.planning.free_room import require_room
from spex_nb.extraction.planning.plan import Plan, plan_extraction
from spex_nb.extraction.result import Extraction
from spex_nb.extraction.run import PartTimer, Progress, ProgressReporter, run_tiles
from spex_nb.extraction.storage import at_home, compare_request, load_extraction, save_extraction
from spex_nb.extraction.tile_store import TileStore
from spex_nb.output.files import output_exists, remove_leftovers
from spex_nb.output.scratch import Scratch
from spex_nb.output.unfinished import partial_folder, require_free
from spex_nb.types import Instruction, MaskModel, TaughtClass, Window


def extract(  # noqa: PLR0913 (the one door to all that an extraction can be)
    scene: Any,
    instruction: str | Instruction,
    model: str | Path | MaskModel = "tiny",
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    tile_px: int | None = None,
    overlap_px: int | None = None,
    threshold: float = 0.5,
    min_area_px: int = 4,
    drawn: Any = None,
    aoi: Any = None,
    aoi_crs: Any = None,
    seed: int = 0,
    progress: bool | Callable[[Progress], None] = True,
    on_text: Callable[[str], None] | None = None,
    cancel: Any = None,
    client: Any = None,
    open_options: Mapping[str, Any] | None = None,
    anyway: bool = False,
    taught: Sequence[TaughtClass] = (),
) -> Extraction:
    """Extract land cover from a scene by instruction.

    The scene is read and predicted in tiles, so that memory does not grow with it but for a few bytes a pixel. Tiles
    that are finished are kept beside ``out``: after a kill or a cancel, the same call goes on where it stopped, and its
    result is that of an uninterrupted run. The same input gives the same mask, on one process or many.

    Args:
        scene: A path or whatever `open_scene` takes, which is then read lazily; or a Dataset of named bands [H, W].
        instruction: In any of nine languages, such as ``the lakes larger than 2 ha``; or one that is parsed.
        model: ``index`` for the spectral prior alone, a checkpoint that ships, a folder, or any `MaskModel`. Targets
            that it does not know are answered by their spectral index, and the result says so.
        out: Folder for the result. Without it the result lives in memory, and nothing is resumed.
        overwrite: Whether an existing result, or an unfinished one of something else, is replaced.
        tile_px: Side of a tile, in pixels of the scene; what suits model and resolution if not given.
        overlap_px: How far tiles overlap; an eighth of a tile if not given, nothing for ``index``.
        threshold: Probability above which a pixel belongs to a target.
        min_area_px: Smaller regions are left out of the mask.
        drawn: What the user drew, for instructions that speak of it: a shapely geometry in the scene's CRS.
        aoi: The area of interest: a path of a vector file, a GeoDataFrame, shapely geometries, or a rectangle (left,
            bottom, right, top). Only tiles that it meets are read. A pixel whose centre lies outside is no data.
        aoi_crs: CRS of ``aoi`` where it states none; that of the scene by default. A file carries its own.
        seed: Chooses among the wordings of the sentences that are written from evidence.
        progress: Whether to say what the run takes and show a bar; or a function that is called with a `Progress`
            after each tile and at each part that follows, in the thread that called `extract`.
        on_text: Called with each piece of the model's explanation as it comes; never for ``index``, which has none.
        cancel: A ``threading.Event``, or a function that says whether to stop; asked before each tile, and before each
            piece of an explanation, which then ends there.
        client: A ``distributed.Client``: its workers predict the tiles, each with the model loaded once. They must see
            the same files.
        open_options: Of `open_scene`, such as ``sensor`` or ``scale``.
        anyway: Whether to begin though memory or disk may not suffice for what the plan states.
        taught: Classes of the user's own, from `teach` or `load_taught`. The instruction calls them by their names.

    Returns:
        The result.

    Raises:
        InstructionError: If the instruction is not understood.
        CheckpointError, MissingExtraError: If the model cannot be loaded.
        MissingBandError, TargetError: If neither model nor index can answer with the bands of this scene.
        TeachingError: If two taught classes share a name, or one was taught on numbers of another kind.
        RegionError: If a filter needs a CRS or a drawn area that is not there, or the area of interest covers no pixel.
        SourceNotFoundError, UnreadableSourceError, GridError: If the area of interest is no vector file, or its CRS is
            unknown.
        OutputError: If the result exists, cannot be written, or the disk is full.
        ExtractionCancelledError: If the user cancelled.
        ClusterError: If the scheduler or all workers of the cluster are lost.
        ExtractionError: If an argument makes no sense, memory or disk will not do, or every tile failed.
    """
    if out is not None:
        require_free(Path(out), overwrite, "load_extraction")
    plan = plan_extraction(
        scene,
        instruction,
        model,
        open_options=open_options,
        tile_px=tile_px,
        overlap_px=overlap_px,
        threshold=threshold,
        min_area_px=min_area_px,
        drawn=drawn,
        seed=seed,
        aoi=aoi,
        aoi_crs=aoi_crs,
        taught=taught,
    )
    if out is not None and not overwrite and Path(out).exists():
        return _saved_before_the_kill(plan, Path(out))
    windows, is_cancelled = plan.windows, _asker(cancel)
    scratch = Scratch() if out is None else None
    with scratch or nullcontext(), explain_cluster_errors(client):
        store = TileStore(scratch.folder if scratch else partial_folder(Path(str(out))))
        if not anyway:
            require_room(plan, store.folder)
        store.begin({} if scratch else plan.identity, overwrite)
        reporter = ProgressReporter(progress, len(windows), sum(map(store.is_done, windows)))
        reporter.write(str(plan))
        timer = PartTimer(reporter.begin)
        with timer.timing("tiles"):
            failures = run_tiles(
                plan.job, plan.predictor, windows, store, reporter=reporter, client=client, is_cancelled=is_cancelled
            )
        _require_some(failures, plan)
        stream = ExplanationStream(on_text or ExplanationStream.on_text, is_cancelled)
        result = finish(plan, store, failures, timer, stream)
    if out is None:
        store.delete_tiles()
        return replace(result, scratch=scratch)
    reporter.begin("saving")
    with explain_cluster_errors(client):
        _save(result, out, overwrite)
    store.remove()
    return at_home(result, Path(out))


def _save(result: Extraction, out: str | Path, overwrite: bool) -> None:
    try:
        save_extraction(result, out, overwrite=overwrite)
    except OutputError as error:
        raise OutputError(
            error.problem,
            found=error.found,
            expected=error.expected,
            fix=f"{error.fix} Finished tiles are kept: the same call goes on after them.",
        ) from error


def _asker(cancel: Any) -> Callable[[], bool]:
    if cancel is None:
        return ExplanationStream.is_cancelled
    asker: Callable[[], bool] = getattr(cancel, "is_set", cancel)
    return asker


def remove_traces(out: Path) -> None:
    """Remove what a run that was killed after it saved its result left beside it."""
    remove_leftovers(out.absolute().parent, out.name)
    TileStore(partial_folder(out)).remove()


def _saved_before_the_kill(plan: Plan, out: Path) -> Extraction:
    """Return the result of a run that was killed between saving it and deleting its tiles.

    Raises:
        OutputError: If the result is of something else.
    """
    request = {
        "scene_fingerprint": plan.scene_identity.fingerprint,
        "scene_files": dict(plan.scene_identity.files),
        "instruction": plan.instruction.text,
        "model": plan.model.id,
        "model_hash": plan.model_hash,
        "parameters": parameters_of(plan),
    }
    if not TileStore(partial_folder(out)).holds(plan.identity) or compare_request(out, request).holds == "no":
        raise output_exists(out, "load_extraction")
    remove_traces(out)
    return load_extraction(out)


def _require_some(failures: Mapping[Window, str], plan: Plan) -> None:
    if len(failures) == len(plan.windows):
        raise ExtractionError(
            "Every tile failed",
            found=next(iter(failures.values())),
            expected="at least one tile that can be read and predicted",
            fix="Check that the scene can be read, and that the model suits it.",
        )
