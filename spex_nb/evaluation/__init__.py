"""A model beside baselines on the tiles of a dataset, a map against points of a person, a map by district."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
