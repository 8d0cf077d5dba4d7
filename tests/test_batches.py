"""The Batch API: submitted, waited for, fetched by id; what fails of it is told and kept apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from chat_magics.client import Batch, ChatClient, Event, Waiting
from chat_magics.client.batch_files import BatchAnswer, BatchFile
from chat_magics.errors import (
    AuthenticationFailed,
    BadResponse,
    ChatError,
    InvalidRequest,
    NotFound,
    QuotaExhausted,
    RateLimited,
    RequestTimeout,
    ServerUnavailable,
)
from tests.aimock import aimock
from tests.asking import KEY, asking, request_to
from tests.batch_server import BatchServer
from tests.chat_server import Answer, ChatServer, Hang, Html, Json, Reply, Request, Reset, Status

SOON = {"retry-after-ms": "1"}
FIXTURE = {"match": {"userMessage": "Hello"}, "response": {"content": "unused"}}
QUICK = {"first_pause": 0.001, "longest_pause": 0.002}


@pytest.fixture(params=["aiohttp", "httpx"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(server: ChatServer, transport: str) -> Iterator[ChatClient]:
    with asking(server.url, transport=transport, max_attempts=3) as client:
        yield client


@pytest.fixture
def batches(server: ChatServer) -> BatchServer:
    return BatchServer(server)


def written(client: ChatClient, folder: Path, *prompts: str, **limits: int) -> list[BatchFile]:
    asked = ((f"id-{n}", request_to(client, prompt)) for n, prompt in enumerate(prompts))
    return list(client.batches.files(asked, folder, **limits))


def submitted(client: ChatClient, folder: Path, *prompts: str, label: str = "run") -> Batch:
    (file,) = written(client, folder, *prompts)
    return client.loop.run(client.batches.submit(file, label))


def ended(client: ChatClient, id: str, **more: Any) -> Batch:
    return client.loop.run(client.batches.wait(id, **{**QUICK, **more}))


def fetched(client: ChatClient, batch: Batch, folder: Path) -> dict[str, BatchAnswer]:
    paths = client.loop.run(client.batches.fetch(batch, folder))
    return {answer.id: answer for answer in client.batches.answers(paths)}


def error_of(answer: BatchAnswer) -> ChatError:
    assert answer.completion is None
    assert answer.error is not None
    return answer.error


def text_of(answer: BatchAnswer) -> str:
    assert answer.completion is not None
    return answer.completion.text


def test_answers_are_fetched_by_their_ids(
    client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    batch = submitted(client, tmp_path, "one", "two", "three")
    assert (batch.status, batch.label, batch.ended) == ("validating", "run", False)
    created = batches.batches[batch.id]["created_at"]
    assert batch.created == datetime.fromtimestamp(created, timezone.utc)
    seen: list[str] = []
    batch = ended(client, batch.id, told=lambda each: seen.append(each.status))
    assert seen == ["in_progress", "completed"]
    assert (batch.total, batch.completed, batch.failed) == (3, 3, 0)
    answers = fetched(client, batch, tmp_path)
    assert {id: text_of(answer) for id, answer in answers.items()} == {
        "id-0": "to one",
        "id-1": "to two",
        "id-2": "to three",
    }
    whole = answers["id-0"].completion
    assert whole is not None
    assert (whole.model, whole.finish_reason, whole.request_id) == ("m", "stop", "req_0")
    assert (whole.usage.prompt_tokens, whole.usage.estimated, whole.notes) == (10, False, ())


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_line_is_what_would_be_sent_alone(
    client: ChatClient, batches: BatchServer, tmp_path: Path, api: Any
) -> None:
    options: dict[str, Any] = {"max_tokens": 5}
    request = request_to(client, "Grüße", api=api, options=options)
    (file,) = client.batches.files([("a" * 64, request)], tmp_path)
    (line,) = [json.loads(line) for line in file.path.read_bytes().splitlines()]
    client.complete(request)
    sent = client_body(batches.server)
    assert line["body"] == {k: v for k, v in sent.items() if k not in ("stream", "stream_options")}
    assert (line["custom_id"], line["method"], line["url"]) == ("a" * 64, "POST", file.endpoint)
    batch = client.loop.run(client.batches.submit(file))
    answers = fetched(client, ended(client, batch.id), tmp_path)
    assert text_of(answers["a" * 64]) == "to Grüße"


def client_body(server: ChatServer) -> dict[str, Any]:
    body: dict[str, Any] = server.bodies[-1]
    return body


def test_requests_are_cut_into_files(client: ChatClient, tmp_path: Path) -> None:
    files = written(client, tmp_path, *"abcde", most_requests=2)
    assert [file.count for file in files] == [2, 2, 1]
    lines = [line for file in files for line in file.path.read_bytes().splitlines()]
    assert [json.loads(line)["custom_id"] for line in lines] == [f"id-{n}" for n in range(5)]
    size = len(lines[0]) + 1
    files = written(client, tmp_path, *"abcde", most_bytes=2 * size + 1)
    assert [file.count for file in files] == [2, 2, 1]
    assert written(client, tmp_path) == []
    assert len(list(tmp_path.glob("*.jsonl"))) == 6


def test_requests_that_make_no_file_are_told(client: ChatClient, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="a request takes"):
        written(client, tmp_path, "long" * 100, most_bytes=100)
    one = request_to(client, "one")
    for other, said in [
        (("a", one), "two requests of a batch have the id a"),
        (("b", one.model_copy(update={"model": "other"})), "go to one model"),
    ]:
        with pytest.raises(InvalidRequest, match=said):
            list(client.batches.files([("a", one), other], tmp_path))


def test_another_process_finds_the_batch_by_its_label_and_fetches_it(
    server: ChatServer, batches: BatchServer, tmp_path: Path
) -> None:
    with asking(server.url) as client:
        ids = [submitted(client, tmp_path, f"row {n}", label=f"run {n % 3}").id for n in range(7)]
    with asking(server.url) as later:
        found = later.loop.run(later.batches.listed("run 1"))
        assert [batch.id for batch in found] == [ids[4], ids[1]]
        assert len(later.loop.run(later.batches.listed())) == 7
        answers = fetched(later, ended(later, ids[4]), tmp_path)
        assert text_of(answers["id-0"]) == "to row 4"


@pytest.mark.parametrize("told", [True, False])
def test_what_an_expired_batch_has_answered_is_kept(
    client: ChatClient, batches: BatchServer, tmp_path: Path, told: bool
) -> None:
    batches.outcome, batches.answered, batches.told = "expired", 2, told
    batch = ended(client, submitted(client, tmp_path, "one", "two", "three").id)
    assert (batch.status, batch.ended) == ("expired", True)
    answers = fetched(client, batch, tmp_path)
    assert [text_of(answers[f"id-{n}"]) for n in range(2)] == ["to one", "to two"]
    assert set(answers) - {"id-0", "id-1"} == ({"id-2"} if told else set())
    if told:
        error = error_of(answers["id-2"])
        assert (error.transient, error.code) == (True, "batch_expired")
        assert "not asked before the batch ended" in str(error)


def test_what_a_cancelled_batch_has_answered_is_kept(
    client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    batches.answered = 1
    id = submitted(client, tmp_path, "one", "two").id
    assert client.loop.run(client.batches.cancel(id)).status == "cancelling"
    batch = ended(client, id)
    assert batch.status == "cancelled"
    answers = fetched(client, batch, tmp_path)
    assert text_of(answers["id-0"]) == "to one"
    assert error_of(answers["id-1"]).code == "batch_cancelled"
    with pytest.raises(ChatError, match="the batch has ended"):
        client.loop.run(client.batches.cancel(id))


def test_a_batch_that_expired_before_any_answer_has_none(
    client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    batches.outcome, batches.answered, batches.told = "expired", 0, False
    batch = ended(client, submitted(client, tmp_path, "one").id)
    assert fetched(client, batch, tmp_path) == {}


def test_a_batch_that_is_refused_says_why(
    client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    batches.outcome = "failed"
    batch = ended(client, submitted(client, tmp_path, "one").id)
    assert batch.problems == ("line 3: a line is no JSON",)
    with pytest.raises(InvalidRequest, match=r"refused the batch batch_0: line 3: a line is"):
        client.loop.run(client.batches.fetch(batch, tmp_path))


@pytest.mark.parametrize(
    ("reply", "kind", "transient"),
    [
        (Status(400), InvalidRequest, False),
        (Status(429), RateLimited, True),
        (Status(500), ServerUnavailable, True),
        (
            Status(429, {"error": {"code": "insufficient_quota", "message": "pay"}}),
            QuotaExhausted,
            False,
        ),
        (Status(400, {"error": {"message": f"bad key {KEY}"}}), InvalidRequest, False),
    ],
)
def test_a_request_that_fails_has_its_own_error(
    client: ChatClient,
    batches: BatchServer,
    tmp_path: Path,
    reply: Status,
    kind: type[ChatError],
    transient: bool,
) -> None:
    batches.reply = lambda request: reply if request.last == "bad" else Reply("fine")
    batch = ended(client, submitted(client, tmp_path, "good", "bad").id)
    answers = fetched(client, batch, tmp_path)
    assert text_of(answers["id-0"]) == "fine"
    error = error_of(answers["id-1"])
    assert (type(error), error.transient) == (kind, transient)
    assert KEY not in repr(vars(error))


def test_an_answer_that_was_cut_is_told_from_a_whole_one(
    client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    batches.reply = lambda _: Reply("a long one", finish_reason="length")
    answers = fetched(client, ended(client, submitted(client, tmp_path, "one").id), tmp_path)
    completion = answers["id-0"].completion
    assert completion is not None
    assert completion.truncated


FAULTS: list[Answer] = [Status(500, headers=SOON), Status(429, headers=SOON), Reset()]


@pytest.mark.parametrize("fault", FAULTS, ids=["500", "429", "reset"])
def test_a_server_that_fails_meanwhile_is_asked_again(
    client: ChatClient, batches: BatchServer, tmp_path: Path, fault: Answer
) -> None:
    batches.faults.extend([fault, fault])
    batch = submitted(client, tmp_path, "one")
    batches.faults.extend([fault] * 5)  # more than max_attempts: a wait has patience
    waits: list[Event] = []
    batch = ended(client, batch.id, emit=waits.append)
    assert not batches.faults
    assert len(waits) == 5 or isinstance(fault, Reset)  # aiohttp itself asks again once
    assert {type(wait) for wait in waits} == {Waiting}
    batches.faults.extend([fault, fault])
    assert text_of(fetched(client, batch, tmp_path)["id-0"]) == "to one"


def test_patience_with_a_server_has_an_end(
    client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    id = submitted(client, tmp_path, "one").id
    batches.faults.extend([Status(500)] * 2)
    with pytest.raises(ServerUnavailable):
        ended(client, id, patience=0.0)
    assert ended(client, id).status == "completed"


def test_a_wait_can_be_stopped_and_the_batch_goes_on(
    server: ChatServer, client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    id = submitted(client, tmp_path, "one").id
    server.requests.clear()
    waiting = client.loop.submit(client.batches.wait(id, first_pause=3600.0))
    server.until(lambda: len(server.requests) == 1)
    waiting.cancel()
    assert batches.batches[id]["status"] == "in_progress"
    assert ended(client, id).status == "completed"


def test_a_batch_whose_making_was_not_confirmed_is_not_made_twice(
    client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    for _ in range(3):
        submitted(client, tmp_path, "before")
    (file,) = written(client, tmp_path, "one")
    batches.after = True

    def lost(request: Request) -> Answer | None:
        made = request.method == "POST" and request.path == "/v1/batches"
        if made and not lost_once:
            lost_once.append(request)
            batches._asked(request)
            return Reset()
        return batches._asked(request)

    lost_once: list[Request] = []
    batches.server.others = lost
    batch = client.loop.run(client.batches.submit(file))
    assert (batch.id, len(batches.batches)) == ("batch_3", 4)


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Status(401), AuthenticationFailed, "does not accept the key"),
        (Html(), BadResponse, "not with an uploaded file"),
        (Json([]), BadResponse, "not with an uploaded file"),
        (Status(400, {"error": {"message": f"no {KEY} here"}}), InvalidRequest, "no .* here"),
        (Status(404), NotFound, "has no Files and Batches API"),
    ],
)
def test_an_upload_that_fails_is_told(
    client: ChatClient,
    batches: BatchServer,
    tmp_path: Path,
    fault: Answer,
    kind: type[ChatError],
    said: str,
) -> None:
    (file,) = written(client, tmp_path, "one")
    batches.faults.append(fault)
    with pytest.raises(kind, match=said) as caught:
        client.loop.run(client.batches.submit(file))
    assert KEY not in repr(vars(caught.value))
    assert batches.batches == {}


@pytest.mark.parametrize("answer", [Html(), Json({}), Json({"id": "b", "status": 3}), Json(None)])
def test_what_is_no_batch_is_told(client: ChatClient, batches: BatchServer, answer: Answer) -> None:
    batches.faults.append(answer)
    with pytest.raises(BadResponse, match="not with a batch"):
        client.loop.run(client.batches.state("batch_0"))


def test_a_batch_that_is_not_there_is_told(client: ChatClient, batches: BatchServer) -> None:
    with pytest.raises(NotFound, match="No such batches: gone"):
        ended(client, "gone")


def test_lines_that_are_no_answers_are_told_after_the_others(
    client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    batch = ended(client, submitted(client, tmp_path, "one", "two").id)
    name = batch.files[0]
    odd = b'{"custom_id": "odd", "response": 3}'
    batches.files[name] = b"no JSON\n\n[]\n" + odd + b"\n" + batches.files[name]
    paths = client.loop.run(client.batches.fetch(batch, tmp_path))
    answers: list[BatchAnswer] = []
    with pytest.raises(BadResponse, match=r"2 lines .* the first is line 1"):
        answers.extend(_collected(client, paths, answers))
    assert [answer.id for answer in answers] == ["odd", "id-1", "id-0"]
    assert "unknown shape" in str(error_of(answers[0]))


def _collected(client: ChatClient, paths: list[Path], into: list[BatchAnswer]) -> list[BatchAnswer]:
    for answer in client.batches.answers(paths):
        into.append(answer)
    return []


def test_the_files_of_a_batch_can_be_removed(
    client: ChatClient, batches: BatchServer, tmp_path: Path
) -> None:
    batch = ended(client, submitted(client, tmp_path, "one").id)
    assert len(batches.files) == 2
    for _ in range(2):  # what is gone already is no fault
        client.loop.run(client.batches.remove_files(batch))
        assert batches.files == {}


def test_an_upload_is_not_held_to_the_silence_of_a_stream(
    server: ChatServer, batches: BatchServer, tmp_path: Path, transport: str
) -> None:
    with asking(server.url, transport=transport, stall_timeout=0.2, max_attempts=1) as client:
        (file,) = written(client, tmp_path, "one")
        batches.faults.append(Hang(Status(200, {"id": "file-x", "object": "file"})))
        uploading = client.loop.submit(client.batches.submit(file))
        server.until(lambda: server.held == 1)
        batches.faults.append(Hang())
        with pytest.raises(RequestTimeout):  # in the meantime others are held to it
            client.loop.run(client.batches.state("batch_0"))
        server.release()
        assert uploading.result().input_file == "file-x"


@pytest.mark.npm
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_server_that_others_wrote_is_understood(tmp_path: Path, transport: str, api: Any) -> None:
    with aimock(tmp_path, FIXTURE) as server, asking(server.url, transport=transport) as client:
        asked = ((f"id-{n}", request_to(client, f"row {n}", api=api)) for n in range(20))
        (file,) = client.batches.files(asked, tmp_path)
        batch = client.loop.run(client.batches.submit(file, "run"))
        assert client.loop.run(client.batches.listed("run"))[0].id == batch.id
        batch = ended(client, batch.id)
        answers = fetched(client, batch, tmp_path)
    assert (batch.total, batch.completed) == (20, 20)
    assert sorted(answers) == sorted(f"id-{n}" for n in range(20))
    assert {text_of(answer) for answer in answers.values()} == {"Mock batch completion"}


@pytest.mark.npm
@pytest.mark.parametrize("outcome", ["failed", "expired", "cancelled"])
def test_each_end_at_a_server_that_others_wrote_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-AIMock-Batch-Outcome: {outcome}")
    with aimock(tmp_path, FIXTURE) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with asking(None) as client:
            batch = ended(client, submitted(client, tmp_path, "one").id)
            answers = fetched(client, batch, tmp_path)
    assert batch.status == outcome
    assert [error_of(answer).code for answer in answers.values()] == (
        ["mock_failure"] if outcome == "failed" else []
    )
    assert bool(re.search("mock", "".join(batch.problems), re.I)) is (outcome == "failed")
