"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .baselines import fit_baselines as fit_baselines
from .evaluate_model import evaluate as evaluate
from .report import EvaluationReport as EvaluationReport
