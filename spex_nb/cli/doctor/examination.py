"""The command ``spex doctor``: does this installation work, and if not, what to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import click

from spex_nb.cli.doctor import machine, packages
from spex_nb.cli.doctor.packages import BESIDE, COURSE, Finding
from spex_nb.errors import SpexError, is_installed

PARTS = click.Choice(sorted((*COURSE, *BESIDE)))


@click.command()
@click.option("--without", multiple=True, type=PARTS, help="A part that you do without; may be given again.")
def doctor(without: tuple[str, ...]) -> None:
    """Check this installation for the lessons: packages, memory, disk, files, model, widgets. Fixes nothing itself.

    Each failure comes with its fix. The exit status is 1 if there is a failure; notes do not count.
    """
    failures = 0
    for finding in examine(without):
        click.echo(f"{finding.verdict:<5} {finding.name:<18} {finding.text}")
        if finding.fix:
            click.echo(f"{'':<24} -> {finding.fix}")
        failures += finding.verdict == "FAIL"
    if failures:
        click.echo(f"{failures} failure{'' if failures == 1 else 's'}: see what stands after -> above.", err=True)
        raise SystemExit(1)
    click.echo("All that the lessons need is there." if not without else "All that was looked at works.", err=True)


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: The thing that it checks.
        run: Yields its findings.
        fix: Returns what to do if the check itself fails.
        parts: Optional parts without which there is nothing to check.
    """

    name: str
    run: Callable[[], Iterator[Finding]]
    fix: Callable[[], str]
    parts: tuple[str, ...] = ()


def examine(without: Collection[str] = ()) -> Iterator[Finding]:
    """Check an installation.

    Args:
        without: Optional parts that the user does without, such as ``model``; checks that need them are left out.

    Yields:
        Each finding as soon as there is one. The checks of files and of the model take some seconds.
    """
    for check in _checks(without):
        if not set(check.parts) & set(without):
            yield from _findings(check)


def _checks(without: Collection[str]) -> tuple[Check, ...]:
    def install(*parts: str) -> Callable[[], str]:
        return lambda: packages.install_command(",".join(parts))

    return (
        Check("Python", packages.check_python, install()),
        Check("packages", lambda: packages.check_packages(without), install()),
        Check("memory", machine.check_memory, install()),
        Check("disk", machine.check_disk, lambda: "Go to a folder of your own."),
        Check("terminal", machine.check_terminal, lambda: "Set the environment variable PYTHONUTF8=1."),
        Check("files", machine.check_files, machine.gdal_fix),
        Check("model", machine.check_model, install("model"), (_runtime_part(without),)),
        Check("widgets", machine.check_widgets, install("map", "notebook"), ("map", "notebook")),
        Check("kernel", machine.check_kernel, lambda: machine.KERNEL_FIX, ("notebook",)),
    )


def _runtime_part(without: Collection[str]) -> str:
    """Return the part whose absence leaves nothing to check of the model: ONNX Runtime stands in for torch."""
    return "onnx" if "model" in without and is_installed("onnx") and not is_installed("model") else "model"


def _findings(check: Check) -> Iterator[Finding]:
    try:
        yield from check.run()
    except Exception as error:  # noqa: BLE001 (the doctor looks for whatever breaks an installation)
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        yield Finding(check.name, "FAIL", text, error.fix if isinstance(error, SpexError) else check.fix())
