"""The demo server's HTTP: paths, headers, pace, faults.

Imported when a server starts, because tornado.web costs 100 ms.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler

from .asked import MODELS, Asked, Refused, read_chat, read_responses
from .replies import answer, fault, tokens
from .shapes import ChatShape, Finish, ResponsesShape, Shape
from .typed import typed_answer

__all__ = ["Activity", "application"]

CUT_AFTER = 12
"""Tokens that are sent before `error cut` breaks the connection."""

_FAULTS: Mapping[str, tuple[Refused, dict[str, str]]] = {
    "429": (
        Refused(
            "Rate limit reached, because your message asks for error 429.",
            code="rate_limit_exceeded",
            status=429,
        ),
        {"Retry-After": "1"},
    ),
    "500": (
        Refused("The server failed, because your message asks for error 500.", status=500),
        {},
    ),
    "401": (
        Refused(
            "Incorrect API key, because your message asks for error 401.",
            code="invalid_api_key",
            status=401,
        ),
        {},
    ),
}


@dataclass
class Activity:
    """How many replies are being written now."""

    replies: int = 0


class _Left(Exception):
    """The client closed the connection."""


def application(speed: float, activity: Activity) -> Application:
    """The demo server's application.

    Args:
        speed: tokens a second of the model `demo`.
        activity: where it counts what it is doing.
    """
    talk = {"speed": speed, "activity": activity}
    return Application(
        [
            (r"/v1/models", _Models),
            (r"/v1/models/(?P<name>[^/]+)", _Model),
            (r"/v1/chat/completions", _Talk, {**talk, "read": read_chat, "shape": ChatShape}),
            (r"/v1/responses", _Talk, {**talk, "read": read_responses, "shape": ResponsesShape}),
        ],
        default_handler_class=_Unknown,
        log_function=lambda handler: None,  # the faults here are asked for; no line in a notebook
    )


class _Handler(RequestHandler):
    """Errors in OpenAI's shape, and a request id on each response."""

    @cached_property
    def request_id(self) -> str:
        return f"req_{uuid.uuid4().hex}"

    def set_default_headers(self) -> None:
        self.set_header("Server", "chat_magics demo")
        self.set_header("X-Request-Id", self.request_id)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if isinstance(error, HTTPError):
            phrase = HTTPStatus(status_code).phrase
            message = f"{phrase}: {self.request.method} {self.request.path}"
        else:
            message = "The demo server failed; that is a defect."
        self.refuse(Refused(message, status=status_code))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, HTTPError):  # these are the client's, and it is told
            super().log_exception(typ, value, tb)

    def refuse(self, refused: Refused) -> None:
        self.set_status(refused.status)
        self.finish(refused.body)


class _Unknown(_Handler):
    def prepare(self) -> None:
        asked = f"{self.request.method} {self.request.path}"
        self.refuse(Refused(f"Unknown request URL: {asked}.", code="unknown_url", status=404))


class _Models(_Handler):
    def get(self) -> None:
        self.finish({"object": "list", "data": [_model(name) for name in MODELS]})


class _Model(_Handler):
    def get(self, name: str) -> None:
        if name in MODELS:
            self.finish(_model(name))
        else:
            self.refuse(Refused.no_such_model(name))


class _Talk(_Handler):
    """A reply, at the pace of a model, until it ends or the client leaves."""

    def initialize(
        self,
        speed: float,
        activity: Activity,
        read: Callable[[bytes], Asked],
        shape: Callable[[Asked], Shape],
    ) -> None:
        self._speed = speed
        self._activity = activity
        self._read = read
        self._shape = shape
        self._left = asyncio.get_running_loop().create_future()

    def on_connection_close(self) -> None:
        if not self._left.done():
            self._left.set_result(None)

    async def post(self) -> None:
        try:
            asked = self._read(self.request.body)
        except Refused as refused:
            self.refuse(refused)
            return
        wanted = fault(asked.messages)
        if wanted is not None and wanted in _FAULTS:
            learned, headers = _FAULTS[wanted]
            for name, value in headers.items():
                self.set_header(name, value)
            self.refuse(learned)
            return
        self._activity.replies += 1
        try:
            await self._reply(asked, cut=wanted == "cut")
        except (StreamClosedError, _Left):
            # No failure: the person stopped the reply, which closes the connection, so there is
            # nobody to tell and nothing left to send. A log line would land in the notebook.
            return
        finally:
            self._activity.replies -= 1

    async def _reply(self, asked: Asked, *, cut: bool) -> None:
        if asked.schema is None:
            pieces = tokens(answer(asked.messages))
        else:
            pieces = tokens(typed_answer(asked.schema, asked.messages[-1].content))
        finish: Finish = "stop"
        if asked.max_tokens is not None and len(pieces) > asked.max_tokens:
            pieces, finish = pieces[: asked.max_tokens], "length"
        if cut:
            pieces = pieces[:CUT_AFTER]
        shape = self._shape(asked)
        speed = MODELS[asked.model] or self._speed
        if asked.stream:
            await self._stream(shape, pieces, speed)
        else:
            await self._until(time.monotonic() + len(pieces) / speed)
        if cut:
            self.detach().close()
        elif asked.stream:
            self.finish(shape.closing(pieces, finish))
        else:
            self.finish(shape.whole(pieces, finish))

    async def _stream(self, shape: Shape, pieces: Sequence[str], speed: float) -> None:
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.write(shape.opening())
        started = time.monotonic()
        for number, piece in enumerate(pieces, start=1):
            await self._until(started + number / speed)
            self.write(shape.token(piece))
            await self.flush()

    async def _until(self, moment: float) -> None:
        """Wait for a moment of the monotonic clock, unless the client leaves before."""
        wait = moment - time.monotonic()
        if wait > 0:
            await asyncio.wait([self._left], timeout=wait)
        if self._left.done():
            raise _Left


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "chat_magics"}
