"""Spans of OpenTelemetry: what is in them, what never is, and where they lie."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import chat_magics.pandas
from chat_magics import ChatError, Conversation, Session
from chat_widgets import ChatPanel
from tests.chat_server import ChatServer, Hang, Reply, Reset, Status
from tests.file_samples import PNG
from tests.shell import Shell

assert chat_magics.pandas  # registers the accessor

KEY = "sk-canary-0123456789abcdef"


class Spans:
    """The spans that ended, and the tracer of somebody else's code."""

    def __init__(self) -> None:
        self.kept = InMemorySpanExporter()
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):  # else an example of the docs set one
            provider = TracerProvider()
            trace.set_tracer_provider(provider)  # it can be set once in a process
        provider.add_span_processor(SimpleSpanProcessor(self.kept))
        self.tracer = provider.get_tracer("mine")

    @property
    def ours(self) -> list[ReadableSpan]:
        """Those of the exchanges."""
        return [span for span in self.kept.get_finished_spans() if is_ours(span)]

    @property
    def only(self) -> Any:
        """The one span of an exchange."""
        (span,) = self.ours
        return span


def is_ours(span: ReadableSpan) -> bool:
    scope = span.instrumentation_scope
    return scope is not None and scope.name == "chat_magics"


@pytest.fixture(scope="module")
def traced() -> Iterator[Spans]:
    spans = Spans()
    yield spans
    spans.kept.shutdown()


@pytest.fixture
def spans(traced: Spans) -> Spans:
    traced.kept.clear()
    return traced


@pytest.fixture
def chat(server: ChatServer) -> Iterator[Conversation]:
    made = Conversation(base_url=server.url, api_key=KEY, model="test-model", max_attempts=3)
    yield made
    server.release()
    made.session.close()


def test_an_exchange_is_a_span_by_the_conventions(
    spans: Spans, chat: Conversation, server: ChatServer
) -> None:
    server.script(Reply("Yes.", model="test-model-0711", cached_tokens=4))
    reply = chat.ask("May I?", temperature=0.5, max_tokens=90, options={"stop": "END"})
    assert reply.exchange is None  # nothing is sent, and nothing traced, before it is looked at
    assert spans.ours == []
    assert reply.text == "Yes."
    span, exchange = spans.only, reply.exchange
    assert exchange is not None
    assert (span.name, span.kind, span.parent) == ("chat test-model", SpanKind.CLIENT, None)
    assert span.status.status_code is StatusCode.UNSET
    told = dict(span.attributes)
    assert told.pop("gen_ai.response.id").startswith("chatcmpl-")
    first = told.pop("gen_ai.response.time_to_first_chunk")
    assert 0 < first <= (span.end_time - span.start_time) / 1e9
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "openai.api.type": "chat_completions",
        "server.address": "127.0.0.1",
        "server.port": int(server.url.split(":")[2].partition("/")[0]),
        "gen_ai.request.model": "test-model",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 90,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.response.model": "test-model-0711",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": exchange.usage and exchange.usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.conversation.id": chat.id,
        "chat_magics.exchange": exchange.id,
        "chat_magics.surface": "python",
        "chat_magics.status": "complete",
        "chat_magics.attempts": 1,
        "chat_magics.cached": False,
    }


def test_it_lies_in_the_span_of_who_asks_and_the_http_request_in_it(
    spans: Spans, chat: Conversation
) -> None:
    AioHttpClientInstrumentor().instrument()
    try:
        with spans.tracer.start_as_current_span("mine") as mine:
            assert chat.ask("Hello").text
        span = spans.only
        assert span.parent.span_id == mine.get_span_context().span_id
        (http,) = [s for s in spans.kept.get_finished_spans() if s.name == "POST"]
        assert http.parent is not None
        assert http.parent.span_id == span.context.span_id
    finally:
        AioHttpClientInstrumentor().uninstrument()


def test_prompts_owners_and_keys_are_in_no_span(spans: Spans, server: ChatServer) -> None:
    given = {"base_url": server.url, "api_key": KEY, "model": "m", "owner": "ada"}
    chat = Conversation(**given, max_attempts=1, system="Be secretly brief")
    server.script(Reply("the secret reply"), Status(401, f"no such key: {KEY}"))
    chat.ask("the secret prompt").wait()
    with pytest.raises(ChatError):
        assert chat.ask("another secret prompt").text
    chat.session.close()
    assert len(spans.ours) == 2
    written = "".join(span.to_json() for span in spans.ours)
    assert [word for word in ("secret", "ada", KEY, KEY[-8:]) if word in written] == []


