"""What probes and Prometheus are told, and the log that the counts come from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.multikernelmanager import MultiKernelManager

from chat_magics.log_file import LogFile
from chat_magics.server.metrics import MOST_MODELS, LogTail, Metrics
from chat_magics.server.seats import Seats
from tests.app_people import App, app_on, failure
from tests.app_server import AppServer
from tests.chat_server import ChatServer, Hang, Reply, Status

TOKEN = "token let-me-in"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app behind a token, with no proxy that is trusted."""
    told = {
        "CHAT_MAGICS_SERVE_TOKEN": "let-me-in",
        "CHAT_MAGICS_SERVE_TRUSTED_PROXIES": "10.0.0.0/8",
        "CHAT_MAGICS_MAX_RETRY_SECONDS": "5",
    }
    with app_on(tmp_path_factory.mktemp("app"), **told) as running:
        yield running


def app_at(model: ChatServer, folder: Path) -> AppServer:
    """An app that asks a model server once only, open to this machine."""
    told = {"CHAT_MAGICS_BASE_URL": model.url, "CHAT_MAGICS_MAX_ATTEMPTS": "1"}
    return AppServer(folder, "--preheated", "0", "--model", "my-model", **told)


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """An app whose model server is gone."""
    with ChatServer() as model:
        pass
    with app_at(model, tmp_path_factory.mktemp("lost")) as server:
        yield server


def counts(server: AppServer) -> dict[str, float]:
    """What `/metrics` tells, without the moments at which counting began."""
    text = server.get("metrics", Authorization=TOKEN).body.decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def ask(app: App, prompt: str, **more: object) -> int:
    """The status of a prompt."""
    return app.server.post("api/query", {"prompt": prompt, **more}, Authorization=TOKEN).status


def test_alive_needs_no_login_and_starts_no_kernel(app: App) -> None:
    for headers in ({}, {"Host": "10.1.2.3"}):
        answered = app.server.get("healthz", **headers)
        assert answered.json == {"status": "ok", "kernels": 0, "sessions": 0}
    assert app.server.ask("HEAD", "healthz").status == 200
    assert "Set-Cookie" not in answered.headers
    assert app.server.kernels == 0


def test_ready_tells_each_part(app: App) -> None:
    answered = app.server.get("readyz")
    assert answered.status == 200
    parts = dict.fromkeys(("store", "cache", "limits", "model server"), "ok")
    assert answered.json == {"status": "ready", "parts": parts}


def test_without_the_model_server_it_is_not_ready_and_says_which_part(lost: AppServer) -> None:
    answered = lost.get("readyz")
    assert (answered.status, answered.json["status"]) == (503, "not ready")
    parts = answered.json["parts"]
    assert parts.pop("model server").startswith("no connection to 127.0.0.1")
    assert set(parts.values()) == {"ok"}
    assert lost.get("healthz").status == 200


def test_a_model_server_that_hangs_or_leaves_later_is_told_and_takes_no_page_away(
    tmp_path: Path,
) -> None:
    with ChatServer() as model, app_at(model, tmp_path) as server:

        def state() -> str:
            found: str = server.get("readyz").json["parts"]["model server"]
            return found

        assert state() == "ok"
        model.models_answer = Hang()
        server.until(lambda: state() == "ok" and model.held > 0)  # from what was found before
        model.close()
        server.until(lambda: state().startswith("no connection"))
        answered = server.get("readyz")
        assert (answered.status, answered.json["status"]) == (200, "ready")


def test_without_the_model_server_the_configured_models_are_named(lost: AppServer) -> None:
    told = lost.get("api/models").json
    assert (told["default"], told["listed"]) == ("my-model", False)
    assert told["models"]


def test_without_the_model_server_a_prompt_gets_503(lost: AppServer) -> None:
    assert failure(lost.post("api/query", {"prompt": "Hello"}))["status"] == 503


def test_metrics_need_no_token_where_nobody_signs_in(lost: AppServer) -> None:
    assert lost.get("metrics").headers["Content-Type"].startswith("text/plain; version=")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "token wrong"}, {"X_Forwarded_For": "10.0.0.1"}, {"Cookie": "a=b"}],
)
def test_metrics_are_not_for_everybody(app: App, headers: dict[str, str]) -> None:
    assert app.server.get("metrics", **headers).status == 403


