"""``%load_ext spex_nb``: an instruction as a line or a cell of a notebook.

::

    %spex river_10m the 2 largest lakes --model index

    %%spex my_scene --threshold 0.6 --to lakes
    los lagos mayores de 2 ha
"""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher
from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser

from spex_nb.errors import SpexError
from spex_nb.language.languages import LANGUAGES, get_language
from spex_nb.scene.samples import SAMPLES, sample_scene

if TYPE_CHECKING:
    from spex_nb.extraction import Extraction

NAME = "spex"
_LINE = re.compile(rf"\s*(?:[\w, ]+=\s*)?%{NAME}\s(?P<typed>.*)")
_CELL = re.compile(rf"%%{NAME}\s(?P<typed>.*)")
_MANY_WORDS = "instruction"


def load(shell: Any) -> None:
    """Register ``%spex`` and ``%%spex`` with an IPython shell, and the completion of what may follow them."""
    parser = _parser()
    shell.register_magic_function(lambda line, cell=None: _run(shell, parser, line, cell), "line_cell", NAME)

    def complete(context: CompletionContext) -> Any:
        fitting = [word for word in _candidates(shell, parser, context) if word.startswith(context.token)]
        return {"completions": [SimpleCompletion(word, type=NAME) for word in fitting], "suppress": bool(fitting)}

    shell.Completer.custom_matchers.append(context_matcher(identifier=NAME)(complete))


def _parser() -> MagicArgumentParser:
    parser = MagicArgumentParser(NAME, description="Extract land cover from a scene by instruction.", add_help=False)
    parser.add_argument("scene", help="A variable, a sample, or a path.")
    parser.add_argument(_MANY_WORDS, nargs="*", help="What to extract; in a cell magic it is the body.")
    parser.add_argument("--model", default="tiny", help="index, a checkpoint, or a variable that holds a model.")
    parser.add_argument("--out", type=Path, help="Folder for the result; then an interrupted run can be resumed.")
    parser.add_argument("--overwrite", action="store_true")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--min-area-px", type=int, default=4)
    parser.add_argument("--tile-px", type=int)
    parser.add_argument("--overlap-px", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="No progress bar.")
    parser.add_argument("--to", metavar="NAME", help="A variable for the result.")
    return parser


def _run(shell: Any, parser: MagicArgumentParser, line: str, cell: str | None) -> Extraction:
    """Run the instruction of a line, or of the body of a cell.

    Raises:
        UsageError: Instead of any error of spex_nb, so that a notebook shows its sentence alone.
    """
    from spex_nb.extraction import extract

    chosen = vars(_parsed(parser, line))
    scene, model = chosen.pop("scene"), chosen.pop("model")
    variable, is_quiet = chosen.pop("to"), chosen.pop("quiet")
    typed = " ".join(chosen.pop(_MANY_WORDS))
    words = typed if cell is None else f"{typed} {cell}".strip()
    if variable is not None and not variable.isidentifier():
        raise UsageError(f"{variable!r} cannot name a variable; use letters, digits and _.")
    try:
        result = extract(_scene(shell, scene), words, shell.user_ns.get(model, model), progress=not is_quiet, **chosen)
    except SpexError as error:
        raise UsageError(str(error)) from error
    if variable is not None:
        shell.user_ns[variable] = result
    return result


def _parsed(parser: MagicArgumentParser, line: str) -> argparse.Namespace:
    try:
        return parser.parse_intermixed_args(shlex.split(line))
    except ValueError as error:  # of a quotation that does not end
        raise UsageError(f"{error}: put the instruction in quotes, or use %%{NAME} with it as the body.") from error


def _scene(shell: Any, name: str) -> Any:
    """Return what a name means: a variable, a sample, or else a path."""
    if name in shell.user_ns:
        return shell.user_ns[name]
    return sample_scene(name) if name in SAMPLES else name


def _candidates(shell: Any, parser: MagicArgumentParser, context: CompletionContext) -> list[str]:
    """Return what may stand at the cursor: scenes, then options and land covers."""
    first = context.full_text.split("\n", 1)[0]
    in_cell = _CELL.match(first)
    if in_cell and context.cursor_line > 0:
        return _land_covers()
    here = (_CELL if in_cell else _LINE).match(context.text_until_cursor)
    if here is None:
        return []
    before = here["typed"].removesuffix(context.token).split()
    if not before:
        return _scenes(shell)
    options = [name for action in parser._actions for name in action.option_strings]
    return options if in_cell else [*options, *_land_covers()]


def _scenes(shell: Any) -> list[str]:
    variables = [
        name for name, value in shell.user_ns.items() if isinstance(value, xr.Dataset) and not name.startswith("_")
    ]
    return sorted({*variables, *SAMPLES})


def _land_covers() -> list[str]:
    """Return the words for all targets, in all languages."""
    return sorted({word for code in LANGUAGES for words in get_language(code).targets.values() for word in words})
