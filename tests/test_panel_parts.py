"""What the panel is made of, without a browser: rows, what a view may send, the stage, starters."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_magics import ChatError, Conversation, Session
from chat_widgets import ChatPanel, incoming
from chat_widgets.rows import Row, common_units, families, rendered
from chat_widgets.starters import starters
from chat_widgets.still import StillTranscript
from chat_widgets.subshell import serve_beside_cells
from chat_widgets.transcript import Transcript
from tests.chat_server import ChatServer, Reply

ID = "0" * 32


class Heard:
    """A transcript's messages as its view gets them."""

    def __init__(self, transcript: Transcript) -> None:
        self.all: list[dict[str, Any]] = []
        transcript.send = lambda content, buffers=None: self.all.append(  # type: ignore[method-assign]
            json.loads(json.dumps(content))
        )

    def of(self, type: str) -> list[dict[str, Any]]:
        """Those of one type."""
        return [message for message in self.all if message["type"] == type]


@pytest.fixture
def transcript() -> Transcript:
    return Transcript(lambda message, files: None)


@pytest.fixture
def panel(server: ChatServer) -> Iterator[ChatPanel]:
    shown = ChatPanel(base_url=server.url, model="test-model", history="sqlite://")
    yield shown
    server.release()
    shown.close()


def _settled(panel: ChatPanel) -> None:
    while panel._stage.replies:
        panel._stage.settled()
    panel._stage.settled()


# Rows


@given(st.text(), st.text(), st.text())
def test_the_common_part_is_counted_as_javascript_counts(same: str, one: str, two: str) -> None:
    kept = common_units(same + one, same + two)
    encoded = (same + two).encode("utf-16-le", "surrogatepass")
    assert (same + one).encode("utf-16-le", "surrogatepass")[: 2 * kept] == encoded[: 2 * kept]
    assert kept >= len(same)


def test_a_whole_reply_has_the_same_blocks_as_a_streamed_one() -> None:
    assert rendered("One\n\n- a\n- b\n") == [
        "<p>One</p>\n",
        "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n",
    ]


def test_versions_of_one_place_are_a_family_whichever_of_them_is_asked() -> None:
    asked = [("a", None), ("b", "a"), ("c", None), ("d", "b")]
    found = families(SimpleNamespace(id=id, supersedes=old) for id, old in asked)  # type: ignore[misc]
    assert found["d"] == found["a"] == ["a", "b", "d"]
    assert found["c"] == ["c"]


# What a view may send

FORGED = [
    None,
    [],
    "stop",
    {},
    {"type": "execute"},
    {"type": ["stop"]},
    {"type": "stop", "more": 1},
    {"type": "ask"},
    {"type": "ask", "text": 7},
    {"type": "ask", "text": "x" * 2_000_001},
    {"type": "ask", "text": "x", "attachments": [{"name": "", "mime": ""}]},
    {"type": "ask", "text": "x", "attachments": [{"name": "a", "mime": "b"}] * 11},
    {"type": "regenerate", "id": "../../etc/passwd"},
    {"type": "regenerate", "id": "0" * 31 + "G"},
    {"type": "version", "id": ID, "step": 2},
    {"type": "edit", "id": ID, "text": None},
]


@pytest.mark.parametrize("content", FORGED, ids=range(len(FORGED)))
def test_what_no_view_of_ours_sends_is_refused_in_one_line(content: Any) -> None:
    with pytest.raises(ChatError, match="reload") as caught:
        incoming.parse(content)
    assert len(str(caught.value)) < 200


def test_a_file_without_its_bytes_is_refused_and_bytes_without_a_file_too() -> None:
    file = {"type": "ask", "text": "x", "attachments": [{"name": "a.csv", "mime": "text/csv"}]}
    with pytest.raises(ChatError, match="files"):
        incoming.parse(file)
    with pytest.raises(ChatError, match="files"):
        incoming.parse({"type": "stop"}, [b"1"])
    assert isinstance(incoming.parse(file, [b"1"]), incoming.Ask)


def test_a_forged_message_is_told_and_never_raised(panel: ChatPanel) -> None:
    panel.transcript._take(panel.transcript, {"type": "ready"}, [])
    heard = Heard(panel.transcript)
    for content in [*FORGED, {"type": "regenerate", "id": ID}, {"type": "show_sent", "id": ID}]:
        panel.transcript._take(panel.transcript, content, [])
    assert len(heard.of("notice")) == len(FORGED) + 2
    assert panel.conversation.path == ()


# The transcript


def test_of_a_changed_block_only_what_differs_is_sent(transcript: Transcript) -> None:
    heard = Heard(transcript)
    transcript.show([Row(ID, "Why?")])
    transcript.change_blocks(ID, [(0, "<p>One 😀</p>")], 1)
    transcript.change_blocks(ID, [(0, "<p>One 😀 two</p>"), (1, "<p>x</p>")], 2)
    assert heard.of("delta")[-1]["blocks"] == [[0, 9, " two</p>"], [1, 0, "<p>x</p>"]]
    assert transcript.rows[0].blocks == ["<p>One 😀 two</p>", "<p>x</p>"]


