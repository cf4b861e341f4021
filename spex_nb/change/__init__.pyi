"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .compare_scenes import compare as compare
from .registration import Registration as Registration
from .result import Area as Area
from .result import Change as Change
from .result import ChangeFloor as ChangeFloor
from .result import RegionCounts as RegionCounts
from .result import TargetChange as TargetChange
