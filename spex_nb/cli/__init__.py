"""The doors to the package: the command `spex`, the notebook magics, and the facts for a bug report."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
