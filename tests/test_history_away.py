"""A history in PostgreSQL that is killed, hangs or is away while somebody chats."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from chat_magics import Conversation, Reply, Session
from chat_magics.client import Waiting
from chat_magics.errors import StoreAway, StoreError
from chat_magics.history import History, patience
from chat_magics.history.patience import PatientConnection
from chat_magics.history.store import open_server
from tests.chat_server import ChatServer
from tests.chat_server import Reply as Answer
from tests.history_samples import begun, start_python
from tests.postgres import INSTALL, PostgresServer, programs
from tests.talks import until

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(programs() is None, reason=INSTALL),
]

NAMES = (f"away{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def mortal() -> Iterator[PostgresServer]:
    """A server of this module's own, since it is killed."""
    with PostgresServer() as started:
        yield started


@pytest.fixture
def url(mortal: PostgresServer) -> str:
    return mortal.database(next(NAMES))


@pytest.fixture
def chat(server: ChatServer, url: str) -> Iterator[Conversation]:
    given = {"base_url": server.url, "model": "test-model", "history": url, "cache": False}
    session = Session(given)
    session.prepare()
    yield Conversation(session=session)
    server.release()
    session.close()


def is_one_line(error: Exception) -> bool:
    return "\n" not in str(error) and "hidden" not in str(error)


def waits(reply: Reply) -> list[str]:
    """Why it waits, told as it comes."""
    told: list[str] = []

    def follow() -> None:
        for each in reply.events():
            if isinstance(each, Waiting):
                told.append(each.reason)

    threading.Thread(target=follow, daemon=True).start()
    return told


def stored(url: str) -> list[tuple[str, str, str]]:
    """Prompt, status and text of all that is kept."""
    history = History(url, on_warning=pytest.fail)
    found = [(each.prompt, each.status, each.text) for each in history.load_exchanges()]
    history.close()
    return found


AWAY = "the history does not answer"


def test_killed_while_a_reply_comes_it_has_the_whole_reply_once_it_is_back(
    server: ChatServer, mortal: PostgresServer, chat: Conversation, url: str
) -> None:
    chat.ask("Before").wait()
    server.script(Answer(["The beginning ", "and the end"], stall_after=1))
    reply = chat.ask("Killed").send()
    until(lambda: reply.text_so_far != "")
    told = waits(reply)
    mortal.kill()
    server.release()
    until(lambda: AWAY in told)
    mortal.start()
    reply.wait()
    assert (reply.status, reply.text) == ("complete", "The beginning and the end")
    assert stored(url)[-1] == ("Killed", "complete", "The beginning and the end")
    chat.ask("After").wait()
    assert [prompt for prompt, *_ in stored(url)] == ["Before", "Killed", "After"]


def test_a_reply_that_is_not_waited_for_is_stored_all_the_same_once_it_is_back(
    server: ChatServer, mortal: PostgresServer, chat: Conversation, url: str
) -> None:
    server.script(Answer(["The beginning ", "and the end"], stall_after=1))
    reply = chat.ask("Killed").send()
    until(lambda: reply.text_so_far != "")
    told = waits(reply)
    mortal.kill()
    try:
        server.release()
        until(lambda: AWAY in told)
        reply.stop()
        reply.wait()
        assert isinstance(reply.error, StoreAway)
        assert is_one_line(reply.error)
        assert reply.text == "The beginning and the end"
        assert not chat.session.idle
    finally:
        mortal.start()
    until(lambda: chat.session.idle)
    assert stored(url) == [("Killed", "complete", "The beginning and the end")]
    assert [each.status for each in chat.exchanges()] == ["complete"]


def test_a_prompt_that_cannot_be_stored_is_refused_in_one_line_and_not_sent(
    server: ChatServer, mortal: PostgresServer, chat: Conversation, url: str
) -> None:
    chat.ask("Before").wait()
    mortal.kill()
    try:
        refused = chat.ask("Not sent")
        refused.wait()
        assert isinstance(refused.error, StoreAway)
        assert "does not answer" in str(refused.error)
        assert refused.error.retry_after
        assert is_one_line(refused.error)
        with pytest.raises(StoreAway):
            chat.session.store_now(lambda history: history.check())
    finally:
        mortal.start()
    chat.ask("After").wait()
    assert [each.last for each in server.posts] == ["Before", "After"]
    assert [status for _, status, _ in stored(url)] == ["complete", "complete"]


