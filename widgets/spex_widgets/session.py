"""A whole session as one file: where the scene is, what was asked, the result, every edit; written whole or not at all.

The file is a zip: ``session.json``, the result's folder as `save_extraction` writes it, the edits as arrays, and the
points of a check.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.errors import SourceNotFoundError, UnreadableSourceError
from spex_nb.evaluation import MapCheck, load_check
from spex_nb.extraction import load_extraction
from spex_nb.extraction.finish import correct_result
from spex_nb.output.files import write_whole
from spex_nb.regions.editing import History, Patch
from spex_nb.scene.reopen import open_source
from spex_nb.scene.samples import reopen
from spex_nb.scene.windows.reader import fingerprint_scene
from spex_nb.scene.windows.scene_source import SceneSource
from spex_widgets.state import WorkbenchState

FORMAT = 1
SESSION, EDITS, RESULT, CHECK = "session.json", "edits.npz", "result", "check.gpkg"


def save_session(state: WorkbenchState, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write all that a state holds into one file.

    Args:
        state: The state to save, with a scene.
        path: Where to; the suffix ``.spex`` is usual.
        overwrite: Whether an existing file is replaced.

    Raises:
        SourceNotFoundError: If there is no scene to speak of.
        OutputError: If the path cannot be written.
    """
    if state.scene is None:
        raise SourceNotFoundError(
            "There is no session", found="no scene", expected="a scene", fix="Open a scene first."
        )
    with (
        write_whole(path, overwrite) as part,
        tempfile.TemporaryDirectory(prefix="spex-nb-") as scratch,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file,
    ):
        file.writestr(SESSION, json.dumps(_description(state), indent=1, ensure_ascii=False))
        if state.extraction is not None:
            folder = state.extraction.save(Path(scratch) / RESULT)
            for file_path in sorted(folder.rglob("*")):
                file.write(file_path, f"{RESULT}/{file_path.relative_to(folder)}", zipfile.ZIP_STORED)
            edits = Path(scratch) / EDITS
            arrays: dict[str, Any] = dict(_arrays(state.history))
            np.savez_compressed(edits, **arrays)
            file.write(edits, EDITS)
            if state.check is not None:
                file.write(state.check.save(Path(scratch) / CHECK), CHECK, zipfile.ZIP_STORED)
    return Path(path)


def open_session(state: WorkbenchState, path: str | Path) -> None:
    """Make a state what it was when it was saved.

    The scene is opened from where it came from; one that was in memory only must be the state's scene already.

    Raises:
        SourceNotFoundError: If there is no such file, or its scene is gone.
        UnreadableSourceError: If it is no session, damaged, written by a later version, or of another scene.
    """
    if not Path(path).is_file():
        raise SourceNotFoundError("There is no such session", found=str(path), expected="a file", fix="Check the path.")
    scratch = tempfile.TemporaryDirectory(prefix="spex-nb-")
    try:
        payload = _unpacked(path, Path(scratch.name))
        result_folder = Path(scratch.name) / RESULT
        extraction = replace(load_extraction(result_folder), scratch=scratch) if result_folder.is_dir() else None
        history = _history(Path(scratch.name) / EDITS, payload) if extraction is not None else History()
        check_file = Path(scratch.name) / CHECK
        check = load_check(check_file, extraction) if extraction is not None and check_file.is_file() else None
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        raise UnreadableSourceError(
            "The session cannot be read",
            found=f"{path}: {error}",
            expected=f"a whole file of format {FORMAT}",
            fix="Update spex-nb if a later version wrote it; else there is no way to read it.",
        ) from error
    _restore(state, payload, extraction, history, check)


def _description(state: WorkbenchState) -> dict[str, Any]:
    model = state.model if isinstance(state.model, str | Path) else getattr(state.model, "id", "")
    return {
        "format": FORMAT,
        "scene": state.source.to_json(),
        "fingerprint": _fingerprint(state.scene),
        "bands": state.bands,
        "index": state.index,
        "model": str(model),
        "model_hash": None if state.extraction is None else state.extraction.provenance["model_hash"],
        "instruction": state.text,
        "past": state.past,
        "window": state.window,
        "points": state.points,
        "patches": [[patch.row, patch.column] for patch in _patches(state.history)],
        "done": len(state.history.done),
    }


def _fingerprint(scene: Any) -> str:
    source = SceneSource(scene)
    return fingerprint_scene(source, open_source(source))


def _patches(history: History) -> tuple[Patch, ...]:
    return (*history.done, *history.undone)


def _arrays(history: History) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for number, patch in enumerate(_patches(history)):
        yield f"before_{number}", patch.before
        yield f"after_{number}", patch.after


def _unpacked(path: str | Path, folder: Path) -> Mapping[str, Any]:
    with zipfile.ZipFile(path) as file:
        file.extractall(folder)  # which keeps names with .. or a root inside the folder
    payload: dict[str, Any] = json.loads((folder / SESSION).read_text(encoding="utf-8"))
    if payload["format"] != FORMAT:
        raise ValueError(f"format {payload['format']}")
    return payload


def _history(file: Path, payload: Mapping[str, Any]) -> History:
    with np.load(file) as arrays:
        patches = tuple(
            Patch(row, column, arrays[f"before_{number}"], arrays[f"after_{number}"])
            for number, (row, column) in enumerate(payload["patches"])
        )
    return History(patches[: payload["done"]], patches[payload["done"] :])


def _restore(
    state: WorkbenchState, payload: Mapping[str, Any], extraction: Any, history: History, check: MapCheck | None
) -> None:
    is_open = _is_same(state.scene, payload)
    source = state.source if is_open and state.source.kind != "memory" else SceneSource.from_json(payload["scene"])
    scene = state.scene if is_open else _opened(source)
    if not _is_same(scene, payload):
        raise UnreadableSourceError(
            "The scene of the session has changed",
            found=f"other pixels in {source}",
            expected="the scene that the session was made with",
            fix="Put the file back as it was.",
        )
    with state.hold_trait_notifications():
        state.show_scene(scene, source)
        state.bands, state.index = tuple(payload["bands"]), payload["index"]
        state.points = {label: tuple(point) for label, point in payload["points"].items()}
        state.text, state.past = payload["instruction"], tuple(payload["past"])
        if payload["model"] != str(getattr(state.model, "id", state.model)):
            state.model = payload["model"]
        if extraction is not None:
            state.show_result(extraction, tuple(payload["window"]))
            mask = extraction.mask.values
            for patch in history.done:
                mask = patch.laid_on(mask, patch.after)
            state.history, state.mask = history, extraction.mask.copy(data=mask)
            state.result = correct_result(extraction, mask, state.result_scene)
            state.check = check
            if check is not None and check.first_unanswered is None:
                state.result = check.against(state.result).apply()


def _opened(source: SceneSource) -> Any:
    """Open the scene of a session; never an address, for a session may come from anywhere."""
    if source.kind == "file" and not Path(source.name).exists():
        raise SourceNotFoundError(
            "The scene of the session is not where it was",
            found=f"nothing at {source.name}",
            expected="the scene that the session was made with",
            fix="Put it back, or open it in the workbench first, then the session.",
        )
    return reopen(source)


def _is_same(scene: Any, payload: Mapping[str, Any]) -> bool:
    return scene is not None and _fingerprint(scene) == payload["fingerprint"]
