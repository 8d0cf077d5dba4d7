"""Limits of our own: requests a minute by person and by address, replies at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chat_magics.answering import Answering
from chat_magics.errors import RateLimitReached
from tests.asking import asking, request_to, start
from tests.chat_server import ChatServer, Reply


def test_the_own_limit_of_requests_refuses_beyond_the_longest_wait(
    server: ChatServer, tmp_path: Path
) -> None:
    given = {"requests_per_minute": 2, "max_limit_wait": 1}
    with asking(server.url, limits=tmp_path, **given) as client:
        for prompt in ("one", "two"):
            client.complete(request_to(client, prompt))
        with pytest.raises(RateLimitReached, match=r"requests_per_minute\): again in \d") as caught:
            client.complete(request_to(client, "three"))
    assert (caught.value.retry_after or 0) > 1
    assert len(server.posts) == 2


def test_a_wait_for_the_own_limit_is_told_and_can_be_stopped(
    server: ChatServer, tmp_path: Path
) -> None:
    given = {"requests_per_minute": 1, "max_limit_wait": 100}
    with asking(server.url, limits=tmp_path, **given) as client:
        client.complete(request_to(client, "one"))
        asked = start(client)
        asked.until(lambda: len(asked.waits) == 1)
        asked.future.cancel()
    assert asked.waits[0].reason == "your limit of requests per minute is reached"
    assert len(server.posts) == 1


def test_people_behind_one_address_have_a_limit_together(
    server: ChatServer, tmp_path: Path
) -> None:
    given = {"requests_per_minute_per_address": 2, "max_limit_wait": 0}
    with asking(server.url, limits=tmp_path, address="192.0.2.7", **given) as client:
        for owner in ("ada", "grace"):
            client.complete(request_to(client, owner=owner))
        with pytest.raises(RateLimitReached):
            client.complete(request_to(client, owner="joan"))
    with asking(server.url, limits=tmp_path, address="192.0.2.8", **given) as client:
        client.complete(request_to(client, owner="joan"))
    assert len(server.posts) == 3


def test_one_reply_at_a_time_for_each_person(server: ChatServer, tmp_path: Path) -> None:
    server.script(Reply(["one ", "two"], stall_after=1))
    with asking(server.url, limits=tmp_path, answers_at_once=1, max_limit_wait=100) as client:
        first = start(client)
        server.until(lambda: server.held == 1)
        second = start(client)
        second.until(lambda: len(second.waits) == 1)
        assert second.waits[0].reason == "your other reply"
        client.complete(request_to(client, owner="somebody else"))
        server.release()
        first.future.result(10)
        assert second.future.result(10).text == "Hello from the test server."


def test_who_does_not_want_to_wait_is_told_to(server: ChatServer, tmp_path: Path) -> None:
    server.script(Reply(["one ", "two"], stall_after=1))
    with asking(server.url, limits=tmp_path, answers_at_once=1, max_limit_wait=0) as client:
        first = start(client)
        server.until(lambda: server.held == 1)
        with pytest.raises(RateLimitReached, match="answers_at_once") as caught:
            client.complete(request_to(client))
        server.release()
        first.future.result(10)
    assert caught.value.retry_after == 1.0


def test_a_place_is_counted_over_processes_and_given_up_by_the_dead(tmp_path: Path) -> None:
    source = f"""
from pathlib import Path
from chat_magics.answering import Answering
assert Answering(Path({str(tmp_path)!r})).enter("me", 1)
print("in", flush=True)
input()
"""
    command = [sys.executable, "-c", source]
    answering = Answering(tmp_path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == "in\n"
        assert answering.enter("me", 1) is None
        leave = answering.enter("me", 2)
        assert leave is not None
        other.kill()
        other.wait()
    again = answering.enter("me", 1)
    assert again is not None
    again()
    leave()
