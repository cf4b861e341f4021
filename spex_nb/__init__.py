"""spex_nb: instruction-driven land-cover extraction on multispectral imagery, in the notebook.

What most users call is importable from here, and loads when it is first used. `__init__.pyi` lists these names.
Everything else that is public stands in the `__all__` of its room, such as `spex_nb.output`.
"""

from importlib import import_module

import lazy_loader

import spex_nb.scene.accessor as _accessor  # noqa: F401  (registers .spex on every Dataset)

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def load_ipython_extension(shell: object) -> None:
    """Let ``%load_ext spex_nb`` add the magics ``%spex`` and ``%%spex``."""
    import_module("spex_nb.cli.magics").load(shell)
