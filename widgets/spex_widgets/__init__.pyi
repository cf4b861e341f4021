"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .map.view import MapView as MapView
from .panels.catalogue import CataloguePanel as CataloguePanel
from .panels.check import CheckPanel as CheckPanel
from .panels.compare import ComparePanel as ComparePanel
from .panels.districts import DistrictsPanel as DistrictsPanel
from .panels.editing import EditingPanel as EditingPanel
from .panels.export import ExportPanel as ExportPanel
from .panels.index import IndexPanel as IndexPanel
from .panels.instruction import InstructionPanel as InstructionPanel
from .panels.layers import LayersPanel as LayersPanel
from .panels.result import ResultPanel as ResultPanel
from .panels.scene import ScenePanel as ScenePanel
from .panels.spectra import SpectraPanel as SpectraPanel
from .panels.teach import TeachPanel as TeachPanel
from .panels.training import TrainingPanel as TrainingPanel
from .session import open_session as open_session
from .session import save_session as save_session
from .state import WorkbenchState as WorkbenchState
from .threshold import ThresholdExplorer as ThresholdExplorer
from .workbench import Workbench as Workbench
