"""The model server of the benchmarks: a fast one, in a process of its own.

The prompt says what is wanted: `tokens=4000 rate=100 first=0.2` (tokens, tokens per second, seconds
until the first; without a rate as fast as the client takes them). Bytes are rendered before they
are needed, and each token is an HTTP chunk of its own, as real servers send it. Run as
`python -m benchmarks.server`: prints its port, and ends with its standard input at the latest.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from functools import lru_cache

from .text import tokens

__all__ = ["MODEL", "serve"]

MODEL = "bench"
_WANTED = re.compile(r"\b(tokens|rate|first)=([\d.]+)")
_BLOCK = 65536
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"x-request-id: req_bench\r\n\r\n"
)
_BODY_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Server:
    """Answers, and counts the chat requests that reached it."""

    def __init__(self) -> None:
        self._asked = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection, request by request, until the client leaves."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _BODY_LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                await self._answer(head.split(b" ", 2)[1], body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, path: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path.endswith(b"/chat/completions"):
            self._asked += 1
            asked = json.loads(body)
            prompt = asked["messages"][-1]["content"]
            if asked.get("stream"):
                await _stream(prompt, writer)
            else:
                await _whole(prompt, writer)
        elif path.endswith(b"/asked"):
            _send_json(writer, {"asked": self._asked})
        else:
            _send_json(writer, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        await writer.drain()


async def _stream(prompt: str, writer: asyncio.StreamWriter) -> None:
    wanted = {name: float(value) for name, value in _WANTED.findall(prompt)}
    count, rate = int(wanted.get("tokens", 20)), wanted.get("rate")
    opening, chunks, ending = _rendered(count)
    writer.write(_HEAD + opening)
    await asyncio.sleep(wanted.get("first", 0))
    if rate is None:
        await _at_once(writer, _joined(count))
    else:
        await _paced(writer, chunks, rate)
    writer.write(ending)


async def _whole(prompt: str, writer: asyncio.StreamWriter) -> None:
    wanted = {name: float(value) for name, value in _WANTED.findall(prompt)}
    await asyncio.sleep(wanted.get("first", 0))
    writer.write(_one_body(int(wanted.get("tokens", 20))))


@lru_cache
def _one_body(count: int) -> bytes:
    message = {"role": "assistant", "content": "".join(tokens(count)), "refusal": None}
    body = {
        "id": "chatcmpl-Bench0123456789",
        "object": "chat.completion",
        "created": 1790000000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": count, "total_tokens": 20 + count},
    }
    return _json_answer(body)


async def _at_once(writer: asyncio.StreamWriter, data: bytes) -> None:
    for start in range(0, len(data), _BLOCK):
        writer.write(data[start : start + _BLOCK])
        await writer.drain()


async def _paced(writer: asyncio.StreamWriter, chunks: tuple[bytes, ...], rate: float) -> None:
    clock = asyncio.get_running_loop().time
    started = clock()
    for number, chunk in enumerate(chunks):
        wait = started + number / rate - clock()
        if wait > 0:
            await asyncio.sleep(wait)
        writer.write(chunk)
        await writer.drain()


@lru_cache
def _rendered(count: int) -> tuple[bytes, tuple[bytes, ...], bytes]:
    """What is sent before the first token, for each token, and after the last."""
    opening = _event({"role": "assistant", "content": "", "refusal": None})
    chunks = tuple(_event({"content": token}) for token in tokens(count))
    usage = {"prompt_tokens": 20, "completion_tokens": count, "total_tokens": 20 + count}
    ending = _event({}, reason="stop") + _event(None, usage=usage) + _http_chunk(b"data: [DONE]")
    return opening, chunks, ending + b"0\r\n\r\n"


@lru_cache
def _joined(count: int) -> bytes:
    return b"".join(_rendered(count)[1])


def _event(
    delta: dict[str, str | None] | None,
    *,
    reason: str | None = None,
    usage: dict[str, int] | None = None,
) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    chunk = {
        "id": "chatcmpl-Bench0123456789",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
        "choices": [] if delta is None else [choice],
        "usage": usage,
    }
    return _http_chunk(b"data: " + json.dumps(chunk, separators=(",", ":")).encode())


def _http_chunk(line: bytes) -> bytes:
    return b"%x\r\n%b\n\n\r\n" % (len(line) + 2, line)


def _send_json(writer: asyncio.StreamWriter, value: object) -> None:
    writer.write(_json_answer(value))


def _json_answer(value: object) -> bytes:
    body = json.dumps(value).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def serve() -> None:
    """Serves on a free port of loopback until standard input ends."""
    server = await asyncio.start_server(Server().talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
