"""The drawers and the title of a panel, without a browser: what they say, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from threading import Event

import pytest

from chat_widgets import ChatPanel
from chat_widgets.stage import Stage
from tests.chat_server import ChatServer, Reply
from tests.shell import Shell
from tests.talks import until
from tests.test_panel_parts import Heard

Opens = Callable[..., ChatPanel]


@pytest.fixture
def opens(server: ChatServer) -> Iterator[Opens]:
    """Opens a panel that is closed in the end."""
    opened: list[ChatPanel] = []

    def open(**settings: object) -> ChatPanel:
        given = {"base_url": server.url, "model": "test-model", "history": "sqlite://"}
        opened.append(ChatPanel(**{**given, **settings}))  # type: ignore[arg-type]
        return opened[-1]

    yield open
    server.release()
    for panel in opened:
        panel.close()


@pytest.fixture
def shell() -> Iterator[Shell]:
    started = Shell()
    yield started
    started.close()


def _settled(panel: ChatPanel) -> None:
    stage: Stage = panel._stage
    while stage.replies:
        stage.settled()
    stage.settled()


def _slow(panel: ChatPanel, server: ChatServer, prompt: str) -> None:
    """Asks, and waits until the reply is under way; it ends when the server is released."""
    server.script(Reply(["One ", "two"], stall_after=1))
    panel.ask(prompt)
    server.until(lambda: server.held == 1)
    until(lambda: panel.transcript.rows[0].state == "streaming")
    panel._stage.settled()


def test_the_first_prompt_gives_the_title_before_it_is_answered(
    opens: Opens, server: ChatServer
) -> None:
    panel = opens()
    assert panel.bar.title.value == "New conversation"
    _slow(panel, server, "Why a left join?")
    assert panel.bar.title.value == "Why a left join?"


def test_an_open_list_shows_a_new_conversation_and_which_is_open(
    opens: Opens, server: ChatServer
) -> None:
    panel = opens()
    str(panel.ask("The first"))
    _settled(panel)
    panel.bar.toggle("Conversations")
    panel.start_anew()
    _slow(panel, server, "The second")
    listed = [line for line, _ in panel.bar.drawer("Conversations").list.options]
    assert listed == ["The second · open · just now", "The first · just now"]


def test_a_list_that_changes_keeps_what_is_chosen_and_what_is_asked_about_it(opens: Opens) -> None:
    panel = opens()
    str(panel.ask("The first"))
    _settled(panel)
    panel.bar.toggle("Conversations")
    shelf = panel.bar.drawer("Conversations")
    shelf.list.value = chosen = panel.conversation.id
    shelf.buttons["Delete"].click()
    panel.start_anew()
    str(panel.ask("The second"))
    _settled(panel)
    assert len(shelf.list.options) == 2
    assert shelf.list.value == chosen
    shelf.buttons["Delete"].click()
    assert shelf.said.value == "«The first» is deleted"


def test_starters_follow_the_cells_while_nothing_was_said(opens: Opens, shell: Shell) -> None:
    panel = opens()
    heard = Heard(panel.transcript)
    panel.transcript._take(panel.transcript, {"type": "ready"}, [])
    shell.run("answer = 42")
    assert heard.of("starters") == []
    with pytest.raises(ZeroDivisionError):
        shell.run("1/0")
    assert "ZeroDivisionError" in heard.of("starters")[0]["starters"][0]
    shell.run("answer = 42")
    assert "ZeroDivisionError" not in heard.of("starters")[1]["starters"][0]


def test_a_closed_panel_and_one_with_a_conversation_offer_nothing(
    opens: Opens, shell: Shell
) -> None:
    used, closed = opens(), opens()
    for panel in (used, closed):
        panel.transcript._take(panel.transcript, {"type": "ready"}, [])
    str(used.ask("Hello"))
    _settled(used)
    closed.close()
    heard = [Heard(panel.transcript) for panel in (used, closed)]
    with pytest.raises(ZeroDivisionError):
        shell.run("1/0")
    assert [each.of("starters") for each in heard] == [[], []]


@pytest.mark.parametrize("typed", ["-4", "0", "many", "1.5"])
def test_a_longest_reply_that_makes_no_sense_is_answered_by_its_label(
    opens: Opens, typed: str
) -> None:
    panel = opens()
    heard = Heard(panel.transcript)
    panel.bar.options.max_tokens.value = typed
    panel.transcript._take(panel.transcript, {"type": "ask", "text": "Hello"}, [])
    assert heard.of("refused")[0]["message"] == (
        f"Longest reply: '{typed}' is no number of tokens above 0; empty it or mend it"
    )


def test_a_download_counts_in_words_and_there_is_none_of_nothing(opens: Opens) -> None:
    panel = opens()
    files = panel.bar.drawer("Files")
    heard = Heard(panel.transcript)
    files.download.click()
    assert files.said.value == "There is nothing to download yet."
    assert heard.of("download") == []
    str(panel.ask("Hello"))
    files.download.click()
    assert files.said.value.startswith("Hello.json: 1 exchange")
    assert "exchanges" not in files.said.value


def test_an_import_that_fails_names_the_file_and_not_where_it_stood(opens: Opens) -> None:
    files = opens().bar.drawer("Files")
    content = memoryview(b"\x00 no conversation")
    told = {"type": "", "size": 17, "last_modified": datetime.now(timezone.utc)}
    files.upload.value = ({"name": "mine.json", "content": content, **told},)
    assert "mine.json" in files.said.value
    assert "/" not in files.said.value


def test_a_wait_for_the_limit_says_so_and_costs_nothing_when_it_is_stopped(opens: Opens) -> None:
    panel = opens(requests_per_minute=1)
    str(panel.ask("One"))
    unknown = panel.session.spent_today().unknown
    told, heard = Event(), []
    panel.transcript.status = lambda id, text, **times: (heard.append(text), told.set())  # type: ignore[method-assign,assign]
    reply = panel.ask("Two")
    assert told.wait(10)
    while not heard[-1].startswith("your limit"):
        assert not reply.wait(0.05)
    assert heard[-1] == "your limit of requests per minute is reached, next try in {seconds} s"
    reply.stop()
    _settled(panel)
    assert panel.session.spent_today().unknown == unknown
