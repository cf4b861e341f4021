"""What goes into the network and what comes out of it, in numpy; and the network on ONNX Runtime, without torch.

`band_arrays` makes channels of bands, `prompt_arrays` makes tokens and points of prompts; the room `model` feeds torch
with the same. `checkpoint` reads a folder, `graphs` runs its graphs, and `predictor` is what the rest of the package
sees. The graphs are written by ``recipes/tiny/export_onnx.py``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
