"""The stream decoders: the same text however the bytes are cut, and every odd stream noticed."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat_magics.errors import BadResponse, ChatError, ServerUnavailable
from chat_magics.messages import Usage
from chat_magics.stream import ChatDecoder, Decoder, ResponsesDecoder

TEXT = "Grüße, 世界 🙂!\nEnd"


def chunk(content: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    delta = {} if content is None else {"content": content}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def sse(*chunks: Any) -> bytes:
    lines = (c if isinstance(c, str) else json.dumps(c, ensure_ascii=False) for c in chunks)
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def read(decoder: Decoder, *parts: bytes) -> str:
    return "".join([decoder.feed(part) for part in parts]) + decoder.close()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


WHOLE = sse(
    chunk("", model="m"), *(chunk(letter) for letter in TEXT), chunk(finish="stop"), "[DONE]"
)
MULTILINE = b'data: {"choices": [{"delta":\ndata: {"content": "' + TEXT[:12].encode() + b'"}}]}\n\n'
MULTILINE += sse(chunk(TEXT[12:], "stop", model="m"))
WRITINGS = {
    "as it is": WHOLE,
    "CRLF": WHOLE.replace(b"\n", b"\r\n"),
    "CR": WHOLE.replace(b"\n", b"\r"),
    "BOM": b"\xef\xbb\xbf" + WHOLE,
    "no space": WHOLE.replace(b"data: ", b"data:"),
    "comments": WHOLE.replace(b"data: ", b": keep-alive\n\n: PROCESSING\ndata: "),
    "other fields": WHOLE.replace(b"data: ", b"id: 7\nretry: 3000\nevent: message\ndata: "),
    "no last blank line": WHOLE.removesuffix(b"\n\n"),
    "no DONE": WHOLE.removesuffix(b"data: [DONE]\n\n"),
    "blank lines first": b"\n\r\n\n" + WHOLE,
    "empty events": WHOLE.replace(b"data: ", b"data:\n\ndata: "),
    "data over lines": MULTILINE,
    "data over lines, CRLF": MULTILINE.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("data", WRITINGS.values(), ids=WRITINGS)
@given(places=st.lists(st.integers(0, 10_000), max_size=12))
@example(places=list(range(3000)))
def test_the_text_is_the_same_however_the_bytes_are_cut(data: bytes, places: list[int]) -> None:
    decoder = ChatDecoder()
    assert read(decoder, *cut(data, places)) == TEXT
    assert (decoder.model, decoder.finish_reason) == ("m", "stop")
    assert decoder.done is (b"[DONE]" in data)


def test_text_comes_with_the_bytes_that_complete_it() -> None:
    decoder = ChatDecoder()
    assert decoder.feed(sse(chunk("one"), chunk(" two"))[:-1]) == "one"
    assert decoder.feed(b"\n" + sse(chunk(" three"))[:5]) == " two"
    assert decoder.close() == ""


HALVES = (r"\ud83d", r"\ude42")


def half_chunk(escaped: str) -> bytes:
    return f'data: {{"choices": [{{"delta": {{"content": "{escaped}"}}}}]}}\n\n'.encode()


def test_an_emoji_cut_over_two_chunks_is_joined() -> None:
    decoder = ChatDecoder()
    assert decoder.feed(half_chunk("a" + HALVES[0])) == "a"
    assert decoder.feed(half_chunk(HALVES[1] + "b")) == "🙂b"
    assert (decoder.close(), decoder.notes) == ("", [])


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([HALVES[0], "b"], "\ufffdb"),
        ([HALVES[1], "b"], "\ufffdb"),
        ([HALVES[0], HALVES[0] + HALVES[1]], "\ufffd🙂"),
        (["a" + HALVES[0]], "a\ufffd"),
    ],
)
def test_half_an_emoji_alone_is_replaced_and_noted(chunks: list[str], text: str) -> None:
    decoder = ChatDecoder()
    assert read(decoder, *map(half_chunk, chunks)) == text
    assert decoder.notes == ["the reply held broken Unicode, shown as \ufffd"]


def test_a_replacement_character_of_the_model_is_left_without_a_note() -> None:
    decoder = ChatDecoder()
    assert read(decoder, half_chunk("\ufffd" + HALVES[0]), half_chunk(HALVES[1])) == "\ufffd🙂"
    assert decoder.notes == []


def test_a_nul_is_replaced_and_noted_once() -> None:
    decoder = ChatDecoder()
    thought = {"choices": [{"delta": {"reasoning_content": "h\0m"}}]}
    assert read(decoder, sse(chunk("a\0b"), thought, chunk("\0"))) == "a\ufffdb\ufffd"
    assert decoder.reasoning == ["h\ufffdm"]
    assert decoder.notes == ["the reply held NUL characters, shown as \ufffd"]


def test_a_name_is_one_that_can_be_stored() -> None:
    decoder = ChatDecoder()
    data = b'data: {"model": "m\\ud83d", "choices": [{"finish_reason": "stop\\ud83d"}]}\n\n'
    assert read(decoder, data) == ""
    assert (decoder.model, decoder.finish_reason) == ("m?", "stop?")


TOLD = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
COUNTED = Usage(prompt_tokens=10, completion_tokens=5, cached_tokens=4, reasoning_tokens=2)


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk("a", "stop"), {"choices": [], "usage": TOLD}],
        [chunk("a", "stop"), {"choices": [{"delta": {}}], "usage": TOLD}],
        [chunk("a", "stop", usage=TOLD)],
        [chunk("a", usage={"prompt_tokens": 1}), chunk(finish="stop", usage=TOLD)],
        [chunk("a", "stop", usage=TOLD), {"choices": [], "usage": None}],
        [chunk("a", "stop"), {"usage": TOLD}],
    ],
)
def test_usage_is_found_in_each_of_its_places(chunks: list[Any]) -> None:
    decoder = ChatDecoder()
    read(decoder, sse(*chunks))
    assert (decoder.usage, decoder.finish_reason) == (COUNTED, "stop")


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": None, "completion_tokens": -5},
        {"prompt_tokens": "10", "prompt_tokens_details": None},
        {"completion_tokens_details": {"reasoning_tokens": None}},
        {"prompt_tokens": 10**30, "completion_tokens": 2**53 + 1},
    ],
)
def test_counts_that_are_no_counts_are_zero(usage: dict[str, Any]) -> None:
    decoder = ChatDecoder()
    read(decoder, sse(chunk("a", usage=usage)))
    assert decoder.usage == Usage()


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": None},
        {"choices": []},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"index": 0}]},
        {"choices": [{"delta": {"content": None, "role": "assistant"}}]},
        {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "length"}]},
        {"object": "", "prompt_filter_results": []},
    ],
)
def test_a_chunk_without_text_does_no_harm(odd: dict[str, Any]) -> None:
    decoder = ChatDecoder()
    assert read(decoder, sse(chunk("a"), odd, chunk("b", "stop"), odd)) == "ab"
    assert decoder.finish_reason == "stop"


def test_what_is_no_plain_text_is_kept_apart_or_joined() -> None:
    decoder = ChatDecoder()
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    thoughts = [{"reasoning_content": "think "}, {"reasoning": "twice"}]
    deltas = [*thoughts, {"content": parts}, {"refusal": " no"}, {"tool_calls": [{}]}]
    chunks = [{"choices": [{"delta": delta}]} for delta in [*deltas, {"tool_calls": [{}]}]]
    assert read(decoder, sse(*chunks)) == "ab no"
    assert "".join(decoder.reasoning) == "think twice"
    assert decoder.notes == ["the model asked for a tool call, which chat_magics does not make"]


@pytest.mark.parametrize(
    ("bad", "error", "said"),
    [
        ('{"error": {"message": "m", "code": "x"}}', ServerUnavailable, "broke off: m"),
        ('{"choices": [{"delta": {"con', BadResponse, "broken JSON"),
        ("[" * 100_000, BadResponse, "broken JSON"),
        ("[1]", BadResponse, "not a chunk"),
        ('{"choices": [5]}', BadResponse, "unknown shape"),
        ('{"choices": [{"delta": "text"}]}', BadResponse, "unknown shape"),
    ],
)
def test_text_before_a_broken_line_is_given_and_then_the_error_comes(
    bad: str, error: type[ChatError], said: str
) -> None:
    decoder = ChatDecoder()
    assert decoder.feed(sse(chunk("before"), bad, chunk("after"))) == "before"
    for go_on in (lambda: decoder.feed(sse(chunk("more"))), decoder.close):
        with pytest.raises(error, match=said) as caught:
            go_on()
        assert caught.value.transient


def test_an_event_called_error_is_one_whatever_it_holds() -> None:
    with pytest.raises(ServerUnavailable, match="overloaded"):
        ChatDecoder().feed(b'event: error\ndata: {"message": "overloaded"}\n\n')


def test_the_name_of_an_event_without_data_is_not_that_of_the_next() -> None:
    assert ChatDecoder().feed(b"event: error\n\n" + sse(chunk("fine"))) == "fine"


@pytest.mark.parametrize(
    ("body", "said", "transient"),
    [
        (b"<!DOCTYPE html><p>Sign in</p>", "web page: check base_url", False),
        (b"\n  <html>", "web page: check base_url", False),
        (b'{"error": {"message": "no credit", "code": "insufficient_quota"}}', "no credit", False),
        (b'{"error": {"message": "busy"}}', "busy", True),
        (b'{"detail": "Not Found"}', "no chat completion", False),
        (b'{"choices": [null]}', "unknown shape", False),
        (b'{"choices": {"a": 1}}', "unknown shape", False),
        (b'[{"choices": []}]', "not a chunk", True),
        (b'{"choices"', "broken JSON", True),
        (b"", "empty answer", True),
        (b"\xef\xbb", "empty answer", True),
        (b": nothing\n\n", "empty answer", True),
        (b"data: [DONE]\n\n", "empty answer", True),
        (b"plain words", "empty answer", True),
    ],
)
def test_a_body_that_is_no_stream_is_an_error(body: bytes, said: str, transient: bool) -> None:
    for parts in ([body], [body[i : i + 1] for i in range(len(body))]):
        with pytest.raises(ChatError, match=said) as caught:
            read(ChatDecoder(), *parts)
        assert caught.value.transient is transient


MIB = bytes(2**20).replace(b"\0", b"x")


@pytest.mark.parametrize("start", [b'{"choices": "', b"data: "], ids=["JSON", "a line"])
def test_what_is_longer_than_any_reply_is_refused(start: bytes) -> None:
    decoder = ChatDecoder()
    for part in [start, *[MIB] * 31]:
        decoder.feed(part)
    with pytest.raises(BadResponse, match="over 32 MiB") as caught:
        decoder.feed(MIB)
    assert not caught.value.transient


def test_of_a_web_page_nothing_is_kept() -> None:
    decoder = ChatDecoder()
    tracemalloc.start()
    for _ in range(40):
        decoder.feed(b"<html>" + MIB)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2**20
    with pytest.raises(BadResponse, match="web page"):
        decoder.close()


def test_a_whole_answer_where_a_stream_was_asked_for_is_taken_and_noted() -> None:
    message = {"role": "assistant", "content": TEXT, "reasoning_content": "hm"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"model": "m", "choices": [choice], "usage": TOLD}).encode()
    decoder = ChatDecoder()
    assert read(decoder, *cut(body, list(range(0, 400, 7)))) == TEXT
    assert (decoder.finish_reason, decoder.usage, decoder.reasoning) == ("stop", COUNTED, ["hm"])
    assert decoder.notes == ["the server does not stream: the reply came in one piece"]


@pytest.mark.parametrize(
    "name",
    [
        "aimock-chat",
        "aimock-chat-usage",
        "aimock-chat-reasoning",
        "litellm-chat",
        "litellm-chat-usage",
        "aimock-responses",
        "aimock-responses-reasoning",
    ],
)
@given(places=st.lists(st.integers(0, 20_000), max_size=8))
def test_a_recorded_stream_is_read_whole(name: str, places: list[int]) -> None:
    decoder = ResponsesDecoder() if "responses" in name else ChatDecoder()
    data = (Path(__file__).parent / "streams" / f"{name}.sse").read_bytes()
    said = "Here is a **list**:\n\n- Grüße\n- 世界 🙂\n\n```python\nprint(1)\n```\n"
    assert read(decoder, *cut(data, places)) == said
    assert (decoder.finish_reason, decoder.notes) == ("stop", [])
    assert "".join(decoder.reasoning) == ("Think first." if "reasoning" in name else "")
    assert (decoder.usage is None) is (name in ("aimock-chat", "litellm-chat"))


def test_a_recorded_error_is_one(streams: Path) -> None:
    with pytest.raises(ServerUnavailable, match="Error processing stream start"):
        ResponsesDecoder().feed((streams / "litellm-responses-error.sse").read_bytes())
