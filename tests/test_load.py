"""Load and soak: many at once, and one for long; neither fails, and nothing is left behind."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from benchmarks.app_crowd import stream_at_once
from benchmarks.app_server import app
from benchmarks.place import prepared
from tests.chat_server import ChatServer
from tests.talks import conversation_on

pytestmark = pytest.mark.slow

SESSIONS = 30
ASKS = 300


def test_thirty_pages_stream_at_once_and_healthz_always_answers() -> None:
    with prepared() as place, app(place, "--max-sessions", str(SESSIONS + 10)) as served:
        seen = asyncio.run(stream_at_once(served, SESSIONS))
    assert (seen.failed, seen.unanswered) == (0, [])
    assert seen.probes


def test_hundreds_of_prompts_leave_no_thread_file_or_connection_behind(server: ChatServer) -> None:
    this = psutil.Process()
    with conversation_on(server) as chat:

        def held_after(asks: int) -> tuple[int, int]:
            for number in range(asks):
                assert chat.ask(f"Question {number}", alone=True, refresh=True).text
            return this.num_threads(), this.num_fds()

        assert held_after(ASKS) <= held_after(ASKS // 10)
    assert server.connections == 1