def test_content_is_told_where_it_is_switched_on_and_redacted(
    spans: Spans, server: ChatServer, tmp_path: Any
) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    given = {"base_url": server.url, "api_key": KEY, "model": "m", "owner": "ada"}
    chat = Conversation(**given, log_content=True, system="Be brief")
    server.script(Reply(f"Your key is {KEY}"))
    chat.ask("What is this?", attachments=[tmp_path / "cat.png"]).wait()
    chat.session.close()
    told = spans.only.attributes
    assert told["user.id"] == "ada"
    asked, answered = (json.loads(told[f"gen_ai.{side}.messages"]) for side in ("input", "output"))
    image = {"type": "image", "mime_type": "image/png", "bytes": len(PNG)}
    assert [message["role"] for message in asked] == ["system", "user"]
    assert asked[1]["parts"][0]["content"].endswith("What is this?")
    assert asked[1]["parts"][1] == image
    (said,) = answered
    assert said["parts"] == [{"type": "text", "content": "Your key is ***"}]
    assert (said["role"], said["finish_reason"]) == ("assistant", "stop")


def test_attempts_that_fail_are_events_without_their_words(
    spans: Spans, chat: Conversation, server: ChatServer
) -> None:
    server.script(Status(503, headers={"retry-after": "0"}), Reply(cut_after=2), Reply("whole"))
    assert chat.ask("Hello").text == "whole"
    span = spans.only
    assert [event.name for event in span.events] == [
        "chat_magics.retry",
        "chat_magics.retry",
        "chat_magics.restart",
    ]
    first, second = (dict(event.attributes) for event in span.events[:2])
    assert first.pop("chat_magics.wait") >= 0
    assert first == {"error.type": "ServerUnavailable", "chat_magics.attempt": 2}
    assert second["error.type"] == "ConnectionFailed"
    assert span.attributes["chat_magics.attempts"] == 3


def test_a_failure_is_one(spans: Spans, chat: Conversation, server: ChatServer) -> None:
    server.default = Reset()
    with pytest.raises(ChatError):
        assert chat.ask("Hello").text
    span = spans.only
    assert span.attributes["error.type"] == "ConnectionFailed"
    assert span.status.status_code is StatusCode.ERROR
    assert "127.0.0.1" in (span.status.description or "")
    assert span.attributes["gen_ai.response.finish_reasons"] == ("error",)
    assert span.attributes["chat_magics.attempts"] == 3


def test_a_stop_is_no_failure(spans: Spans, chat: Conversation, server: ChatServer) -> None:
    server.script(Reply("one two three four", stall_after=2))
    reply = chat.ask("Count")
    next(iter(reply))
    reply.stop()
    reply.wait()
    span = spans.only
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["chat_magics.status"] == "stopped"
    assert span.attributes["chat_magics.usage.estimated"] is True
    assert "error.type" not in span.attributes


def test_what_comes_from_the_cache_is_marked_and_used_no_tokens(
    spans: Spans, chat: Conversation
) -> None:
    for _ in range(2):
        chat.ask("Hello", alone=True).wait()
    asked, cached = (span.attributes or {} for span in spans.ours)
    assert (asked["chat_magics.cached"], cached["chat_magics.cached"]) == (False, True)
    assert "gen_ai.usage.input_tokens" in asked
    assert "gen_ai.usage.input_tokens" not in cached
    assert cached["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_model_that_the_server_is_asked_for_is_named_once_it_is_known(
    spans: Spans, server: ChatServer
) -> None:
    chat = Conversation(base_url=server.url)
    chat.ask("Hello").wait()
    chat.session.close()
    assert spans.only.name == "chat test-model"
    assert spans.only.attributes["gen_ai.request.model"] == "test-model"


def test_a_question_that_was_refused_before_it_was_sent_is_one(
    spans: Spans, chat: Conversation
) -> None:
    chat.session._arguments["tokens_per_day"] = 1
    with pytest.raises(ChatError):
        assert chat.ask("Hello").text
    told = spans.only.attributes
    assert (told["error.type"], told["chat_magics.attempts"]) == ("BudgetReached", 0)
    assert "gen_ai.response.finish_reasons" not in told


