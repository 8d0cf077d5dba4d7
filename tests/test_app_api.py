"""The API for programs: the same client, limits and history as the pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.app_people import App, Person, app_on, asked_by, log_records
from tests.chat_server import Hang, Reply
from tests.talks import conversation_on, user_texts


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app behind a proxy."""
    with app_on(tmp_path_factory.mktemp("app"), "--auth", "proxy") as running:
        yield running


@pytest.fixture
def ada(app: App, request: pytest.FixtureRequest) -> Person:
    """Somebody new."""
    return app.person(request.node.name)


def test_a_prompt_gets_its_whole_answer(app: App, ada: Person) -> None:
    app.model.script(Reply("A whole answer."))
    answered = ada.query("What do I get?")
    assert answered.status == 200
    assert answered.headers["Content-Type"] == "application/json; charset=utf-8"
    told = answered.json
    assert (told["text"], told["model"], told["finish_reason"], told["cached"]) == (
        "A whole answer.",
        "test-model",
        "stop",
        False,
    )
    assert told["usage"] == {"prompt_tokens": 10, "completion_tokens": 3, "estimated": False}


def test_what_a_program_sets_is_sent(app: App, ada: Person) -> None:
    ada.query("Set", system="Be brief.", temperature=0.5, max_tokens=7, options={"seed": 3})
    body = next(each.body for each in app.model.posts if each.last == "Set")
    assert (body["temperature"], body["seed"]) == (0.5, 3)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_a_stream_brings_text_and_ends_with_the_answer(app: App, ada: Person) -> None:
    app.model.script(Reply("One two three.", delay_between=0.05))
    found = ada.stream("Count")
    assert {name for name, _ in found[:-1]} == {"text"}
    name, told = found[-1]
    assert (name, told["text"]) == ("done", "One two three.")
    assert "".join(data["text"] for _, data in found[:-1]) == told["text"]


def test_a_stream_that_breaks_is_asked_again(app: App, ada: Person) -> None:
    app.model.script(Reply("Soon cut off here.", cut_after=2), Reply("Another text."))
    found = ada.stream("Break")
    kinds = [name for name, _ in found]
    assert kinds.index("waiting") < kinds.index("restart") < len(kinds) - 1
    (waiting,) = [data for name, data in found if name == "waiting"]
    assert set(waiting) == {"reason", "seconds"}
    after = [data["text"] for name, data in found[kinds.index("restart") :] if name == "text"]
    assert "".join(after) == found[-1][1]["text"] == "Another text."


def test_a_stream_that_fails_after_its_first_words_ends_with_the_error(
    app: App, ada: Person
) -> None:
    app.model.script(*[Reply("Cut off.", cut_after=1)] * 4)
    name, told = ada.stream("Fail")[-1]
    assert (name, told["type"], told["status"]) == ("error", "ConnectionFailed", 503)
    assert told["request_id"] in {record.get("request") for record in log_records(app.server)}


def test_a_conversation_goes_on(app: App, ada: Person) -> None:
    first = ada.query("My name is Ada.").json
    second = ada.query("Who am I?", session=first["session"]).json
    assert second["session"] == first["session"]
    assert user_texts(app.model.bodies[-1]) == ["My name is Ada.", "Who am I?"]


def test_an_equal_prompt_is_answered_from_the_cache(app: App, ada: Person) -> None:
    answers = [ada.query("Again").json for _ in range(2)]
    assert [told["cached"] for told in answers] == [False, True]
    assert answers[1]["cost"] == 0
    assert asked_by(app, "Again") == 1
    assert ada.query("Again", refresh=True).json["cached"] is False
    assert asked_by(app, "Again") == 2


def test_the_cache_of_one_person_answers_nobody_else(app: App, ada: Person) -> None:
    ada.query("Secret")
    assert app.person("Eve").query("Secret").json["cached"] is False
    assert asked_by(app, "Secret") == 2


def test_a_batch_is_answered_in_order_with_an_error_for_each_that_fails(
    app: App, ada: Person
) -> None:
    app.model.script(Reply("First."), Reply("Third."))
    items = ada.batch("one", "", "three", "x" * 5001)
    assert [item["index"] for item in items] == [0, 1, 2, 3]
    assert [item["answer"] and item["answer"]["text"] for item in items] == [
        "First.",
        None,
        "Third.",
        None,
    ]
    assert [item["error"] and item["error"]["status"] for item in items] == [None, 400, None, 413]


