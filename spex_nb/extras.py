"""Optional parts: which packages each needs, and how to get them; and where the checkpoints lie that come along."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from spex_nb.errors import MissingExtraError, nearest

EXTRAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cluster": ("distributed",),
        "evaluation": ("sklearn",),
        "map": ("ipywidgets", "ipyleaflet", "ipyfilechooser", "leafmap"),
        "model": ("torch", "transformers", "safetensors", "tokenizers"),
        "notebook": ("jupytext", "nbformat"),
        "stac": ("pystac_client",),
    }
)
"""The modules that each optional part imports."""
CHECKPOINTS = Path(__file__).parent / "model" / "checkpoints"
"""A folder each; read with the part ``model``."""


def require_extra(extra: str, purpose: str) -> None:
    """Raise unless the packages of an optional part are installed; nothing is imported.

    Args:
        extra: Name of the part, as in ``pip install 'spex-nb[map]'``.
        purpose: What needs it, for the message.

    Raises:
        MissingExtraError: If a package is missing, with the command that installs it.
        KeyError: If there is no such part.
    """
    if extra not in EXTRAS:
        raise KeyError(f"There is no extra {extra!r}. {nearest(extra, EXTRAS)}")
    missing = _missing(extra)
    if missing:
        raise MissingExtraError(
            f"{purpose} needs packages that are not installed",
            found=f"no {', no '.join(missing)}",
            expected=f"the extra [{extra}]",
            fix=f"Run: pip install 'spex-nb[{extra}]'",
        )


def is_installed(extra: str) -> bool:
    """Say whether the packages of an optional part are installed; nothing is imported."""
    return not _missing(extra)


def _missing(extra: str) -> list[str]:
    return [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
