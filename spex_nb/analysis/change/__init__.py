"""Two scenes of one place on two dates: what was gained, lost and kept, beside what shift and noise alone would show.

`overlap` finds the shared grid. `scene_on_grid` brings both scenes onto it, moved by what `registration` measures.
`change_classes` lays their masks over each other. `floor` and `noise` say what is no change. `wording` writes it down.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