def test_prompts_are_counted_by_model_status_and_cache(app: App) -> None:
    before = counts(app.server)
    app.model.script(Reply("Counted.", prompt_tokens=100), Reply(model="finer-model"))
    assert [ask(app, each) for each in ("Count", "Count", "Finer")] == [200] * 3
    after = counts(app.server)
    grown = {name: after[name] - before.get(name, 0) for name in after}

    def requests(model: str, cache: str) -> float:
        labels = f'cache="{cache}",model="{model}",status="complete"'
        return grown[f"chat_magics_requests_total{{{labels}}}"]

    assert requests("test-model", "miss") == requests("test-model", "hit") == 1
    assert requests("finer-model", "miss") == 1
    assert grown['chat_magics_tokens_total{direction="prompt",model="test-model"}'] == 100
    assert grown["chat_magics_latency_seconds_count"] == 2
    assert grown["chat_magics_time_to_first_token_seconds_count"] == 2
    assert grown['chat_magics_latency_seconds_bucket{le="+Inf"}'] == 2


def test_failures_and_retries_are_counted(app: App) -> None:
    before = counts(app.server)
    app.model.script(Status(500), Reply("After all."), Status(400))
    assert [ask(app, "Try"), ask(app, "Refuse")] == [200, 400]
    after = counts(app.server)
    errors, retries = 'errors_total{type="InvalidRequest"}', 'retries_total{model="test-model"}'
    for name in (f"chat_magics_{errors}", f"chat_magics_{retries}"):
        assert after[name] - before.get(name, 0) == 1


def test_nobody_is_named(app: App) -> None:
    ask(app, "Quixotic")
    text = app.server.get("metrics", Authorization=TOKEN).body.decode()
    assert "program-" not in text
    assert "Quixotic" not in text
    assert {"chat_magics_sessions", "chat_magics_sessions_limit", "chat_magics_kernels"} <= set(
        re.findall(r"^\w+", text, re.M)
    )


def test_a_tail_gives_each_record_once_from_its_beginning_on(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    log.append('{"before": 1}')
    tail = LogTail(tmp_path)
    assert list(tail.records()) == []
    log.append('{"after": 1}')
    assert list(tail.records()) == [{"after": 1}]
    assert list(tail.records()) == []


def test_a_tail_leaves_a_line_that_is_being_written(tmp_path: Path) -> None:
    tail = LogTail(tmp_path)
    part = tmp_path / "chat_magics.000001.jsonl"
    part.write_text('{"a": 1}\n{"b":')
    assert list(tail.records()) == [{"a": 1}]
    with part.open("a") as file:
        file.write(" 2}\n")
    assert list(tail.records()) == [{"b": 2}]


def test_a_tail_follows_the_log_into_new_parts(tmp_path: Path) -> None:
    log, tail = LogFile(tmp_path, max_bytes=40, keep=2), LogTail(tmp_path)
    seen = []
    for number in range(20):
        log.append(json.dumps({"number": number}))
        seen += [record["number"] for record in tail.records()]
    assert seen == list(range(20))
    assert len(log.parts()) == 2


def test_a_tail_passes_over_what_is_no_record(tmp_path: Path) -> None:
    log, tail = LogFile(tmp_path), LogTail(tmp_path)
    for line in ("{cut", "[1]", '"text"', "", '{"a": 1}'):
        log.append(line)
    (tmp_path / "another.jsonl").write_text('{"not": "ours"}\n')
    assert list(tail.records()) == [{"a": 1}]


def test_names_of_models_that_people_make_up_fill_no_memory(tmp_path: Path) -> None:
    metrics, log = Metrics(tmp_path, Seats(MultiKernelManager(), 1), 20), LogFile(tmp_path)
    for number in range(MOST_MODELS + 50):
        told = {"event": "failure", "model_asked": f"model {number}", "status": "failed"}
        log.append(json.dumps(told))
    lines = [line for line in metrics.text().decode().splitlines() if "requests_total{" in line]
    assert len(lines) == MOST_MODELS + 1
    assert 'chat_magics_requests_total{cache="miss",model="other",status="failed"} 50.0' in lines
