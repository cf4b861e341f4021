"""Which language model is asked after a refusal. None is, unless the user names one."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from spex_nb.errors import LanguageError

LOCAL = "localhost"
SECONDS = 10.0
"""The longest that an answer may take."""


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A server that speaks the chat protocol of OpenAI, as llama.cpp, vLLM, Ollama and LM Studio do.

    Attributes:
        url: Its address, without the path of the protocol.
        model: Name of the model, where the server holds several.
        timeout_s: Seconds that one answer may take.
    """

    url: str
    model: str = "default"
    timeout_s: float = SECONDS


class _Settings:
    """What `configure` was told last."""

    server: ModelServer | None = None


def configure(
    *, llm: str | None = None, llm_model: str = "default", timeout_s: float = SECONDS, remote: bool = False
) -> None:
    """Name a language model that proposes what a refused instruction may mean. By default none is asked.

    The model is asked only after the parser has refused a text. It answers in targets and filters, never in words. Each
    number is read again from the text, and each part must quote the words that it comes from. The proposal becomes the
    first suggestion of the refusal: it is used only if the user chooses it.

    Args:
        llm: Address of a server that speaks OpenAI's chat protocol, such as ``http://127.0.0.1:8080``. None asks
            nobody (default).
        llm_model: Name of the model, where the server holds several.
        timeout_s: Seconds that one answer may take (default: 10).
        remote: Whether the server may be another machine, which then reads the instructions (default: no).

    Raises:
        LanguageError: If the address is not http or https, holds a password, or is of another machine without leave.
    """
    if llm is None:
        _Settings.server = None
        return
    _require_address(llm, remote)
    if not 0 < timeout_s < float("inf"):
        raise LanguageError(
            "The time limit makes no sense", found=timeout_s, expected="seconds above 0", fix="Give such a number."
        )
    _Settings.server = ModelServer(llm.rstrip("/"), llm_model, timeout_s)


def configured_server() -> ModelServer | None:
    """Return the server that is asked after a refusal, or None."""
    return _Settings.server


def _require_address(address: str, remote: bool) -> None:
    problem = _problem_of(address, remote)
    if problem:
        raise LanguageError(
            problem,
            found=repr(address),
            expected="an address such as http://127.0.0.1:8080",
            fix="Start the model on this machine, or allow another one with remote=True.",
        )


def _problem_of(address: str, remote: bool) -> str:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "The address of the language model cannot be read"
    if parts.scheme not in ("http", "https") or not host:
        return "The address of the language model is not http or https"
    if parts.username is not None or parts.query or parts.fragment:
        return "The address of the language model holds more than a server and a path"
    return "" if remote or _is_local(host) else "The language model runs on another machine"


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == LOCAL
