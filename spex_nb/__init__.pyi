"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .analysis.change.compare_scenes import compare as compare
from .analysis.change.result import Change as Change
from .analysis.change.series.compare_dates import compare_series as compare_series
from .analysis.change.series.series_result import ChangeSeries as ChangeSeries
from .analysis.change.series.series_storage import load_series as load_series
from .analysis.change.storage.stored_change import load_change as load_change
from .analysis.teaching.class_files import load_taught as load_taught
from .analysis.teaching.taught import Taught as Taught
from .analysis.teaching.teach_class import teach as teach
from .cli.environment import show_versions as show_versions
from .errors import SpexError as SpexError
from .errors import SpexWarning as SpexWarning
from .evaluation.check_files import load_check as load_check
from .evaluation.districts import zonal_table as zonal_table
from .evaluation.evaluate_model import evaluate as evaluate
from .evaluation.map_check import check_map as check_map
from .evaluation.map_check import compare_maps as compare_maps
from .extraction.extract_scene import extract as extract
from .extraction.mask_models import load_mask_model as load_mask_model
from .extraction.planning.plan import plan_extraction as plan_extraction
from .extraction.result import Extraction as Extraction
from .extraction.storage import load_extraction as load_extraction
from .language.claims import check_explanation as check_explanation
from .language.evidence import measure_evidence as measure_evidence
from .language.instructions import parse_instruction as parse_instruction
from .language.proposals.settings import configure as configure
from .regions.find import find_regions as find_regions
from .regions.find import regions_frame as regions_frame
from .scene.accessor import Scene as Scene
from .scene.open import open_scene as open_scene
from .scene.samples import sample_labels as sample_labels
from .scene.samples import sample_scene as sample_scene
from .scene.sensors import list_sensors as list_sensors
from .scene.sensors import register_sensor as register_sensor
from .scene.sources.catalogue_search import search_scenes as search_scenes
from .spectral.catalogue import index_info as index_info
from .spectral.indices import compute_index as compute_index
from .spectral.indices import compute_indices as compute_indices
from .spectral.indices import list_indices as list_indices
from .spectral.priors import spectral_prior as spectral_prior
from .types import Evidence as Evidence
from .types import MaskModel as MaskModel
from .types import Region as Region

__version__: str

def load_ipython_extension(shell: object) -> None: ...
