"""SPIE, the instruction dataset of SPEX: built from labelled scenes, read, checked and shown.

Everything is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "build_dataset": ("BuildReport", "build"),
    "validate": ("CheckReport", "check"),
    "dataset": ("SpieDataset", "open_dataset"),
    "sources.labelled_scene": ("LabelledScene",),
    "sources.own": ("labelled_scenes",),
    "sources.readers": ("READERS", "read_labelled", "read_spie"),
    "records": ("Record", "read_records", "write_records"),
    "report": ("show_record", "write_report"),
    "rephrase": ("chat_rewriter",),
    "settings": ("Settings",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)  # noqa: PLE0605 (a list of names)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'spex_nb.spie' has no attribute {name!r}")
    return getattr(import_module(f"spex_nb.spie.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
