"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .catalogue import IndexInfo as IndexInfo
from .catalogue import index_info as index_info
from .indices import compute_index as compute_index
from .indices import compute_indices as compute_indices
from .indices import list_indices as list_indices
from .priors import prior_table as prior_table
from .priors import spectral_prior as spectral_prior
from .thresholds import find_threshold as find_threshold
from .thresholds import threshold_index as threshold_index
