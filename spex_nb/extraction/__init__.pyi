"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .explain import Explanation as Explanation
from .extract_scene import extract as extract
from .mask_models import load_mask_model as load_mask_model
from .plan import Plan as Plan
from .plan import plan_extraction as plan_extraction
from .progress import Progress as Progress
from .result import Extraction as Extraction
from .storage import load_extraction as load_extraction
