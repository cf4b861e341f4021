"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .filters import apply_filters as apply_filters
from .find import find_regions as find_regions
from .find import region_attributes as region_attributes
from .find import region_mask as region_mask
from .find import region_polygon as region_polygon
from .find import region_polygons as region_polygons
from .find import regions_frame as regions_frame
from .metrics import bootstrap_interval as bootstrap_interval
from .metrics import boundary_counts as boundary_counts
from .metrics import confusion_counts as confusion_counts
from .metrics import f1 as f1
from .metrics import faithfulness as faithfulness
from .metrics import false_alarm_frac as false_alarm_frac
from .metrics import iou as iou
from .metrics import matched_counts as matched_counts
from .metrics import matched_f1 as matched_f1
from .metrics import mean_over_tiles as mean_over_tiles
from .metrics import precision as precision
from .metrics import recall as recall
