"""The public names of this package; the loader of `__init__.py` reads them from here."""

from .answers import Answer as Answer
from .answers import write_answer as write_answer
from .claims import check_explanation as check_explanation
from .evidence import measure_evidence as measure_evidence
from .instructions import parse_instruction as parse_instruction
from .languages import LANGUAGES as LANGUAGES
from .languages import Language as Language
from .languages import get_language as get_language
from .prompts import Prompt as Prompt
from .prompts import build_prompt as build_prompt
from .prompts import parse_prompt as parse_prompt
