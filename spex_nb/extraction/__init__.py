"""The main job: a scene of any size and an instruction give a mask, regions, evidence and an explanation.

`planning` decides. `run` has tiles predicted (`predict`) and stored (`tile_store`). `assemble_tiles` blends them.
`finish` makes a result of them, which `measure` and `explain` describe. `storage` and `result_page` write it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
