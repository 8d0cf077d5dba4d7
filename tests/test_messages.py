"""The values: frozen, exact, and a cache key that changes with all that is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chat_magics.messages import ChatRequest, Completion, Message, Usage

HELLO = Message(role="user", content="Hello")
REQUEST = ChatRequest(base_url="http://host/v1", model="m", messages=(HELLO,), options={"a": 1})
COUNTS = st.integers(min_value=0, max_value=10**9)
USAGES = st.builds(Usage, prompt_tokens=COUNTS, completion_tokens=COUNTS, cached_tokens=COUNTS)


@pytest.mark.parametrize(
    "changed",
    [
        {"base_url": "http://other/v1"},
        {"model": "n"},
        {"messages": (Message(role="user", content="Hello "),)},
        {"messages": (Message(role="system", content="Hello"),)},
        {"messages": (HELLO, HELLO)},
        {"api": "responses"},
        {"options": {"a": 2}},
        {"options": {"a": "1"}},
        {"options": {}},
        {"owner": "me"},
    ],
)
def test_the_key_changes_with_each_thing_that_is_sent(changed: dict[str, Any]) -> None:
    assert REQUEST.model_copy(update=changed).key != REQUEST.key


def test_the_key_is_the_same_for_the_same_request_written_otherwise() -> None:
    one = REQUEST.model_copy(update={"options": {"a": 1, "b": {"x": 1, "y": 2}}})
    other = REQUEST.model_copy(update={"options": {"b": {"y": 2, "x": 1}, "a": 1}})
    assert one.key == other.key
    assert REQUEST.model_copy(update={"base_url": "http://host/v1/"}).key == REQUEST.key


def test_the_key_does_not_depend_on_the_process() -> None:
    assert REQUEST.key == "7e9857d6b882063847f2f2fdca74cdc42824a0f5c9d9dd55ce060c6b885cebb8"


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_two_conversations_have_the_same_key_only_if_they_are_the_same(
    one: list[str], other: list[str]
) -> None:
    def key(texts: list[str]) -> str:
        messages = tuple(Message(role="user", content=text) for text in texts)
        return REQUEST.model_copy(update={"messages": messages}).key

    assert (key(one) == key(other)) is (one == other)


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        HELLO.content = "Bye"


def test_a_role_of_another_kind_is_refused_without_its_content() -> None:
    with pytest.raises(ValidationError) as caught:
        Message(role="developer", content="a secret")  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Usage(tokens=3)  # type: ignore[call-arg]


def test_a_count_below_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Usage(prompt_tokens=-1)


@given(USAGES, USAGES)
def test_usages_add_up(one: Usage, other: Usage) -> None:
    assert (one + other).total_tokens == one.total_tokens + other.total_tokens
    assert one + other == other + one


def test_a_sum_with_an_estimate_is_an_estimate() -> None:
    assert (Usage(prompt_tokens=1) + Usage(estimated=True)).estimated


@pytest.mark.parametrize(
    ("reason", "truncated"),
    [("stop", False), ("content_filter", False), ("length", True), (None, True)],
)
def test_an_answer_is_truncated_by_a_limit_or_by_an_end_without_a_reason(
    reason: str | None, truncated: bool
) -> None:
    assert Completion(text="", model="m", finish_reason=reason).truncated is truncated


def test_an_answer_survives_its_journey_as_json() -> None:
    answer = Completion(text="Grüße 🙂", model="m", wasted=Usage(completion_tokens=3), notes=("a",))
    assert Completion.model_validate_json(answer.model_dump_json()) == answer