def test_cells_and_panels_are_traced_alike(spans: Spans, shell: Shell) -> None:
    shell.ip.user_ns["tracer"] = spans.tracer
    shell.run("%%chat\nOne")
    panel = ChatPanel(Conversation(session=Session.of(shell.ip)))
    panel.transcript._take(panel.transcript, {"type": "ask", "text": "Two"}, [])
    panel.conversation.replies[0].wait()
    panel.close()
    shell.run("with tracer.start_as_current_span('cell'):\n    %chat Three")
    surfaces = [(span.attributes or {})["chat_magics.surface"] for span in spans.ours]
    assert surfaces == ["cell", "panel", "cell"]
    assert [span.parent is not None for span in spans.ours] == [False, False, True]


def test_each_row_that_is_asked_is_a_span(spans: Spans, server: ChatServer) -> None:
    session = Session({"base_url": server.url, "model": "m", "api_key": KEY})
    server.default = Reply("Bonjour")
    frame = pd.DataFrame({"word": ["Hello", "Bye", "Hello"]})
    with spans.tracer.start_as_current_span("run") as run:
        frame.chat.ask("Translate {{word}}", session=session)
        frame.chat.ask("Translate {{word}}", session=session)  # answered already: nothing is asked
    session.close()
    assert len(spans.ours) == 2
    told = [dict(span.attributes or {}) for span in spans.ours]
    assert {each["chat_magics.surface"] for each in told} == {"batch"}
    assert len({each["gen_ai.conversation.id"] for each in told}) == 1
    assert all(each["gen_ai.usage.input_tokens"] == 10 for each in told)
    assert all(each["gen_ai.response.id"] for each in told)
    parents = {span.parent.span_id for span in spans.ours if span.parent}
    assert parents == {run.get_span_context().span_id}


def test_a_row_that_fails_is_marked(spans: Spans, server: ChatServer) -> None:
    session = Session({"base_url": server.url, "model": "m", "api_key": KEY, "max_attempts": 1})
    server.script(Status(400, f"{KEY} says no"))
    pd.DataFrame({"word": ["Hello", "Bye"]}).chat.ask(
        "Translate {{word}}", session=session, concurrency=1
    )
    session.close()
    failed = [span for span in spans.ours if span.status.status_code is StatusCode.ERROR]
    assert [(span.attributes or {})["error.type"] for span in failed] == ["InvalidRequest"]
    assert KEY not in failed[0].to_json()


def test_what_ends_late_warns_nobody(
    spans: Spans, chat: Conversation, server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(Hang())
    reply = chat.ask("Hello").send()
    server.until(lambda: server.held == 1)
    reply.stop()
    reply.wait()
    server.release()
    chat.ask("Again").wait()
    assert len(spans.ours) == 2
    assert [record.message for record in caplog.records if "span" in record.message] == []


WITHOUT = """
import sys
if sys.argv[1] == "absent":
    sys.modules["opentelemetry"] = None  # as where it is not installed
from chat_magics import Conversation
chat = Conversation(base_url="demo", max_tokens=5)
assert chat.ask("Hello").text
chat.session.close()
print([name for name in sys.modules if name.startswith("opentelemetry.")])
"""


@pytest.mark.parametrize("package", ["installed", "absent"])
def test_who_does_not_trace_loads_nothing_of_it(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, package], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


LOADING = """
import sys, threading
from importlib.machinery import PathFinder
from chat_magics.tracing import follow

begun, go_on = threading.Event(), threading.Event()

class Slowly:
    def find_spec(name, path, target=None):
        if name != "opentelemetry.trace":
            return None
        spec = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module
        def slowly(module):
            begun.set()
            go_on.wait()
            load(module)
        spec.loader.exec_module = slowly
        return spec

sys.meta_path.insert(0, Slowly)
loading = threading.Thread(target=__import__, args=("opentelemetry.trace",))
loading.start()
begun.wait()
threading.Timer(0.1, go_on.set).start()
follow({})
loading.join()
"""


def test_a_package_that_another_thread_is_loading_is_waited_for() -> None:
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
