"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .explain import Explanation as Explanation
from .extract_scene import extract as extract
from .finish import correct_result as correct_result
from .many.mosaic import Mosaic as Mosaic
from .many.mosaic import mosaic_results as mosaic_results
from .many.scene_table import scene_table as scene_table
from .mask_models import load_mask_model as load_mask_model
from .planning.plan import Plan as Plan
from .planning.plan import plan_extraction as plan_extraction
from .result import Extraction as Extraction
from .result_page import bundle_extraction as bundle_extraction
from .result_page import show_extraction as show_extraction
from .result_page import write_result_page as write_result_page
from .run import Progress as Progress
from .storage import load_extraction as load_extraction
from .storage import save_extraction as save_extraction
