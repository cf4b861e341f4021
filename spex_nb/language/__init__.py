"""Nine languages: instructions are parsed, prompts and answers are written, claims of an explanation are checked."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
