from . import change as change
from . import teaching as teaching
