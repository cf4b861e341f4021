"""A whole session as one file: where the scene is, what was asked, the result, every edit; written whole or not at all.

The file is a zip: ``session.json``, the result's folder as `save_extraction` writes it, the edits as arrays, the
points of a check, taught classes, and the folder of a change as `Change.save` writes it.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spex_nb.analysis.change import load_change
from spex_nb.analysis.change.storage.saved_change import FILES as CHANGE_FILES
from spex_nb.analysis.teaching import load_taught
from spex_nb.errors import (
    DatasetError,
    ExtractionError,
    SceneError,
    SessionError,
    SourceNotFoundError,
    SpexError,
    SpexWarning,
    TeachingError,
    explain_malformed,
)
from spex_nb.evaluation import MapCheck, load_check
from spex_nb.extraction import load_extraction
from spex_nb.extraction.finish import correct_result
from spex_nb.extraction.storage import DOUBT, FILES
from spex_nb.output.files import write_whole
from spex_nb.output.scratch import Scratch
from spex_nb.output.stored_files import read_arrays
from spex_nb.regions.editing import History, Patch
from spex_nb.scene.reopen import open_identified, open_source
from spex_nb.scene.samples import reopen
from spex_nb.scene.windows.reader import fingerprint_scene
from spex_nb.scene.windows.scene_files import changes_of
from spex_nb.scene.windows.scene_source import SceneSource
from spex_nb.spectral.indices import compute_index
from spex_nb.types.typed_json import decode, parse_json
from spex_widgets.state import OtherScene, WorkbenchState

FORMAT = 1
PACKED = (*FILES, DOUBT)
"""What of a result a session holds."""
SESSION, EDITS, RESULT, CHECK, CHANGE = "session.json", "edits.npz", "result", "check.gpkg", "change"
TAUGHT = "taught"
"""Folder of the taught classes, which are called by their number."""
MOST_TAUGHT = 100
LARGEST_DESCRIPTION, LARGEST_EDITS = 2**24, 2**28
"""Bytes of the two files that are compressed, when they are unpacked."""


def save_session(state: WorkbenchState, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write all that a state holds into one file.

    Args:
        state: The state to save, with a scene.
        path: Where to; the suffix ``.spex`` is usual.
        overwrite: Whether an existing file is replaced.

    Raises:
        SourceNotFoundError: If there is no scene to speak of.
        OutputError: If the path cannot be written, or the disk is full.
    """
    if state.scene is None:
        raise SourceNotFoundError(
            "There is no session", found="no scene", expected="a scene", fix="Open a scene first."
        )
    with write_whole(path, overwrite) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
        scratch = part.parent  # on the same disk, and removed with the unfinished file
        file.writestr(SESSION, json.dumps(_description(state), indent=1, ensure_ascii=False))
        if state.extraction is not None:
            folder = state.extraction.save(scratch / RESULT)
            for name in PACKED:  # legends for other programs stay outside
                if (folder / name).is_file():
                    file.write(folder / name, f"{RESULT}/{name}", zipfile.ZIP_STORED)
            edits = scratch / EDITS
            arrays: dict[str, Any] = dict(_arrays(state.history.without_steps()))
            np.savez_compressed(edits, **arrays)
            file.write(edits, EDITS)
            if state.check is not None:
                file.write(state.check.save(scratch / CHECK), CHECK, zipfile.ZIP_STORED)
        _write_taught(state, file, scratch)
        if state.change is not None:
            folder = state.change.save(scratch / CHANGE)
            for name in CHANGE_FILES:
                file.write(folder / name, f"{CHANGE}/{name}", zipfile.ZIP_STORED)
    return Path(path)


def _write_taught(state: WorkbenchState, file: zipfile.ZipFile, scratch: Path) -> None:
    (scratch / TAUGHT).mkdir()
    for name, taught in zip(_taught_files(len(state.taught)), state.taught, strict=False):
        file.write(taught.save(scratch / name), name, zipfile.ZIP_STORED)


