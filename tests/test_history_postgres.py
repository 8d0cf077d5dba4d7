"""The same history in a real PostgreSQL server: what differs there, and that nothing else does."""

from __future__ import annotations

import itertools
from datetime import datetime, timezone

import pytest
from hypothesis import settings
from sqlalchemy import text

from chat_magics.errors import InvalidRequest, NotFound, StoreError
from chat_magics.history import History, Spent
from chat_magics.history.engines import server_engine
from chat_magics.history.layout import LAYOUT, Layout, prepare
from chat_magics.history.store import open_server
from chat_magics.messages import Usage
from tests.history_samples import ask, begun, start_python
from tests.postgres import INSTALL, PostgresServer, programs
from tests.test_history_model import QUICK, HistoryMachine
from tests.test_history_processes import FORK

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(programs() is None, reason=INSTALL),
]

NAMES = (f"chats{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer() as server:
        yield server


@pytest.fixture
def url(postgres):
    return postgres.database(next(NAMES))


@pytest.fixture
def history(url):
    opened = History(url, on_warning=pytest.fail)
    yield opened
    opened.close()


def test_all_values_come_back_as_they_were_stored(history, url):
    talk = history.new_conversation("every value")
    exchange, talk = begun(history, talk, "NUL \x00, DLE \x10 and 🦀", options={"stop": ["\x00"]})
    used = Usage(prompt_tokens=2**40, completion_tokens=1, estimated=True)
    final = {"status": "complete", "text": "\x00" * 3, "usage": used, "cost": 0.1 + 0.2}
    moment = datetime(2026, 11, 22, 15, 0, 0, 123456, tzinfo=timezone.utc)
    done = exchange.model_copy(update={**final, "ended": moment, "notes": ("\x00",)})
    history.finish(done)
    other = History(url, on_warning=pytest.fail)
    assert other.exchange(exchange.id) == done
    assert other.conversation("every value") == talk
    assert other.spent(exchange.created) == Spent(2**40 + 1, 0.1 + 0.2, 0)
    other.close()


def test_what_is_refused_in_a_file_is_refused_here(history):
    done, talk = ask(history, history.create_conversation("one"))
    with pytest.raises(InvalidRequest, match="choose another name"):
        history.create_conversation("one")
    with pytest.raises(StoreError, match="ended"):
        history.finish(done)
    with pytest.raises(StoreError, match="already"):
        history.begin(done.model_copy(update={"status": "streaming"}), talk, [])
    with pytest.raises(NotFound, match="nearest names: one"):
        history.conversation("onw")


def test_versions_and_beginnings_of_ids_are_found(history):
    first, talk = ask(history, history.new_conversation())
    second, talk = begun(history, talk, supersedes=first.id)
    assert history.versions(second.id) == [first, second]
    assert history.conversation(talk.id[:6].upper()) == talk


def test_a_killed_kernel_leaves_its_reply_interrupted(url):
    kernel = start_python(
        "history = History(place, on_warning=print)\n"
        "exchange, talk = begun(history, history.new_conversation())\n"
        "history.append_partial(exchange.id, 'half')\n"
        "print(exchange.id, flush=True); sys.stdin.read()",
        url,
    )
    exchange_id = kernel.stdout.readline().strip()
    kernel.kill()
    kernel.communicate()
    history = History(url, on_warning=pytest.fail)
    kept = history.exchange(exchange_id)
    assert (kept.status, kept.text) == ("interrupted", "half")
    history.close()


RACE = """
print("ready", flush=True); sys.stdin.readline()
history = History(place, on_warning=print)
talk = history.new_conversation()
for turn in range(20):
    done, talk = ask(history, talk)
history.close()
"""


def test_processes_that_meet_at_an_empty_database_all_work(url):
    racers = [start_python(RACE, url) for _ in range(4)]
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 4
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    assert [racer.communicate()[0] for racer in racers] == [""] * 4
    history = History(url, on_warning=pytest.fail)
    assert [len(talk.path) for talk in history.load_conversations()] == [20] * 4
    history.close()


def test_a_newer_database_is_refused_with_the_version_it_needs(url):
    newer = Layout(LAYOUT.version + 1, "9.8.7", {LAYOUT.version: lambda connection: None})
    store = open_server(url)
    store.write(lambda connection: prepare(connection, newer))
    store.close()
    with pytest.raises(StoreError, match=r"chat_magics 9\.8\.7 or newer"):
        History(url, on_warning=pytest.fail)


def test_after_a_crash_of_the_server_the_history_reconnects(postgres, url):
    history = History(url, on_warning=pytest.fail)
    done, talk = ask(history, history.new_conversation())
    postgres.stop()
    try:
        with pytest.raises(StoreError) as told:
            history.exchange(done.id)
    finally:
        postgres.start()
    assert "hidden" not in str(told.value)
    assert "\n" not in str(told.value)
    assert history.exchange(done.id) == done
    ask(history, talk)
    history.close()


def test_a_forked_child_writes_on_a_connection_of_its_own(url):
    parent = start_python(FORK, url)
    assert parent.communicate()[0] == ""
    assert parent.returncode == 0
    history = History(url, on_warning=pytest.fail)
    prompts = [exchange.prompt for exchange in history.load_exchanges()]
    assert sorted(prompts) == ["after", "before", "child", "parent"]
    history.close()


class PostgresMachine(HistoryMachine):
    """The same model, on a database that each run begins empty."""

    url = ""

    def place(self) -> str:
        super().place()
        store = open_server(self.url)
        emptied = "truncate conversations, exchanges, indexed, unindexed, removed, word_index"
        store.write(lambda connection: connection.exec_driver_sql(emptied))
        store.close()
        return self.url


def test_history_and_model_agree_here_too(url):
    PostgresMachine.url = url
    PostgresMachine.TestCase.settings = settings(QUICK, max_examples=8)
    PostgresMachine.TestCase("runTest").runTest()


def test_people_of_one_process_share_its_connections(url):
    people = [History(url, owner=f"person-{n}", on_warning=pytest.fail) for n in range(30)]
    for person in people:
        begun(person, person.new_conversation("mine"), "Hello")
    engine, _ = server_engine(url)
    count = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        assert connection.execute(count).scalar() == 1
        people[0].close()
        assert people[1].conversation("mine") is not None
        for person in people[1:]:
            person.close()
        while connection.execute(count).scalar():  # the server needs a moment to see it
            connection.rollback()
    engine.dispose()
