"""SIGTERM: nobody else is let in, replies under way may end, and what is cut is kept and marked."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from chat_magics.history import History
from tests.app_browser import Browser as Plain
from tests.app_page import serving, visiting
from tests.app_people import App, app_on
from tests.app_server import AppServer
from tests.chat_server import ChatServer, Reply

PIECES = ["The beginning ", "and the end"]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with app_on(tmp_path, "--auth", "proxy", "--drain-seconds", "60") as running:
        yield running


def told_to_end(app: AppServer) -> None:
    os.kill(app.pid, signal.SIGTERM)
    app.until(lambda: app.get("readyz").status == 503)


def stored(app: AppServer) -> list[tuple[str, str]]:
    history = History(app.home / "history.db", owner="ada", on_warning=pytest.fail)
    found = [(each.status, each.text) for each in history.load_exchanges()]
    history.close()
    return found


def asked(app: App, **more: Any) -> Any:
    """A prompt whose reply has begun; what is read from it ends with the reply."""
    app.model.script(Reply(PIECES, stall_after=1))
    body = {"prompt": "Under way", "stream": True, **more}
    line = app.person("ada").leave_after_sending("api/query", body)
    answer = line.getresponse()
    assert answer.readline() == b"event: text\n"
    return answer


def test_where_nothing_is_under_way_it_ends_at_once(app: App) -> None:
    app.person("ada").query("Before")
    os.kill(app.server.pid, signal.SIGTERM)
    assert app.server.ended() == 0


def test_a_reply_under_way_ends_and_nobody_else_is_let_in(app: App) -> None:
    answer = asked(app)
    told_to_end(app.server)
    assert app.server.get("readyz").json["parts"] == {"server": "is ending"}
    assert app.server.get("healthz").status == 200
    page = Plain(app.server).get("/", X_Forwarded_User="eve")
    assert (page.status, page.headers["Retry-After"]) == (503, "3")
    assert b"This server is ending" in page.body
    prompt = app.person("eve").query("Too late")
    assert (prompt.status, prompt.headers["Retry-After"]) == (503, "3")
    app.model.release()
    assert b"event: done\n" in answer.read()
    assert app.server.ended() == 0
    assert stored(app.server) == [("complete", "".join(PIECES))]


def test_what_takes_too_long_is_cut_and_kept(tmp_path: Path) -> None:
    with app_on(tmp_path, "--auth", "proxy", "--drain-seconds", "0.3") as app:
        answer = asked(app)
        os.kill(app.server.pid, signal.SIGTERM)
        name, told = answer.read().decode().split("\n\n")[-2].split("\n")
        assert name == "event: error"
        assert "this server is ending" in told
        assert app.server.ended() == 0
        assert stored(app.server) == [("interrupted", PIECES[0])]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_told_a_second_time_it_ends_at_once(app: App, second: signal.Signals) -> None:
    answer = asked(app)
    told_to_end(app.server)
    assert app.server.stop(second) == 0
    answer.close()
    assert stored(app.server) == [("interrupted", PIECES[0])]


def test_of_many_prompts_those_not_asked_yet_are_refused(app: App) -> None:
    app.model.script(Reply(PIECES, stall_after=1))
    line = app.person("ada").leave_after_sending("api/batch-query", {"prompts": ["1", "2"]})
    app.model.until(lambda: app.model.held == 1)
    told_to_end(app.server)
    app.model.release()
    answers = line.getresponse().read()
    assert answers.count(b"The beginning and the end") == 1
    assert answers.count(b"this server is ending") == 1
    assert app.server.ended() == 0


@pytest.mark.browser
def test_a_reply_in_a_page_ends_before_its_server_does(browser: Browser, tmp_path: Path) -> None:
    with (
        ChatServer() as model,
        serving(tmp_path, model, "--preheated", "0") as app,
        visiting(browser, app, troubled=True) as page,
    ):
        model.script(Reply(PIECES, stall_after=1))
        row = page.ask("Under way")
        expect(row.locator(".ct-reply")).to_have_text(PIECES[0].strip())
        told_to_end(app)
        model.release()
        expect(row).to_have_attribute("data-state", "complete")
        assert app.ended() == 0


ENDING_SLOWLY = """if True:
    import asyncio, sys
    from chat_magics.cli import main
    from chat_magics.server.seats import Seats
    end_all = Seats.end_all
    async def slowly(self):
        await end_all(self)
        await asyncio.sleep(2.5)
    Seats.end_all = slowly
    sys.exit(main())
"""
"""`chat-magics` on a machine where the end takes longer than Voilà's looks after a kernel."""


def test_kernels_that_are_starting_when_it_ends_leave_no_traceback(tmp_path: Path) -> None:
    program = (sys.executable, "-c", ENDING_SLOWLY)
    told = {"CHAT_MAGICS_BASE_URL": "demo"}
    with AppServer(tmp_path, "--preheated", "2", program=program, **told) as server:
        assert server.stop(signal.SIGTERM) == 0
        assert "Traceback" not in server.log