def test_arranging_sends_only_the_rows_that_changed(transcript: Transcript) -> None:
    one, two, three = Row("1" * 32, "one"), Row("2" * 32, "two"), Row("3" * 32, "three")
    transcript.show([one, two])
    heard = Heard(transcript)
    transcript.arrange([one, three])
    assert [(m["type"], m.get("after")) for m in heard.all] == [
        ("remove", None),
        ("row", one.id),
    ]
    transcript.arrange([three, one])
    assert heard.of("order")[-1]["ids"] == [three.id, one.id]


def test_a_page_that_is_ready_is_sent_everything(transcript: Transcript) -> None:
    heard = Heard(transcript)
    transcript._take(transcript, {"type": "ready"}, [])
    assert heard.of("snapshot")[0]["rows"] == []
    transcript.show([Row(ID, "Why?", ["<p>So.</p>"])])
    transcript._take(transcript, {"type": "ready"}, [])
    assert heard.of("snapshot")[-1]["rows"][0]["blocks"] == ["<p>So.</p>"]


# The stage


def test_whoever_asks_is_shown_in_the_order_of_the_path(panel: ChatPanel) -> None:
    for prompt in ("one", "two"):
        str(panel.conversation.ask(prompt))
    _settled(panel)
    assert [row.prompt for row in panel.transcript.rows] == ["one", "two"]
    assert {row.state for row in panel.transcript.rows} == {"complete"}


def test_a_regenerated_reply_stands_in_its_place_with_its_versions(
    panel: ChatPanel, server: ChatServer
) -> None:
    server.script(Reply("old"), Reply("next"), Reply("new"))
    first = panel.conversation.ask("one").send()
    first.wait()
    str(panel.conversation.ask("two"))
    str(panel.conversation.regenerate(first.id))
    _settled(panel)
    shown = [(row.prompt, row.versions, row.blocks) for row in panel.transcript.rows]
    assert shown[0] == ("one", (2, 2), ["<p>new</p>\n"])
    assert panel.transcript.rows[1].stale


def test_another_conversation_takes_the_place_and_the_old_one_goes_on(
    panel: ChatPanel, server: ChatServer
) -> None:
    server.script(Reply(["One ", "two"], stall_after=1))
    reply = panel.ask("slow")
    server.until(lambda: server.held == 1)
    panel.start_anew()
    _settled(panel)
    assert panel.transcript.rows == ()
    server.release()
    assert reply.text == "One two"
    panel.conversation = Conversation.open(reply.exchange.conversation, session=panel.session)
    _settled(panel)
    assert panel.transcript.rows[0].blocks == ["<p>One two</p>\n"]


def test_a_prompt_that_was_never_sent_is_given_back(panel: ChatPanel, server: ChatServer) -> None:
    heard = Heard(panel.transcript)
    server.script(Reply(["One ", "two"], stall_after=1))
    panel.ask("first")
    server.until(lambda: server.held == 1)
    panel.transcript._take(panel.transcript, {"type": "ask", "text": "second"}, [])
    panel._stage.settled()
    panel._stage.replies[1].stop()
    server.release()
    _settled(panel)
    assert heard.of("refused")[0]["text"] == "second"


def test_two_panels_of_one_conversation_show_the_same(panel: ChatPanel) -> None:
    other = ChatPanel(conversation=panel.conversation)
    str(panel.ask("Hello"))
    _settled(panel)
    _settled(other)
    assert [r.as_message() for r in other.transcript.rows] == [
        r.as_message() for r in panel.transcript.rows
    ]
    other.close()


def test_a_version_is_not_changed_under_a_reply_that_comes(
    panel: ChatPanel, server: ChatServer
) -> None:
    server.script(Reply("old"), Reply(["new"], stall_after=1))
    panel.ask("Hello").wait()
    first = panel.conversation.path[0]
    again = panel.conversation.regenerate().send()
    server.until(lambda: len(server.posts) == 2)
    panel.transcript._take(panel.transcript, {"type": "ready"}, [])
    heard = Heard(panel.transcript)
    panel.transcript._take(panel.transcript, {"type": "version", "id": first, "step": 1}, [])
    assert "a reply is under way" in heard.of("notice")[0]["message"]
    panel.transcript._take(panel.transcript, {"type": "stop"}, [])
    assert again.wait(10)
    server.release()


def test_a_view_that_missed_something_is_told_it_and_no_other(transcript: Transcript) -> None:
    row = Row(ID, "Hello", ["<p>😀</p>"], state="complete")
    transcript.show([row])
    transcript.busy(ID, 0)
    heard = Heard(transcript)
    transcript._take(transcript, {"type": "check", "id": ID, "units": row.units}, [])
    assert heard.of("row") == []
    transcript._take(transcript, {"type": "check", "id": ID, "units": 3}, [])
    assert heard.of("row")[0]["row"]["blocks"] == row.blocks
    transcript.busy(None, 0)
    transcript._take(transcript, {"type": "check", "id": ID, "units": row.units}, [])
    assert heard.of("busy")[-1]["id"] is None
    transcript._take(transcript, {"type": "check", "id": "f" * 32, "units": 0}, [])
    assert len(heard.of("snapshot")) == 1


