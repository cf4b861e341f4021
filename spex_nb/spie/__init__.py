"""SPIE, the instruction dataset of SPEX: built from labelled scenes, read, checked and shown."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
