"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .annotations.coco import read_coco as read_coco
from .annotations.coco import save_coco as save_coco
from .annotations.training_set import TrainingSet as TrainingSet
from .annotations.yolo import read_yolo as read_yolo
from .annotations.yolo import save_yolo as save_yolo
from .export import save_cog as save_cog
from .export import save_geojson as save_geojson
from .export import save_geopackage as save_geopackage
from .export import save_geoparquet as save_geoparquet
from .plotting import plot_classes as plot_classes
from .plotting import plot_histogram as plot_histogram
from .plotting import plot_index as plot_index
from .plotting import plot_maps as plot_maps
from .plotting import plot_mask as plot_mask
from .plotting import plot_regions as plot_regions
from .plotting import plot_scene as plot_scene
from .plotting import plot_spectra as plot_spectra
from .spectra import save_spectra as save_spectra
from .spectra import spectra_frame as spectra_frame
