"""A session from someone else is data: no address, no unknown file or option, and no more than it shows beforehand."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from spex_widgets import WorkbenchState, editor, open_session, save_session
from spex_widgets.jobs import ImmediateExecutor

from spex_nb import extract, open_scene, sample_scene
from spex_nb.errors import SessionError
from spex_nb.scene.samples import sample_path
from spex_nb.scene.windows.scene_source import SceneSource

pytestmark = pytest.mark.slow
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = WorkbenchState(sample_scene("river_10m"), "index", source=SceneSource("river_10m", {}, is_sample=True))
    state.jobs.close()
    result = extract(state.scene, "water", model="index", progress=False)
    state.show_result(result, (0, 0, *state.scene.spex.shape))
    state.tool = "paint"
    state.history = editor.History()
    path = tmp_path_factory.mktemp("session") / "a.spex"
    save_session(state, path)
    return path


def rewritten(session: Path, path: Path, edit: Callable[[Members], Any], packed: tuple[str, ...] = ()) -> Path:
    with zipfile.ZipFile(session) as file:
        members = {name: file.read(name) for name in file.namelist()}
    edit(members)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            kind = zipfile.ZIP_DEFLATED if name in packed or not name.startswith("result/") else zipfile.ZIP_STORED
            file.writestr(name, content, kind)
    return path


def told(**changes: Any) -> Callable[[Members], Any]:
    def edit(members: Members) -> None:
        payload = json.loads(members["session.json"]) | changes
        members["session.json"] = json.dumps(payload).encode()

    return edit


def from_scene(**changes: Any) -> Callable[[Members], Any]:
    def edit(members: Members) -> None:
        payload = json.loads(members["session.json"])
        payload["scene"] |= changes
        members["session.json"] = json.dumps(payload).encode()

    return edit


def edits_of(**arrays: Any) -> Callable[[Members], Any]:
    def edit(members: Members) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        members["edits.npz"] = buffer.getvalue()
        told(patches=[[0, 0]], done=1)(members)

    return edit


def opened(path: Path) -> WorkbenchState:
    state = WorkbenchState(None, "index", executor=ImmediateExecutor())
    open_session(state, path)
    return state


def test_an_untouched_session_opens(session: Path, tmp_path: Path) -> None:
    state = opened(rewritten(session, tmp_path / "b.spex", lambda _: None))
    assert state.mask.shape == state.scene.spex.shape
    state.close()


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (from_scene(kind="vsicurl"), "of kind 'vsicurl'"),
        (from_scene(kind="file", name="https://example.org/a.tif"), "names an address"),
        (from_scene(kind="file", name="/vsis3/bucket/a.tif"), "names an address"),
        (from_scene(options={"clouds": "/vsicurl/http://127.0.0.1/a.tif"}), "names an address"),
        (from_scene(options={"clouds": {"scl": "/vsicurl/http://127.0.0.1/a.tif"}}), "names an address"),
        (from_scene(options={"sensor": {"bands": [{"id": "https://example.org"}]}}), "names an address"),
        (from_scene(options={"remote": True}), "options remote"),
        (from_scene(options=[1]), "with name and options"),
        (told(command="x"), "unknown command"),
        (told(bands=["red", "red", 1]), "not str"),
        (told(bands=["red", "red", "no"]), "does not have"),
        (told(index="__import__('os')"), "does not have"),
        (told(window=[0, 0, 9, 9]), "does not have"),
        (told(window=[-5, 0, 320, 320]), "does not have"),
        (told(done=3), "edits are done"),
        (told(points={"a": ["x", 1]}), "not int"),
        (lambda members: members.update({"../../x": b"1"}), "which no session has"),
        (lambda members: members.update({"result/mask.tif.aux.xml": b"1"}), "which no session has"),
        (lambda members: members.pop("session.json"), "cannot be read"),
        (lambda members: members.update({"session.json": b"[" * 100_000}), "cannot be read"),
        (lambda members: members.update({"session.json": bytes(2**25)}), "34 MB unpacked"),
        (edits_of(before_0=np.zeros((4, 4), np.uint8), after_0=np.zeros((4, 5), np.uint8)), "outside the mask"),
        (edits_of(before_0=np.zeros((999, 4), np.uint8), after_0=np.zeros((999, 4), np.uint8)), "outside the mask"),
        (edits_of(before_0=np.array(["x"]), after_0=np.array(["x"])), "no number"),
    ],
)
def test_what_is_no_session_is_refused(
    edit: Callable[[Members], Any], match: str, session: Path, tmp_path: Path
) -> None:
    with pytest.raises(SessionError, match=match):
        opened(rewritten(session, tmp_path / "b.spex", edit))


def test_a_bomb_is_refused_from_its_manifest(session: Path, tmp_path: Path) -> None:
    def grow(members: Members) -> None:
        members["result/probability.tif"] += bytes(10**7)

    path = rewritten(session, tmp_path / "b.spex", grow, packed=("result/probability.tif",))
    assert path.stat().st_size < 2 * session.stat().st_size
    with pytest.raises(SessionError, match=r"result/probability\.tif would take"):
        opened(path)


def test_a_damaged_result_is_an_error_of_the_session(session: Path, tmp_path: Path) -> None:
    path = rewritten(session, tmp_path / "b.spex", lambda members: members.update({"result/mask.tif": b"II*\x00"}))
    with pytest.raises(SessionError, match="cannot be read"):
        opened(path)


def test_a_file_that_changed_since_is_named_though_no_sampled_window_shows_it(tmp_path: Path) -> None:
    scene = tmp_path / "scene.tif"
    with rasterio.open(sample_path("river_10m")) as file:
        numbers, profile = np.tile(file.read(), (1, 4, 4)), file.profile
        facts = {name: getattr(file, name) for name in ("descriptions", "scales", "offsets")}
    with rasterio.open(scene, "w", **profile | {"height": numbers.shape[1], "width": numbers.shape[2]}) as file:
        file.write(numbers)
        for name, values in facts.items():
            setattr(file, name, values)
    state = WorkbenchState(open_scene(scene), "index", source=SceneSource.of(scene), executor=ImmediateExecutor())
    save_session(state, tmp_path / "a.spex")
    opened(tmp_path / "a.spex").close()
    with rasterio.open(scene, "r+") as file:
        file.write(file.read(1, window=((300, 310), (500, 510))) + 700, 1, window=((300, 310), (500, 510)))
    with pytest.raises(SessionError, match=r"has changed.*scene\.tif \(changed\)"):
        open_session(state, tmp_path / "a.spex")
    with pytest.raises(SessionError, match=r"has changed.*scene\.tif \(changed\)"):
        opened(tmp_path / "a.spex")
    state.close()