def open_session(state: WorkbenchState, path: str | Path) -> None:
    """Make a state what it was when it was saved.

    The scene is opened from where it came from; one that was in memory only must be the state's scene already.

    Raises:
        SourceNotFoundError: If there is no such file, or its scene is gone.
        SessionError: If it is no session, damaged, written by a later version, or of another scene; or if it holds more
            than a session: unknown files or options, an address, more than fits into memory.
    """
    if not Path(path).is_file():
        raise SourceNotFoundError("There is no such session", found=str(path), expected="a file", fix="Check the path.")
    scratch = Scratch()
    with explain_malformed(
        SessionError,
        "The session cannot be read",
        where=path,
        expected=f"a whole file of format {FORMAT}",
        fix="Update spex-nb if a later version wrote it; else there is no way to read it.",
        also=(ExtractionError, SceneError, DatasetError, TeachingError),
    ):
        payload, source = _unpacked(path, scratch.folder)
        result_folder = scratch.folder / RESULT
        extraction = replace(load_extraction(result_folder), scratch=scratch) if result_folder.is_dir() else None
        history = History() if extraction is None else _history(scratch.folder / EDITS, payload, extraction)
        check_file = scratch.folder / CHECK
        check = load_check(check_file, extraction) if extraction is not None and check_file.is_file() else None
        change_folder = scratch.folder / CHANGE
        change = load_change(change_folder) if change_folder.is_dir() else None
        other = _other_scene(payload)
        taught = tuple(load_taught(path) for path in sorted((scratch.folder / TAUGHT).glob("*")))
    _restore(state, payload, source, extraction, history, check)
    state.taught = _joined(state.taught, taught)
    if change is not None:
        state.other, state.change = other, change


def _taught_files(number: int) -> list[str]:
    """Return the names of the files of taught classes in a session."""
    return [f"{TAUGHT}/{place:02}.spex-class" for place in range(min(number, MOST_TAUGHT))]


