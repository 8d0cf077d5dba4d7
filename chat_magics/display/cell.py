"""A reply in a cell's output: each block of it is a display of its own, only the last is updated.

Measured in JupyterLab for 4,000 tokens: one Markdown display updated as a whole leaves the browser
a minute behind; this keeps pace. The rate of updates falls as the open block grows, so that the
bytes sent stay a small multiple of what is shown in the end.
"""

from __future__ import annotations

import html
from typing import Any

__all__ = ["CellOutput", "show_caption", "show_html"]

_FASTEST = 0.1
_BYTES_PER_SECOND = 40_000
_LONG_BLOCK = 40_000


class CellOutput:
    """Shows a streaming reply in the output of the running cell, as safe HTML."""

    def __init__(self) -> None:
        from ..markdown import STYLE, MarkdownStream, wrap  # when the first reply is shown

        self._new_stream, self._wrap = MarkdownStream, wrap
        self._style = f"<style>{STYLE}</style>"
        self._stream = MarkdownStream()
        self._displays: list[Any] = []
        self._shown: list[tuple[str, str] | None] = []
        self._used = 0
        self._status = ""
        self._changed = False

    def add(self, text: str) -> None:
        """Takes in text; shown at the next refresh."""
        self._stream.feed(text)
        self._changed = True

    def restart(self) -> None:
        """What was shown is replaced by what comes now, block by block."""
        self._stream = self._new_stream()
        self._used = 0
        self._changed = True

    def settle(self, text: str) -> None:
        """Shows this text, whatever an interrupt left half done."""
        self.restart()
        self.add(text)

    def status(self, line: str) -> None:
        """Shows a wait under what has come."""
        if line != self._status:
            self._status = line
            self._changed = True

    def refresh(self, *, last: bool = False) -> float:
        """Sends what changed; seconds until the next time makes sense."""
        if not self._changed and not last:
            return _FASTEST
        self._changed = False
        size = 0
        for block in self._stream.finish() if last else self._stream.update():
            self._put(block.index, block.html, block.source if last or block.closed else "")
            self._used = max(self._used, block.index + 1)
            size = len(block.html)
        self._put_status()
        if last:
            for index in range(self._used, len(self._displays)):
                self._put(index, "", "")
        return self._pause(size)

    def _pause(self, size: int) -> float:
        """Seconds until the open block, of this many bytes, may be sent again.

        They grow with it faster than a reply does, so that a long block is sent some times in all
        and not some times a second.
        """
        if size <= _LONG_BLOCK:
            return max(_FASTEST, size / _BYTES_PER_SECOND)
        return size / _BYTES_PER_SECOND * size / _LONG_BLOCK

    def _put(self, index: int, markup: str, source: str) -> None:
        if index < len(self._shown) and self._shown[index] == (markup, source):
            return
        markup_shown = self._wrap(markup, math="tex") if markup else ""
        if index == 0:
            markup_shown = self._style + markup_shown
        data = {"text/html": markup_shown, "text/plain": source}
        # An interrupt may come anywhere here: what is not surely shown is not noted as shown.
        if index < len(self._displays):
            self._shown[index] = None
            self._displays[index].update(data, raw=True)
        else:
            self._shown.append(None)
            self._displays.append(_handle())
            self._displays[index].display(data, raw=True)
        self._shown[index] = (markup, source)

    def _put_status(self) -> None:
        """The line about a wait takes the place behind the last block, until a block needs it."""
        line = html.escape(self._status)
        markup = f'<div class="chat-magics-caption">{line}</div>' if line else ""
        if markup or len(self._displays) > self._used:
            self._put(self._used, markup, self._status)

    def end(self, line: str, notes: tuple[str, ...]) -> None:
        """The quiet line, as the last display of the cell."""
        show_caption(line, notes, style="" if self._displays else self._style)


def show_caption(line: str, notes: tuple[str, ...] = (), *, style: str = "") -> None:
    """Displays the quiet line, and what the reader must be told."""
    said = "<br>".join(html.escape(part) for part in (line, *notes))
    text = "\n".join((line, *notes))
    show_html(f'{style}<div class="chat-magics-caption">{said}</div>', text)


def show_html(markup: str, text: str) -> None:
    """Displays HTML of ours, with the text for who shows none."""
    _handle().display({"text/html": markup, "text/plain": text}, raw=True)


def _handle() -> Any:
    from IPython.display import DisplayHandle

    # display(..., display_id=True) gives None outside a singleton shell.
    return DisplayHandle()  # type: ignore[no-untyped-call]
