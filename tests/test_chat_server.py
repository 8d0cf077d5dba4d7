"""The tests' own server: that it speaks as told, and that it refuses what OpenAI would refuse."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.chat_server import ChatServer, Hang, Html, Json, Recorded, Reply, Reset, Status

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = {"model": "m", "messages": HELLO}
STREAM = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
def http(server: ChatServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
def openai(server: ChatServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="test", max_retries=0) as client:
        yield client


def ask(http: httpx2.Client, **body: Any) -> httpx2.Response:
    return http.post("/chat/completions", json={**STREAM, **body})


def text_of(sse: str) -> str:
    chunks = [json.loads(line[6:]) for line in sse.splitlines() if line.startswith("data: {")]
    deltas = [c["choices"][0]["delta"] for c in chunks if c["choices"]]
    return "".join((delta or {}).get("content", "") for delta in deltas)


def test_the_official_client_reads_a_streamed_reply(server: ChatServer, openai: OpenAI) -> None:
    server.script(Reply("Grüße, 世界 🙂!", reasoning="think first"))
    chunks = list(openai.chat.completions.create(**STREAM))  # type: ignore[call-overload]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "Grüße, 世界 🙂!"
    assert chunks[-1].usage.completion_tokens == 5


def test_the_official_client_reads_a_whole_reply(server: ChatServer, openai: OpenAI) -> None:
    server.script(Reply("All of it", model="other", finish_reason="length"))
    answer = openai.chat.completions.create(**CHAT)  # type: ignore[call-overload]
    assert answer.choices[0].message.content == "All of it"
    assert (answer.model, answer.choices[0].finish_reason) == ("other", "length")


def test_the_official_client_reads_both_forms_of_the_responses_api(
    server: ChatServer, openai: OpenAI
) -> None:
    server.default = Reply("By the other API")
    whole = openai.responses.create(model="m", input="Hello", store=False)
    events = list(openai.responses.create(model="m", input="Hello", store=False, stream=True))
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert whole.output_text == deltas == "By the other API"
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage == whole.usage


def test_models_are_listed_and_can_be_made_to_fail(server: ChatServer, openai: OpenAI) -> None:
    server.models = ["one", "two"]
    assert [model.id for model in openai.models.list()] == ["one", "two"]
    server.models_answer = Status(404)
    with pytest.raises(Exception, match="404"):
        openai.models.list()


def test_connections_are_kept_and_counted(server: ChatServer, http: httpx2.Client) -> None:
    for _ in range(3):
        ask(http)
    assert server.connections == 1
    assert [request.connection for request in server.posts] == [1, 1, 1]


@pytest.mark.parametrize(
    ("usage", "asked", "seen"),
    [
        ("own-chunk", True, True),
        ("own-chunk", False, False),
        ("last-chunk", False, True),
        ("finish-chunk", False, True),
        ("none", True, False),
    ],
)
def test_usage_comes_where_it_was_told_to(
    server: ChatServer, http: httpx2.Client, usage: Any, asked: bool, seen: bool
) -> None:
    server.script(Reply("one two", usage=usage))
    answer = ask(http, stream_options={"include_usage": asked})
    assert ('"completion_tokens":2' in answer.text) is seen


def test_lines_and_characters_are_split_over_writes(
    server: ChatServer, http: httpx2.Client
) -> None:
    server.script(Reply("größer", split_bytes=1, crlf=True, comments=True, null_choices=False))
    with http.stream("POST", "/chat/completions", json=STREAM) as answer:
        parts = list(answer.iter_raw())
    assert {len(part) for part in parts} == {1}
    assert "größer" in b"".join(parts).decode()
    assert b"".join(parts).count(b"\r\n") == b"".join(parts).count(b"\n")


def test_odd_chunks_are_sent_when_told(server: ChatServer, http: httpx2.Client) -> None:
    server.script(Reply("a b", null_choices=True, role_in_every_chunk=True, done_line=False))
    text = ask(http).text
    assert '"choices":null' in text
    assert '"delta":null' in text
    assert text.count('"role":"assistant"') == 3
    assert "[DONE]" not in text


def test_a_cut_stream_breaks_within_the_body(server: ChatServer, http: httpx2.Client) -> None:
    server.script(Reply("one two three", cut_after=2))
    with http.stream("POST", "/chat/completions", json=STREAM) as answer:
        parts = answer.iter_raw()
        seen = b"".join(next(parts) for _ in range(3))
        with pytest.raises(httpx2.RemoteProtocolError):
            next(parts)
    assert text_of(seen.decode()) == "one two"
    assert server.disconnects == 0


def test_a_stream_can_end_early_or_with_an_error_or_with_broken_json(
    server: ChatServer, http: httpx2.Client
) -> None:
    server.script(Reply("a b c", end_after=1), Reply("a b c", error_after=1))
    ended, failed = ask(http).text, ask(http).text
    assert text_of(ended) == "a"
    assert 'finish_reason":"stop' not in ended
    assert 'data: {"error"' in failed
    server.script(Reply("a b c", malformed_after=0))
    with pytest.raises(ValueError, match="Unterminated"):
        text_of(ask(http).text)


def test_a_stall_lasts_until_released(server: ChatServer, http: httpx2.Client) -> None:
    server.script(Reply("one two", stall_after=1))
    with http.stream("POST", "/chat/completions", json=STREAM) as answer:
        server.until(lambda: server.held == 1)
        server.release()
        assert text_of(answer.read().decode()) == "one two"


def test_a_client_that_leaves_is_noticed(server: ChatServer, http: httpx2.Client) -> None:
    server.script(Reply("one two", stall_after=1))
    with http.stream("POST", "/chat/completions", json=STREAM):
        server.until(lambda: server.held == 1)
    server.until(lambda: server.disconnects == 1)
    assert server.held == 0


def test_a_client_that_closes_politely_while_it_waits_is_noticed(server: ChatServer) -> None:
    server.script(Hang())
    client = _asking(server)
    server.until(lambda: server.held == 1)
    client.close()
    server.until(lambda: server.disconnects == 1)


def test_a_server_that_hangs_can_be_closed() -> None:
    with ChatServer() as other:
        other.default = Hang()
        with _asking(other) as client:
            other.until(lambda: other.held == 1)
            other.close()
            assert client.recv(10) == b""
    assert other.disconnects == 0


def test_a_reset_is_a_reset(server: ChatServer, http: httpx2.Client) -> None:
    server.script(Reset())
    with pytest.raises(httpx2.ReadError):
        ask(http)


def test_errors_pages_and_plain_json(server: ChatServer, http: httpx2.Client) -> None:
    server.script(
        Status(429, headers={"retry-after-ms": "20"}), Html(), Json({"a": 1}), Status(502, "no")
    )
    limited, page, plain, bad = (ask(http) for _ in range(4))
    assert limited.json()["error"]["code"] == "rate_limit_exceeded"
    assert limited.headers["retry-after-ms"] == "20"
    assert page.headers["content-type"] == "text/html"
    assert (plain.json(), bad.status_code, bad.text) == ({"a": 1}, 502, "no")


def test_a_function_answers_by_the_prompt(server: ChatServer, http: httpx2.Client) -> None:
    server.default = lambda request: Reply(request.last.upper())
    assert text_of(ask(http).text) == "HELLO"


def test_a_fault_in_a_script_is_told(server: ChatServer, http: httpx2.Client) -> None:
    server.script(lambda request: 1 / 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(httpx2.RemoteProtocolError):
        ask(http)
    assert "ZeroDivisionError" in server.violations.pop()


def test_recorded_bytes_are_replayed_as_they_are(
    server: ChatServer, http: httpx2.Client, tmp_path: Path
) -> None:
    recorded = tmp_path / "a.sse"
    recorded.write_bytes("data: é\n\n".encode())
    server.script(Recorded(recorded, split_bytes=3))
    assert ask(http).content == recorded.read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"foo": 1}, "foo: Extra inputs"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "x", "age": 1}]}, "messages.0.age: Extra"),
        ({"messages": "Hello"}, "messages: Input should be a valid array"),
        ({"model": None}, "model: Input should be a valid string"),
        ({"temperature": "0.5"}, "temperature: Input should be a valid number"),
        ({"stream_options": {"usage": True}}, "stream_options.usage: Extra"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
    ],
)
def test_what_the_official_types_do_not_allow_is_refused(change: Any, said: str) -> None:
    with ChatServer() as strict, httpx2.Client(base_url=strict.url, trust_env=False) as http:
        answer = ask(http, **change)
        assert answer.status_code == 400
        assert said in answer.json()["error"]["message"]
        assert len(strict.violations) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"messages": HELLO}, "model: Field required"),
        ({"model": "m"}, "messages: Field required"),
        ({**CHAT, "stream": "yes"}, "stream"),
        ([], "not a JSON object"),
    ],
)
def test_what_is_missing_is_named(body: Any, said: str) -> None:
    with ChatServer() as strict, httpx2.Client(base_url=strict.url, trust_env=False) as http:
        answer = http.post("/chat/completions", json=body)
        assert answer.status_code == 400
        assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "change",
    [{"max_tokens": 5}, {"temperature": "1"}, {"input": [{"role": "boss", "content": "x"}]}],
)
def test_the_responses_api_is_as_strict(change: Any) -> None:
    with ChatServer() as strict, httpx2.Client(base_url=strict.url, trust_env=False) as http:
        good = {"model": "m", "input": HELLO, "store": False}
        assert http.post("/responses", json=good).status_code == 200
        assert http.post("/responses", json={**good, **change}).status_code == 400
        assert len(strict.violations) == 1


def _asking(server: ChatServer) -> socket.socket:
    """A connection that has sent a request and has read nothing."""
    host, port = server.url.removeprefix("http://").removesuffix("/v1").split(":")
    client = socket.create_connection((host, int(port)), timeout=10)
    raw = json.dumps(STREAM).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\n"
    client.sendall(head + b"content-length: %d\r\n\r\n%b" % (len(raw), raw))
    return client