def _joined(classes: tuple[Any, ...], stored: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return taught classes with those of a session in the place of any of the same name."""
    names = {taught.name for taught in stored}
    return (*(taught for taught in classes if taught.name not in names), *stored)


def _other_scene(payload: _Stored) -> OtherScene | None:
    """Return the scene that the open one was compared with, which may come from anywhere."""
    if payload.other is None:
        return None
    return OtherScene(SceneSource.from_json(payload.other), payload.other_is_later)


def _description(state: WorkbenchState) -> dict[str, Any]:
    model = state.model if isinstance(state.model, str | Path) else getattr(state.model, "id", "")
    history = state.history.without_steps()
    return {
        "format": FORMAT,
        "scene": state.source.to_json(),
        "fingerprint": _fingerprint(state.scene),
        "files": _file_states(state.source),
        "bands": state.bands,
        "index": state.index,
        "model": str(model),
        "model_hash": None if state.extraction is None else state.extraction.provenance["model_hash"],
        "instruction": state.text,
        "past": state.past,
        "window": state.window,
        "points": state.points,
        "patches": [[patch.row, patch.column] for patch in _patches(history)],
        "done": len(history.done),
        "other": None if state.other is None else state.other.source.to_json(),
        "other_is_later": state.other is None or state.other.is_later,
    }


def _fingerprint(scene: Any) -> str:
    source = SceneSource(scene)
    return fingerprint_scene(source, open_source(source))


def _file_states(source: SceneSource) -> dict[str, str]:
    """Return the state of each file behind a scene; none of a sample, or of a scene that is no file any more."""
    if source.kind != "file" or not Path(source.name).exists():
        return {}
    with warnings.catch_warnings(action="ignore", category=SpexWarning):  # the scene was opened before
        return dict(open_identified(source)[1].files)


def _patches(history: History) -> tuple[Patch, ...]:
    return (*history.done, *history.undone)


def _arrays(history: History) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for number, patch in enumerate(_patches(history)):
        yield f"before_{number}", patch.before
        yield f"after_{number}", patch.after


@dataclass(frozen=True)
class _Stored:
    """What `session.json` holds; every key is known and every value of its type."""

    format: int
    scene: Mapping[str, Any]
    fingerprint: Any
    bands: tuple[str, str, str]
    index: str
    model: str
    model_hash: str | None
    instruction: str
    past: tuple[str, ...]
    window: tuple[int, int, int, int]
    points: Mapping[str, tuple[int, int]]
    patches: tuple[tuple[int, int], ...]
    done: int
    other: Mapping[str, Any] | None = None
    other_is_later: bool = True
    files: Mapping[str, str] = field(default_factory=dict)
    """State of each file behind the scene; earlier versions stored none."""

    def __post_init__(self) -> None:
        """Refuse more edits done than there are."""
        if not 0 <= self.done <= len(self.patches):
            raise ValueError(f"{self.done} of {len(self.patches)} edits are done")


def _unpacked(path: str | Path, folder: Path) -> tuple[_Stored, SceneSource]:
    """Return what a session says, and unpack its files into a folder, after the manifest was looked at."""
    with zipfile.ZipFile(path) as file:
        for info in file.infolist():
            _require_member(info)
        if len(set(file.namelist())) < len(file.namelist()):
            raise ValueError("a file stands in it twice")
        payload = parse_json(file.read(SESSION).decode("utf-8"))
        if not isinstance(payload, dict) or payload.get("format") != FORMAT:
            raise ValueError(f"format {payload.get('format') if isinstance(payload, dict) else payload!r:.40}")
        description: _Stored = decode(_Stored, payload)
        source = SceneSource.from_json(description.scene)
        file.extractall(folder)
    return description, source


def _require_member(info: zipfile.ZipInfo) -> None:
    """Raise unless a file of the archive is one that `save_session` writes, packed as it packs them."""
    limit = {SESSION: LARGEST_DESCRIPTION, EDITS: LARGEST_EDITS}.get(info.filename)
    of_change = (f"{CHANGE}/{name}" for name in CHANGE_FILES)
    is_result = info.filename in {
        CHECK,
        *_taught_files(MOST_TAUGHT),
        *(f"{RESULT}/{name}" for name in PACKED),
        *of_change,
    }
    if limit is None and not is_result:
        raise ValueError(f"it holds {info.filename[:80]!r}, which no session has")
    is_packed = info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size
    if (is_result and is_packed) or (limit is not None and info.file_size > limit):
        raise ValueError(f"{info.filename} would take {info.file_size / 1e6:,.0f} MB unpacked")


def _history(file: Path, payload: _Stored, extraction: Any) -> History:
    arrays = read_arrays(file)
    patches = tuple(
        Patch(row, column, arrays[f"before_{number}"], arrays[f"after_{number}"])
        for number, (row, column) in enumerate(payload.patches)
    )
    height, width = extraction.mask.shape
    for patch in patches:
        is_fit = patch.before.dtype == patch.after.dtype == np.uint8 and patch.before.shape == patch.after.shape
        rows, columns = patch.before.shape
        if (
            not is_fit
            or min(patch.row, patch.column) < 0
            or patch.row + rows > height
            or patch.column + columns > width
        ):
            raise ValueError(f"an edit of {patch.before.shape} px at {patch.row}, {patch.column} lies outside the mask")
    return History(patches[: payload.done], patches[payload.done :])


def _restore(
    state: WorkbenchState,
    payload: _Stored,
    stored: SceneSource,
    extraction: Any,
    history: History,
    check: MapCheck | None,
) -> None:
    is_open = _is_same(state.scene, payload)
    is_in_memory = is_open and state.source.kind == "memory"
    source = state.source if is_open and not is_in_memory else stored
    scene = state.scene if is_open else _opened(source)
    _require_scene(scene, source, payload, extraction, is_in_memory=is_in_memory)
    with state.hold_trait_notifications():
        state.show_scene(scene, source)
        state.bands, state.index = payload.bands, payload.index
        state.points = dict(payload.points)
        state.text, state.past = payload.instruction, payload.past
        if payload.model != str(getattr(state.model, "id", state.model)):
            state.model = payload.model
        if extraction is not None:
            state.show_result(extraction, payload.window)
            mask = extraction.mask.values
            for patch in history.done:
                mask = patch.laid_on(mask, patch.after)
            state.history, state.mask = history, extraction.mask.copy(data=mask)
            state.result = correct_result(extraction, mask, state.result_scene)
            state.check = check
            if check is not None and check.first_unanswered is None:
                state.result = check.against(state.result).apply()


def _require_scene(
    scene: Any, source: SceneSource, payload: _Stored, extraction: Any, *, is_in_memory: bool = False
) -> None:
    """Raise unless a scene is that of the session, and the session speaks of its bands and pixels.

    A scene in memory may have been read from another place than the files that the session names.
    """
    is_at_home = not is_in_memory and source.name == payload.scene["name"] and bool(payload.files)
    changes = changes_of(payload.files, _file_states(source)) if is_at_home else []
    if changes or not _is_same(scene, payload):
        raise SessionError(
            "The scene of the session has changed",
            found=", ".join(changes) or f"other pixels in {source}",
            expected="the scene that the session was made with",
            fix="Put the file back as it was.",
        )
    row, column, height, width = payload.window
    inside = min(row, column) >= 0 and row + height <= scene.spex.shape[0] and column + width <= scene.spex.shape[1]
    fits = extraction is None or (inside and extraction.mask.shape == (height, width))
    if not fits or not set(payload.bands) <= set(scene.spex.bands) or not _is_index(scene, payload.index):
        raise SessionError(
            "The session speaks of what its scene does not have",
            found=f"bands {', '.join(payload.bands)}; index {payload.index!r}; window {payload.window}",
            expected=f"bands out of {', '.join(scene.spex.bands)}, an index of them, and the window of the result",
            fix="There is no way to read it: save the session again where it was made.",
        )


def _is_index(scene: Any, name: str) -> bool:
    """Say whether nothing or an index that the scene allows is to be shown."""
    if not name:
        return True
    try:
        compute_index(scene.isel(y=slice(0, 1), x=slice(0, 1)), name)
    except SpexError:
        return False
    return True


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


def _is_same(scene: Any, payload: _Stored) -> bool:
    return scene is not None and _fingerprint(scene) == payload.fingerprint
