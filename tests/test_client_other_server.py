"""ChatClient against a model server that other people wrote (aimock), where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chat_magics.client import ChatClient, Restarted
from chat_magics.errors import ChatError, RateLimited, ServerUnavailable
from tests.aimock import Aimock, aimock
from tests.asking import asking, request_to, start

TEXT = "Here is a **list**:\n\n- Grüße\n- 世界 🙂\n"
GOOD = {"response": {"content": TEXT}, "chunkSize": 5}

pytestmark = pytest.mark.npm


def fixture(turn: int | None = None, **more: Any) -> dict[str, Any]:
    match: dict[str, Any] = {"userMessage": "Hello"}
    if turn is not None:
        match["sequenceIndex"] = turn
    return {"match": match, **GOOD, **more}


@contextmanager
def talking(
    folder: Path, transport: str, *fixtures: dict[str, Any]
) -> Iterator[tuple[Aimock, ChatClient]]:
    """A running aimock with these fixtures, and a client of it."""
    with aimock(folder, *fixtures) as server, asking(server.url, transport=transport) as client:
        yield server, client


def statuses(server: Aimock) -> list[int]:
    return [entry["response"]["status"] for entry in server.journal()]


@pytest.fixture(params=["aiohttp", "httpx"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_streamed_reply_is_read_whole(tmp_path: Path, transport: str, api: str) -> None:
    with talking(tmp_path, transport, fixture()) as (server, client):
        asked = start(client, request_to(client, model="gpt-4o", api=api))
        answer = asked.completion()
        sent = server.journal()[0]["body"]
    assert answer.text == asked.text == TEXT
    assert (answer.finish_reason, answer.notes) == ("stop", ())
    assert answer.model == "gpt-4o"
    assert answer.usage.estimated is (api == "responses")  # it says 0 there
    assert answer.usage.total_tokens > 10
    assert sent["messages"] == [{"role": "user", "content": "Hello"}]


def test_thoughts_are_kept_apart(tmp_path: Path, transport: str) -> None:
    thinking = fixture(response={"content": TEXT, "reasoning": "Think first."})
    with talking(tmp_path, transport, thinking) as (_, client):
        answer = client.complete(request_to(client, model="o3"))
    assert (answer.text, answer.reasoning) == (TEXT, "Think first.")


def test_after_a_429_the_reply_comes_no_earlier_than_it_said(
    tmp_path: Path, transport: str
) -> None:
    error = {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}
    limited = fixture(0, response={"error": error, "status": 429, "retryAfter": 1})
    with talking(tmp_path, transport, limited, fixture(1)) as (server, client):
        asked = start(client, request_to(client, model="gpt-4o"))
        answer = asked.completion()
        assert statuses(server) == [429, 200]
    assert (answer.text, answer.attempts) == (TEXT, 2)
    assert asked.waits[0].seconds is not None
    assert asked.waits[0].seconds >= 1
    assert answer.latency >= 1


def test_a_429_that_lasts_is_told(tmp_path: Path, transport: str) -> None:
    error = {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}
    limited = fixture(response={"error": error, "status": 429, "retryAfter": 120})
    with talking(tmp_path, transport, limited) as (server, client):
        with pytest.raises(RateLimited, match="slow down") as caught:
            client.complete(request_to(client, model="gpt-4o"))
        assert statuses(server) == [429]
    assert caught.value.retry_after == 120


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_reply_that_is_cut_is_asked_again(tmp_path: Path, transport: str, api: str) -> None:
    cut = fixture(0, truncateAfterChunks=6, latency=20)  # else the cut overtakes the text
    with talking(tmp_path, transport, cut, fixture(1)) as (_, client):
        asked = start(client, request_to(client, model="gpt-4o", api=api))
        answer = asked.completion()
    assert answer.text == asked.text == TEXT
    assert answer.attempts == 2
    assert [type(event) for event in asked.restarts] == [Restarted]
    assert TEXT.startswith(asked.restarts[0].discarded)


def test_a_malformed_answer_is_an_error_of_ours(tmp_path: Path, transport: str) -> None:
    with talking(tmp_path, transport, fixture(chaos={"malformedRate": 1.0})) as (server, client):
        with pytest.raises(ChatError):
            client.complete(request_to(client, model="gpt-4o"))
        assert len(server.journal()) == 2


def test_a_connection_that_is_dropped_is_an_error_of_ours(tmp_path: Path, transport: str) -> None:
    gone = fixture(chaos={"disconnectRate": 1.0})
    caught = pytest.raises(ChatError)
    with talking(tmp_path, transport, gone) as (_, client), caught as error:
        client.complete(request_to(client, model="gpt-4o"))
    assert error.value.transient


def test_what_it_says_of_an_error_is_told(tmp_path: Path, transport: str) -> None:
    with talking(tmp_path, transport, fixture()) as (server, client):
        with pytest.raises(ServerUnavailable, match=r"\(503\): Strict mode: no fixture matched"):
            client.complete(request_to(client, "Something else", model="gpt-4o"))
        assert statuses(server) == [503]  # it calls itself an invalid_request_error
        assert client.complete(request_to(client, model="gpt-4o")).text == TEXT


def test_its_models_are_listed(tmp_path: Path, transport: str) -> None:
    with talking(tmp_path, transport, fixture()) as (_, client):
        assert client.loop.run(client.default_model()) in client.loop.run(client.models())
