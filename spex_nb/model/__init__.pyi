"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .checkpoint_files import shipped_checkpoints as shipped_checkpoints
from .configuration import SpexConfig as SpexConfig
from .inspection import fit_batch as fit_batch
from .inspection import look_inside as look_inside
from .modeling import SpexModel as SpexModel
from .predictor import SpexPredictor as SpexPredictor
from .processing import SpexProcessor as SpexProcessor
