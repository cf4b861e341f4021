"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .alignment.registration import Registration as Registration
from .compare_scenes import compare as compare
from .result import Area as Area
from .result import Change as Change
from .result import ChangeFloor as ChangeFloor
from .result import RegionCounts as RegionCounts
from .result import TargetChange as TargetChange
from .series.compare_dates import compare_series as compare_series
from .series.series_result import ChangeSeries as ChangeSeries
from .series.series_result import DateArea as DateArea
from .series.series_storage import load_series as load_series
from .storage.stored_change import load_change as load_change
