"""A small server that speaks OpenAI's chat protocol, on this machine: helpful, late, endless and hostile answers."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import spex_nb
from spex_nb.errors import InstructionError, LanguageError, SpexWarning
from spex_nb.language.instructions import parse_instruction
from spex_nb.language.proposals.door import SCHEMA
from spex_nb.language.proposals.proposal import read_proposal
from spex_nb.types import AreaFilter, NearFilter, RankFilter

TEXT = "I fancy the soggy splotches beyond 3 hectares"
HELP = {
    "targets": [{"id": "water", "span": "soggy splotches"}],
    "filters": [{"kind": "area", "comparison": ">", "amount": 3, "unit": "ha", "span": "beyond 3 hectares"}],
}
Reply = Callable[["_Handler"], None]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.asked.append((self.path, json.loads(self.rfile.read(length))))
        self.server.reply(self)

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[tuple[str, Any]]
    reply: Reply


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.asked, server.reply = [], answering(HELP)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    spex_nb.configure(llm=None)
    server.shutdown()
    server.server_close()


def address(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def answering(content: Any) -> Reply:
    """Return what answers with some content in the form of the protocol."""
    text = content if isinstance(content, str) else json.dumps(content)
    return lambda handler: handler.send(json.dumps({"choices": [{"message": {"content": text}}]}).encode())


def refusal(text: str = TEXT) -> InstructionError:
    with pytest.raises(InstructionError) as refused:
        parse_instruction(text)
    return refused.value


def refusal_without_help(text: str = TEXT) -> str:
    """Return why the model was of no help; the refusal must be that of the parser."""
    with pytest.warns(SpexWarning, match="of no help") as said:
        refused = refusal(text)
    server_off = spex_nb.language.proposals.settings.configured_server()
    spex_nb.configure(llm=None)
    assert str(refused) == str(refusal(text))
    assert server_off is not None
    return str(said[0].message)


def test_nobody_is_asked_by_default(server: _Server) -> None:
    refusal()
    assert server.asked == []


def test_nobody_is_asked_what_the_parser_understands(server: _Server) -> None:
    spex_nb.configure(llm=address(server))
    parse_instruction("lakes larger than 2 ha")
    assert server.asked == []


def test_a_proposal_is_the_first_suggestion_and_quotes_its_words(server: _Server) -> None:
    spex_nb.configure(llm=address(server), llm_model="small")
    refused = refusal()
    assert refused.suggestions[0] == "water bodies larger than 3 ha"
    assert "“soggy splotches”, “beyond 3 hectares”" in refused.message
    assert "It leaves out: “I”, “fancy”, “the”." in refused.message
    chosen = parse_instruction(refused.suggestions[0])
    assert (chosen.targets, chosen.filters) == (("water",), (AreaFilter(">", 3, "ha"),))
    ((path, body),) = server.asked
    assert (path, body["model"], body["temperature"]) == ("/v1/chat/completions", "small", 0)
    assert body["messages"][1] == {"role": "user", "content": TEXT}
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA


def test_the_same_text_is_asked_once(server: _Server) -> None:
    spex_nb.configure(llm=address(server))
    assert refusal().suggestions == refusal().suggestions
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("text", "answer", "meaning"),
    [
        (
            "ich hätt gern die drei dicksten Pfützchen",
            {
                "targets": [{"id": "water", "span": "Pfützchen"}],
                "filters": [{"kind": "rank", "order": "largest", "count": 3, "span": "die drei dicksten"}],
            },
            "Gewässer, nur die 3 größten",
        ),
        (
            "蓝汪汪那片，两公顷往上",
            {
                "targets": [{"id": "water", "span": "蓝汪汪那片"}],
                "filters": [{"kind": "area", "comparison": ">", "amount": 2, "unit": "ha", "span": "两公顷往上"}],
            },
            "水体：面积大于2公顷",
        ),
    ],
)
def test_the_proposal_speaks_the_language_of_the_text(server: _Server, text: str, answer: Any, meaning: str) -> None:
    server.reply = answering(answer)
    spex_nb.configure(llm=address(server))
    assert refusal(text).suggestions[0] == meaning


def test_what_no_reading_solves_is_not_asked(server: _Server) -> None:
    spex_nb.configure(llm=address(server))
    for text in ("cars", "forest lost since 2010", "how long is the river?"):
        refusal(text)
    assert server.asked == []


AREA = HELP["filters"][0]
HOSTILE = {
    "another number": {**HELP, "filters": [{**AREA, "amount": 30}]},
    "another unit": {**HELP, "filters": [{**AREA, "unit": "km2"}]},
    "a number left out": {"targets": HELP["targets"]},
    "words made up": {**HELP, "targets": [{"id": "water", "span": "lakes"}]},
    "no words": {**HELP, "targets": [{"id": "water", "span": " "}]},
    "another target": {**HELP, "targets": [{"id": "gold", "span": "soggy splotches"}]},
    "another target in a filter": {
        **HELP,
        "filters": [AREA, {"kind": "adjacent", "target": "../../etc/passwd", "span": "soggy"}],
    },
    "a field of its own": {**HELP, "meaning": "water"},
    "a filter of its own": {**HELP, "filters": [AREA, {"kind": "drawn", "inside": True, "span": "soggy"}]},
    "a stated quantity": {**HELP, "filters": [{**AREA, "stated": "300 ha"}]},
    "a filter without words": {**HELP, "filters": [{k: v for k, v in AREA.items() if k != "span"}]},
    "a number that is none": {**HELP, "filters": [{**AREA, "amount": "3"}]},
    "no targets": {**HELP, "targets": []},
    "too many parts": {**HELP, "targets": HELP["targets"] * 50},
    "a list": [HELP],
    "prose": "Sure! Here are the soggy splotches.",
    "deep JSON": "[" * 20_000,
    "nothing": "",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_answers_leave_the_refusal_as_it_is(server: _Server, kind: str) -> None:
    server.reply = answering(HOSTILE[kind])
    spex_nb.configure(llm=address(server))
    refusal_without_help()


def _endless(handler: _Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" " * 4096)


def _dripping(handler: _Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


REPLIES: dict[str, tuple[Reply, str]] = {
    "an error": (lambda handler: handler.send(b"{}", 500), "status 500"),
    "another place": (lambda handler: handler.send(b"", 302, Location="http://example.org/"), "status 302"),
    "another protocol": (lambda handler: handler.send(b'{"text": "water"}'), "chat protocol"),
    "no text": (lambda handler: handler.send(b'{"choices": [{"message": {"content": null}}]}'), "chat protocol"),
    "no end": (_endless, "longer than"),
    "drops": (_dripping, "too long|timed out"),
    "a break": (lambda handler: handler.connection.close(), ""),
}


@pytest.mark.parametrize("kind", REPLIES)
def test_a_server_that_fails_leaves_the_refusal_as_it_is(server: _Server, kind: str) -> None:
    server.reply, reason = REPLIES[kind]
    spex_nb.configure(llm=address(server), timeout_s=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        said = refusal_without_help(f"{TEXT} {kind}")
    assert any(part in said for part in reason.split("|"))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://127.0.0.1", "not http"),
        ("file:///etc/passwd", "not http"),
        ("http://", "not http"),
        ("http://example.org:8080", "another machine"),
        ("http://127.0.0.1.example.org", "another machine"),
        ("http://user:secret@127.0.0.1", "more than a server"),
        ("http://127.0.0.1/?key=1", "more than a server"),
        ("http://127.0.0.1:99999", "cannot be read"),
        ("http://[::1", "cannot be read"),
    ],
)
def test_addresses_without_leave_are_refused(url: str, problem: str) -> None:
    with pytest.raises(LanguageError, match=problem):
        spex_nb.configure(llm=url)


def test_another_machine_takes_leave() -> None:
    spex_nb.configure(llm="https://example.org/v1", remote=True)
    spex_nb.configure(llm=None)


@pytest.mark.parametrize(
    ("text", "span", "wanted"),
    [
        ("wet bits, two acres plus", "two acres plus", {"amount": 0.809371, "unit": "ha"}),
        ("wet bits, half a km2 plus", "half a km2", {"amount": 500_000, "unit": "m2"}),
    ],
)
def test_numbers_are_read_again_in_their_units(text: str, span: str, wanted: dict[str, Any]) -> None:
    entry = {"kind": "area", "comparison": ">", "span": span, **wanted}
    answer = {"targets": [{"id": "water", "span": "wet bits"}], "filters": [entry]}
    assert isinstance(read_proposal(answer, text, "en").filters[0], AreaFilter)
    with pytest.raises(ValueError, match="not that of the text"):
        read_proposal({**answer, "filters": [{**entry, "amount": wanted["amount"] * 1.1}]}, text, "en")


def test_distances_and_ranks_are_read_again() -> None:
    text = "the 2 hugest wet bits half a mile off the tarmac"
    near = {"kind": "near", "target": "road", "distance_m": 804.672, "span": "half a mile off the tarmac"}
    rank = {"kind": "rank", "order": "largest", "count": 2, "span": "the 2 hugest"}
    answer = {"targets": [{"id": "water", "span": "wet bits"}], "filters": [near, rank]}
    assert read_proposal(answer, text, "en").filters == (NearFilter("road", 804.672), RankFilter("largest", 2))
    for wrong in ({**near, "distance_m": 500}, {**near, "target": "gold"}):
        with pytest.raises(ValueError, match=r"number|target"):
            read_proposal({**answer, "filters": [wrong, rank]}, text, "en")
