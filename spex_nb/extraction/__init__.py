"""The main job: a scene of any size and an instruction → mask, regions, evidence, explanation.

`plans` decides; `running` has tiles predicted (`prediction`) and kept (`journal`); `finishing` makes a result of them.
"""

from spex_nb.extraction.extract_scene import extract
from spex_nb.extraction.plan import plan_extraction
from spex_nb.extraction.progress import Progress
from spex_nb.extraction.result import Extraction
from spex_nb.extraction.storage import load_extraction

__all__ = ["Extraction", "Progress", "extract", "load_extraction", "plan_extraction"]
