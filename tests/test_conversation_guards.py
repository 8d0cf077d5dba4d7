"""What a conversation refuses, what a failure leaves behind, and that the key is nowhere."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat_magics import Conversation, Session
from chat_magics.errors import BudgetReached, ChatError, InvalidOption, InvalidRequest
from chat_magics.telemetry import ErrorReport
from tests.chat_server import ChatServer, Reply, Status
from tests.talks import CANARY, conversation_on, leaks, session_on, settings_for

LEAKY = {"error": {"message": f"Incorrect API key provided: {CANARY}", "code": "invalid_api_key"}}


@pytest.fixture
def chat(server: ChatServer) -> Iterator[Conversation]:
    """A new conversation on the tests' server."""
    with conversation_on(server) as chat:
        yield chat


def records(home: Path) -> list[dict[str, Any]]:
    """The lines of the log file."""
    parts = sorted((home / "logs").glob("*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("", "the prompt is empty"),
        (" \n\t", "the prompt is empty"),
        ("x" * 5001, "5,001 characters and max_prompt_chars is 5,000"),
        ("a\0b", "NUL character at position 1"),
        ("ab\ud800", "half of a surrogate pair at position 2"),
    ],
)
def test_a_prompt_that_cannot_be_sent_is_refused_in_one_line(
    chat: Conversation, server: ChatServer, prompt: str, said: str
):
    with pytest.raises(InvalidRequest, match=said) as refused:
        chat.ask(prompt)
    assert "\n" not in str(refused.value)
    assert (server.requests, chat.path) == ([], ())


def test_a_prompt_as_long_as_the_setting_allows_is_sent(server: ChatServer):
    with conversation_on(server, max_prompt_chars=6) as chat:
        assert chat.ask("x" * 6).text
        with pytest.raises(InvalidRequest, match="max_prompt_chars is 6") as refused:
            chat.ask("x" * 7)
    assert refused.value.command == "%chat_config max_prompt_chars 7"


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 3},
        {"max_tokens": 0},
        {"options": {"messages": []}},
        {"options": {"stop": {"a set"}}},
        {"options": {"metadata": {"x": float("nan")}}},
        {"system": "a\0b"},
        {"model": "a\ud800"},
        {"model": " "},
        {"options": [1]},
        {"options": {1: 2}},
        {"attachments": 5},
    ],
)
def test_an_option_that_cannot_be_sent_is_refused_in_one_line(
    chat: Conversation, server: ChatServer, options: dict[str, Any]
):
    with pytest.raises(InvalidRequest) as refused:
        chat.ask("Hello", **options)
    assert "\n" not in str(refused.value)
    assert server.requests == []


def test_an_unknown_setting_is_refused():
    with pytest.raises(ChatError, match="no setting 'modell'"):
        Conversation(modell="x")


@pytest.mark.parametrize("given", [5, b"x"])
def test_a_name_that_is_no_text_is_refused(chat: Conversation, given: Any):
    with pytest.raises(InvalidRequest, match="a name is a text, and not"):
        Conversation(given, session=chat.session)


def test_half_a_surrogate_is_the_name_of_no_conversation(chat: Conversation):
    with pytest.raises(InvalidRequest, match="half of a character"):
        Conversation.open("\ud800", session=chat.session)


def test_to_ask_again_takes_the_options_of_ask_and_no_others(
    chat: Conversation, server: ChatServer
):
    str(chat.ask("Hello", options={"seed": 7}))
    str(chat.regenerate(temperature=1))
    assert server.bodies[1]["temperature"] == 1
    assert server.bodies[1]["seed"] == 7
    with pytest.raises(InvalidRequest, match="takes no 'tempreature'"):
        chat.regenerate(tempreature=1)


def test_a_budget_refuses_before_the_call_and_is_kept_in_history(server: ChatServer):
    with conversation_on(server, tokens_per_day=40) as chat:
        assert chat.ask("Hello").text
        assert chat.ask("Hello", alone=True).cached
        refused = chat.ask("A longer question, which would pass the forty tokens of this day")
        with pytest.raises(BudgetReached, match="raise tokens_per_day, or wait"):
            _ = refused.text
        assert (refused.exchange.status, refused.exchange.attempts) == ("error", 0)
    assert len(server.posts) == 1


def test_a_cached_reply_is_given_when_the_budget_is_spent(server: ChatServer):
    with session_on(server, tokens_per_day=20) as session:
        assert Conversation(session=session).ask("Hello").text
        assert Conversation(session=session).ask("Hello").cached
        with pytest.raises(BudgetReached):
            _ = Conversation(session=session).ask("Something else").text
    assert len(server.posts) == 1


def test_a_conversations_budget_leaves_other_conversations_alone(server: ChatServer):
    with session_on(server, tokens_per_conversation=30) as session:
        chat = Conversation(session=session)
        assert chat.ask("Hello").text
        with pytest.raises(BudgetReached, match="tokens_per_conversation"):
            _ = chat.ask("Again").text
        assert Conversation(session=session).ask("Fresh").text


