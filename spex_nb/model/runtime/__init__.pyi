"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .band_arrays import BandArrays as BandArrays
from .band_arrays import BandSettings as BandSettings
from .graphs import has_graphs as has_graphs
from .predictor import OnnxPredictor as OnnxPredictor
