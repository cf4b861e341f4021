"""Training SPEX in three stages, on transformers' Trainer. What is loaded from here loads torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
