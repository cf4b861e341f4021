"""Spectral indices: their catalogue, formulas and thresholds, and the first mask that an index gives of a target."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
