"""Texts of users, files and models as HTML in which nothing of theirs is markup; and how panels look, light or dark."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from html import escape

from spex_nb.errors import InstructionError, SpexError

STYLE = """<style>
.spex { --spex-yes: rgba(0, 158, 115, .22); --spex-no: rgba(213, 94, 0, .24);
  --spex-line: var(--jp-border-color2, #bbb); color: var(--jp-ui-font-color1, #222); line-height: 1.45 }
.spex h4 { margin: .9em 0 .25em; font-size: 1.02em; font-weight: 600 }
.spex p { margin: .3em 0 }
.spex .quiet { color: var(--jp-ui-font-color2, #666); font-size: .93em }
.spex .error { border-left: 4px solid #d55e00; padding: .4em .7em; background: var(--spex-no); overflow-wrap: anywhere }
.spex .note { border-left: 4px solid #e69f00; padding: .3em .7em; background: rgba(230, 159, 0, .16) }
.spex .quote { border-left: 4px solid #0072b2; padding: .3em .7em; background: rgba(0, 114, 178, .12) }
.spex .holds { background: var(--spex-yes); border-radius: 2px }
.spex .measured { text-decoration: underline dotted }
.spex .independent { font-weight: 600 }
.spex .mask { opacity: .6 }
.spex .contradicts { background: var(--spex-no); border-radius: 2px }
.spex .chosen { outline: 2px solid #0072b2 }
.spex table { border-collapse: collapse; margin: .4em 0; font-variant-numeric: tabular-nums; background: transparent }
.spex td, .spex th { padding: .12em .5em .12em 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--spex-line); font-weight: normal; background: transparent; color: inherit }
.spex td:first-child { white-space: nowrap }
.spex th { color: var(--jp-ui-font-color2, #666) }
.spex pre { white-space: pre-wrap; max-height: 14em; overflow: auto; margin: .3em 0; font-size: .92em;
  background: transparent; color: inherit }
.spex .key { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border: 1px solid var(--spex-line) }
.spex-regions { margin: 4px 2px; width: 98% }
.spex-regions .spex-frame { max-height: 190px; overflow: auto; border: 1px solid var(--spex-line); margin: 3px 0 }
.spex-regions table { width: 100%; margin: 0 }
.spex-regions td, .spex-regions th { padding: 1px 6px }
.spex-regions thead th { position: sticky; top: 0; background: var(--jp-layout-color1, #fff) }
.spex-regions .spex-area { white-space: nowrap }
.spex-regions .spex-one-class .spex-class { display: none }
.spex-regions th button { border: 0; background: none; padding: 0; font: inherit; color: inherit; cursor: pointer }
.spex-regions th[aria-sort=ascending] button::after { content: " ▲" }
.spex-regions th[aria-sort=descending] button::after { content: " ▼" }
.spex-regions tbody tr { cursor: pointer }
.spex-regions tbody tr:hover { background: rgba(0, 114, 178, .1) }
.spex-regions tr[aria-selected=true] { background: rgba(0, 114, 178, .25) }
.spex-regions input { width: 100%; box-sizing: border-box; padding: 3px 6px; font: inherit; color: inherit;
  background: var(--jp-layout-color1, #fff); border: 1px solid var(--spex-line) }
.spex-panel { padding: 4px 8px; overflow-x: hidden }
.spex-panel > * { flex-shrink: 0 }
.spex-panel .widget-inline-hbox .widget-label { min-width: 76px }
</style>"""
"""Colours of the themes of JupyterLab where there are any; marks are lines apart by sign as well as by colour."""


def block(inner: str, css: str = "") -> str:
    """Return a block of HTML in the look of the workbench; ``inner`` is markup already."""
    return f'<div class="spex"><div class="{css}">{inner}</div></div>'


def quiet(text: str) -> str:
    """Return a remark."""
    return block(escape(text), "quiet") if text else ""


def note(text: str) -> str:
    """Return what one should heed."""
    return block(escape(text), "note") if text else ""


def error_html(error: BaseException) -> str:
    """Return an error as text: what is wrong and what to do, the rest to unfold; any other with its traceback."""
    if isinstance(error, SpexError):
        comparison = f"Found: {escape(error.found)}. Expected: {escape(error.expected)}."
        inner = (
            f"<strong>{escape(error.problem)}.</strong> {escape(error.fix)}"
            f"<details><summary class='quiet'>Why</summary>{comparison}</details>"
        )
        if isinstance(error, InstructionError) and error.message:
            inner = f"<strong dir='auto'>{escape(error.message)}</strong>"
    else:
        lines = escape("".join(traceback.format_exception(error)))
        inner = (
            f"<strong>{escape(type(error).__name__)}:</strong> {escape(str(error))}<br>This is a bug, or a file that "
            f"changed: please report it with these lines."
            f"<details><summary>Traceback</summary><pre>{lines}</pre></details>"
        )
    return f'<div class="spex"><div class="error" role="alert">{inner}</div></div>'


def table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...] = ()) -> str:
    """Return rows of text as a table."""
    titles = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{titles}{body}</table>"
