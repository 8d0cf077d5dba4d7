"""Session: what it shares, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chat_magics import Conversation, Session
from chat_magics.client import Waiting
from chat_magics.errors import AuthenticationFailed, ConfigError, InvalidRequest, NotFound
from tests.chat_server import ChatServer, Reply, Status
from tests.shell import Shell
from tests.talks import conversation_on, until, user_texts


def test_a_session_that_nobody_has_any_more_ends_its_threads() -> None:
    before = set(threading.enumerate())
    chat: Conversation | None = Conversation(base_url="demo", max_tokens=3)
    assert chat is not None
    assert chat.ask("Hello").text
    assert set(threading.enumerate()) - before
    chat = None

    def gone() -> bool:
        gc.collect()  # again: the loop's thread may have held the last turn for a moment
        return set(threading.enumerate()) <= before

    until(gone)


def test_a_script_that_closes_nothing_ends_without_a_word() -> None:
    script = (
        "from chat_magics import Conversation\n"
        "chats = [Conversation(base_url='demo', max_tokens=3) for _ in range(2)]\n"
        "print([bool(chat.ask('Hello').text) for chat in chats])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[True, True]\n", "")


def test_the_place_of_an_open_history_cannot_change(tmp_path: Path) -> None:
    given: dict[str, str] = {"base_url": "demo"}
    session = Session(notebook=lambda: given)
    assert session.history.durable
    given["history"] = str(tmp_path / "other.db")
    with pytest.raises(ConfigError, match="restart the kernel"):
        session.refresh()
    del given["history"]
    session.refresh()
    session.close()


def test_a_key_of_the_environment_stays_here_and_the_refusal_says_so(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-of-the-environment")
    server.script(Status(401, {"error": {"message": "no", "code": "invalid_api_key"}}))
    session = Session({"base_url": server.url, "model": "m"})
    with pytest.raises(AuthenticationFailed, match="wants a key, but the key"):
        Conversation(session=session).ask("Hello").text  # noqa: B018 - looking at it sends it
    assert "authorization" not in server.requests[0].headers
    session.close()


def test_a_server_that_needs_no_key_is_asked_without_one(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-of-the-environment")
    session = Session({"base_url": server.url, "model": "m"})
    assert Conversation(session=session).ask("Hello").text.startswith("Hello from")
    assert "sk-canary" not in str(server.requests[0].headers)
    session.close()


def test_the_password_of_a_history_url_is_not_shown() -> None:
    session = Session({"history": "postgresql://me:secret-word@localhost/chats"})
    assert "secret-word" not in repr(session.config)
    session.close()


def test_a_turn_of_another_kernel_is_part_of_the_context(server: ChatServer) -> None:
    with conversation_on(server) as here, conversation_on(server) as there:
        here.ask("Q1").wait()
        same = Conversation.open(here.id, session=there.session)
        same.ask("Q2").wait()
        here.ask("Q3").wait()
        assert user_texts(server.bodies[-1]) == ["Q1", "Q2", "Q3"]
        assert len(here.path) == 3


def test_a_turn_of_another_kernel_stays_while_a_reply_is_regenerated(server: ChatServer) -> None:
    with conversation_on(server) as here, conversation_on(server) as there:
        here.ask("Q1").wait()
        same = Conversation.open(here.id, session=there.session)
        server.script(Reply(["new ", "answer"], stall_after=1))
        again = here.regenerate().send()
        server.until(lambda: server.held == 1)
        same.ask("Q2").wait()
        server.release()
        again.wait()
        assert [exchange.prompt for exchange in here.exchanges()] == ["Q1", "Q2"]
        assert here.exchanges()[0].text == "new answer"
        assert there.session.history.conversation(here.id).path == here.path


def test_two_kernels_that_regenerate_one_reply_leave_one(server: ChatServer) -> None:
    with conversation_on(server) as here, conversation_on(server) as there:
        first = here.ask("Q1")
        first.wait()
        same = Conversation.open(here.id, session=there.session)
        server.script(Reply(["slow ", "answer"], stall_after=1), Reply("quick answer"))
        slow = here.regenerate().send()
        server.until(lambda: server.held == 1)
        quick = same.regenerate()
        quick.wait()
        server.release()
        slow.wait()
        assert slow.exchange is not None
        assert here.path == (slow.exchange.id,)
        assert quick.exchange is not None
        assert here.exchanges()[0].supersedes == quick.exchange.id
        texts = [version.text for version in here.versions(slow.exchange.id)]
        assert sorted(texts) == ["Hello from the test server.", "quick answer", "slow answer"]


def test_an_answer_whose_place_another_kernel_took_away_is_kept(server: ChatServer) -> None:
    with conversation_on(server) as here, conversation_on(server) as there:
        here.ask("Q1").wait()
        same = Conversation.open(here.id, session=there.session)
        server.script(Reply(["new ", "answer"], stall_after=1))
        again = here.regenerate().send()
        server.until(lambda: server.held == 1)
        same.set_path([])
        server.release()
        again.wait()
        assert (again.status, again.text_so_far, here.path) == ("complete", "new answer", ())


def test_one_conversation_is_one_object_in_a_session(server: ChatServer) -> None:
    with conversation_on(server) as chat:
        chat.ask("Q1").wait()
        assert Conversation.open(chat.id, session=chat.session) is chat


def test_a_stop_while_waiting_for_our_own_limit_counts_no_request(server: ChatServer) -> None:
    with conversation_on(server, requests_per_minute=1) as chat:
        chat.ask("Q1").wait()
        waiting = chat.ask("Q2").send()
        next(event for event in waiting.events() if isinstance(event, Waiting))
        waiting.stop()
        waiting.wait()
        assert waiting.exchange is not None
        assert (waiting.exchange.attempts, waiting.exchange.usage) == (0, None)


def test_a_failed_reply_tells_how_often_it_was_asked(server: ChatServer) -> None:
    refusal = Status(500, headers={"retry-after-ms": "1"})
    server.script(refusal, refusal)
    with conversation_on(server, max_attempts=2) as chat:
        reply = chat.ask("Q1")
        reply.wait()
        assert reply.exchange is not None
        assert (reply.status, reply.exchange.attempts) == ("error", 2)


def test_regenerate_takes_the_settings_of_its_time(server: ChatServer) -> None:
    given: dict[str, object] = {"base_url": server.url, "model": "m", "api_key": "k-of-the-test"}
    session = Session(notebook=lambda: given)
    chat = Conversation(session=session)
    chat.ask("Q1").wait()
    given |= {"system": "Be brief", "temperature": 1.0}
    chat.regenerate().wait()
    assert server.bodies[0] == server.bodies[1]
    session.close()


def test_a_path_of_unknown_exchanges_is_refused(server: ChatServer) -> None:
    with conversation_on(server) as chat:
        chat.ask("Q1").wait()
        with pytest.raises(NotFound):
            chat.set_path(["0" * 32])
        assert len(chat.exchanges()) == 1


def test_what_is_no_text_is_refused_in_one_line(server: ChatServer) -> None:
    with conversation_on(server) as chat:
        with pytest.raises(InvalidRequest, match="prompt must be text, not int"):
            chat.ask(5)  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest, match="at most 100 characters"):
            Conversation("x" * 101, session=chat.session)


def test_a_shell_whose_session_was_closed_gets_a_new_one(server: ChatServer) -> None:
    shell = Shell()
    first = Session.of(shell.ip)
    assert Session.of(shell.ip) is first
    first.close()
    assert first.closed
    assert Session.of(shell.ip) is Session.of(shell.ip) is not first
    Session.of(shell.ip).check_open()
    shell.close()


def test_settings_of_a_file_are_told_once_for_the_same_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text("CHAT_MAGICS_SYSTEM=brief\n")
    given: dict[str, object] = {}
    session = Session(notebook=lambda: given)
    told = "chat_magics: settings from .env in the working folder: system\n"
    assert capsys.readouterr().err == told
    given["temperature"] = 1.0
    session.refresh()
    assert capsys.readouterr().err == ""
    (tmp_path / ".env").write_text("CHAT_MAGICS_SYSTEM=brief\nCHAT_MAGICS_MODEL=m\n")
    session.refresh()
    assert capsys.readouterr().err == told.replace("system", "model, system")
    session.close()
