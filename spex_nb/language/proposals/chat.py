"""One question to a server that speaks OpenAI's chat protocol. It knows nothing of instructions.

https://platform.openai.com/docs/api-reference/chat. Redirections are not followed, proxies are not used, and an answer
has limits of time and size.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from spex_nb.language.proposals.settings import ModelServer

MOST_BYTES = 64_000
"""Size of the longest answer that is read."""
PIECE_BYTES = 4096
MOST_TOKENS = 800
OK = 200


def ask(server: ModelServer, task: str, text: str, schema: Mapping[str, Any]) -> Any:
    """Return the JSON that a model answers.

    Args:
        server: Where it runs.
        task: What to do with the text.
        text: What the user typed.
        schema: JSON schema of the answer.

    Raises:
        ValueError: If the answer is late, too long, no answer of this protocol, or holds no JSON.
        OSError: If the server cannot be reached.
    """
    body = {
        "model": server.model,
        "temperature": 0,
        "max_tokens": MOST_TOKENS,
        "messages": [{"role": "system", "content": task}, {"role": "user", "content": text}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "instruction", "schema": schema}},
    }
    return _content_of(_post(server, json.dumps(body).encode()))


def _post(server: ModelServer, body: bytes) -> bytes:
    parts = urlsplit(server.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    end = time.monotonic() + server.timeout_s
    connection = kind(parts.hostname or "", parts.port, timeout=server.timeout_s)
    try:
        path = (parts.path if parts.path.strip("/") else "/v1") + "/chat/completions"
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != OK:
            raise ValueError(f"the server answered with status {answer.status}")
        return _read(answer, end, connection)
    except http.client.HTTPException as error:
        raise ValueError(f"the server does not speak HTTP ({type(error).__name__})") from error
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse, end: float, connection: http.client.HTTPConnection) -> bytes:
    """Return the body of an answer; one that drips, or never ends, is given up."""
    pieces = bytearray()
    while True:
        left_s = end - time.monotonic()
        if left_s <= 0:
            raise ValueError("the answer takes too long")
        if connection.sock is not None:
            connection.sock.settimeout(left_s)
        piece = answer.read1(PIECE_BYTES)
        if not piece:
            return bytes(pieces)
        pieces += piece
        if len(pieces) > MOST_BYTES:
            raise ValueError(f"the answer is longer than {MOST_BYTES:,} bytes")


def _content_of(answer: bytes) -> Any:
    """Return the JSON within the first choice of an answer; a fence of Markdown around it is taken off."""
    try:
        content = json.loads(answer)["choices"][0]["message"]["content"]
        text = content.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
        return json.loads(text)
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("the answer is not one of the chat protocol") from error
