"""The SPEX model: on torch and transformers, and in `runtime` without them. A name loads them when it is first used.

With each of its classes, `AutoConfig`, `AutoModel` and `AutoProcessor` of transformers learn to know it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