def test_the_budget_is_in_the_plan(server: ChatServer):
    with conversation_on(server, tokens_per_day=100) as chat:
        reply = chat.ask("Hello")
        plan = chat.plan(reply.ask)
        assert (plan.cached, plan.left, server.requests) == (False, {"tokens_per_day": 100}, [])
        assert reply.text
        assert chat.plan(reply.ask).left == {"tokens_per_day": 85}


def test_the_hook_gets_each_failure_without_the_key(server: ChatServer):
    reports: list[ErrorReport] = []
    server.script(Status(401, LEAKY))
    with session_on(server, on_error=reports.append) as session:
        reply = Conversation(session=session).ask(f"Is {CANARY} a key?")
        assert reply.wait(10)
    (report,) = reports
    assert (report.exception_type, report.record.http_status) == ("AuthenticationFailed", 401)
    assert report.record.request == reply.exchange.id
    assert CANARY not in repr(report)


def test_a_hook_that_fails_harms_nothing(server: ChatServer):
    def broken(report: ErrorReport) -> None:
        raise ZeroDivisionError

    server.script(Status(400))
    with session_on(server, on_error=broken) as session:
        chat = Conversation(session=session)
        assert chat.ask("Hello").wait(10)
        assert chat.ask("Hello").text


class Faulty(Session):
    """A session with a fault of ours in it."""

    async def check_budget(self, request: Any, conversation: str) -> None:
        raise ZeroDivisionError("a fault\nin two lines")


def test_a_fault_of_ours_becomes_one_line_and_the_exchange_is_ended(server: ChatServer, home: Path):
    session = Faulty(settings_for(server, tokens_per_day=1000))
    reply = Conversation(session=session).ask("Hello")
    with pytest.raises(ChatError, match=r"^unexpected ZeroDivisionError: a fault in two lines; "):
        _ = reply.text
    assert session.history.exchange(reply.exchange.id).status == "error"
    session.close()
    (failure,) = records(home)
    assert "in check_budget" in failure["traceback"]


class FaultyAtTheEnd(Session):
    """A session in which no end of a turn can be stored."""

    async def store(self, work: Any) -> Any:
        code = getattr(work, "func", work).__code__
        if "finish" in code.co_names:
            raise ZeroDivisionError("no end")
        return await super().store(work)


def test_a_fault_at_the_end_of_a_turn_is_told_and_logged_too(server: ChatServer, home: Path):
    session = FaultyAtTheEnd(settings_for(server))
    chat = Conversation(session=session)
    assert isinstance(error_of(chat), ChatError)
    assert isinstance(error_of(chat), ChatError)
    session.close()
    assert [r["event"] for r in records(home)] == ["failure", "failure"]
    assert "no end" in records(home)[0]["traceback"]


def error_of(chat: Conversation) -> ChatError | None:
    """What ends a reply in this conversation."""
    reply = chat.ask("Hello")
    assert reply.wait(10)
    return reply.error


def test_the_log_has_one_line_for_each_request_without_text(
    chat: Conversation, server: ChatServer, home: Path
):
    server.script(Reply("a secret answer"), Status(400))
    assert chat.ask("a secret question").text
    assert chat.ask("a secret question again").wait(10)
    good, bad = records(home)
    assert (good["event"], good["status"], good["completion_tokens"]) == ("request", "complete", 3)
    assert (bad["event"], bad["http_status"], bad["error_type"]) == (
        "failure",
        400,
        "InvalidRequest",
    )
    assert leaks(home / "logs", "secret") == []


def test_the_log_has_the_text_where_it_is_wanted(server: ChatServer, home: Path):
    with conversation_on(server, log_content=True) as chat:
        assert chat.ask("a question").text
    (record,) = records(home)
    assert (record["prompt"], record["reply"]) == ("a question", "Hello from the test server.")


def test_python_logging_gets_each_request_with_its_values(
    chat: Conversation, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "chat_magics")
    assert chat.ask("Hello").text
    (record,) = caplog.records
    assert record.chat["prompt_chars"] == 5
    assert "Hello" not in record.getMessage()


def test_the_key_is_nowhere_after_a_tour(
    server: ChatServer, home: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    server.script(Reply("fine"), Status(401, LEAKY), Reply("x y", error_after=1), Reply("ok"))
    with session_on(server, log_content=True, max_attempts=1) as session:
        chat = Conversation("tour", session=session)
        replies = [chat.ask(f"Q{n}") for n in range(3)]
        assert all(reply.wait(10) for reply in replies)
        assert chat.regenerate().wait(10)
        shown = [*map(repr, replies), repr(chat), repr(session), repr(session.config)]
        errors = [repr(reply.error) + repr(pickle.dumps(reply.error)) for reply in replies]
        stored = [exchange.model_dump_json() for exchange in session.history.load_exchanges()]
    assert all(request.headers["authorization"] == f"Bearer {CANARY}" for request in server.posts)
    assert leaks(home) == []
    assert CANARY not in "".join([*shown, *errors, *stored, caplog.text])


def test_a_bad_option_type_is_an_invalid_option(chat: Conversation):
    with pytest.raises(InvalidOption, match="stop"):
        chat.ask("Hello", options={"stop": object()})
