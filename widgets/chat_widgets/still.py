"""StillTranscript: what a saved notebook shows of the panel where no kernel is.

It is an output of its own below the panel, of safe HTML and no script, made anew when a reply has
ended. A page that shows the live panel hides it.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from IPython.display import DisplayHandle

from chat_magics.markdown import STYLE, wrap

if TYPE_CHECKING:
    from .rows import Row
    from .transcript import Transcript

__all__ = ["StillTranscript"]

SHOWN = 50
"""Newest exchanges that are shown: a notebook is not to grow without end."""

MOST_CHARACTERS = 150_000
"""Of these so many characters, and at least one: all of it is sent at the end of each reply."""

OWN_STYLE = """
.chat-magics-static .chat-magics-prompt {
  margin: 0.8em 0 0.4em 18%; padding: 0.4em 0.8em; border-radius: 10px; white-space: pre-wrap;
  background: var(--jp-layout-color2, rgba(128, 128, 128, 0.15)); overflow-wrap: anywhere;
}
.jp-OutputArea-child:not(:has(.chat-magics-panel)):has(+ .jp-OutputArea-child .chat-magics-static) {
  display: none;
}
"""
# The last rule: without a kernel the output before it says «Error displaying widget».


class StillTranscript:
    """Displays the transcript as it is, and again when it has changed.

    Args:
        transcript: whose rows are shown.
    """

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._handles: list[Any] = []
        self._showing = threading.Lock()

    def display(self) -> None:
        """Shows it below what the cell has shown."""
        handle = DisplayHandle()  # type: ignore[no-untyped-call]
        with self._showing:
            handle.display(self._data(), raw=True)  # type: ignore[no-untyped-call]
            self._handles.append(handle)

    def update(self) -> None:
        """Shows what changed, wherever it was displayed."""
        with self._showing:
            for handle in self._handles:
                handle.update(self._data(), raw=True)

    def _data(self) -> dict[str, str]:
        rows = self._transcript.rows
        newest = _newest(rows)
        markup = "".join(_parts(newest, len(rows) - len(newest)))
        words = "\n\n".join(f"> {row.prompt}" for row in newest) or "Chat panel"
        style = f"<style>{STYLE}{OWN_STYLE}</style>"
        shown = f'{style}<div class="chat-magics-static">{markup}</div>' if rows else ""
        return {"text/html": shown, "text/plain": words}


def _newest(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Those that are shown; the rows before them are in the history."""
    taken = size = 0
    for row in reversed(rows[-SHOWN:]):
        size += len(row.prompt) + sum(map(len, row.blocks))
        if taken and size > MOST_CHARACTERS:
            break
        taken += 1
    return rows[len(rows) - taken :]


def _parts(rows: tuple[Row, ...], earlier: int) -> Iterator[str]:
    if earlier:
        yield f"<p>{earlier} earlier exchanges are in the history.</p>"
    for row in rows:
        files = "".join(f"\n[{file['name']}]" for file in row.attachments)
        yield f'<div class="chat-magics-prompt">{html.escape(row.prompt + files)}</div>'
        yield wrap("".join(row.blocks), math="mathml")
        said = " · ".join(part for part in (row.caption, row.error) if part)
        yield f'<div class="chat-magics-caption">{html.escape(said)}</div>'
