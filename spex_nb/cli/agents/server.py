"""The command ``spex mcp``: the six tools over standard input and output, for a client of the protocol."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from spex_nb import __version__
from spex_nb.errors import SpexError, require_extra

SKILL = Path(__file__).with_name("SKILL.md")
"""How an agent should use the tools; agents that read skills can be given the file."""
READING, WRITING = ("look", "ask", "evidence"), ("extract", "compare", "export")
"""Tools that write nothing, and tools that write new files."""


@click.command()
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder that the agent may use; several times for several.",
)
@click.option(
    "--model",
    type=click.Choice(["index", "tiny"]),
    default="index",
    show_default=True,
    help="Who answers where the agent names no other.",
)
@click.option("--skill", is_flag=True, help="Print how an agent should use the tools, and end.")
def mcp(roots: tuple[Path, ...], model: str, skill: bool) -> None:
    """Serve agents over the Model Context Protocol, on standard input and output, confined to the folders of --root."""
    if skill:
        click.echo(SKILL.read_text(encoding="utf-8"))
        return
    if not roots:
        raise click.UsageError("name at least one folder: spex mcp --root DIR")
    require_extra("mcp", "Serving agents")
    build_server(roots, model).run("stdio")


def build_server(roots: tuple[Path, ...], model: str = "index") -> Any:
    """Return the server, an ``MCPServer``, with the six tools.

    Args:
        roots: Folders that the agent may use.
        model: Who answers where a call names no other.

    Raises:
        SourceNotFoundError: If a folder does not exist.
    """
    from mcp.server import MCPServer
    from mcp.types import ToolAnnotations

    from spex_nb.cli.agents.tools import AgentTools
    from spex_nb.cli.agents.workspace import Workspace

    tools = AgentTools(Workspace(roots), model)
    # While the agent reads what the tools are, they get ready: the first question is answered sooner.
    threading.Thread(target=tools.prepare, daemon=True).start()
    server = MCPServer("spex", instructions=_instructions(), version=__version__, log_level="WARNING")
    for name in (*READING, *WRITING):
        hints = ToolAnnotations(
            read_only_hint=name in READING, destructive_hint=False, idempotent_hint=False, open_world_hint=False
        )
        server.tool(name=name, annotations=hints)(_explained(getattr(tools, name)))
    return server


def _explained(tool: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return a tool whose errors reach the agent as the sentence that a user would read."""
    from mcp.server.mcpserver.exceptions import ToolError

    @functools.wraps(tool)
    def call(*arguments: Any, **options: Any) -> dict[str, Any]:
        try:
            return tool(*arguments, **options)
        except SpexError as error:
            raise ToolError(f"{type(error).__name__}: {error}") from error

    return call


def _instructions() -> str:
    """Return the skill without its header."""
    return SKILL.read_text(encoding="utf-8").split("---\n", 2)[2].strip()
