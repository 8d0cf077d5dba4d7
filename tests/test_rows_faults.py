"""What was paid for stays, whatever happens to the history, the session or a part of the answer."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, update

from chat_magics.batch import ask, keeper
from chat_magics.errors import ChatError, StoreAway
from chat_magics.history import History
from chat_magics.history.exchange import now
from chat_magics.history.schema import exchanges as table
from tests.chat_server import Hang, Reply
from tests.rows_samples import PROMPT, answering, frame, rows_session
from tests.talks import until


def asked(data, session, **how):
    return ask(data, PROMPT, session=session, progress=False, **how)


class Asking(threading.Thread):
    """A run on a thread of its own; `out` is what it gave, or what it raised."""

    def __init__(self, data, session, **how):
        super().__init__()
        self.out = None
        self._given = data, session, how
        self.start()

    def run(self):
        data, session, how = self._given
        try:
            self.out = asked(data, session, **how)
        except ChatError as error:
            self.out = error


def test_an_id_of_the_server_that_is_no_text_loses_no_answer(server):
    odd = {"x-request-id": "\u00ff\u00fe"}  # sent as Latin-1, which is no UTF-8
    server.default = answering(lambda text: Reply(text, headers=odd if text == "row 2" else {}))
    with rows_session(server) as session:
        assert list(asked(frame(9), session)["status"]) == ["complete"] * 9
        ids = session.history.exchanges()["request_id"]
        assert ids.str.contains("?", regex=False).sum() == 1


def test_an_answer_that_cannot_be_stored_does_not_take_others_along(server, monkeypatch):
    real = History.finish_rows

    def finish(self, rows):
        if any(row.completion is not None and row.completion.text == "row 2" for row in rows):
            raise ValueError("a value that no database takes")
        real(self, rows)

    monkeypatch.setattr(History, "finish_rows", finish)
    server.default = answering(str)
    with rows_session(server) as session:
        out = asked(frame(9), session, concurrency=9)
        assert list(out["answer"]) == [f"row {number}" for number in range(9)]
        assert "an answer cannot be stored: a value that no database takes" in session.told[0]
        stored = session.history.exchanges()["status"].value_counts().to_dict()
        assert stored == {"complete": 8, "streaming": 1}


class Away(threading.Event):
    """Set while the database does not answer; `tries` counts what it did not answer to."""

    tries = 0


@pytest.fixture
def away(monkeypatch):
    monkeypatch.setattr(keeper, "PAUSE", 0.01)
    is_away = Away()
    for name in ("begin_rows", "finish_rows", "drop_rows", "end_run"):
        real = getattr(History, name)

        def work(self, *given, _real=real):
            if is_away.is_set():
                is_away.tries += 1
                raise StoreAway("it does not answer")
            return _real(self, *given)

        monkeypatch.setattr(History, name, work)
    return is_away


def test_answers_wait_for_a_database_that_is_away_and_nothing_more_is_asked(server, away):
    server.default = answering(lambda text: Hang() if text in ("row 4", "row 5") else text)
    with rows_session(server) as session:
        asking = Asking(frame(20), session, concurrency=2)
        server.until(lambda: server.held == 2)
        server.default = Hang()
        away.set()
        server.release()
        until(lambda: len(server.posts) == 8 and away.tries > 2)
        server.default = Reply("late")
        server.release()
        tries = away.tries
        until(lambda: away.tries > tries + 10)
        assert len(server.posts) == 8, "it asks on while nothing can be stored"
        away.clear()
        asking.join()
        assert list(asking.out["status"]) == ["complete"] * 20
        assert len(server.posts) == 20
        assert set(session.history.exchanges()["status"]) == {"complete"}


def test_where_it_stays_away_the_run_ends_and_the_answers_are_stored_later(
    server, away, monkeypatch
):
    monkeypatch.setattr(keeper, "PATIENCE", 0.05)
    server.default = answering(lambda text: Hang() if text in ("row 4", "row 5") else text)
    with rows_session(server) as session:
        asking = Asking(frame(20), session, concurrency=2)
        server.until(lambda: server.held == 2)
        away.set()
        server.default = Reply("late")
        server.release()
        asking.join()
        assert "does not answer" in session.told[0]
        answered = asking.out["status"].eq("complete").sum()
        assert answered == len(server.posts)
        away.clear()
        rest = asked(frame(20), session)
        assert rest["cached"].sum() == answered, "what was paid for is not asked again"
        assert len(server.posts) == 20


def test_a_session_that_is_closed_in_the_middle_keeps_every_answer(server, monkeypatch):
    monkeypatch.setattr(keeper, "APART", 3600.0)  # the last group is open when the session ends
    server.default = answering(lambda text: Hang() if text >= "row 5" else text)
    with rows_session(server) as session:
        asking = Asking(frame(9), session, concurrency=2)
        server.until(lambda: server.held == 2)
        session.close()
        asking.join()
    with rows_session(server) as later:
        stored = later.history.exchanges()["status"].value_counts().to_dict()
        assert stored == {"complete": 5, "stopped": 2}


def test_a_session_that_is_closed_while_answers_wait_for_the_database_keeps_them(server, away):
    server.default = answering(lambda text: Hang() if text >= "row 3" else text)
    with rows_session(server) as session:
        asking = Asking(frame(9), session, concurrency=2)
        server.until(lambda: server.held == 2)
        until(lambda: len(session.history.exchanges(status="complete")) == 3)
        away.set()
        server.default = Hang()
        server.release()
        until(lambda: away.tries > 2)
        back = threading.Timer(0.5, away.clear)
        back.start()
        session.close()
        asking.join()
        back.join()
    with rows_session(server) as later:
        stored = later.history.exchanges()["status"].value_counts().to_dict()
        assert stored["complete"] == 5


def test_rows_that_another_machine_took_for_dead_keep_their_answers(server, place, monkeypatch):
    server.default = answering(lambda text: Hang() if text >= "row 3" else text)
    with rows_session(server, history=place) as session:
        asking = Asking(frame(9), session, concurrency=2)
        server.until(lambda: server.held == 2)
        until(lambda: len(session.history.exchanges(status="complete")) == 3)
        url = place if "://" in place else f"sqlite:///{place}"
        database = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with database.begin() as connection:
            long_ago = now() - timedelta(hours=2)
            waiting = update(table).where(table.c.status == "streaming")
            assert connection.execute(waiting.values(touched=long_ago)).rowcount == 6
        database.dispose()
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(socket, "gethostname", lambda: "another-machine")
            History(place, on_warning=pytest.fail).close()
        server.default = Reply("late")
        server.release()
        asking.join()
        assert list(asking.out["status"]) == ["complete"] * 9
        assert list(session.history.exchanges()["status"]) == ["complete"] * 9
        assert len(session.history.search("classify")) == 9
