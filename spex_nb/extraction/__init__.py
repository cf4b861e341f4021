"""The main job: a scene of any size and an instruction → mask, regions, evidence, explanation.

`plans` decides; `running` has tiles predicted (`prediction`) and kept (`journal`); `finishing` makes a result of them.
"""

from spex_nb.extraction.extracting import extract
from spex_nb.extraction.folders import load_extraction
from spex_nb.extraction.plans import plan_extraction
from spex_nb.extraction.results import Extraction
from spex_nb.extraction.telling import Progress

__all__ = ["Extraction", "Progress", "extract", "load_extraction", "plan_extraction"]
