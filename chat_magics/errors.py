"""What can go wrong, drawn as one tree; a branch is what a caller would do about it.

    ChatError                        500
    ├── InvalidRequest               400   mend what you gave
    │   ├── PromptTooLong            413   shorten it, or raise max_prompt_chars
    │   └── InvalidOption            422   an option the API or a setting does not know
    ├── ConfigError                  400   mend the settings
    ├── AuthenticationFailed         401   set or mend the key
    ├── PermissionRefused            403   this key may not do that
    ├── NotAllowed                   403   the policy of this server forbids it
    ├── NotFound                     404   no such conversation, exchange or file
    │   └── ModelNotFound            404   choose one of those that are there
    ├── LimitReached                 429   a limit of this machine's own settings
    │   ├── RateLimitReached         429   wait `retry_after` seconds
    │   └── BudgetReached            429   raise the budget, or wait for tomorrow
    ├── RateLimited                  429   the model server asks to wait
    │   └── QuotaExhausted           429   waiting does not help: billing
    ├── RequestTimeout               408   a deadline of ours or the server's passed
    ├── ServerUnavailable            503   try later: connection, 5xx
    │   └── ConnectionFailed         503   nobody answers at this URL
    ├── BadResponse                  500   the server answered something else than a reply
    │   └── AnswerUnfit              500   the reply is not of the shape that was asked for
    └── StoreError                   500   the history file cannot be used
        └── StoreAway                503   try later: its database does not answer

Each message is one line for a person: what happened, what to do. None holds a key, and each can
be pickled, which the errors of the openai package cannot (they also carry the key in
`request.headers`; so they never leave the client).
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AnswerUnfit",
    "AuthenticationFailed",
    "BadResponse",
    "BudgetReached",
    "ChatError",
    "ConfigError",
    "ConnectionFailed",
    "InvalidOption",
    "InvalidRequest",
    "LimitReached",
    "ModelNotFound",
    "NotAllowed",
    "NotFound",
    "PermissionRefused",
    "PromptTooLong",
    "QuotaExhausted",
    "RateLimitReached",
    "RateLimited",
    "RequestTimeout",
    "ServerUnavailable",
    "StoreAway",
    "StoreError",
    "StreamRestarted",
]


class ChatError(Exception):
    """The root of every failure that chat_magics raises.

    Args:
        message: one line for a person: what happened, what to do.
        code: the server's or our own short word for it, such as `insufficient_quota`.
        param: the request parameter that was refused, where the server named one.
        request_id: the server's id of the request, for a support ticket.
        retry_after: seconds after which another try makes sense, where known.
        transient: True where the same request may well succeed when it is sent again.
        command: what to type in a notebook about it; no part of the message, which the app's
            visitors and programs read too.
    """

    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        transient: bool = False,
        command: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after
        self.transient = transient
        self.command = command

    def restate(self, message: str) -> None:
        """Says the same in other words."""
        self.message = message
        self.args = (message,)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))


def _rebuild(kind: type[ChatError], message: str, state: dict[str, Any]) -> ChatError:
    error = kind(message)
    error.__dict__.update(state)
    return error


class InvalidRequest(ChatError):
    """The prompt, the messages or the options cannot be sent as they are."""

    status = 400


class PromptTooLong(InvalidRequest):
    """The prompt, as typed, is longer than the setting `max_prompt_chars` allows."""

    status = 413


class InvalidOption(InvalidRequest):
    """An option has a name or a value that is not known."""

    status = 422


class ConfigError(ChatError):
    """A setting is missing or does not make sense."""

    status = 400


class AuthenticationFailed(ChatError):
    """There is no key, or the server does not accept it."""

    status = 401


class PermissionRefused(ChatError):
    """The key is known and may not do this."""

    status = 403


class NotAllowed(ChatError):
    """The policy of who runs this server does not allow it."""

    status = 403


class NotFound(ChatError):
    """What was named is not there."""

    status = 404


class ModelNotFound(NotFound):
    """The server does not have this model."""


class LimitReached(ChatError):
    """A limit of our own settings stands in the way."""

    status = 429


class RateLimitReached(LimitReached):
    """Too many requests within the window of `requests_per_minute`."""


class BudgetReached(LimitReached):
    """The request would pass a budget of tokens or dollars."""


class RateLimited(ChatError):
    """The model server asks to wait, for longer or more often than the settings allow."""

    status = 429


class QuotaExhausted(RateLimited):
    """The account behind the key has no credit left."""


class RequestTimeout(ChatError):
    """No reply in time: the total deadline, the stall limit, or a 408 of the server."""

    status = 408


class ServerUnavailable(ChatError):
    """The server fails or is overloaded."""

    status = 503


class ConnectionFailed(ServerUnavailable):
    """No connection to the server, or it broke."""


class BadResponse(ChatError):
    """What the server sent is not a chat reply: HTML, broken JSON, an error inside a stream."""


class AnswerUnfit(BadResponse):
    """The reply is not of the shape that was asked for; the message may be told to the model."""


class StoreError(ChatError):
    """The history cannot be read or written."""


class StoreAway(StoreError):
    """The history's database does not answer now."""

    status = 503


class StreamRestarted(Exception):
    """Raised while iterating: the text was asked again and departs from what was yielded.

    `str(reply)` holds the whole new text; iterating anew starts from its beginning.
    """
