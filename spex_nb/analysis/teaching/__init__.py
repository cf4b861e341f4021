"""A class of the user's own, learned from a few examples, as a model that extraction can ask.

`examples` turns clicks, boxes, polygons and masks into pixels. `features` describes a pixel and its surroundings, in
part by `cover_network`, which learned land covers elsewhere. `logistic` fits classifiers in milliseconds, and
`committee` weighs them. `assessment` says how good the class is, and `next_places` where the next click teaches most.
`class_files` writes a class and reads it again.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
