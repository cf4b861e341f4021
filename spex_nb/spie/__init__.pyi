"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .build_dataset import BuildReport as BuildReport
from .build_dataset import build as build
from .dataset import SpieDataset as SpieDataset
from .dataset import open_dataset as open_dataset
from .records import Record as Record
from .records import read_records as read_records
from .records import write_records as write_records
from .rephrase import chat_rewriter as chat_rewriter
from .report import show_record as show_record
from .report import write_report as write_report
from .settings import Settings as Settings
from .sources.labelled_scene import LabelledScene as LabelledScene
from .sources.readers import READERS as READERS
from .sources.readers import read_labelled as read_labelled
from .sources.readers import read_spie as read_spie
from .sources.user_rasters import labelled_scenes as labelled_scenes
from .validate import CheckReport as CheckReport
from .validate import check as check
