"""The notebook widgets of spex_nb; they need the extra [map]."""

import lazy_loader

from spex_nb.errors import require_extra

require_extra("map", "spex_widgets")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
