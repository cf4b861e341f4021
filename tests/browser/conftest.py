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

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"
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
START_S = 60
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
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with copies of the notebooks, from which JupyterLab and Voila serve."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, folder)
    return folder


@pytest.fixture(scope="session")
def lab(lab_folder: Path) -> Iterator[str]:
    """Serve the copies by JupyterLab on a free local port; return its address."""
    with _served(lab_folder, "/") as address:
        yield address


@pytest.fixture(scope="session")
def hub(lab_folder: Path) -> Iterator[str]:
    """Serve them under a prefix, as a hub does; return the address with it."""
    with _served(lab_folder, "/user/alice/") as address:
        yield address


@contextmanager
def _served(folder: Path, prefix: str) -> Iterator[str]:
    settings = folder.parent / "settings"
    settings.mkdir(exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(OVERRIDES))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", f"--ServerApp.base_url={prefix}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly", f"--LabApp.app_settings_dir={settings}",
    ]  # fmt: skip
    log_file, address = folder.parent / f"lab-{port}.log", f"http://127.0.0.1:{port}{prefix.rstrip('/')}"
    with log_file.open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=folder.parent)
    try:
        _wait(f"{address}/api", log_file)
        yield address
    finally:
        _end(server)


def _wait(address: str, log: Path) -> None:
    for _ in range(START_S * 2):
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"JupyterLab did not start: {log.read_text()[-2000:]}")


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
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser.new_page(viewport={"width": 1200, "height": 900})
        browser.close()
