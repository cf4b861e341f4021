"""The command ``spex doctor``: does this installation work, and if not, what to do."""

from __future__ import annotations

import click

from spex_nb.cli.doctor_packages import BESIDE, COURSE


@click.command()
@click.option("--without", multiple=True, type=click.Choice(sorted((*COURSE, *BESIDE))), help="A part that you do "
              "without; may be given again.")  # fmt: skip
def doctor(without: tuple[str, ...]) -> None:
    """Check this installation for the lessons: packages, memory, disk, files, model, widgets. Fixes nothing itself.

    Each failure comes with its fix. The exit status is 1 if there is one; notes are none.
    """
    from spex_nb.cli.doctor_examine import examine

    failures = 0
    for finding in examine(without):
        click.echo(f"{finding.verdict:<5} {finding.name:<18} {finding.said}")
        if finding.fix:
            click.echo(f"{'':<24} -> {finding.fix}")
        failures += finding.verdict == "FAIL"
    if failures:
        click.echo(f"{failures} failure{'' if failures == 1 else 's'}: see what stands after -> above.", err=True)
        raise SystemExit(1)
    click.echo("All that the lessons need is there." if not without else "All that was looked at works.", err=True)
