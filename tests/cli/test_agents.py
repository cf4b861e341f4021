"""`spex mcp` as an agent meets it: a client of the official package over standard input and output, and its attacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import rasterio
from click.testing import CliRunner

from spex_nb import load_extraction
from spex_nb.cli.agents.server import SKILL
from spex_nb.cli.agents.tools import WRITERS, AgentTools
from spex_nb.cli.agents.workspace import Workspace
from spex_nb.cli.command import main
from spex_nb.errors import OutputError, SourceNotFoundError, SpexError
from spex_nb.scene.samples import sample_path

TOOLS = {"look", "ask", "extract", "evidence", "compare", "export"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "scenes"
    folder.mkdir()
    shutil.copy(sample_path("river_10m"), folder / "river.tif")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def tools(root: Path) -> AgentTools:
    return AgentTools(Workspace([root]))


def served(root: Path, calls: Callable[[Any], Any]) -> Any:
    """Run calls of a client against the server as a process."""
    from mcp import Client, StdioServerParameters

    async def run() -> Any:
        environment = {name: os.environ[name] for name in ("PYTHONPATH", "OMP_NUM_THREADS") if name in os.environ}
        command = ["-m", "spex_nb.cli", "mcp", "--root", str(root)]
        async with Client(StdioServerParameters(command=sys.executable, args=command, env=environment)) as client:
            return await calls(client)

    return anyio.run(run)


def numbers_in(text: str) -> list[str]:
    """Return the numbers of a sentence as written, but those in names, such as MuWIR0.5 and the band at 1.6 µm."""
    return re.findall(r"(?<![\w.])[−-]?\d[\d,]*(?:\.\d+)?(?![\d.]*\s*µm)", text)


def holds(written: str, facts: list[dict[str, Any]]) -> bool:
    """Return whether a number is a fact, rounded to the digits that it is written with, in any unit of it."""
    plain = written.replace(",", "").replace("−", "-")
    number = float(plain)
    step = 10.0 ** -len(plain.partition(".")[2]) if "." in plain else 10.0 ** (len(plain) - len(plain.rstrip("0")))
    values = [fact["value"] for fact in facts if isinstance(fact["value"], float | int)]
    texts = " ".join(str(fact["value"]) + fact.get("rule", "") for fact in facts)
    scaled = [value * unit for value in values for unit in (1, 100, 1e-4, 1e-6)]
    return any(abs(value - number) <= step / 2 * 1.001 for value in scaled) or plain in texts


@pytest.mark.slow
def test_a_question_and_a_checked_answer_through_the_protocol(root: Path) -> None:
    async def calls(client: Any) -> Any:
        names = {tool.name for tool in (await client.list_tools()).tools}
        listing = await client.call_tool("look", {})
        answer = await client.call_tool("ask", {"scene": "river.tif", "question": "how much water is there?"})
        saved = await client.call_tool("extract", {"scene": "river.tif", "instruction": "water", "out": "lakes"})
        everything = await client.call_tool("evidence", {"result": "lakes", "target": "water"})
        exported = await client.call_tool("export", {"result": "lakes", "form": "geojson", "out": "lakes.geojson"})
        refused = await client.call_tool("look", {"path": "../secret.txt"})
        return names, [listing, answer, saved, everything, exported], refused

    names, results, refused = served(root, calls)
    assert names == TOOLS
    assert not any(result.is_error for result in results)
    listing, answer, saved, everything, exported = [result.structured_content for result in results]
    assert listing["entries"] == ["river.tif"]
    (target,) = answer["targets"]
    assert target["target"] == "water"
    assert "80.5\N{NO-BREAK SPACE}ha" in target["sentences"][0]["text"]
    assert saved["result"] == "lakes"
    assert exported["written"] == "lakes.geojson"
    whole = everything["targets"][0]["facts"]
    for sentence in (*target["sentences"], *everything["targets"][0]["sentences"]):
        assert all(holds(number, whole) for number in numbers_in(sentence["text"])), sentence
    area = next(fact["value"] for fact in whole if fact["id"] == "area")
    assert area == load_extraction(root / "lakes").evidence["water"].area_m2
    assert refused.is_error
    assert "This path is not open to agents" in refused.content[0].text


def test_a_number_that_no_fact_holds_would_be_seen() -> None:
    facts = [{"value": 804922.05}, {"value": 0.079198}, {"value": 2.0}]
    assert all(holds(number, facts) for number in numbers_in("Water covers 7.9% of the scene, 80.5 ha, in 2 patches."))
    assert not any(holds(number, facts) for number in numbers_in("81.5 ha, 8.9%, 3 patches"))


ATTACKS = (
    "../secret.txt",
    "river.tif/../../secret.txt",
    "/etc/passwd",
    "~/secret",
    "link.txt",
    "linked/secret.txt",
    "https://example.org/scene.tif",
    "file:///etc/passwd",
    "/vsicurl/https://example.org/scene.tif",
    "/vsizip/scenes.zip/scene.tif",
    "vsimem/scene.tif",
    'NETCDF:"scene.nc":red',
    "GTIFF_DIR:1:river.tif",
    "C:\\scenes\\river.tif",
    "<VRTDataset/>",
    "river.tif\x00.png",
    "",
    ".",
    "nothing.tif",
)


@pytest.mark.slow
@pytest.mark.parametrize("path", ATTACKS)
def test_a_path_out_of_the_folder_is_refused_by_every_tool(tools: AgentTools, root: Path, path: str) -> None:
    (root / "link.txt").symlink_to(root.parent / "secret.txt")
    (root / "linked").symlink_to(root.parent)
    before = sorted(root.rglob("*"))
    calls: list[Callable[[], Any]] = [
        lambda: tools.ask(path, "water"),
        lambda: tools.evidence(path),
        lambda: tools.compare("river.tif", path, ["water"]),
        lambda: tools.compare(path, "river.tif", ["water"]),
        lambda: tools.extract(path, "water", "new"),
        lambda: tools.export(path, "html", "page.html"),
    ]
    if path:
        calls.append(lambda: tools.look(path))
    if path != "nothing.tif":
        calls.append(lambda: tools.extract("river.tif", "water", path))
    for call in calls:
        if path == "." and call is calls[-2]:
            continue
        with pytest.raises(SpexError) as raised:
            call()
        assert isinstance(raised.value, SourceNotFoundError | OutputError), path
        assert "secret\n" not in str(raised.value)
    assert sorted(root.rglob("*")) == before


@pytest.mark.slow
def test_a_vrt_that_shows_pixels_from_outside_is_refused(tools: AgentTools, root: Path) -> None:
    outside = root.parent / "outside.tif"
    shutil.copy(root / "river.tif", outside)
    with rasterio.open(outside) as file:
        size = f'rasterXSize="{file.width}" rasterYSize="{file.height}"'
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{number}"><Description>{name}</Description><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{{0}}</SourceFilename><SourceBand>{number}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for number, name in enumerate(("blue", "green", "red", "nir"), start=1)
    )
    text = f"<VRTDataset {size}>{bands}</VRTDataset>"
    (root / "inside.vrt").write_text(text.format("river.tif"))
    (root / "outside.vrt").write_text(text.format("../outside.tif"))
    assert tools.look("inside.vrt")["kind"] == "scene"
    with pytest.raises(SourceNotFoundError, match="whose files all lie in the folders"):
        tools.look("outside.vrt")
    with pytest.raises(SourceNotFoundError, match="whose files all lie in the folders"):
        tools.ask("outside.vrt", "water")


def test_an_archive_in_the_folder_is_a_scene(tools: AgentTools, root: Path) -> None:
    with zipfile.ZipFile(root / "packed.zip", "w") as archive:
        archive.write(root / "river.tif", "river.tif")
    assert tools.look("packed.zip")["kind"] == "scene"


@pytest.mark.slow
def test_nothing_is_replaced(tools: AgentTools, root: Path) -> None:
    (root / "page.html").write_text("mine")
    with pytest.raises(OutputError, match="nothing is ever replaced"):
        tools.extract("river.tif", "water", "page.html")
    tools.extract("river.tif", "water", "lakes")
    for form, out in zip(WRITERS, ("page.html", "river.tif", "lakes", "lakes", "lakes", "lakes", "lakes"), strict=True):
        with pytest.raises(OutputError, match="Choose another name"):
            tools.export("lakes", form, out, "river.tif")
    with pytest.raises(SourceNotFoundError, match="in a folder that exists"):
        tools.export("lakes", "html", "no/such/folder.html")
    assert (root / "page.html").read_text() == "mine"


@pytest.mark.slow
def test_every_form_is_written(tools: AgentTools, root: Path) -> None:
    left, bottom, right, top = rasterio.open(root / "river.tif").bounds
    tools.extract("river.tif", "water", "lakes", area=[left, bottom, (left + right) / 2, top])
    for form in WRITERS:
        name = f"out.{'gpkg' if form == 'geopackage' else form}"
        tools.export("lakes", form, name, "river.tif")
        assert (root / name).exists()
    with pytest.raises(OutputError, match="Name it by scene"):
        tools.export("lakes", "coco", "again")
    with pytest.raises(OutputError, match="left, bottom, right, top"):
        tools.extract("river.tif", "water", "small", area=[1.0, 2.0])


@pytest.mark.slow
def test_two_dates_have_floors(tools: AgentTools, root: Path) -> None:
    shutil.copy(root / "river.tif", root / "later.tif")
    answer = tools.compare("river.tif", "later.tif", ["water"], out="change")
    assert (root / answer["change"]).is_dir()
    (target,) = answer["targets"]
    assert (target["gain"]["px"], target["loss"]["px"]) == (0, 0)
    assert "floor" in target
    json.dumps(answer, allow_nan=False)


def test_errors_are_sentences_and_models_are_names(tools: AgentTools) -> None:
    with pytest.raises(SpexError, match="cars"):
        tools.ask("river.tif", "count the cars")
    with pytest.raises(SpexError, match="There is no such model"):
        tools.ask("river.tif", "water", model="../model")
    with pytest.raises(SpexError, match="folders that exist"):
        AgentTools(Workspace([Path("nowhere")]))


@pytest.mark.slow
def test_several_folders_are_told_apart_by_their_names(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    other.mkdir()
    tools = AgentTools(Workspace([root, other]))
    assert tools.look()["entries"] == ["scenes/", "results/"]
    assert tools.look("scenes")["entries"] == ["scenes/river.tif"]
    assert tools.extract("scenes/river.tif", "water", "results/lakes")["result"] == "results/lakes"
    assert tools.look("results/lakes")["kind"] == "result"
    with pytest.raises(SourceNotFoundError, match="begins with scenes or results"):
        tools.look("river.tif")


def test_the_skill_names_every_tool_and_the_command_prints_it() -> None:
    text = SKILL.read_text(encoding="utf-8")
    assert text.startswith("---\nname: spex\ndescription: ")
    assert all(f"`{name}`" in text for name in TOOLS)
    assert CliRunner().invoke(main, ["mcp", "--skill"]).output.strip() == text.strip()
    assert "name at least one folder" in CliRunner().invoke(main, ["mcp"]).output


@pytest.fixture(autouse=True)
def _no_leftovers(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [path for path in tmp_path.rglob(".*") if path.is_dir()]


PREPARED = """
import sys
from pathlib import Path
from spex_nb.cli.agents.tools import AgentTools
from spex_nb.cli.agents.workspace import Workspace
from spex_nb.language.parsing.lexicon import get_lexicon
tools = AgentTools(Workspace([Path(sys.argv[1])]))
tools.prepare()
loaded, built = set(sys.modules), get_lexicon.cache_info().misses
answer = tools.ask("river.tif", "how much water is there?")
assert answer["targets"][0]["sentences"]
new = sorted(name for name in set(sys.modules) - loaded)
print(len(new), get_lexicon.cache_info().misses - built, *new)
"""


@pytest.mark.slow
def test_a_prepared_server_loads_nothing_for_its_first_answer(root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PREPARED, str(root)], capture_output=True, text=True, check=True)
    modules, lexicons, *names = done.stdout.split()
    assert int(lexicons) == 0
    assert int(modules) < 20, names
