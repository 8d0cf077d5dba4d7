"""LiveReply: a reply while it comes, as changes of its row. Runs on a thread of its own.

Finished blocks are sent once, the open one again, and of that only what differs: about five times
a second, and twenty times in the first second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chat_magics.display import current_shell
from chat_magics.markdown import MarkdownStream

from .subshell import send_without_parent

if TYPE_CHECKING:
    from chat_magics import Reply

    from .transcript import Transcript

__all__ = ["LiveReply"]

PACE = 0.2
"""Seconds between two updates. Each has 0.45 kB of envelope on the wire, whatever it says: at this
pace that is some two thirds of what a reply of mixed content takes there."""

SECONDS = "{seconds}"
"""Where the view shows the seconds of a wait, as they pass."""

FIRST_PACE = 0.05
"""Seconds between updates in the first second, so that the beginning is seen at once."""


class LiveReply:
    """Shows a reply as it comes.

    Args:
        reply: under way, or about to be.
        transcript: has a row of the reply's id.
        on_begin: called when it is its turn.
        on_end: called when it has ended, in whatever way.
    """

    def __init__(
        self,
        reply: Reply,
        transcript: Transcript,
        on_begin: Callable[[LiveReply], None],
        on_end: Callable[[LiveReply], None],
    ) -> None:
        self.reply = reply
        self._transcript = transcript
        self._on_begin, self._on_end = on_begin, on_end
        self._stream = MarkdownStream(math="mathml")
        self._count = 0
        self._began = False
        self._waiting = True
        self._thread = threading.Thread(
            target=self._run, name="chat_magics-panel-reply", daemon=True
        )

    @property
    def id(self) -> str:
        """Of the exchange."""
        return self.reply.id

    def start(self) -> None:
        """Begins to follow the reply."""
        self._thread.start()

    def _run(self) -> None:
        send_without_parent(current_shell())
        try:
            for events in self.reply.batches(timeout=0.5):
                if self._take(events):
                    self._pause()
            self._show(self._stream.finish())
        finally:
            self._on_end(self)

    def _take(self, events: Sequence[Any]) -> bool:
        """Takes in events; True where something was shown."""
        if not self._began and self.reply.exchange is not None:
            self._began = True
            self._first_shown = time.monotonic()
            self._on_begin(self)
            self._tell_wait("waiting for the first token", since=time.time() * 1000)
        texts = 0
        for event in events:
            kind = type(event).__name__
            if kind == "Text":
                self._stream.feed(event.text)
                texts += 1
            elif kind == "Restarted":
                self._stream = MarkdownStream(math="mathml")
                self._tell_wait("asked again", since=time.time() * 1000)
            elif kind == "Waiting":
                self._tell_waiting(event)
        if texts:
            if self._waiting:
                self._waiting = False
                self._first_shown = time.monotonic()
                self._transcript.status(self.id, "")
            self._show(self._stream.update())
        return bool(texts)

    def _tell_waiting(self, event: Any) -> None:
        now = time.time()
        if event.seconds is None:
            times = {"since": now * 1000}
        else:
            times = {"until": (now + event.seconds) * 1000}
        self._tell_wait(event.words(SECONDS), **times)

    def _tell_wait(self, text: str, **times: float) -> None:
        self._waiting = True
        self._transcript.status(self.id, text, **times)

    def _show(self, blocks: Sequence[Any]) -> None:
        if blocks:
            self._count = max(block.index for block in blocks) + 1
            changes = [(block.index, block.html) for block in blocks]
            self._transcript.change_blocks(self.id, changes, self._count)

    def _pause(self) -> None:
        young = time.monotonic() - self._first_shown < 1
        self.reply.wait(FIRST_PACE if young else PACE)
