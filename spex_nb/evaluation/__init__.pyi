"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .agreement import MapComparison as MapComparison
from .agreement import PersonAgreement as PersonAgreement
from .area_estimates import AccuracyEstimates as AccuracyEstimates
from .area_estimates import ShareEstimate as ShareEstimate
from .area_estimates import StratifiedSample as StratifiedSample
from .area_estimates import estimate_accuracy as estimate_accuracy
from .baselines import fit_baselines as fit_baselines
from .check_files import load_check as load_check
from .check_files import read_answers as read_answers
from .districts import save_zonal_table as save_zonal_table
from .districts import zonal_table as zonal_table
from .evaluate_model import evaluate as evaluate
from .map_check import MapCheck as MapCheck
from .map_check import check_map as check_map
from .map_check import compare_maps as compare_maps
from .report import EvaluationReport as EvaluationReport
