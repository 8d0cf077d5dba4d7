"""Telling: what a session says to the person, and what it writes into the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..config import password_of
from ..display import current_shell
from ..errors import ChatError
from ..messages import Message
from ..telemetry import ErrorReport, RequestRecord, Telemetry
from ..tracing import current_span
from .record import log_record

if TYPE_CHECKING:
    from ..config import ChatConfig, Sourced
    from ..history import Exchange

__all__ = ["Telling"]


class Telling:
    """The part of Session that speaks: warnings, the log, reports of failures."""

    config: ChatConfig
    sources: Sourced
    telemetry: Telemetry

    def __init__(self, on_error: Callable[[ErrorReport], None] | None) -> None:
        self.on_error = on_error
        self.on_warning: Callable[[str], None] = _to_stderr
        self._told_of_file: list[str] = []

    def _open_log(self) -> Telemetry:
        return Telemetry(
            self.config.home / "logs",
            log_content=self.config.log_content,
            secrets=self.secrets,
            on_error=self._report,
            # A person in IPython sees the failure in the cell; a second line would be noise.
            failure_level=logging.INFO if current_shell() else logging.ERROR,
        )

    def secrets(self) -> list[str]:
        """What must be written nowhere: the key, and passwords."""
        key = self.config.api_key
        passwords = [*password_of(self.config.cache), *password_of(self.config.limits)]
        return [*([key.get_secret_value()] if key else []), *passwords]

    def warn(self, message: str) -> None:
        """Tells the person one line, and the log."""
        if hasattr(self, "telemetry"):
            self.telemetry.warning(message)
        self.on_warning(message)

    def _tell_of_redis(self, line: str, parts: tuple[str, ...], state: str) -> None:
        self.warn(line)
        for part in parts:
            self.telemetry.event("redis", part=part, state=state)

    def _tell_of_file(self) -> None:
        """Says which settings came from `.env`, once for the same ones."""
        names = sorted(name for name, source in self.sources.items() if ".env" in source)
        if names and names != self._told_of_file:
            self.warn(f"settings from .env in the working folder: {', '.join(names)}")
        self._told_of_file = names

    def log(self, exchange: Exchange, sent: tuple[Message, ...], error: ChatError | None) -> None:
        """Writes a finished exchange into the log, and into its span."""
        record = log_record(exchange, sum(len(m.content) for m in sent), error)
        if span := current_span():
            span.ends(record, exchange.usage, sent, self.telemetry)
        if error is None:
            self.telemetry.request(record)
        else:
            self.telemetry.failure(record, error)

    def log_fault(self, error: ChatError, exchange: Exchange | None, surface: str) -> None:
        """Writes a failure into the log that came before an exchange began, or at its end."""
        request, conversation = (exchange.id, exchange.conversation) if exchange else ("", "")
        owner = self.config.owner
        record = RequestRecord(request, conversation, surface, owner, http_status=error.status)
        self.telemetry.failure(record, error)

    def unexpected(self, bug: Exception) -> ChatError:
        """A fault of ours as one line; its traceback goes to the log."""
        said = " ".join(str(bug).split())
        error = ChatError(f"unexpected {type(bug).__name__}: {said}; the log has the details")
        error.__cause__ = bug
        return error

    def _report(self, report: ErrorReport) -> None:
        if self.on_error is not None:
            self.on_error(report)


def _to_stderr(message: str) -> None:
    sys.stderr.write(f"chat_magics: {message}\n")
