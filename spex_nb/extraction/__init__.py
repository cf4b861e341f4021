"""The main job: a scene of any size and an instruction give a mask, regions, evidence and an explanation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
