"""`spex doctor`: each thing that can be wrong with an installation is provoked, and told with its fix."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from click.testing import CliRunner

from spex_nb.cli.command import main
from spex_nb.cli.doctor import machine, packages
from spex_nb.cli.doctor.examination import examine
from spex_nb.cli.doctor.packages import Finding
from spex_nb.errors import CheckpointError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
GB = 2**30


def only(findings: Iterator[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Return versions to pretend; what is not in it is as it is."""
    real, pretended = importlib.metadata.version, dict[str, str | None]()

    def version(package: str) -> str:
        found = pretended.get(package, real(package))
        if found is None:
            raise importlib.metadata.PackageNotFoundError(package)
        return found

    monkeypatch.setattr(importlib.metadata, "version", version)
    return pretended


# --- the real installation


def test_this_installation_is_well() -> None:
    done = subprocess.run([sys.executable, "-m", "spex_nb.cli", "doctor"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "FAIL" not in done.stdout
    assert {line.split("  ")[0] for line in done.stdout.splitlines()} <= {"ok", "note", ""}
    for name in (
        "Python",
        "packages",
        "extra [model]",
        "memory",
        "rasters",
        "polygons",
        "model",
        "front end",
        "kernel",
    ):
        assert f"ok    {name}" in done.stdout


def test_the_course_is_the_extra_of_that_name() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["lessons"] == [f"spex-nb[{','.join(packages.COURSE)}]"]
    others = {"lessons", "docs", "dev"}
    assert set(extras) - others == {*packages.COURSE, *packages.BESIDE}


# --- Python and packages


def test_an_old_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.platform, "python_version", lambda: "3.10.4")
    found = only(packages.check_python(), "Python")
    assert (found.verdict, found.text) == ("FAIL", "3.10.4")
    assert found.fix.startswith("Install Python >=3.11")


def test_a_missing_package_names_the_command(installed: dict[str, str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    installed["torch"] = None
    assert only(packages.check_packages(), "extra [model]").verdict == "note"  # ONNX Runtime stands in
    monkeypatch.setattr(packages, "is_installed", lambda part: part != "onnx")
    found = only(packages.check_packages(), "extra [model]")
    assert (found.verdict, found.text) == ("FAIL", "torch is not installed")
    assert found.fix == f'python -m pip install -c "{ROOT}/constraints.txt" -e "{ROOT}[model]"'


def test_a_package_that_is_too_old_is_told(installed: dict[str, str | None]) -> None:
    installed["rasterio"] = "1.3.9"
    found = only(packages.check_packages(), "packages")
    assert (found.verdict, found.text) == ("FAIL", "rasterio is 1.3.9, needed is >=1.4")
    assert found.fix.endswith(f'-e "{ROOT}"')


def test_what_no_lesson_needs_is_only_noted(installed: dict[str, str | None]) -> None:
    installed["pystac-client"] = None
    assert only(packages.check_packages(), "extra [stac]").verdict == "note"
    installed["pystac-client"] = "0.1"
    assert only(packages.check_packages(), "extra [stac]").verdict == "FAIL"


def test_versions_that_were_not_tested_are_noted(installed: dict[str, str | None]) -> None:
    assert only(packages.check_packages(), "versions").verdict == "ok"
    installed["numpy"] = "2.99.0"
    found = only(packages.check_packages(), "versions")
    pin = packages.tested_versions()["numpy"]
    assert (found.verdict, found.text) == ("note", f"numpy 2.99.0 (tested: {pin})")
    assert "Only if something misbehaves" in found.fix


def test_parts_done_without_are_not_looked_at(installed: dict[str, str | None]) -> None:
    installed["torch"] = None
    assert [f.name for f in packages.check_packages(without=["model"]) if f.verdict == "FAIL"] == []


def test_an_installed_package_brings_its_pins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("# tested\nnumpy==2.4.6\nPySocks==1.7.1\n")
    monkeypatch.setattr(packages, "_package", lambda: tmp_path)
    assert packages.tested_versions() == {"numpy": "2.4.6", "pysocks": "1.7.1"}
    assert packages.install_command("map").endswith(f'"{tmp_path}/constraints.txt" "spex-nb[map]"')


# --- the machine


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=GB))
    found = only(machine.check_memory(), "memory")
    assert found.verdict == "FAIL"
    assert found.text.startswith("1.0 GB free")
    assert "Shut Down All Kernels" in found.fix


@pytest.mark.parametrize(("limit", "verdict"), [("max", "ok"), (str(4 * GB), "ok"), (str(2 * GB), "FAIL")])
def test_the_limit_of_a_container_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, verdict: str
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(str(2 * GB))
    (tmp_path / "memory.stat").write_text(f"anon {GB}\ninactive_file {GB}\n")
    monkeypatch.setattr(machine, "CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * GB))
    assert only(machine.check_memory(), "memory").verdict == verdict


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(GB, GB, GB // 10))
    found = only(machine.check_disk(), "folder")
    assert found.verdict == "FAIL"
    assert found.fix.startswith("Make room: 1 GB")


def test_a_folder_that_cannot_be_written_to_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.os, "access", lambda *_: False)
    found = only(machine.check_disk(), "folder")
    assert found.verdict == "FAIL"
    assert "go to a folder of your own" in found.fix


@pytest.mark.parametrize(("encoding", "verdict"), [("utf-8", "ok"), ("cp1252", "FAIL"), (None, "FAIL")])
def test_a_terminal_that_cannot_write_is_told(monkeypatch: pytest.MonkeyPatch, encoding: Any, verdict: str) -> None:
    monkeypatch.setattr(machine.sys, "stdout", SimpleNamespace(encoding=encoding))
    found = only(machine.check_terminal(), "terminal")
    assert found.verdict == verdict
    assert ("PYTHONUTF8=1" in found.fix) is (verdict == "FAIL")


# --- the work


def test_a_raster_that_comes_back_otherwise_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from spex_nb.output import export

    keep = export.save_cog
    monkeypatch.setattr(export, "save_cog", lambda index, *a, **k: keep(index * 2, *a, **k))
    monkeypatch.setenv("PROJ_LIB", "elsewhere")
    found = only(machine.check_files(), "rasters")
    assert found.verdict == "FAIL"
    assert found.fix == "Another installation has set PROJ_LIB: unset, then start again."


def test_polygons_that_come_back_otherwise_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from spex_nb.output import export

    keep = export.save_geopackage
    monkeypatch.setattr(export, "save_geopackage", lambda frame, path: keep(frame.iloc[:1], path))
    for name in machine.STRAY:
        monkeypatch.delenv(name, raising=False)
    found = only(machine.check_files(), "polygons")
    assert found.verdict == "FAIL"
    assert "--force-reinstall --no-deps rasterio pyogrio pyproj" in found.fix


def test_a_model_that_finds_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = SimpleNamespace(predict=lambda tile, *_: np.full((1, *tile.spex.shape), -4.0))
    monkeypatch.setattr("spex_nb.extraction.mask_models.load_mask_model", lambda _: blind)
    found = only(machine.check_model(), "model")
    assert found.verdict == "FAIL"
    assert re.fullmatch(r"tiny on torch [\d.]+(\+\w+)? finds a lake, IoU 0\.00", found.text)
    assert "Install spex_nb again" in found.fix


def test_whatever_breaks_off_is_a_finding_with_its_own_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_weights() -> Iterator[Finding]:
        raise CheckpointError("Weights are missing", found="nothing", expected="model.safetensors", fix="Fetch them.")
        yield

    def no_library() -> Iterator[Finding]:
        raise OSError("libgdal.so:\n cannot open shared object file")
        yield

    monkeypatch.setattr(machine, "check_model", no_weights)
    monkeypatch.setattr(machine, "check_files", no_library)
    findings = list(examine(without=["map", "notebook"]))
    assert only(iter(findings), "model").fix == "Fetch them."
    broken = only(iter(findings), "files")
    assert broken.text == "OSError: libgdal.so: cannot open shared object file"
    assert broken.fix == machine.gdal_fix()


# --- the notebook


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the only folder in which JupyterLab finds extensions; both of ours are in it."""
    folder = tmp_path / "labextensions"
    for name, package in machine.FRONT_ENDS.items():
        (folder / name).mkdir(parents=True)
        version = machine._shipped(name, package)
        (folder / name / "package.json").write_text(json.dumps({"name": name, "version": version}))
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [str(folder)])
    return folder


def front_ends() -> list[Finding]:
    return [finding for finding in machine.check_widgets() if finding.name == "front end"]


def test_front_ends_that_are_there_are_well(lab: Path) -> None:
    assert lab.is_dir()
    assert [finding.verdict for finding in front_ends()] == ["ok", "ok"]


def test_a_missing_front_end_is_told(lab: Path) -> None:
    shutil.rmtree(lab / "jupyter-leaflet")
    manager, leaflet = front_ends()
    assert manager.verdict == "ok"
    assert leaflet.text == "JupyterLab: jupyter-leaflet is missing"
    assert "--force-reinstall --no-deps jupyter-leaflet==" in leaflet.fix


def test_a_front_end_of_another_version_is_told(lab: Path) -> None:
    (lab / "jupyter-leaflet" / "package.json").write_text(json.dumps({"name": "jupyter-leaflet", "version": "0.1"}))
    _, leaflet = front_ends()
    assert "is 0.1 in" in leaflet.text
    assert leaflet.fix == f"Remove {lab / 'jupyter-leaflet'} and reload the page."


def test_a_front_end_that_is_switched_off_is_told(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lab.is_dir()
    monkeypatch.setattr(
        "jupyterlab_server.config.get_page_config", lambda _: {"disabledExtensions": ["jupyter-leaflet"]}
    )
    _, leaflet = front_ends()
    assert leaflet.fix == "jupyter labextension enable jupyter-leaflet"


def test_widgets_that_cannot_be_imported_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ImportError(f"cannot import {name}")

    monkeypatch.setattr(importlib, "import_module", broken)
    found = only(examine(without=["model"]), "widgets")
    assert found.text == "ImportError: cannot import ipywidgets"
    assert found.fix.endswith('[map,notebook]"')


def test_a_kernel_of_another_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(machine.check_kernel(), "kernel").verdict == "ok"
    elsewhere = SimpleNamespace(get_kernel_spec=lambda _: SimpleNamespace(argv=["/elsewhere/bin/python"]))
    monkeypatch.setattr("jupyter_client.kernelspec.KernelSpecManager", lambda: elsewhere)
    found = only(machine.check_kernel(), "kernel")
    assert (found.verdict, found.text) == ("FAIL", "JupyterLab starts /elsewhere/bin/python")
    assert found.fix == "python -m ipykernel install --sys-prefix"


# --- the command


def test_failures_end_with_status_1_and_notes_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [Finding("a", "ok", "fine"), Finding("b", "note", "old", "Renew it.")]
    monkeypatch.setattr("spex_nb.cli.doctor.examination.examine", lambda without: iter(findings))  # noqa: ARG005 (the name is given)
    result = CliRunner().invoke(main, ["doctor"])
    assert (result.exit_code, "All that the lessons need is there." in result.output) == (0, True)
    findings.append(Finding("c", "FAIL", "gone", "Bring it back."))
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "-> Bring it back.\n1 failure:" in result.output


def test_an_unknown_part_is_refused() -> None:
    result = CliRunner().invoke(main, ["doctor", "--without", "maps"])
    assert result.exit_code == 2
    assert "'map'" in result.output


def test_every_check_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex_nb.cli.doctor.examination._findings", lambda check: iter([Finding(check.name, "ok", "")]))
    everything = [finding.name for finding in examine()]
    assert everything == ["Python", "packages", "memory", "disk", "terminal", "files", "model", "widgets", "kernel"]
    assert "model" not in [finding.name for finding in examine(without=["model"])]
