"""The decoder of the Responses API, and that no chunk of either API, however odd, does harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_magics.errors import ChatError, RateLimited, ServerUnavailable
from chat_magics.messages import Completion, Usage
from chat_magics.stream import ChatDecoder, ResponsesDecoder


def events(*told: dict[str, Any]) -> bytes:
    return "".join(f"event: {t['type']}\ndata: {json.dumps(t)}\n\n" for t in told).encode()


def read(*told: dict[str, Any]) -> tuple[str, ResponsesDecoder]:
    decoder = ResponsesDecoder()
    return decoder.feed(events(*told)) + decoder.close(), decoder


DELTA = {"type": "response.output_text.delta", "delta": "Hello"}
ENDED = {"type": "response.completed", "response": {"model": "m", "status": "completed"}}


def test_the_text_is_that_of_the_deltas_and_the_end_is_known() -> None:
    told = {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 3}}
    told["output_tokens_details"] = {"reasoning_tokens": 1}
    ended = {"type": "response.completed", "response": {"model": "m", "usage": told}}
    text, decoder = read(DELTA, {"type": "response.output_text.done", "text": "Hello"}, ended)
    assert (text, decoder.model, decoder.finish_reason) == ("Hello", "m", "stop")
    assert decoder.done
    assert decoder.usage == Usage(
        prompt_tokens=9, completion_tokens=4, cached_tokens=3, reasoning_tokens=1
    )


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter")],
)
def test_an_incomplete_response_says_why(reason: str, finish: str) -> None:
    response = {"incomplete_details": {"reason": reason}}
    text, decoder = read(DELTA, {"type": "response.incomplete", "response": response})
    assert (text, decoder.finish_reason) == ("Hello", finish)


def test_a_stream_without_its_last_event_has_no_finish_reason() -> None:
    text, decoder = read({"type": "response.created", "response": {"model": "m"}}, DELTA)
    assert (text, decoder.model, decoder.finish_reason, decoder.usage) == ("Hello", "m", None, None)


def test_a_refusal_is_the_reply_and_thoughts_are_not() -> None:
    text, decoder = read(
        {"type": "response.reasoning_summary_text.delta", "delta": "why"},
        {"type": "response.reasoning_text.delta", "delta": " not"},
        {"type": "response.refusal.delta", "delta": "I cannot."},
        ENDED,
    )
    assert (text, "".join(decoder.reasoning)) == ("I cannot.", "why not")


@pytest.mark.parametrize(
    "failure",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow down"},
        {
            "type": "response.failed",
            "response": {"error": {"code": "rate_limit_exceeded", "message": "slow down"}},
        },
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_failure_is_raised_after_the_text_before_it(failure: dict[str, Any], named: bool) -> None:
    data = events(DELTA, failure)
    data = data if named else b"".join(x + b"\n\n" for x in data.split(b"\n") if x[:5] == b"data:")
    decoder = ResponsesDecoder()
    assert decoder.feed(data) == "Hello"
    with pytest.raises(RateLimited, match="slow down"):
        decoder.close()


def test_a_failure_without_a_reason_is_one_too() -> None:
    with pytest.raises(ServerUnavailable, match="no reason given"):
        read({"type": "response.failed", "response": None})


def test_a_whole_response_where_a_stream_was_asked_for_is_taken_and_noted() -> None:
    content = [{"type": "output_text", "text": "Hel"}, {"type": "output_text", "text": "lo"}]
    output = [{"type": "reasoning"}, {"type": "message", "content": content}]
    decoder = ResponsesDecoder()
    decoder.feed(json.dumps({"model": "m", "output": output, "error": None}).encode())
    assert (decoder.close(), decoder.finish_reason) == ("Hello", "stop")
    assert decoder.notes == ["the server does not stream: the reply came in one piece"]


@pytest.mark.parametrize("body", [b'{"detail": "Not Found"}', b'{"output": [5]}'])
def test_json_of_another_shape_is_an_error(body: bytes) -> None:
    decoder = ResponsesDecoder()
    decoder.feed(body)
    with pytest.raises(ChatError, match="answered with JSON"):
        decoder.close()


NAMES = st.sampled_from(
    [
        "choices",
        "delta",
        "content",
        "index",
        "finish_reason",
        "model",
        "usage",
        "prompt_tokens",
        "prompt_tokens_details",
        "error",
        "message",
        "text",
        "refusal",
        "reasoning",
        "response",
        "incomplete_details",
        "reason",
        "output",
        "type",
        "code",
        "input_tokens",
        "tool_calls",
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "text", "message", "error", "response.completed", "response.failed"])
    | st.sampled_from(["response.output_text.delta", "response.created"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(NAMES, VALUES), min_size=1, max_size=3), st.booleans())
def test_no_chunk_of_whatever_shape_raises_or_leaves_what_is_not_ours(
    chunks: list[dict[str, Any]], streamed: bool
) -> None:
    for kind in (ChatDecoder, ResponsesDecoder):
        decoder = kind()
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        data = "".join(lines) if streamed else json.dumps(chunks[0])
        try:
            text = decoder.feed(data.encode()) + decoder.close()
        except ChatError:
            text = ""
        Completion(
            text=text,
            model=decoder.model or "m",
            finish_reason=decoder.finish_reason,
            usage=decoder.usage or Usage(),
            reasoning="".join(decoder.reasoning),
        )


@given(st.binary(max_size=200))
def test_no_bytes_raise_what_is_not_ours(data: bytes) -> None:
    for kind in (ChatDecoder, ResponsesDecoder):
        decoder = kind()
        with pytest.raises(ChatError):  # too short to hold a chunk by chance
            _ = decoder.feed(data) + decoder.close()
