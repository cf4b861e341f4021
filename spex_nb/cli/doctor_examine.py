"""All checks in turn. Each says what it found; one that breaks off is a finding too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from spex_nb.cli import doctor_machine, doctor_notebook, doctor_packages, doctor_smoke
from spex_nb.cli.doctor_findings import Finding
from spex_nb.errors import SpexError


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: What it looks at.
        run: Gives its findings.
        fix: What to do if it breaks off, said when it does.
        parts: Optional parts without which there is nothing to look at.
    """

    name: str
    run: Callable[[], Iterator[Finding]]
    fix: Callable[[], str]
    parts: tuple[str, ...] = ()


def examine(without: Collection[str] = ()) -> Iterator[Finding]:
    """Look at an installation, and say of each thing whether it works.

    Args:
        without: Optional parts that are done without, such as ``model``; what needs them is not looked at.

    Yields:
        A finding at a time, as soon as it is known. Checks of the model and of files take some seconds.
    """
    for check in _checks(without):
        if not set(check.parts) & set(without):
            yield from _findings(check)


def _checks(without: Collection[str]) -> tuple[Check, ...]:
    def install(*parts: str) -> Callable[[], str]:
        return lambda: doctor_packages.install_command(",".join(parts))

    return (
        Check("Python", doctor_packages.check_python, install()),
        Check("packages", lambda: doctor_packages.check_packages(without), install()),
        Check("memory", doctor_machine.check_memory, install()),
        Check("disk", doctor_machine.check_disk, lambda: "Go to a folder of your own."),
        Check("terminal", doctor_machine.check_terminal, lambda: "Set the environment variable PYTHONUTF8=1."),
        Check("files", doctor_smoke.check_files, doctor_smoke.gdal_fix),
        Check("model", doctor_smoke.check_model, install("model"), ("model",)),
        Check("widgets", doctor_notebook.check_widgets, install("map", "notebook"), ("map", "notebook")),
        Check("kernel", doctor_notebook.check_kernel, lambda: doctor_notebook.KERNEL_FIX, ("notebook",)),
    )


def _findings(check: Check) -> Iterator[Finding]:
    try:
        yield from check.run()
    except Exception as error:  # noqa: BLE001 (whatever breaks an installation is what is looked for)
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        yield Finding(check.name, "FAIL", said, error.fix if isinstance(error, SpexError) else check.fix())
