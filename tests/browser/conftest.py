"""A JupyterLab of its own and a real browser for each test session."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = ROOT / "notebooks"
TEMPLATES = ROOT / "widgets" / "jupyter"
"""Where Voila finds the page that is installed with the package, as it stands in this checkout."""
FIRST_SIGHT = f"--LabApp.extra_labextensions_path={ROOT / 'widgets' / 'first_sight'}"
"""What `make lab` says: run the first cell of the quickstart."""
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
START_S = 240
PATIENCE_MS = 1000 * int(os.environ.get("SPEX_PATIENCE_S", "240"))
"""A busy machine is no failure: whatever a test waits for has this long."""
OVERRIDES = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # else outputs off screen are not in the page
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},  # no network
}


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of chromium; without it, skip, or fail where CI should have installed it."""
    path = shutil.which("chromium")
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("chromium is not installed, though CI=true: .ci/run should have done it")
    if path is None:
        pytest.skip("chromium is not installed: this test needs a real browser")
    return path


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve copies of the notebooks by JupyterLab on a free local port; return its address."""
    root = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, root / "notebooks")
    with _serving(root, [*_lab(root), FIRST_SIGHT, f"--ServerApp.root_dir={root / 'notebooks'}"]) as address:
        yield address


@pytest.fixture(scope="session")
def lab_under_base_url(notebooks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve notebooks that tests write as a hub would, under a base URL; return the address with it."""
    root = tmp_path_factory.mktemp("hub")
    base = "/user/alice/"
    command = [*_lab(root), f"--ServerApp.root_dir={notebooks}", f"--ServerApp.base_url={base}"]
    with _serving(root, command, base) as address:
        yield address


@pytest.fixture(scope="session")
def voila(notebooks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve notebooks that tests write as `make dashboard` does; return the address to which a name is added."""
    command = ["-m", "voila", str(notebooks), "--template=spex", "--no-browser", "--Voila.ip=127.0.0.1"]
    with _serving(tmp_path_factory.mktemp("voila"), command) as address:
        yield f"{address}/voila/render"


@pytest.fixture(scope="session")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of notebooks that tests write."""
    return tmp_path_factory.mktemp("written_notebooks")


def _lab(root: Path) -> list[str]:
    """Return the command of a quiet JupyterLab, without its folder."""
    settings = root / "settings"
    settings.mkdir()
    (settings / "overrides.json").write_text(json.dumps(OVERRIDES))
    return [
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        f"--LabApp.app_settings_dir={settings}",
    ]


@contextmanager
def _serving(root: Path, command: list[str], base: str = "/") -> Iterator[str]:
    """Start a server on a free local port; end it and its kernels afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (root / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *command, f"--port={port}"],
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=root,
            env=os.environ | {"JUPYTER_PATH": str(TEMPLATES)},
        )
    address = f"http://127.0.0.1:{port}{base}".rstrip("/")
    try:
        _wait(f"{address}/api" if "jupyterlab" in command else address, server, root / "server.log")
        yield address
    finally:
        _end(server)


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server answers; fail at once where it has ended."""
    for _ in range(START_S * 2):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(address, timeout=START_S).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"The server did not start: {log.read_text()[-2000:]}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels: the process group that the fixture started, and nothing else."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture
def page(chromium: str) -> Iterator[Any]:
    """Return a fresh page of a real browser."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET, timeout=PATIENCE_MS)
        opened = browser.new_page(viewport={"width": 1200, "height": 900})
        opened.set_default_timeout(PATIENCE_MS)
        yield opened
        browser.close()
