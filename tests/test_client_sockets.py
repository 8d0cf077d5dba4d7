"""ChatClient and what is no HTTP server at all: nobody there, nobody who answers, garbage."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from chat_magics.errors import ChatError, ConnectionFailed, RequestTimeout
from tests.asking import asking, request_to

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
EVENT = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n'


@pytest.fixture(params=["aiohttp", "httpx"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def answering(data: bytes) -> Iterator[str]:
    """A server that sends these bytes to whoever asks, and closes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return  # closed: the test is over
            with connection, suppress(OSError):  # who asked may leave at any moment
                connection.recv(65536)
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


@contextmanager
def full_backlog() -> Iterator[str]:
    """An address that takes no further connection and refuses none."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}/v1"


def refusal(url: str, transport: str, **settings: Any) -> ChatError:
    with asking(url, transport=transport, max_attempts=1, **settings) as client:
        with pytest.raises(ChatError) as caught:
            client.complete(request_to(client))
        with pytest.raises(ChatError):
            client.loop.run(client.models())
    return caught.value


JSON = b"content-type: application/json\r\n"
GARBAGE = {
    "nothing": b"",
    "zeros": b"\0" * 100,
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a status beyond": b"HTTP/1.1 99999 Nope\r\n\r\n",
    "a header without colon": b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nlong: " + b"x" * 200_000 + b"\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a circle": b"HTTP/1.1 307 Again\r\nlocation: /v1/again\r\ncontent-length: 0\r\n\r\n",
    "a broken place": b"HTTP/1.1 307 Go\r\nlocation: http://[::1\r\ncontent-length: 0\r\n\r\n",
    "another scheme": b"HTTP/1.1 307 Go\r\nlocation: gopher://h/\r\ncontent-length: 0\r\n\r\n",
    "a short body": OK + b"content-length: 100\r\n\r\n" + EVENT,
    "a broken chunk": OK + b"transfer-encoding: chunked\r\n\r\nZZ\r\n" + EVENT,
    "a short chunk": OK + b"transfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n",
    "no gzip": OK + b"content-encoding: gzip\r\ncontent-length: 9\r\n\r\nnot gzip!",
    "an error, no gzip": b"HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx",
    "an error, no JSON": b"HTTP/1.1 400 Bad\r\n" + JSON + b"content-length: 2\r\n\r\n\xff{",
    "an error, null": b"HTTP/1.1 400 Bad\r\n" + JSON + b"content-length: 4\r\n\r\nnull",
    "a short error": b"HTTP/1.1 400 Bad\r\ncontent-length: 900\r\n\r\ncut",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_whatever_a_server_sends_the_error_is_ours(transport: str, data: bytes) -> None:
    with answering(data) as url:
        error = refusal(url, transport)
    assert "\n" not in str(error)
    assert error.__context__ is None


def test_nobody_there_is_told(transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    error = refusal(url, transport)
    assert isinstance(error, ConnectionFailed)
    assert str(error) == (
        "no connection to 127.0.0.1: nothing listens there; start the server, or check base_url"
    )


def test_a_host_that_does_not_exist_is_told(transport: str) -> None:
    error = refusal("http://nowhere.invalid/v1", transport)
    assert isinstance(error, ConnectionFailed)
    assert str(error).startswith("no connection to nowhere.invalid: this name is not known")


def test_nobody_who_takes_the_connection_ends_by_the_limit(transport: str) -> None:
    with full_backlog() as url:
        error = refusal(url, transport, connect_timeout=0.3)
    assert isinstance(error, RequestTimeout)
    assert "connect_timeout" in str(error)