def test_a_session_begins_with_the_server_away_and_goes_on_once_it_is_there(
    server: ChatServer, mortal: PostgresServer, chat: Conversation, url: str
) -> None:
    given = {"base_url": server.url, "model": "test-model", "history": url}
    session = Session(given)
    mortal.kill()
    try:
        with pytest.raises(StoreAway) as told:
            session.prepare()
        assert is_one_line(told.value)
    finally:
        mortal.start()
    assert Conversation(session=session).ask("Hello").text
    session.close()


def test_one_that_hangs_is_given_up_in_one_line_and_used_again_once_it_goes_on(
    mortal: PostgresServer, chat: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PING_SECONDS", 0.5)
    chat.ask("Before").wait()
    mortal.hang()
    try:
        refused = chat.ask("Meanwhile")
        refused.wait()
        assert isinstance(refused.error, StoreAway)
        assert is_one_line(refused.error)
    finally:
        mortal.go_on()
    assert chat.ask("After").text


def test_a_statement_that_is_not_answered_is_given_up_and_ended_there(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_server(url)
    monkeypatch.setattr(PatientConnection, "silent_seconds", 0.5)
    with pytest.raises(StoreAway, match=r"said nothing for 0\.5 s"):
        store.read(lambda connection: connection.execute(text("SELECT pg_sleep(600)")))
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'active' AND pid <> pg_backend_pid()"
    )
    until(lambda: store.read(lambda connection: connection.execute(others).scalar_one()) == 0)
    store.close()


ELSEWHERE = "UPDATE exchanges SET host = 'elsewhere', touched = touched - interval '{}'"


def test_a_reply_of_another_machine_lives_as_long_as_it_gives_signs_of_life(url: str) -> None:
    here = History(url, on_warning=pytest.fail)
    exchange, _ = begun(here, here.new_conversation())
    here.append_partial(exchange.id, "half")
    store = open_server(url)
    for silence, status in (("50 seconds", "streaming"), ("20 seconds", "interrupted")):
        change = ELSEWHERE.format(silence)
        store.write(lambda connection, change=change: connection.exec_driver_sql(change))
        here.end_dead()
        assert here.exchange(exchange.id).status == status
    store.close()
    here.close()


def test_who_was_taken_for_dead_and_lives_stores_the_reply_all_the_same(url: str) -> None:
    here = History(url, on_warning=pytest.fail)
    exchange, _ = begun(here, here.new_conversation(), "Presumed")
    here.append_partial(exchange.id, "half")
    dead = "UPDATE exchanges SET status = 'interrupted', ended = touched"
    store = open_server(url)
    store.write(lambda connection: connection.exec_driver_sql(dead))
    store.write(lambda c: c.exec_driver_sql("INSERT INTO unindexed SELECT id FROM exchanges"))
    store.close()
    assert len(here.search("half")) == 1
    here.finish(exchange.model_copy(update={"status": "complete", "text": "whole"}))
    assert here.exchange(exchange.id).text == "whole"
    assert (len(here.search("half")), len(here.search("whole"))) == (0, 1)
    with pytest.raises(StoreError, match="ended"):
        here.append_partial(exchange.id, "more")
    here.close()


def test_a_reply_that_another_process_was_interrupted_in_stays_so(url: str) -> None:
    kernel = start_python(
        "history = History(place, on_warning=print)\n"
        "exchange, talk = begun(history, history.new_conversation())\n"
        "print(exchange.id, flush=True); sys.stdin.read()",
        url,
    )
    id = kernel.stdout.readline().strip()
    kernel.kill()
    kernel.communicate()
    history = History(url, on_warning=pytest.fail)
    done = history.exchange(id)
    assert done.status == "interrupted"
    with pytest.raises(StoreError, match="ended"):
        history.finish(done.model_copy(update={"status": "complete"}))
    history.close()
