"""`%spex` and `%%spex` in a real IPython shell: results, refusals in one sentence, completion."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from spex_nb import Extraction, sample_scene
from tests.extraction.test_extract_scene import Brightness, scene_of, squares

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of the shell's own history file
        shell = InteractiveShell()
    shell.history_manager.enabled = False
    shell.run_line_magic("load_ext", "spex_nb")
    shell.user_ns |= {"lake": scene_of(squares((40, 40), (0, 0, 20))), "mine": Brightness(), "_hidden": 3}
    yield shell
    shell.history_manager.end_session()


def test_a_line_extracts_from_a_sample(shell: InteractiveShell) -> None:
    result = shell.run_line_magic("spex", "river_10m the 2 largest water bodies --model index --quiet")
    assert isinstance(result, Extraction)
    assert len(result.regions) == 2


def test_a_cell_has_the_instruction_as_its_body(shell: InteractiveShell) -> None:
    result = shell.run_cell_magic("spex", "river_10m --model index --threshold 0.7 --quiet", "l'eau\n")
    assert (result.instruction.language, result.instruction.text) == ("fr", "l'eau")
    assert result.provenance["parameters"]["threshold"] == 0.7


def test_variables_are_scenes_and_models_and_keep_results(shell: InteractiveShell) -> None:
    returned = shell.run_line_magic("spex", 'lake "water larger than 1 ha" --model mine --to found --quiet')
    assert shell.user_ns["found"] is returned
    assert returned.evidence["water"].area_px == 400
    done = shell.run_cell("kept = %spex lake water --model mine --quiet")
    assert done.success
    assert isinstance(shell.user_ns["kept"], Extraction)


def test_a_path_is_a_scene_and_out_a_folder(shell: InteractiveShell, tmp_path: Path) -> None:
    from spex_nb.scene.samples import sample_path

    words = f"'{sample_path('river_10m')}' water --model index --quiet --out '{tmp_path}/out'"
    shell.run_line_magic("spex", words)
    assert (tmp_path / "out" / "extraction.json").is_file()
    with pytest.raises(UsageError, match="The output exists"):
        shell.run_line_magic("spex", words)
    shell.run_line_magic("spex", f"{words} --overwrite")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("river_10m colourless green ideas --model index", "Not understood"),
        ("no_such_scene water --model index", "Check the path"),
        ("", "required: scene"),
        ("river_10m water --modle index", "unrecognized arguments"),
        ("river_10m l'eau", "put the instruction in quotes, or use %%spex"),
        ("river_10m water --model index --to 2lakes", "letters, digits and _"),
    ],
)
def test_refusals_are_one_sentence(shell: InteractiveShell, line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        shell.run_line_magic("spex", line)


def completions(shell: InteractiveShell, text: str) -> set[str]:
    with warnings.catch_warnings(action="ignore"):  # IPython calls its own interface provisional
        return {found.text for found in shell.Completer.completions(text, len(text))}


@pytest.mark.parametrize(
    ("text", "offered", "withheld"),
    [
        ("%spex ri", {"river_10m"}, {"lake_30m"}),
        ("%spex la", {"lake", "lake_30m"}, {"_hidden", "mine"}),
        ("found = %spex to", {"town_1m"}, set()),
        ("%spex lake --thr", {"--threshold"}, {"--tile-px"}),
        ("%spex lake veg", {"vegetation"}, set()),
        ("%%spex riv", {"river_10m"}, set()),
        ("%%spex lake --mo", {"--model"}, set()),
        ("%%spex lake\nthe veg", {"vegetation"}, set()),
        ("%%spex lake\nalle Wasserfl", {"Wasserflächen"}, set()),
        ("%%time\nveg", set(), {"vegetation"}),
    ],
)
def test_scenes_options_and_land_covers_are_completed(
    shell: InteractiveShell, text: str, offered: set[str], withheld: set[str]
) -> None:
    found = completions(shell, text)
    assert offered <= found
    assert not withheld & found


def test_the_extension_is_part_of_the_package_and_loads_nothing_before() -> None:
    import subprocess
    import sys

    code = "import sys, spex_nb; print('IPython' in sys.modules, callable(spex_nb.load_ipython_extension))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_scene_of_the_user_hides_a_sample_of_that_name(shell: InteractiveShell) -> None:
    scene: Any = sample_scene("river_10m").spex.window(0, 0, 50, 50)
    shell.user_ns["river_10m"] = scene
    try:
        assert shell.run_line_magic("spex", "river_10m water --model index --quiet").mask.shape == (50, 50)
    finally:
        del shell.user_ns["river_10m"]
