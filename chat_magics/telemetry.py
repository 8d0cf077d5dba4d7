"""What happened, for those who look after it: one JSON line for each request, and Python's logging.

A record tells sizes, times and outcome; prompts and replies are in it only where `log_content` is
on. Whatever leaves here is redacted first. Nothing is opened before the first record.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chat_magics.log_file import LogFile

__all__ = ["ErrorReport", "RequestRecord", "Telemetry", "host_of", "redacted"]

_PATTERNS = (
    (re.compile(r"\bsk-(?:[a-z]+-)?[A-Za-z0-9_-]{16,}"), "***"),
    (re.compile(r"\b(Bearer)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE), r"\1 ***"),
    (
        re.compile(r"\b(api[-_]?key[\"']?\s*[:=]\s*[\"']?)[^\s\"'&,;)}]{8,}", re.IGNORECASE),
        r"\1***",
    ),
    (re.compile(r"(://)[^/\s@]+(@)"), r"\1***\2"),
)

_SHORTEST_SECRET = 4
"""Shorter values (`x`, `-`: what local servers are given for a key) would blot out all text."""

_LONGEST_ERROR = 1000


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class RequestRecord:
    """One request, from the ask to its end.

    Args:
        request: our id of the exchange.
        conversation: the conversation's id.
        surface: where it was asked: cell, panel, batch, app.
        owner: who asked, where several people share.
        model_asked: the model asked for.
        model: the model that answered.
        host: of the base URL, as `host_of` gives it; the rest of a URL may hold a key.
        api: `chat` or `responses`.
        prompt_chars: characters of all messages sent.
        prompt_tokens: tokens sent.
        completion_tokens: tokens received.
        cost: US dollars; None where unknown.
        latency: seconds from the ask to the end.
        time_to_first_token: seconds; None without text.
        attempts: HTTP requests made.
        cached: True where the answer came from the cache.
        status: `complete`, `stopped`, `interrupted` or `error`.
        finish_reason: in the server's words.
        http_status: of the last HTTP response.
        error_type: the class of what went wrong.
        error: one line about it.
        request_id: the server's id of the request.
        prompt: as sent; dropped unless `log_content` is on.
        reply: as far as it came; dropped unless `log_content` is on.
        time: when it ended (UTC).

    Example:
        >>> RequestRecord(request="e1", status="complete", model="demo").model
        'demo'
    """

    request: str
    conversation: str = ""
    surface: str = ""
    owner: str = ""
    model_asked: str = ""
    model: str = ""
    host: str = ""
    api: str = "chat"
    prompt_chars: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    latency: float = 0.0
    time_to_first_token: float | None = None
    attempts: int = 0
    cached: bool = False
    status: str = "complete"
    finish_reason: str | None = None
    http_status: int | None = None
    error_type: str | None = None
    error: str | None = None
    request_id: str | None = None
    prompt: str | None = None
    reply: str | None = None
    time: datetime = field(default_factory=_now)


@dataclass(frozen=True)
class ErrorReport:
    """A failure, redacted, as the `on_error` hook is given it.

    Args:
        record: the request that failed.
        exception_type: the class of the exception.
        message: what it says.
        traceback: as Python prints it, without values of variables.
    """

    record: RequestRecord
    exception_type: str
    message: str
    traceback: str


class Telemetry:
    """Records requests, failures and warnings; no fault of its own reaches the chat.

    Each record is one line of JSON in a folder of numbered parts (5 of 1 MB, shared by all
    processes) and one call of the logger `chat_magics`, with the same values in
    `LogRecord.chat`. Without a handler of yours the logger prints nothing.

    Args:
        directory: the folder of the log file; None for no file.
        log_content: record prompts and replies too (default off).
        secrets: gives the values that must never be seen, asked at each record.
        on_error: given an ErrorReport of each failure, on the thread that met it.
        failure_level: of a failed request in Python's logging (default ERROR); INFO also
            lowers warnings to it, for who shows both to the person already.

    Example:
        >>> telemetry = Telemetry(None, secrets=lambda: ["my-own-key"])
        >>> telemetry.redact("401 for my-own-key, Authorization: Bearer abc.def")
        '401 for ***, Authorization: Bearer ***'
        >>> telemetry.request(RequestRecord(request="e1"))
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        log_content: bool = False,
        secrets: Callable[[], Iterable[str]],
        on_error: Callable[[ErrorReport], None] | None = None,
        failure_level: int = logging.ERROR,
    ) -> None:
        self._failure_level = failure_level
        self.log_content = log_content
        self.lost = 0
        """Records that could not be written to the file, of this object."""
        self._secrets = secrets
        self._on_error = on_error
        self._file = LogFile(directory) if directory is not None else None
        self._logger = logging.getLogger("chat_magics")
        if not self._logger.handlers:
            self._logger.addHandler(logging.NullHandler())

    def request(self, record: RequestRecord) -> None:
        """Record a request that ended otherwise than by a failure, which is for `failure`."""
        values = self._values(record)
        self._write("request", values)
        self._logger.log(logging.INFO, "%s", _line(values), extra={"chat": values})

    def failure(self, record: RequestRecord, exception: BaseException) -> None:
        """Record a request that failed, with the traceback, and tell the `on_error` hook."""
        record = replace(
            record,
            status="error",
            error_type=record.error_type or type(exception).__name__,
            error=record.error or str(exception),
        )
        values = self._values(record)
        # The traceback module prints no values of variables, among which the key is.
        trace = self.redact(
            "".join(traceback.format_exception(None, exception, exception.__traceback__))
        )
        self._write("failure", {**values, "traceback": trace})
        extra = {"chat": {**values, "traceback": trace}}
        self._logger.log(self._failure_level, "%s", _line(values), extra=extra)
        if self._on_error is not None:
            report = ErrorReport(
                record=RequestRecord(**{**values, "time": record.time}),
                exception_type=type(exception).__name__,
                message=self.redact(str(exception)),
                traceback=trace,
            )
            self._tell(self._on_error, report)

    def warning(self, message: str) -> None:
        """Record something that a person should know, and that stopped nothing."""
        text = self.redact(message)
        self._write("warning", {"time": _now().isoformat(), "message": text})
        self._logger.log(min(self._failure_level, logging.WARNING), "%s", text)

    def event(self, name: str, **values: str) -> None:
        """Record that something happened: a line of the log alone, which metrics are made from.

        Args:
            name: what it was.
            values: about it.
        """
        told = {key: self.redact(value) for key, value in values.items()}
        self._write(name, {"time": _now().isoformat(), **told})

    def redact(self, text: str) -> str:
        """The text with `***` for the given secrets and for all that looks like a key."""
        return redacted(text, self._secrets())

    def _values(self, record: RequestRecord) -> dict[str, Any]:
        if not self.log_content:
            record = replace(record, prompt=None, reply=None)
        values = {
            name: self.redact(value) if isinstance(value, str) else value
            for name, value in asdict(record).items()
        }
        if values["error"] is not None:  # cut once it is redacted: half a key is not recognised
            values["error"] = " ".join(values["error"].split())[:_LONGEST_ERROR]
        return {**values, "time": record.time.isoformat()}

    def _write(self, event: str, values: dict[str, Any]) -> None:
        if self._file is None:
            return
        try:
            self._file.append(json.dumps({"event": event, **values}, ensure_ascii=False))
        except (OSError, ValueError) as error:
            self.lost += 1
            if self.lost == 1:
                self._logger.warning("the log file cannot be written: %s", error)

    def _tell(self, hook: Callable[[ErrorReport], None], report: ErrorReport) -> None:
        try:
            hook(report)
        except Exception as error:  # noqa: BLE001 - the hook is foreign code; no chat ends for it
            self.warning(f"the on_error hook failed: {type(error).__name__}: {error}")


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` for the secrets and for all that looks like a key.

    Args:
        text: what is to be shown, sent or stored.
        secrets: values that must not be seen; those of less than four characters are left.

    Example:
        >>> redacted("401 for my-own-key, Authorization: Bearer abc.def", ["my-own-key", "x"])
        '401 for ***, Authorization: Bearer ***'
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def host_of(base_url: str) -> str:
    """The host and port of a URL, without what else may stand in it; `demo` stays `demo`.

    Example:
        >>> host_of("https://user:word@example.org:8000/v1?api-key=1"), host_of("demo")
        ('example.org:8000', 'demo')
    """
    return urlsplit(base_url).netloc.rpartition("@")[2] or base_url.partition("?")[0]


def _line(values: dict[str, Any]) -> str:
    text = f"{values['status']}: {values['model'] or values['model_asked']}"
    text += f", {values['latency']:.2f} s, {values['attempts']} attempts"
    return f"{text}: {values['error']}" if values["error"] else text
