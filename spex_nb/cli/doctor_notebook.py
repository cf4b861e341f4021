"""Whether a notebook would show the widgets: JupyterLab's half of each, and the kernel that it starts."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spex_nb.cli.doctor_findings import Finding, judged

FRONT_ENDS: Mapping[str, str] = MappingProxyType(
    {"@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets", "jupyter-leaflet": "jupyter-leaflet"}
)
"""Extensions of JupyterLab that draw the widgets, and the package that brings each."""
KERNEL_FIX = "python -m ipykernel install --sys-prefix"
WIDGETS = ("ipywidgets", "ipyleaflet", "ipyfilechooser", "leafmap")


def check_widgets() -> Iterator[Finding]:
    """See whether the kernel's half of the widgets can be imported, and whether JupyterLab has its own."""
    for name in WIDGETS:
        importlib.import_module(name)
    yield Finding("widgets", "ok", f"{', '.join(WIDGETS)} can be imported")
    present, disabled = _lab_extensions()
    for name, package in FRONT_ENDS.items():
        yield _front_end(name, package, present, disabled)


def _lab_extensions() -> tuple[dict[str, Any], list[str]]:
    """Return the extensions that JupyterLab would find, by name, and the names of those that are switched off."""
    from jupyter_core.paths import jupyter_path
    from jupyterlab_server.config import get_federated_extensions, get_page_config

    folders = jupyter_path("labextensions")
    return get_federated_extensions(folders), get_page_config(folders)["disabledExtensions"]


def _front_end(name: str, package: str, present: Mapping[str, Any], disabled: list[str]) -> Finding:
    said = f"JupyterLab: {name}"
    reinstall = f"python -m pip install --force-reinstall --no-deps {package}=={importlib.metadata.version(package)}"
    if name not in present:
        return judged("front end", f"{said} is missing", f"{reinstall}, then reload the page.")
    if name in disabled:
        return judged("front end", f"{said} is switched off", f"jupyter labextension enable {name}")
    found, shipped = present[name], _shipped(name, package)
    if found["version"] != shipped:
        where = f"is {found['version']} in {found['ext_path']}, where {package} brought {shipped}"
        return judged("front end", f"{said} {where}", f"Remove {found['ext_path']} and reload the page.")
    return judged("front end", f"{said} {shipped}", "")


def _shipped(name: str, package: str) -> str:
    """Return the version of an extension as its package brought it; another copy may lie before it."""
    files = importlib.metadata.files(package) or []
    (listed,) = (file for file in files if file.as_posix().endswith(f"labextensions/{name}/package.json"))
    return str(json.loads(listed.read_text())["version"])


def check_kernel() -> Iterator[Finding]:
    """See whether the kernel "Python 3" of JupyterLab is this Python, and not one where spex_nb is missing."""
    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager

    started = KernelSpecManager().get_kernel_spec(NATIVE_KERNEL_NAME).argv[0]
    is_this = not Path(started).is_absolute() or Path(started).parent == Path(sys.executable).parent
    yield judged(
        "kernel", f"JupyterLab starts {started}", "" if is_this else "python -m ipykernel install --sys-prefix"
    )
