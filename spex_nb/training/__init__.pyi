"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .curves import LiveCurves as LiveCurves
from .curves import plot_curves as plot_curves
from .curves import read_curves as read_curves
from .run import StageResult as StageResult
from .run import align as align
from .run import instruct as instruct
from .run import pretrain as pretrain
from .run import run_stage as run_stage
from .small_run import SmallRun as SmallRun
from .small_run import small_training_run as small_training_run
from .stage import Stage as Stage
from .stage import make_stage as make_stage
from .stage import read_stage as read_stage
from .tokenizer import train_tokenizer as train_tokenizer