# The controls


def test_options_arrive_on_the_wire(panel: ChatPanel, server: ChatServer) -> None:
    options = panel._bar.options
    options.temperature.value, options.max_tokens.value = "0.3", " 77 "
    options.model.value, options.system.value = "other-model", "Be brief."
    panel.transcript._take(panel.transcript, {"type": "ask", "text": "Hello"}, [])
    server.until(lambda: len(server.posts) == 1)
    body = server.bodies[0]
    assert (body["model"], body["temperature"]) == ("other-model", 0.3)
    assert 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    _settled(panel)


@pytest.mark.parametrize("nonsense", ["warm", "0,7", "nan", "inf", "-1", "9" * 30])
def test_a_nonsense_temperature_is_refused_with_the_prompt(
    panel: ChatPanel, server: ChatServer, nonsense: str
) -> None:
    heard = Heard(panel.transcript)
    panel._bar.options.temperature.value = nonsense
    panel.transcript._take(panel.transcript, {"type": "ask", "text": "Hello"}, [])
    _settled(panel)
    assert heard.of("refused")[0]["text"] == "Hello"
    assert "\n" not in heard.of("refused")[0]["message"]
    assert server.posts == []


def test_a_cached_reply_is_used_and_asked_anew_where_that_is_chosen(
    panel: ChatPanel, server: ChatServer
) -> None:
    options = panel._bar.options
    for used, anew, requests in (
        (True, False, 1),
        (True, False, 1),
        (True, True, 2),
        (False, False, 3),
    ):
        options.use_cache.value, options.refresh.value = used, anew
        panel.start_anew()
        str(panel.conversation.reply_to(panel._bar.ask("Same")))
        assert len(server.posts) == requests


# Starters, a still transcript, subshells


def test_starters_speak_of_the_last_error_and_of_frames() -> None:
    frame = type("DataFrame", (), {"columns": ["price", "day"]})()
    result = SimpleNamespace(error_in_exec=ValueError("no\nsuch value"))
    shell = SimpleNamespace(user_ns={"sales": frame, "_": frame}, last_execution_result=result)
    first, second, third = starters(shell)
    assert "ValueError: no such value" in first
    assert "DataFrame sales with the columns price, day" in second
    assert "join" in third


def test_the_still_transcript_is_text_and_safe_html_without_script(transcript: Transcript) -> None:
    transcript.show([Row(ID, "<script>x</script>", rendered("A **b** <img src=x>"))])
    data = StillTranscript(transcript)._data()
    assert "&lt;script&gt;" in data["text/html"]
    assert "<strong>b</strong>" in data["text/html"]
    assert "<script" not in data["text/html"]
    assert "<img" not in data["text/html"]


def test_outside_a_kernel_with_subshells_nothing_is_changed(panel: ChatPanel) -> None:
    assert serve_beside_cells([panel], None) is False
    assert serve_beside_cells([panel], SimpleNamespace(kernel=SimpleNamespace())) is False


def test_a_panel_holds_no_key_in_its_widgets(server: ChatServer, tmp_path: Path) -> None:
    from ipywidgets import Widget

    secret = "sk-canary-0123456789"
    panel = ChatPanel(base_url=server.url, api_key=secret, model="m", history="sqlite://")
    assert secret not in str(Widget.get_manager_state(drop_defaults=False))
    panel.close()


def test_a_closed_panel_leaves_the_conversation_as_it_is(server: ChatServer) -> None:
    session = Session({"base_url": server.url, "model": "test-model", "history": "sqlite://"})
    panel = ChatPanel(session=session)
    panel.close()
    gone = Event()
    session.watch(lambda conversation: gone.set())
    assert Conversation(session=session).ask("Hello").text


def test_the_still_copy_holds_the_newest_rows_within_its_bytes() -> None:
    rows = tuple(Row(str(n), f"Q{n}", blocks=["<p>" + "x" * 40_000 + "</p>"]) for n in range(9))
    transcript = Transcript(lambda message, files: None)
    transcript.show(rows)
    data = StillTranscript(transcript)._data()
    assert "6 earlier exchanges are in the history" in data["text/html"]
    assert data["text/plain"] == "> Q6\n\n> Q7\n\n> Q8"


def test_a_script_that_ends_while_its_panel_is_being_filled_prints_nothing() -> None:
    code = """
        import time
        from concurrent.futures import thread
        from chat_widgets import ChatPanel
        from chat_widgets.stage import Stage

        def learn(stage, learn=Stage._learn):
            while not thread._shutdown:
                time.sleep(0.01)
            learn(stage)

        Stage._learn = learn
        ChatPanel(base_url="demo", history="sqlite://")
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
