"""The notebook widgets of spex_nb; they need the extra [map]."""

from __future__ import annotations

from importlib import import_module

from spex_nb.extras import require_extra

require_extra("map", "spex_widgets")

_HOME_OF = {
    "EditingPanel": "panels.editing",
    "ExportPanel": "panels.export",
    "IndexPanel": "panels.index",
    "InstructionPanel": "panels.instruction",
    "LayersPanel": "panels.layers",
    "MapView": "map.view",
    "ResultPanel": "panels.result",
    "ScenePanel": "panels.scene",
    "SpectraPanel": "panels.spectra",
    "ThresholdExplorer": "threshold",
    "TrainingPanel": "panels.training",
    "Workbench": "workbench",
    "WorkbenchState": "state",
    "open_session": "session",
    "save_session": "session",
}
__all__ = sorted(_HOME_OF)  # noqa: PLE0605 (a list of names)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'spex_widgets' has no attribute {name!r}")
    return getattr(import_module(f"spex_widgets.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
