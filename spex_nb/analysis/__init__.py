"""More than one extraction: dates are compared (`change`), and classes of the user's own are taught (`teaching`)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
