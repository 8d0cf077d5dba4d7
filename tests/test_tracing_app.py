"""The app's traces at a collector: from the server and from the kernels of its pages."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.app_page import visiting
from tests.app_people import App, app_on
from tests.app_server import AppServer
from tests.chat_server import ChatServer
from tests.collector import Collector
from tests.talks import CANARY

CALLER = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as started:
        yield started
    assert started.refused == []


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[App]:
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with app_on(tmp_path_factory.mktemp("app"), **told) as running:
        yield running


def test_a_program_has_its_prompt_in_its_own_trace(app: App, collector: Collector) -> None:
    named = {"traceparent": f"00-{CALLER}-b7ad6b7169203331-01"}
    answer = app.server.post("api/query", {"prompt": "the secret prompt"}, **named)
    assert answer.status == 200
    collector.until(lambda: bool(collector.spans))
    span = collector.spans[-1]
    assert (span.name, span.service) == ("chat test-model", "chat-magics")
    assert (span.trace, span.parent) == (CALLER, "b7ad6b7169203331")
    assert span.attributes["chat_magics.surface"] == "app"
    assert span.attributes["chat_magics.exchange"] == answer.json["id"]
    assert b"secret" not in span.raw
    assert CANARY.encode() not in span.raw


@pytest.mark.browser
def test_a_page_is_traced_from_its_kernel(app: App, collector: Collector, browser: Browser) -> None:
    before = len(collector.spans)
    with visiting(browser, app.server) as page:
        page.asked("Hello from a page")
        collector.until(lambda: len(collector.spans) > before)
    span = collector.spans[-1]
    assert (span.name, span.service) == ("chat test-model", "chat-magics")
    assert span.attributes["chat_magics.surface"] == "app"
    assert span.attributes["gen_ai.conversation.id"]


def test_a_collector_that_is_gone_is_told_in_the_log_and_stops_nothing(tmp_path: Path) -> None:
    with ExitStack() as stack:
        gone = Collector()
        with gone:
            url = gone.url
        model = stack.enter_context(ChatServer())
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        told["OTEL_EXPORTER_OTLP_TIMEOUT"] = "1"
        app = stack.enter_context(
            AppServer(tmp_path, "--preheated", "0", CHAT_MAGICS_BASE_URL=model.url, **told)
        )
        assert app.post("api/query", {"prompt": "Hello"}).status == 200
        logs = app.home / "logs"
        app.until(lambda: any("traces: " in part.read_text() for part in logs.glob("*.jsonl")))
        assert app.stop(signal.SIGTERM) == 0
        assert "Traceback" not in app.log
