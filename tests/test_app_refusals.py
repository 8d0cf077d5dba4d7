"""What the API refuses: each with its status and one line, as JSON."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.app_people import App, Person, app_on, asked_by, failure, log_records
from tests.chat_server import Hang, Html, Reset, Scripted, Status

LIMITS = {
    "CHAT_MAGICS_REQUESTS_PER_MINUTE": "4",
    "CHAT_MAGICS_REQUESTS_PER_MINUTE_PER_ADDRESS": "6",
    "CHAT_MAGICS_TOKENS_PER_DAY": "5000",
    "CHAT_MAGICS_MAX_ATTEMPTS": "1",
    "CHAT_MAGICS_SERVE_MAX_BODY_MB": "1",
    "CHAT_MAGICS_SERVE_MAX_BATCH": "3",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with narrow limits."""
    with app_on(tmp_path_factory.mktemp("app"), "--auth", "proxy", **LIMITS) as running:
        yield running


@pytest.fixture
def ada(app: App, request: pytest.FixtureRequest) -> Person:
    """Somebody new."""
    return app.person(re.sub(r"\W", "", request.node.name)[:100])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"prompt": "a" "b"}'])
def test_400_for_what_is_no_json(ada: Person, body: bytes) -> None:
    assert failure(ada.post("api/query", body))["error"] == "the body is no JSON"


def test_401_for_whom_the_proxy_did_not_name(app: App) -> None:
    for place in ("api/query", "api/batch-query"):
        answered = app.server.post(place, {"prompt": "Hello"})
        assert (answered.status, failure(answered)["error"]) == (401, "the proxy named nobody")
    for place in ("api/models", "api/sessions", f"api/sessions/{'0' * 32}"):
        assert failure(app.server.get(place))["status"] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "evil.example"},
    ],
)
def test_403_for_the_page_of_another_origin(app: App, ada: Person, headers: dict[str, str]) -> None:
    assert failure(ada.post("api/query", {"prompt": "Forged"}, **headers))["status"] == 403
    assert failure(ada.get("api/sessions", **headers))["status"] == 403
    assert asked_by(app, "Forged") == 0


@pytest.mark.parametrize(
    "path",
    ["api", "api/", "api/nothing", "api/query/more", "api/sessions/abc", "api/admin/sessions"],
)
def test_404_for_a_path_that_is_not_there(ada: Person, path: str) -> None:
    for answered in (ada.get(path), ada.post(path, {})):
        assert failure(answered)["status"] == 404


def test_404_for_a_model_that_is_not_there(app: App, ada: Person) -> None:
    app.model.script(Status(404))
    told = failure(ada.query("Who?", model="gone"))
    assert (told["status"], told["type"]) == (404, "ModelNotFound")


def test_405_for_what_cannot_be_done_there(ada: Person) -> None:
    assert failure(ada.get("api/query"))["status"] == 405
    assert failure(ada.delete("api/sessions"))["status"] == 405


def test_413_for_a_prompt_that_is_too_long(app: App, ada: Person) -> None:
    told = failure(ada.query("x" * 5001))
    assert (told["status"], told["type"]) == (413, "PromptTooLong")
    assert asked_by(app, "x" * 5001) == 0


def test_413_for_too_many_prompts(ada: Person) -> None:
    told = failure(ada.post("api/batch-query", {"prompts": ["again"] * 4}))
    assert (told["status"], told["error"]) == (413, "4 prompts: send 3 at most (max_batch)")


@pytest.mark.parametrize("place", ["api/query", "", "voila/api/shutdown/x"])
def test_413_for_a_body_that_is_too_large(ada: Person, place: str) -> None:
    told = failure(ada.post(place, b"x" * (2**20 + 1)))
    said = "the request is larger than 1 MB (max_body_mb): send less"
    assert (told["status"], told["error"]) == (413, said)


def test_413_for_a_body_that_does_not_tell_its_size(app: App, ada: Person) -> None:
    connection = http.client.HTTPConnection(urlsplit(app.server.url).netloc, timeout=240)
    chunks = (b"x" * 2**18 for _ in range(5))
    connection.request("POST", "/api/query", chunks, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, json.load(answer)["status"]) == (413, 413)
    connection.request("GET", "/healthz")  # the connection goes on
    assert connection.getresponse().status == 200


