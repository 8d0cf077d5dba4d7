"""The interpreter's settings are as they were once a reply or an import has ended."""

from __future__ import annotations

import gc
import sys

import pytest

from chat_magics.interpreter import TURN_SECONDS, short_turns, while_importing
from tests.chat_server import ChatServer, Reply
from tests.talks import conversation_on, until


def test_turns_are_short_until_the_last_who_wants_them_has_ended() -> None:
    usual = sys.getswitchinterval()
    first, second = short_turns(), short_turns()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(TURN_SECONDS)
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(usual)


def test_turns_that_somebody_made_shorter_stay_as_they_are() -> None:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    shorter = sys.getswitchinterval()
    try:
        for _ in range(10):
            with short_turns():
                assert sys.getswitchinterval() == shorter
            assert sys.getswitchinterval() == shorter
    finally:
        sys.setswitchinterval(usual)


def test_the_collector_is_off_during_an_import_and_on_after_it() -> None:
    assert gc.isenabled()
    frozen = gc.get_freeze_count()  # Python 3.12 freezes some by itself
    during = []

    @while_importing()
    def broken() -> None:
        during.append(gc.isenabled())
        raise ImportError

    with pytest.raises(ImportError):
        broken()
    assert during == [False]
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_turns_are_short_while_a_reply_comes(server: ChatServer) -> None:
    usual = sys.getswitchinterval()
    server.script(Reply(["one ", "two"], stall_after=1))
    with conversation_on(server) as chat:
        reply = chat.ask("Go on")
        assert next(iter(reply)) == "one "
        server.until(lambda: server.held == 1)
        assert sys.getswitchinterval() == pytest.approx(TURN_SECONDS)
        reply.stop()
        until(lambda: reply.done)
        until(lambda: sys.getswitchinterval() == pytest.approx(usual))
