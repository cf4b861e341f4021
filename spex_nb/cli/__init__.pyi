"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .command import main as main
from .environment import Versions as Versions
from .environment import show_versions as show_versions
