"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .assessment import Assessment as Assessment
from .assessment import BandOverlap as BandOverlap
from .class_files import load_taught as load_taught
from .class_files import save_taught as save_taught
from .features import FeatureSpace as FeatureSpace
from .next_places import Place as Place
from .next_places import next_places as next_places
from .scene_sample import PixelFeatures as PixelFeatures
from .scene_sample import sample_scene_features as sample_scene_features
from .taught import Examples as Examples
from .taught import Lesson as Lesson
from .taught import Taught as Taught
from .teach_class import teach as teach
