"""Bodies that are too large: answered with one line, where Tornado alone breaks the connection."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

__all__ = ["LimitedServer"]

DRAINED = 8
"""A body up to so many times the limit is read to its end and dropped: a client that still sends
does not look for an answer. A longer one finds the connection closed."""

_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

_log = logging.getLogger("chat_magics.server")


class LimitedServer(HTTPServer):
    """An HTTP server that says 413 to a body larger than `max_body_size` bytes.

    Nothing of such a body is kept, and no handler hears of it.
    """

    def initialize(self, *given: Any, **options: Any) -> None:
        """Takes what Tornado's takes."""
        self._most: int = options["max_body_size"]
        options["max_body_size"] *= DRAINED
        super().initialize(*given, **options)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        return _Measured(super().start_request(server_conn, request_conn), request_conn, self._most)


class _Measured(HTTPMessageDelegate):
    """Counts the bytes of one body on their way to whom they are for.

    Args:
        inner: who takes the request.
        connection: where it is answered.
        most: bytes that may come.
    """

    def __init__(self, inner: HTTPMessageDelegate, connection: Any, most: int) -> None:
        self._inner = inner
        self._connection = connection
        self._most = most
        self._come = 0
        self._refused = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        told = headers.get("Content-Length", "")
        self._refused = told.isdecimal() and int(told) > self._most
        if not self._refused:
            return self._inner.headers_received(start_line, headers)
        if "Expect" in headers:
            self._answer()  # this client waits for a word before it sends
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._come += len(chunk)
        if self._come > self._most and not self._refused:
            self._refused = True
            self._inner.on_connection_close()  # it was told of a request whose end does not come
        return None if self._refused else self._inner.data_received(chunk)

    def finish(self) -> None:
        if self._refused:
            self._answer()
        else:
            self._inner.finish()

    def on_connection_close(self) -> None:
        if not self._refused:
            self._inner.on_connection_close()

    def _answer(self) -> None:
        said = f"the request is larger than {self._most / 2**20:g} MB (max_body_mb): send less"
        _log.warning("a request was refused: %s", said)
        failure = {"error": said, "type": "TooLarge", "status": _TOO_LARGE.value}
        body = json.dumps({**failure, "request_id": "", "retry_after": None}).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(body)),
            "X-Content-Type-Options": "nosniff",
        }
        line = ResponseStartLine("HTTP/1.1", _TOO_LARGE.value, "Content Too Large")
        self._connection.write_headers(line, HTTPHeaders(headers), body)
        self._connection.finish()
