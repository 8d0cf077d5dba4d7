"""Chat cells in a real kernel: what a front end is sent, and what goes on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from chat_magics.markdown import STYLE, to_html, wrap
from tests.chat_server import ChatServer, Hang, Reply, Status
from tests.kernel import Kernel, Ran
from tests.talks import CANARY, leaks, user_texts

TEXT = """# Title

Some *words* with $x^2$ and a [link](https://example.org).

```python
print("<b>")
```

| a | b |
|---|---|
| 1 | 2 |

- one
- two

The end.
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One kernel for all tests of this file."""
    with Kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        assert kernel.run("%load_ext chat_magics").status == "ok"
        yield kernel


@pytest.fixture
def kernel(started: Kernel, server: ChatServer) -> Iterator[Kernel]:
    """The kernel with a new conversation, on the tests' server."""
    settings = [f"base_url = {server.url!r}", "model = 'test-model'"]
    lines = [f"%config ChatMagics.{setting}" for setting in settings]
    ran = started.run("\n".join([*lines, "%chat_new"]), "setup")
    assert (ran.status, ran.stderr) == ("ok", "")
    yield started
    server.release()


def reply_html(ran: Ran) -> str:
    """The HTML of the reply's blocks on the screen, without what is put around each."""
    frame = re.compile(re.escape(wrap("<>", math="tex")).replace("<>", "(.*)"), re.DOTALL)
    blocks = [html.removeprefix(f"<style>{STYLE}</style>") for html in ran.html[:-1]]
    return "".join(frame.fullmatch(block)[1] for block in blocks if block)


# Showing


def test_blocks_are_shown_while_the_server_still_writes(kernel: Kernel, server: ChatServer):
    server.script(Reply(["One.\n\n", "Two"], stall_after=1))
    execution = kernel.start("%chat Hello")
    ran = kernel.wait(execution, until=lambda ran: "One." in "".join(ran.html))
    server.until(lambda: server.held == 1)
    server.release()
    ran = kernel.wait(execution, ran=ran)
    assert ran.shown[:2] == ["One.", "Two"]
    assert ran.status == "ok"


def test_the_screen_ends_as_the_whole_text_rendered_at_once(kernel: Kernel, server: ChatServer):
    pieces = re.findall(r"(?s).{1,3}", TEXT)
    server.script(Reply(pieces, delay_between=0.002))
    ran = kernel.run("%chat Hello")
    assert reply_html(ran) == to_html(TEXT)
    assert ran.updates > 0
    assert len(ran.screen) == 7


def test_only_the_first_block_brings_the_style(kernel: Kernel, server: ChatServer):
    server.script(Reply(TEXT))
    ran = kernel.run("%chat Hello")
    assert ["<style>" in html for html in ran.html] == [True, *[False] * (len(ran.html) - 1)]


def test_the_quiet_line_is_the_last_display(kernel: Kernel):
    ran = kernel.run("%chat Hello")
    assert re.fullmatch(r"test-model · 10 → 5 tokens · 0\.\d s · unknown price", ran.shown[-1])
    assert 'class="chat-magics-caption"' in ran.html[-1]
    assert (ran.stdout, ran.stderr) == ("", "")


def test_a_hostile_reply_is_shown_as_text(kernel: Kernel, server: ChatServer):
    server.script(Reply("<script>alert(1)</script> ![x](https://evil.example/x.png)"))
    html = "".join(kernel.run("%chat Hello").html)
    assert "<script" not in html
    assert "<img" not in html


def test_a_re_asked_reply_replaces_what_was_shown(kernel: Kernel, server: ChatServer):
    first = [f"Old paragraph {n}.\n\n" for n in range(5)]
    server.script(Reply([*first, "x"], cut_after=5, delay_between=0.05), Reply("New.\n\nShort."))
    execution = kernel.start("%chat Hello")
    ran = kernel.wait(execution, until=lambda ran: "Old paragraph 1" in "".join(ran.html))
    ran = kernel.wait(execution, ran=ran)
    assert reply_html(ran) == to_html("New.\n\nShort.")
    assert "Old" not in "".join(ran.html + ran.shown)
    assert "asked again" in ran.shown[-1]


def test_a_wait_is_shown_and_goes_away(kernel: Kernel, server: ChatServer):
    server.script(Status(429, headers={"retry-after": "30"}))
    execution = kernel.start("%chat Hello")
    ran = kernel.wait(execution, until=lambda ran: "next try in" in "".join(ran.shown))
    assert "(2 of 4)" in ran.shown[0]
    kernel.interrupt()
    ran = kernel.wait(execution, ran=ran)
    assert "next try in" not in "".join(ran.html + ran.shown)
    assert len(server.posts) == 1


def test_an_error_in_mid_stream_leaves_the_partial_and_one_line(kernel: Kernel, server: ChatServer):
    kernel.run("%config ChatMagics.max_attempts = 1")
    server.script(Reply(["One ", "two"], error_after=1))
    ran = kernel.run("%chat Hello")
    kernel.run("%config ChatMagics.max_attempts = 4")
    assert ran.shown[0].strip() == "One"
    assert ran.shown[-1].endswith("failed")
    assert re.fullmatch(r"UsageError: [^\n]+\n", ran.stderr)
    assert (ran.status, ran.error) == ("error", None)


def test_text_format_is_a_stream(kernel: Kernel):
    ran = kernel.run("%chat -f text Hello")
    assert ran.stdout.startswith("Hello from the test server.\n\ntest-model · ")
    assert ran.screen == {}


def test_quiet_shows_nothing(kernel: Kernel, server: ChatServer):
    assert kernel.run("%chat -q Hello") == Ran(status="ok")
    assert len(server.posts) == 1


def test_code_goes_into_a_new_cell_below_and_is_not_run(kernel: Kernel, server: ChatServer):
    server.script(Reply("Try:\n```python\nran = 1\n```"))
    ran = kernel.run("%chat -f code Code")
    below = {"source": "set_next_input", "text": "ran = 1", "replace": False}
    assert ran.payload == [below]
    assert kernel.run("'ran' in globals()").result == "False"


def test_json_is_shown_once_and_pretty(kernel: Kernel, server: ChatServer):
    server.script(Reply('{"a":[1,2]}'))
    ran = kernel.run("%chat -f json -o answer Give")
    assert ran.shown[0] == '{\n  "a": [\n    1,\n    2\n  ]\n}'
    assert len(ran.shown) == 2
    assert kernel.run("answer.json()").result == "{'a': [1, 2]}"


def test_the_reply_is_a_value_and_a_cells_result_that_shows_it(kernel: Kernel):
    shown = kernel.run("%chat -o answer Hello")
    assert kernel.run("str(answer)").result == "'Hello from the test server.'"
    again = kernel.run("answer")
    assert list(again.screen.values()) == list(shown.screen.values())
    assert again.result is None


def test_a_lazy_reply_is_sent_by_being_a_cells_result(kernel: Kernel, server: ChatServer):
    kernel.run("from chat_magics import Conversation; reply = Conversation().ask('Hello')")
    assert server.posts == []
    assert kernel.run("reply").shown[0] == "Hello from the test server."


def test_a_failed_reply_as_a_cells_result_is_one_calm_line(kernel: Kernel, server: ChatServer):
    server.script(Status(400))
    ran = kernel.run("Conversation().ask('Hello')")
    assert (ran.status, len(ran.shown), ran.stderr) == ("ok", 1, "")
    assert 'class="chat-magics-error"' in ran.html[0]


# Interrupting


@pytest.mark.parametrize(
    ("answer", "kept", "characters"),
    [(Hang(), "", 0), (Reply(["One ", "two"], stall_after=1), "One", 4)],
)
def test_an_interrupt_ends_it_with_one_line_and_keeps_the_partial(
    kernel: Kernel, server: ChatServer, answer: Hang | Reply, kept: str, characters: int
):
    server.script(answer)
    execution = kernel.start("%chat -o answer Hello")
    ran = kernel.wait(execution, until=lambda ran: kept in "".join(ran.html))
    server.until(lambda: server.held == 1)
    kernel.interrupt()
    ran = kernel.wait(execution, ran=ran)
    server.until(lambda: server.disconnects == 1)
    assert ran.stderr == f"UsageError: interrupted; {characters} characters of the reply are kept\n"
    assert kept in "".join(ran.shown)
    assert ran.shown[-1].endswith(" · interrupted")
    assert kernel.run("answer.status, answer.text.strip()").result == f"('interrupted', {kept!r})"
    assert kernel.run("%chat Next", "next").shown[0] == "Hello from the test server."


def test_a_loop_in_plain_python_is_interrupted_too(kernel: Kernel, server: ChatServer):
    server.script(Reply(["One ", "two"], stall_after=1))
    execution = kernel.start("for piece in Conversation().ask('Hello'): print(piece)")
    ran = kernel.wait(execution, until=lambda ran: "One" in ran.stdout)
    kernel.interrupt()
    assert kernel.wait(execution, ran=ran).error.startswith("KeyboardInterrupt")
    server.until(lambda: server.disconnects == 1)


# The cell's turn


def test_a_re_run_cell_replaces_its_turn(kernel: Kernel, server: ChatServer):
    kernel.run("%chat Q1", "a")
    kernel.run("%chat Q2", "b")
    kernel.run("%chat Q1, better", "a")
    kernel.run("%chat Q3", "c")
    sent = [user_texts(body) for body in server.bodies]
    assert sent[2:] == [["Q1, better"], ["Q1, better", "Q2", "Q3"]]
    assert "Exchange 2 is stale" in kernel.run("%chat_history", "h").stdout


def test_an_unchanged_re_run_comes_from_the_cache_and_regenerate_does_not(
    kernel: Kernel, server: ChatServer
):
    kernel.run("%chat Q1", "a")
    kernel.run("%chat Q2", "b")
    assert "cached" in kernel.run("%chat Q2", "b").shown[-1]
    assert len(server.posts) == 2
    assert "cached" not in kernel.run("%chat_regenerate", "c").shown[-1]
    assert server.bodies[2] == server.bodies[1]
    kernel.run("%chat Q2, better", "b")
    assert user_texts(server.bodies[3]) == ["Q1", "Q2, better"]


def test_a_loop_is_several_turns_and_its_re_run_replaces_all(kernel: Kernel, server: ChatServer):
    kernel.run("for n in 'ab':\n    %chat Hello", "loop")
    kernel.run("%chat Hello once", "loop")
    assert [user_texts(body) for body in server.bodies] == [
        ["Hello"],
        ["Hello", "Hello"],
        ["Hello once"],
    ]


def test_without_a_cell_id_asks_append(kernel: Kernel, server: ChatServer):
    kernel.run("%chat Q1", None)
    kernel.run("%chat Q1", None)
    assert user_texts(server.bodies[1]) == ["Q1", "Q1"]


# The key


def test_the_key_is_asked_for_used_and_never_shown(
    kernel: Kernel, server: ChatServer, started: Kernel
):
    ran = kernel.run("%chat_config api_key", answer=f" {CANARY} ")
    assert ran.asked == ["Key for 127.0.0.1: "]
    assert re.match(r"api_key +set +typed for 127.0.0.1", ran.stdout)
    outputs = [ran, *(kernel.run(c) for c in ("%chat Hello", "%chat_config", "%config ChatMagics"))]
    outputs += [kernel.run("%chat_doctor"), kernel.run("%chat_history")]
    assert CANARY not in repr(outputs)
    assert server.posts[0].headers["authorization"] == f"Bearer {CANARY}"
    assert leaks(started._folder) == []
    assert re.match("api_key +not set", kernel.run("%chat_config api_key default").stdout)


def test_a_key_goes_to_the_host_that_was_named_and_to_no_other(
    kernel: Kernel, server: ChatServer, started: Kernel
):
    kernel.run("%chat_config api_key", answer=CANARY)
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    ran = kernel.run(f"%chat_config base_url {elsewhere}")
    assert "the key (typed for 127.0.0.1) is not sent to localhost" in ran.stdout
    kernel.run("%chat Hello")
    assert "authorization" not in server.posts[0].headers
    kernel.run("%chat_config base_url demo")
    assert "the demo model takes no key" in kernel.run("%chat_config api_key").stderr
    for setting in ("base_url", "api_key"):
        kernel.run(f"%chat_config {setting} default")


def test_a_key_on_the_line_is_refused_and_not_repeated(kernel: Kernel):
    ran = kernel.run(f"%chat_config api_key {CANARY}")
    assert ran.stderr.startswith("UsageError: a key is never taken from the line")
    assert ran.stderr.endswith("revoke it.\n")
    assert CANARY not in repr(ran)


@pytest.mark.parametrize("typed", ["", "two words", "Schlüssel", "sk-\x7f"])
def test_what_is_no_key_changes_nothing(kernel: Kernel, typed: str):
    ran = kernel.run("%chat_config api_key", answer=typed)
    assert re.fullmatch(r"UsageError: [^\n]+\n", ran.stderr)
    assert re.match("api_key +not set", kernel.run("%chat_config").stdout)


def test_where_nobody_can_be_asked_the_environment_is_named(kernel: Kernel):
    ran = kernel.run("%chat_config api_key")
    assert ran.stderr == "UsageError: nobody can be asked here: set OPENAI_API_KEY instead\n"
