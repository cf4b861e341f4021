"""The project itself: light imports, pins that agree, a README that says the truth about its commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import spex_nb

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BINARY = (".gz", ".bin", ".gif", ".jpg", ".npz", ".tif", ".png", ".safetensors", ".zip")
FOREIGN = re.compile(r"(?<![\w.:/~])/(?:home|Users|root|work|opt|mnt|tmp)/|[A-Z]:\\Users|index[-]url|find[-]links")
HEAVY = ("torch", "transformers", "leafmap", "matplotlib")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["spex_nb", "spex_widgets"])
def test_importing_loads_nothing_heavy(package: str) -> None:
    code = f"import {package}, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_everything_promised_can_be_had() -> None:
    assert dir(spex_nb) == spex_nb.__all__
    assert all(getattr(spex_nb, name) is not None for name in spex_nb.__all__)
    with pytest.raises(AttributeError, match="spex_nb attribute extrakt"):
        _ = spex_nb.extrakt


def requirements() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(text) for group in groups for text in group if not text.startswith("spex-nb[")]


def test_every_dependency_is_pinned_and_its_pin_meets_the_minimum() -> None:
    lines = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    for requirement in requirements():
        assert requirement.specifier.contains(pins[requirement.name.lower()]), requirement


def test_every_minimum_has_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    lines = [line for line in text.splitlines() if re.match(r'\s+"[a-z0-9-]+(\[[a-z]+\])?>=', line)]
    assert len(lines) == len(requirements())
    assert all("# " in line for line in lines)


def test_the_conda_environment_agrees() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert f"python {PROJECT['requires-python'].replace('>=', '=')}" in environment["dependencies"]
    pip = environment["dependencies"][-1]["pip"]
    assert "--constraint constraints.txt" in pip
    extras = re.search(r"--editable \.\[(.*)\]", "\n".join(pip))
    assert extras
    assert set(extras[1].split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_quick_start_is_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    block = re.search(r"## Quick start.*?```\n(.*?)```", readme, re.DOTALL)
    assert block
    assert block[1].split("\n")[:-1] == ["make demo", "make test"]


def test_binder_finds_its_two_files_and_refuses_an_image_that_would_fail() -> None:
    after = ROOT / "postBuild"
    assert (ROOT / "environment.yml").is_file()
    assert not any((ROOT / folder).exists() for folder in ("binder", ".binder"))  # they would hide both
    assert os.access(after, os.X_OK)
    assert after.read_text().startswith("#!/usr/bin/env bash\n")
    assert after.read_text().splitlines()[-1] == "spex doctor"


def test_no_file_knows_a_machine_or_a_registry() -> None:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    kept = [name for name in names if Path(name).suffix not in BINARY and (ROOT / name).is_file()]
    assert "README.md" in kept
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in kept}
    assert {name: found[0] for name, text in texts.items() if (found := FOREIGN.search(text))} == {}


@pytest.mark.parametrize("folder", ["/home", "/Users", "/work", "/opt", "C:\\Users"])
def test_a_path_of_a_machine_would_be_seen(folder: str) -> None:
    assert FOREIGN.search(f'open("{folder}/scene.tif")')


def test_the_version_is_one() -> None:
    assert spex_nb.__version__ == PROJECT["version"]
    assert f"version: {PROJECT['version']}" in (ROOT / "CITATION.cff").read_text()