def test_a_body_of_the_largest_size_is_read(ada: Person) -> None:
    body = json.dumps({"prompt": ""}).encode()
    assert failure(ada.post("api/query", body.ljust(2**20)))["status"] == 422


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_415_for_what_is_not_sent_as_json(app: App, ada: Person, kind: str) -> None:
    told = failure(ada.post("api/query", {"prompt": "Form"}, Content_Type=kind))
    assert (told["status"], asked_by(app, "Form")) == (415, 0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "prompt: field required"),
        ([], "the body: input should be"),
        ({"prompt": 1}, "prompt: input should be a valid string"),
        ({"prompt": ""}, "prompt: "),
        ({"prompt": "\ud800"}, "prompt: "),
        ({"prompt": "a", "prompts": []}, "prompts: extra inputs"),
        ({"prompt": "a", "temperature": 3}, "temperature: input should be less"),
        ({"prompt": "a", "max_tokens": 0}, "max_tokens: "),
        ({"prompt": "a", "session": "../../etc/passwd"}, "session: "),
        ({"prompt": "a", "options": {"stream": False}}, "option stream cannot be set"),
        ({"prompt": "a", "options": {"api_key": "x"}}, "option api_key"),
        ({"prompt": "a", "options": {"top_p": float("nan")}}, "option top_p must be JSON"),
    ],
)
def test_422_for_a_field_that_is_wrong(ada: Person, body: Any, said: str) -> None:
    told = failure(ada.post("api/query", body))
    assert told["status"] == 422
    assert told["error"].startswith(said)


@pytest.mark.parametrize("stream", [False, True])
def test_429_for_more_prompts_a_minute_than_one_may_ask(ada: Person, stream: bool) -> None:
    answers = [ada.query(f"Number {number}", refresh=True) for number in range(4)]
    assert {answered.status for answered in answers} == {200}
    refused = ada.query("One more", stream=stream)
    told = failure(refused)
    assert (told["status"], told["type"]) == (429, "RateLimitReached")
    assert 1 <= told["retry_after"] <= int(refused.headers["Retry-After"]) <= 60


def test_429_for_more_prompts_a_minute_than_come_from_one_address(app: App, ada: Person) -> None:
    several = [app.person(f"{ada.name} {number}", address=ada.name) for number in range(7)]
    *answers, refused = [each.query("Hello") for each in several]
    assert {answered.status for answered in answers} == {200}
    told = failure(refused)
    assert told["error"].startswith("too many requests from your address: again in ")
    assert int(refused.headers["Retry-After"]) >= 1
    assert app.person(f"{ada.name} elsewhere").query("Hello").status == 200


def test_429_for_a_second_prompt_before_the_first_is_answered(app: App, ada: Person) -> None:
    app.model.script(Hang())
    first = ada.in_the_background("First")
    app.model.until(lambda: app.model.held == 1)
    refused = ada.query("Second")
    told = failure(refused)
    assert told["error"].startswith("1 of your replies are under way already")
    assert (told["status"], refused.headers["Retry-After"]) == (429, "1")
    assert app.person(f"{ada.name} friend").query("Third").status == 200
    app.model.release()
    first.join(30)
    assert ada.query("Second").status == 200


def test_429_for_more_tokens_than_a_day_has(ada: Person) -> None:
    refused = ada.query("Long", max_tokens=6000)
    told = failure(refused)
    assert (told["status"], told["type"]) == (429, "BudgetReached")
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400


def test_429_where_the_model_server_asks_to_wait(app: App, ada: Person) -> None:
    app.model.script(Status(429, headers={"retry-after": "90"}))
    refused = ada.query("Wait")
    assert (refused.status, failure(refused)["type"]) == (429, "RateLimited")
    assert 85 <= int(refused.headers["Retry-After"]) <= 90


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        (Html(), 500, "BadResponse"),
        (Status(400), 400, "InvalidRequest"),
        (Status(401), 503, "AuthenticationFailed"),
        (Status(403), 503, "PermissionRefused"),
        (Status(500), 503, "ServerUnavailable"),
        (Reset(), 503, "ConnectionFailed"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_model_server_does_has_its_status(
    app: App, ada: Person, answer: Scripted, status: int, kind: str, stream: bool
) -> None:
    app.model.script(answer)
    told = failure(ada.query("Refuse me", stream=stream))
    assert (told["status"], told["type"]) == (status, kind)


def test_a_refusal_is_found_in_the_log_by_its_id(app: App, ada: Person) -> None:
    app.model.script(Status(400))
    id = failure(ada.query("Refuse me"))["request_id"]

    def found() -> list[Any]:
        return [each for each in log_records(app.server) if id in each.values()]

    app.server.until(lambda: len(found()) == 2)  # the second is written after the answer
    assert [(each["event"], each["owner"]) for each in found()] == [
        ("failure", ada.name),
        ("served", ada.name),
    ]
    assert found()[-1]["status"] == 400
