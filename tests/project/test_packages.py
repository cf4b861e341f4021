"""The packages that `hatchling` builds: whole, alike from sdist and checkout, and working where they are installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CARRIED = (
    "spex_nb/py.typed",
    "spex_nb/constraints.txt",
    "spex_nb/cli/agents/SKILL.md",
    "spex_nb/data_samples/river_10m.tif",
    "spex_nb/notebooks/00_quickstart.ipynb",
    "spex_nb/model/checkpoints/tiny/model.safetensors",
    "spex_nb/model/checkpoints/tiny/aerial/model.safetensors",
    "spex_nb/model/checkpoints/tiny/onnx/image.onnx.gz",
    "spex_nb/model/checkpoints/tiny/aerial/onnx/compete.onnx.gz",
    "spex_nb/model/checkpoints/tiny/stac_item.json",
    "spex_widgets/__init__.py",
)
"""Files beside the modules that the package needs, some of each kind."""
CHECKED = """
import xarray as xr, spex_nb
from importlib.metadata import version
from pathlib import Path
from spex_nb import extract, sample_scene
from spex_nb.cli.agents.server import SKILL
from spex_nb.scene.samples import sample_path
assert "site-packages" in spex_nb.__file__, spex_nb.__file__
scene = xr.open_dataset(sample_path("river_10m"), engine="spex")
result = extract(scene, "water", "index", progress=False)
result.to_html("page.html")
assert SKILL.is_file() and Path("page.html").stat().st_size > 10_000
print(version("spex-nb"), round(result.evidence["water"].area_m2 / 1e4, 1))
"""
pytestmark = pytest.mark.slow


def build(source: Path, out: Path, target: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (package,) = out.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return package


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that the unpacked sdist gives."""
    pytest.importorskip("hatchling", reason="hatchling comes with the extra [dev]")
    folder = tmp_path_factory.mktemp("packages")
    sdist = build(ROOT, folder / "sdist", "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return build(folder / sdist.name.removesuffix(".tar.gz"), folder / "wheel", "wheel")


def test_the_wheel_of_the_sdist_holds_every_tracked_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert set(CARRIED) <= names
    listed = ["git", "ls-files", "spex_nb", "widgets/spex_widgets"]
    tracked = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {name.removeprefix("widgets/") for name in tracked} <= names
    assert not [name for name in names if name.startswith(("tests/", "recipes/", "docs/"))]
    assert wheel.stat().st_size < 60e6


def test_the_wheel_works_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([str(python), *install], check=True, capture_output=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("*/site-packages")
    (packages / "dependencies.pth").write_text(
        sysconfig.get_path("purelib")
    )  # those of this environment, after its own
    plain = {"PATH": str(python.parent)}
    done = subprocess.run(
        [str(python), "-c", CHECKED], cwd=tmp_path, env=plain, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0.1.0", "80.5"]
    command = [str(python.with_name("spex")), "mcp", "--skill"]
    assert "name: spex" in subprocess.run(command, env=plain, capture_output=True, text=True, check=True).stdout
