"""Shows a reply while it comes: safe HTML in a notebook, plain text in a terminal."""

from __future__ import annotations

import html
import re
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Protocol

from ..caption import caption
from ..client.events import Event, Restarted, Text, Waiting
from .cell import CellOutput, show_html
from .shell import current_shell, in_notebook

if TYPE_CHECKING:
    from ..errors import ChatError
    from ..history import Exchange

__all__ = [
    "Format",
    "Output",
    "PlainOutput",
    "Silence",
    "Streaming",
    "printable",
    "show",
    "show_error",
]

Format = Literal["markdown", "text"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Streaming(Protocol):
    """A reply, as far as showing it goes: this module knows nothing of conversations."""

    exchange: Exchange | None
    error: ChatError | None

    @property
    def text_so_far(self) -> str:
        """What has come."""

    def batches(self, timeout: float) -> Iterator[list[Event]]:
        """Events as they come; an empty list after each `timeout` seconds without one."""

    def interrupt(self) -> None:
        """Stops it and waits until what came is kept."""


class Output(Protocol):
    """Where a reply is shown."""

    def add(self, text: str) -> None:
        """More text."""

    def restart(self) -> None:
        """What was shown is void."""

    def settle(self, text: str) -> None:
        """All that has come, after an interrupt that may have fallen into an update."""

    def status(self, line: str) -> None:
        """One line about a wait; an empty one takes it away."""

    def refresh(self, *, last: bool = False) -> float:
        """Brings the screen up to date; seconds until it makes sense again."""

    def end(self, line: str, notes: tuple[str, ...]) -> None:
        """The quiet line, and what the reader must be told."""


def show(reply: Streaming, *, format: Format = "markdown", quiet: bool = False) -> None:
    """Shows a reply from its first word to the line under it; returns when it has ended.

    An interrupt stops the reply, keeps and shows what came, and is raised on.

    Args:
        reply: sent where it was not.
        format: `markdown` as safe HTML, or `text` as it came.
        quiet: show nothing; only wait.
    """
    output = _output(format, quiet)
    try:
        _stream(reply, output)
    except KeyboardInterrupt:
        reply.interrupt()
        output.settle(reply.text_so_far)
        _finish(reply, output)
        raise
    _finish(reply, output)


def show_error(message: str) -> None:
    """One calm line where a reply that failed is a cell's result, which may raise nothing."""
    if in_notebook(current_shell()):
        show_html(f'<div class="chat-magics-error">{html.escape(message)}</div>', message)
    else:
        sys.stdout.write(f"{message}\n")


def printable(text: str) -> str:
    """Text for a terminal, which would take orders in it, such as to write the clipboard."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _output(format: Format, quiet: bool) -> Output:
    if quiet:
        return Silence()
    if format == "markdown" and in_notebook(current_shell()):
        return CellOutput()
    return PlainOutput()


def _stream(reply: Streaming, output: Output) -> None:
    wait, due, waiting = 0.1, 0.0, Waiting("the first token")
    shown: Waiting | None = None
    since = time.monotonic()
    for events in reply.batches(timeout=wait):
        for event in events:
            shown = _take(event, output, shown)
            since = time.monotonic() if isinstance(event, Waiting) else since
        if not events and (shown or not reply.text_so_far):
            output.status(_waiting_line(shown or waiting, time.monotonic() - since))
        now = time.monotonic()
        if now >= due:
            due = now + output.refresh()


def _take(event: Event, output: Output, shown: Waiting | None) -> Waiting | None:
    if isinstance(event, Waiting):
        output.status(_waiting_line(event, 0.0))
        return event
    if isinstance(event, Restarted):
        output.restart()
    elif isinstance(event, Text) and event.text:
        output.status("")
        output.add(event.text)
    return None


def _waiting_line(event: Waiting, waited: float) -> str:
    """For example «rate limited, next try in 4 s (2 of 4)»."""
    if event.seconds is None:
        return event.words(f"{waited:.0f}") if waited >= 1 else ""
    return event.words(f"{max(0.0, event.seconds - waited):.0f}")


def _finish(reply: Streaming, output: Output) -> None:
    output.status("")
    output.refresh(last=True)
    if reply.exchange is not None and (reply.error is None or reply.exchange.answered):
        output.end(caption(reply.exchange), reply.exchange.notes)


class PlainOutput:
    """A terminal, or text in a notebook: what comes is printed as it comes."""

    def __init__(self) -> None:
        self._printed = False
        self._status = ""

    def add(self, text: str) -> None:
        """Prints it."""
        self._write(text)
        self._printed = True

    def restart(self) -> None:
        """Says so, and starts anew: a terminal cannot take back what it printed."""
        self._write("\n[asked again]\n" if self._printed else "")

    def settle(self, text: str) -> None:
        """Nothing: what was printed stands."""

    def status(self, line: str) -> None:
        """Prints a wait once, not every second."""
        kind = line.split(";")[0].split(",")[0]
        if kind and kind != self._status:
            self._write(f"[{line}]\n")
        self._status = kind

    def refresh(self, *, last: bool = False) -> float:
        """Nothing: it is printed already."""
        return 0.0

    def end(self, line: str, notes: tuple[str, ...]) -> None:
        """Prints the quiet line."""
        said = "\n".join((line, *notes))
        self._write(f"\n\n{said}\n" if self._printed else f"{said}\n")

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(printable(text))
        sys.stdout.flush()


class Silence:
    """Shows nothing."""

    def add(self, text: str) -> None:
        """Nothing."""

    def restart(self) -> None:
        """Nothing."""

    def settle(self, text: str) -> None:
        """Nothing."""

    def status(self, line: str) -> None:
        """Nothing."""

    def refresh(self, *, last: bool = False) -> float:
        """Nothing."""
        return 0.0

    def end(self, line: str, notes: tuple[str, ...]) -> None:
        """Nothing."""
