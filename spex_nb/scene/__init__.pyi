"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .accessor import Scene as Scene
from .accessor import SpexAccessor as SpexAccessor
from .accessor import SpexArrayAccessor as SpexArrayAccessor
from .guard import notes_of_scene as notes_of_scene
from .guard import settling_options as settling_options
from .open import open_scene as open_scene
from .reopen import as_scene as as_scene
from .samples import sample_labels as sample_labels
from .samples import sample_path as sample_path
from .samples import sample_scene as sample_scene
from .samples import sample_scenes as sample_scenes
from .sensors import Band as Band
from .sensors import Sensor as Sensor
from .sensors import get_sensor as get_sensor
from .sensors import list_sensors as list_sensors
from .sensors import register_sensor as register_sensor
from .sources.catalogue_search import FoundScenes as FoundScenes
from .sources.catalogue_search import search_scenes as search_scenes
from .windows.scene_source import SceneSource as SceneSource
