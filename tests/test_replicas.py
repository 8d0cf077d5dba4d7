"""Three servers behind haproxy are one app: one dies in mid-reply, all are restarted in turn."""

from __future__ import annotations

import http.client
import itertools
import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import text

from chat_magics.history.store import open_server
from tests.app_browser import Browser as Plain
from tests.app_page import visiting
from tests.chat_server import ChatServer, Reply
from tests.haproxy import INSTALL as INSTALL_HAPROXY
from tests.haproxy import Replicas, program, replicas
from tests.postgres import INSTALL, PostgresServer, programs
from tests.redis_server import INSTALL as INSTALL_REDIS
from tests.redis_server import UNHURRIED_PROGRAM, RedisServer, installed

pytestmark = [
    pytest.mark.haproxy,
    pytest.mark.postgres,
    pytest.mark.skipif(programs() is None, reason=INSTALL),
    pytest.mark.skipif(program() is None, reason=INSTALL_HAPROXY),
]

PEOPLE = 20
NAMES = (f"replicas{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    return postgres.database(next(NAMES))


@pytest.fixture(scope="module")
def app(
    tmp_path_factory: pytest.TempPathFactory, model: ChatServer, url: str
) -> Iterator[Replicas]:
    with replicas(tmp_path_factory.mktemp("replicas"), model, url) as started:
        yield started


def stored(url: str, status: str) -> list[str]:
    """The texts of all exchanges of this status, whosever they are."""
    store = open_server(url)
    query = text("SELECT text FROM exchanges WHERE status = :status").bindparams(status=status)
    found = store.read(lambda connection: list(connection.execute(query).scalars()))
    store.close()
    return found


@pytest.mark.browser
def test_begun_on_one_that_dies_in_mid_reply_it_goes_on_at_another(
    browser: Browser, app: Replicas, model: ChatServer, url: str
) -> None:
    with visiting(browser, app.proxy, troubled=True) as page:
        page.asked("Answered before")
        model.script(Reply(["The beginning ", "never seen"], stall_after=1))
        row = page.ask("Cut short")
        expect(row.locator(".ct-reply")).to_have_text("The beginning")
        (first,) = [server for server in app.servers if server.sessions]
        first.until(lambda: stored(url, "streaming") == ["The beginning "])
        first.stop(signal.SIGKILL)
        try:
            page.says("This session has ended")
            page.goes_on()
            expect(page.rows).to_have_count(2)
            expect(page.last).to_have_attribute("data-state", "interrupted")
            expect(page.last.locator(".ct-reply")).to_contain_text("The beginning")
            page.asked("Answered after")
            assert stored(url, "interrupted") == ["The beginning "]
        finally:
            first.start()


@pytest.mark.redis
@pytest.mark.skipif(not installed(), reason=INSTALL_REDIS)
def test_a_limit_holds_whichever_replica_a_prompt_comes_to(
    tmp_path: Path, model: ChatServer, postgres: PostgresServer
) -> None:
    with RedisServer() as redis:
        shared = {"LIMITS": redis.url, "CACHE": redis.url, "REQUESTS_PER_MINUTE": "6"}
        history = postgres.database(next(NAMES))
        with replicas(tmp_path, model, history, UNHURRIED_PROGRAM, **shared) as app:
            person = Plain(app.proxy)  # type: ignore[arg-type]  # of which it needs the URL
            statuses, answered_by = [], set()
            for number in range(18):
                body = json.dumps({"prompt": f"prompt {number}"}).encode()
                got = person.ask("POST", "/api/query", body, Content_Type="application/json")
                statuses.append(got.status)
                answered_by.add(person.cookies.pop("replica"))  # so the next one takes the next
    assert answered_by == {"one", "two", "three"}
    assert sorted(statuses) == [200] * 6 + [429] * 12


class Person(threading.Thread):
    """Goes on with one conversation until it is told to end, whatever a server says meanwhile.

    Args:
        app: whom they ask, through haproxy.
        enough: set when they may end.
    """

    def __init__(self, app: Replicas, enough: threading.Event) -> None:
        super().__init__(daemon=True)
        self._browser = Plain(app.proxy)  # type: ignore[arg-type]  # of which it needs the URL
        self._enough = enough
        self.answered: list[dict[str, str]] = []
        self.refused = 0

    def run(self) -> None:
        for number in itertools.count():
            if self._enough.is_set():
                return
            while not self._asks(f"prompt {number}"):
                self.refused += 1
                time.sleep(0.2)

    def _asks(self, prompt: str) -> bool:
        session = {"session": self.answered[0]["session"]} if self.answered else {}
        body = json.dumps({"prompt": prompt, **session}).encode()
        told = {"Content_Type": "application/json"}
        try:
            got = self._browser.ask("POST", "/api/query", body, **told)
        except (OSError, http.client.HTTPException):
            return False  # the connection broke: nothing was acknowledged
        if got.status in (502, 503, 504):
            return False
        assert got.status == 200, got
        self.answered.append({"prompt": prompt, **got.json})
        return True

    def kept(self) -> list[tuple[str, str, str]]:
        """Id, text and status of what is in history, as the app tells it to them."""
        detail = self._browser.get(f"/api/sessions/{self.answered[0]['session']}").json
        return [(each["id"], each["reply"], each["status"]) for each in detail["exchanges"]]


@pytest.mark.slow
def test_restarted_in_turn_while_people_chat_nothing_that_was_acknowledged_is_missing(
    app: Replicas, model: ChatServer
) -> None:
    enough = threading.Event()
    model.default = Reply(delay_before_first=0.2, delay_between=0.05)
    people = [Person(app, enough) for _ in range(PEOPLE)]
    for person in people:
        person.start()
    for server in app.servers:
        answers(people, more=2)
        assert server.stop(signal.SIGTERM) == 0
        answers(people, more=1)
        server.start()
        server.until(lambda server=server: server.get("readyz").status == 200)
    answers(people, more=1)
    enough.set()
    for person in people:
        person.join(timeout=120)
        kept = person.kept()
        acknowledged = [(each["id"], each["text"], "complete") for each in person.answered]
        assert [each for each in acknowledged if each not in kept] == []
        assert {each["session"] for each in person.answered} == {person.answered[0]["session"]}
    refused = sum(person.refused for person in people)
    print(f"{sum(len(each.answered) for each in people)} answers, {refused} asked again")


def answers(people: list[Person], more: int) -> None:
    """Waits until each of them got so many more answers."""
    wanted = [(person, len(person.answered) + more) for person in people]
    deadline = time.monotonic() + 300
    while any(len(person.answered) < count for person, count in wanted):
        assert time.monotonic() < deadline
        assert all(person.is_alive() for person in people)
        time.sleep(0.1)
