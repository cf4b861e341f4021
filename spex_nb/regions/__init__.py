"""A mask becomes regions: pixels, polygons, area on the ground, filters, edits and figures of agreement."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
