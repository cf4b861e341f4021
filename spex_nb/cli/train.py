"""The command ``spex train``: one stage of training, from a file of settings."""

from __future__ import annotations

import os
import threading
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

STDIN = 0
INTERRUPTED = 130
"""Exit status after Ctrl-C."""


@click.command()
@click.argument("stage", type=click.Choice(["pretrain", "align", "instruct"]))
@click.option("--config", required=True, type=click.Path(path_type=Path), help="TOML file with the stage's settings.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting to change, such as steps=100 or sampling.prior=0.",
)
@click.option("--quiet", is_flag=True, help="No curves.")
@click.option(
    "--stop-with-input",
    is_flag=True,
    help="End as on Ctrl-C when standard input closes: a program that starts the command can stop it, and takes it "
    "along when it ends.",
)
def train(stage: Any, config: Path, changes: tuple[str, ...], quiet: bool, stop_with_input: bool) -> None:
    """Run a STAGE of training. Ctrl-C ends it with a checkpoint; the same command goes on from there."""
    from spex_nb.training import read_stage, run_stage

    settings = read_stage(config, kind=stage, changes=dict(map(_change, changes)))
    stop = _closed_input() if stop_with_input else None
    result = run_stage(settings, on_log=None if quiet else Screen(settings.steps), stop=stop)
    if not result.is_whole:
        click.echo(f"Ended after step {result.steps:,}: the same command goes on from {result.folder}", err=True)
        raise SystemExit(INTERRUPTED)
    click.echo(str(result.folder))


def _closed_input() -> threading.Event:
    """Return an event that is set once standard input closes."""
    closed = threading.Event()

    def wait() -> None:
        while os.read(STDIN, 1024):  # not sys.stdin: its lock would block the interpreter's exit
            pass
        closed.set()

    threading.Thread(target=wait, daemon=True).start()
    return closed


def _change(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; the value as TOML, or as plain text."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.BadParameter(f"{text!r} was given; expected NAME=VALUE, such as steps=100", param_hint="--set")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


class Screen:
    """Shows curves line by line, on stderr."""

    def __init__(self, steps: int) -> None:
        self._steps, self._losses = steps, list[float]()
        self._first: tuple[float, float] | None = None

    def __call__(self, line: Mapping[str, float]) -> None:
        """Show a line."""
        from spex_nb.training.curves import sparkline

        step = line["step"]
        scores = [f"{name.removeprefix('iou_')} {value:.2f}" for name, value in line.items() if name.startswith("iou_")]
        if scores:
            click.echo(f"step {step:,.0f}  IoU on held-out tiles: {', '.join(scores)}", err=True)
        if "loss" in line:
            self._losses.append(line["loss"])
            loss_text = f"loss {line['loss']:.3f} {sparkline(self._losses)}"
            click.echo(f"step {step:,.0f} of {self._steps:,}  {loss_text}  {self._time_left(step)}", err=True)

    def _time_left(self, step: float) -> str:
        now = time.monotonic()
        if self._first is None:
            self._first = (step, now)
            return ""
        first, since = self._first
        minutes = (now - since) / (step - first) * (self._steps - step) / 60
        return f"{minutes:.0f} min left"