def test_prompts_of_a_batch_know_nothing_of_each_other(app: App, ada: Person) -> None:
    ada.batch("alone", "also alone")
    assert [user_texts(body) for body in app.model.bodies[-2:]] == [["alone"], ["also alone"]]


def test_the_models_are_those_of_the_model_server(ada: Person) -> None:
    assert ada.get("api/models").json == {
        "models": ["test-model"],
        "default": "test-model",
        "listed": True,
    }


def test_one_sees_ones_own_conversations(app: App, ada: Person) -> None:
    told = ada.query("Mine").json
    (info,) = ada.get("api/sessions").json["sessions"]
    assert (info["id"], info["owner"], info["title"]) == (told["session"], ada.name, "Mine")
    assert (info["queries"], info["tokens"], info["pages"]) == (1, 15, 0)
    (said,) = ada.get(f"api/sessions/{told['session']}").json["exchanges"]
    assert (said["id"], said["prompt"], said["reply"]) == (told["id"], "Mine", told["text"])


def test_ending_a_conversations_pages_keeps_what_was_said(ada: Person) -> None:
    place = f"api/sessions/{ada.query('Kept').json['session']}"
    assert ada.delete(place).status == 204
    assert [said["prompt"] for said in ada.get(place).json["exchanges"]] == ["Kept"]


def test_another_persons_conversation_is_not_there(app: App, ada: Person) -> None:
    id = ada.query("Private").json["session"]
    eve = app.person("Eve")
    answers = [
        eve.get(f"api/sessions/{id}"),
        eve.delete(f"api/sessions/{id}"),
        eve.query("Go on", session=id),
    ]
    nowhere = [eve.get(f"api/sessions/{'0' * 32}"), eve.query("Go on", session="0" * 32)]
    assert {answered.status for answered in (*answers, *nowhere)} == {404}
    assert answers[0].json["error"].replace(id, "0" * 32) == nowhere[0].json["error"]
    assert asked_by(app, "Go on") == 0


def test_the_id_of_an_answer_stands_in_history_and_in_both_logs(app: App, ada: Person) -> None:
    told = ada.query("Trace me").json

    def found(event: str, field: str) -> list[Any]:
        records = [each for each in log_records(app.server) if each["event"] == event]
        return [each for each in records if each[field] == told["id"]]

    app.server.until(lambda: bool(found("served", "request_id")))  # written after the answer
    (chat,), (served,) = found("request", "request"), found("served", "request_id")
    assert (chat["owner"], chat["surface"], chat["conversation"]) == (
        ada.name,
        "app",
        told["session"],
    )
    assert (served["owner"], served["method"], served["path"], served["status"]) == (
        ada.name,
        "POST",
        "/api/query",
        200,
    )
    assert "Trace me" not in str(log_records(app.server))


def test_the_bytes_on_the_wire_are_those_of_a_conversation(app: App, ada: Person) -> None:
    ada.query("Same", temperature=0.1, system="Be brief.")
    with conversation_on(app.model) as chat:
        assert str(chat.ask("Same", temperature=0.1, system="Be brief."))
    by_api, by_conversation = [each.raw for each in app.model.posts if each.last == "Same"]
    assert by_api == by_conversation


def test_what_the_api_asked_answers_the_panel_of_the_same_person(app: App, ada: Person) -> None:
    ada.query("Shared")
    for owner, cached in ((ada.name, True), ("Eve", False)):
        with conversation_on(app.model, owner=owner, home=app.server.home) as chat:
            assert chat.ask("Shared").cached is cached


@pytest.mark.parametrize("stream", [False, True])
def test_who_goes_away_stops_the_reply(app: App, ada: Person, stream: bool) -> None:
    before = app.model.disconnects
    app.model.script(Reply(stall_after=1))
    connection = ada.leave_after_sending("api/query", {"prompt": "Stall", "stream": stream})
    app.model.until(lambda: app.model.held == 1)
    connection.close()
    app.model.until(lambda: app.model.disconnects > before)
    app.server.until(lambda: ada.query("Next").status == 200)


def test_who_goes_away_stops_the_rest_of_a_batch(app: App, ada: Person) -> None:
    before = app.model.disconnects
    app.model.script(Hang())
    prompts = [f"part {number}" for number in range(5)]
    connection = ada.leave_after_sending("api/batch-query", {"prompts": prompts})
    app.model.until(lambda: app.model.held == 1)
    connection.close()
    app.model.until(lambda: app.model.disconnects > before)
    app.server.until(lambda: ada.query("Next").status == 200)
    assert [asked_by(app, prompt) for prompt in prompts] == [1, 0, 0, 0, 0]
