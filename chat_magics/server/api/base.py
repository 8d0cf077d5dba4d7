"""What all handlers of the API have in common: who asks, what is read, how it is refused."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta, timezone
from functools import wraps
from typing import Any, TypeVar

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from pydantic import BaseModel, ValidationError
from tornado.web import HTTPError

from ...conversation import Session
from ...errors import (
    AuthenticationFailed,
    BudgetReached,
    ChatError,
    PermissionRefused,
    RateLimitReached,
    RequestTimeout,
)
from ...tracing import follow
from ..entrance import Entrance
from ..identity import address_of, is_foreign
from .schema import Failure, as_json

__all__ = ["ApiHandler", "UnknownHandler", "failure_of", "signed_in", "status_of"]

Given = TypeVar("Given", bound=BaseModel)

_log = logging.getLogger("chat_magics.server")

_OUR_FAULT = (AuthenticationFailed, PermissionRefused, RequestTimeout)
"""Between this server and the model's: who asks here can do nothing about it."""


def status_of(error: ChatError) -> int:
    """The HTTP status that tells a program what kind of failure it is."""
    return 503 if isinstance(error, _OUR_FAULT) else error.status


def failure_of(error: ChatError, request_id: str) -> Failure:
    """An error as the API tells it."""
    return Failure(
        error=error.message,
        type=type(error).__name__,
        status=status_of(error),
        request_id=request_id,
        retry_after=_again(error),
    )


def _again(error: ChatError) -> float | None:
    if isinstance(error, BudgetReached) and str(error.code).endswith("_per_day"):
        now = datetime.now(timezone.utc)
        tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (tomorrow - now).total_seconds()
    return error.retry_after


def signed_in(method: Callable[..., Any]) -> Callable[..., Any]:
    """For a handler's method: refuses with 401 who was not admitted."""

    @allow_unauthenticated  # the parent's own check answers with 403
    @wraps(method)
    async def checked(handler: ApiHandler, *arguments: Any) -> None:
        if handler.current_user is None:
            raise HTTPError(401, _SIGN_IN[handler.entrance.serving.auth == "proxy"])
        await method(handler, *arguments)

    return checked


class ApiHandler(JupyterHandler):
    """JSON in, JSON out; every failure is one line with its status."""

    @property
    def entrance(self) -> Entrance:
        """What all handlers of the server share."""
        found: Entrance = self.settings["chat_magics"]
        return found

    @property
    def owner(self) -> str:
        """Who asks."""
        return str(self.current_user.username)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """The session of who asks; the server goes on while it is opened."""
        lent = self.entrance.people.session(self.owner)
        with ExitStack() as ending:
            yield await self.off_loop(lambda: ending.enter_context(lent))

    async def prepare(self) -> None:  # type: ignore[override]
        self.request_id = uuid.uuid4().hex
        follow(self.request.headers)
        if is_foreign(self.request, self.entrance.serving):
            raise HTTPError(403, "a page of another origin may not ask here")
        if not self.check_host():
            raise HTTPError(403, "the app is not served under this name: see allow_origins")
        await super().prepare(_redirect_to_login=False)

    def check_xsrf_cookie(self) -> None:
        """Does nothing: `prepare` refuses what the pages of other origins send."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        origin = self.request.headers.get("Origin")
        if origin in self.entrance.serving.allow_origins:
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Credentials", "true")
            self.set_header("Access-Control-Allow-Headers", "authorization, content-type")
            self.set_header("Access-Control-Allow-Methods", "GET, POST, DELETE")
            self.set_header("Vary", "Origin")

    @allow_unauthenticated
    def options(self, *arguments: str) -> None:
        """What a browser asks before it lets the page of an allowed origin send JSON."""
        self.set_status(204)
        self.finish()

    def read(self, kind: type[Given]) -> Given:
        """The body, checked.

        Raises:
            HTTPError: 400 where it is no JSON, 415 where it is none by its type, 422 where it is
                not what is expected.
        """
        kept = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kept != "application/json":
            raise HTTPError(415, "send JSON: Content-Type: application/json")
        try:
            body = json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise HTTPError(400, "the body is no JSON") from None
        try:
            return kind.model_validate(body)
        except ValidationError as error:
            raise HTTPError(422, _first(error)) from None

    async def check_address(self) -> None:
        """Counts a prompt against the limit of the address that it came from.

        Raises:
            RateLimitReached: there were too many in the last minute.
        """
        wait = await self.entrance.request(address_of(self.request, self.entrance.serving))
        if wait:
            raise RateLimitReached(
                f"too many requests from your address: again in {wait:.0f} s", retry_after=wait
            )

    async def off_loop(self, work: Callable[[], Any]) -> Any:
        """The result of work that blocks; the server goes on meanwhile."""
        return await asyncio.to_thread(work)

    def give(self, model: BaseModel, status: int = 200) -> None:
        """Answers with a value."""
        self.set_status(status)
        self.finish(json.dumps(as_json(model), ensure_ascii=False))

    def write_error(self, status_code: int, **given: Any) -> None:
        failed = given.get("exc_info", (None, None, None))[1]
        if isinstance(failed, ChatError):
            failure = failure_of(failed, self.request_id)
        else:
            said = getattr(failed, "log_message", None) if status_code < 500 else None
            failure = Failure(
                error=said or _WORDS.get(status_code, self._reason),
                type=type(failed).__name__ if status_code < 500 else "InternalError",
                status=status_code,
                request_id=getattr(self, "request_id", ""),
            )
        self.set_status(failure.status)
        if failure.retry_after:
            self.set_header("Retry-After", str(math.ceil(failure.retry_after)))
        self.finish(json.dumps(as_json(failure), ensure_ascii=False))

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """What is ours to mend goes into the log with its traceback; what is theirs does not."""
        if isinstance(error, (ChatError, HTTPError)):
            return
        _log.error(
            "%s %s failed (request %s)",
            self.request.method,
            self.request.path,
            self.request_id,
            exc_info=(kind, error, trace),
        )


class UnknownHandler(ApiHandler):
    """Every other path below `/api/`."""

    @allow_unauthenticated
    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        raise HTTPError(404)


_SIGN_IN = ("show the token: Authorization: token …", "the proxy named nobody")

_WORDS = {
    404: "there is nothing of this name here",
    405: "this cannot be done here",
    500: "a fault of the server: its log has the details, under this request_id",
}


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the body"
    return f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}"
