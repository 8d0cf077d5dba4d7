"""Transcript: the one view of prompts, replies and the prompt box, and what it and we say.

The view keeps what it was sent for as long as its page lives; a page that is loaded anew says
`ready` and is sent everything. So does one that finds a number missing among the messages: what is
said while a connection is being cut is lost. All that is shown as HTML was made safe in Python; all
else is text.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from chat_magics import ChatError

from .source import STATIC, script, style

if TYPE_CHECKING:
    from .incoming import Check, Incoming
    from .rows import Row

__all__ = ["Transcript"]

READY = {"type": "ready"}
"""The view is there and wants to know everything."""

MATH_FONT = STATIC / "stix-two-math-subset.woff2"
"""Formulas need a font made for them: brackets grow only there."""


class Transcript(anywidget.AnyWidget):
    """What was said, as it comes, above a box for the next prompt.

    Args:
        on_incoming: given each checked message of the view but `ready`, and the bytes beside it.
        starters: prompts to begin with, asked for each time that an empty transcript is shown.
    """

    _esm = script()
    _css = style()

    uid = traitlets.Unicode().tag(sync=True)
    placeholder = traitlets.Unicode("Message…").tag(sync=True)
    limit = traitlets.Int(5000).tag(sync=True)
    accept = traitlets.List(traitlets.Unicode()).tag(sync=True)
    max_bytes = traitlets.Dict().tag(sync=True)  # of a file, by its kind
    height = traitlets.Unicode("").tag(sync=True)
    conversation = traitlets.Unicode("").tag(sync=True)
    in_url = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        on_incoming: Callable[[Incoming, list[bytes]], None],
        starters: Callable[[], Sequence[str]] = list,
        **traits: Any,
    ) -> None:
        super().__init__(uid=uuid.uuid4().hex, **traits)
        self._on_incoming = on_incoming
        self._starters = starters
        # Rows are changed and told of from several threads: one at a time, in one order.
        self._telling = threading.RLock()
        self._rows: dict[str, Row] = {}
        self._busy: str | None = None
        self._queued = 0
        self._font_is_sent = False
        self._is_seen = False
        self._told = 0
        self._unseen = ""
        self._offered: list[str] = []
        self.on_msg(self._take)

    # From the view

    def _take(self, _widget: Any, content: Any, buffers: Sequence[Any]) -> None:
        if content == READY and not buffers:
            self._font_is_sent = False
            self._is_seen = True
            self.tell_all()
            if self._unseen:
                self.notice(self._unseen)
                self._unseen = ""
            return
        from .incoming import Check, parse  # pydantic: a page that only shows needs none of it

        try:
            message = parse(content, buffers)
            if isinstance(message, Check):
                self._tell_missed(message)
            else:
                self._on_incoming(message, [bytes(buffer) for buffer in buffers])
        except ChatError as error:
            self.notice(error.message)

    def set_state(self, sync_data: object) -> None:
        """Does nothing: a view sets no trait. All that it may say is a checked message."""

    # To the view

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is shown, in order."""
        with self._telling:
            return tuple(self._rows.values())

    def row(self, id: str) -> Row | None:
        """The row of this exchange, where it is shown."""
        return self._rows.get(id)

    def tell_all(self) -> None:
        """Sends everything, to a view that knows nothing."""
        with self._telling:
            rows = [row.as_message() for row in self._rows.values()]
            self._bring_font(block for row in self._rows.values() for block in row.blocks)
            self._offered = [] if rows else list(self._starters())
            self._tell(
                "snapshot",
                rows=rows,
                busy=self._busy,
                queued=self._queued,
                starters=self._offered,
            )

    def tell_starters(self) -> None:
        """Offers other prompts to begin with, where there are others and nothing was said yet."""
        with self._telling:
            if self._rows or not self._is_seen:
                return
            found = list(self._starters())
            if found != self._offered:
                self._offered = found
                self._tell("starters", starters=found)

    def _tell_missed(self, check: Check) -> None:
        """Tells what became of a reply, where a view that is silent about it missed some of it."""
        with self._telling:
            row = self._rows.get(check.id)
            if row is None:
                self.tell_all()
            elif (row.units, self._busy) != (check.units, check.id):
                self.put(row)
                self._tell("busy", id=self._busy, queued=self._queued)

    def show(self, rows: Iterable[Row]) -> None:
        """Shows these rows and no others."""
        with self._telling:
            self._rows = {row.id: row for row in rows}
            self.tell_all()

    def arrange(self, rows: Sequence[Row]) -> None:
        """Shows these rows in this order; only what changed is sent."""
        with self._telling:
            gone = [id for id in self._rows if id not in {row.id for row in rows}]
            if gone:
                self._tell("remove", ids=gone)
            before: str | None = None
            for row in rows:
                if self._rows.get(row.id) != row:
                    self._bring_font(row.blocks)
                    self._tell("row", row=row.as_message(), after=before)
                before = row.id
            kept = [id for id in self._rows if id not in gone]
            self._rows = {row.id: row for row in rows}
            if kept != [id for id in self._rows if id in kept]:
                self._tell("order", ids=list(self._rows))

    def put(self, row: Row) -> None:
        """Shows a changed row in its place."""
        with self._telling:
            if row.id in self._rows:
                self._rows[row.id] = row
                ids = list(self._rows)
                place = ids.index(row.id)
                after = ids[place - 1] if place else None
                self._tell("row", row=row.as_message(), after=after)

    def change_blocks(self, id: str, changes: Sequence[tuple[int, str]], count: int) -> None:
        """Shows changed blocks of a reply; of each only what differs is sent.

        Args:
            id: of the exchange.
            changes: index and safe HTML of each block that changed.
            count: how many blocks the reply has now.
        """
        from .rows import common_units  # the parser of replies, which a page needs later

        with self._telling:
            row = self._rows.get(id)
            if row is None:
                return
            deltas = []
            for index, html in changes:
                row.blocks.extend([""] * (index + 1 - len(row.blocks)))
                keep = common_units(row.blocks[index], html)
                suffix = html.encode("utf-16-le")[2 * keep :].decode("utf-16-le")
                deltas.append([index, keep, suffix])
                row.blocks[index] = html
            del row.blocks[count:]
            self._bring_font(html for _, html in changes)
            self._tell("delta", id=id, blocks=deltas, count=count)

    def settle(self, row: Row) -> None:
        """Tells that a reply ended, and how."""
        with self._telling:
            self._tell(
                "settled",
                id=row.id,
                caption=row.caption,
                notes=row.notes,
                state=row.state,
                versions=row.versions,
                error=row.error,
                truncated=row.truncated,
            )

    def busy(self, id: str | None, queued: int) -> None:
        """Tells which reply is under way, and how many wait behind it."""
        with self._telling:
            if (id, queued) != (self._busy, self._queued):
                self._busy, self._queued = id, queued
                self._tell("busy", id=id, queued=queued)

    def status(self, id: str, text: str, **times: float) -> None:
        """Tells what a reply waits for; `since` or `until` in milliseconds of the epoch."""
        self._tell("status", id=id, text=text, **times)

    def refused(self, text: str, message: str) -> None:
        """Gives a prompt back to who typed it, with what is wrong with it."""
        self._tell("refused", text=text, message=message)

    def notice(self, message: str) -> None:
        """Shows one calm line; where no view is there yet, the first one shows it."""
        if self._is_seen:
            self._tell("notice", message=message)
        else:
            self._unseen = message

    def sent(self, id: str, **what: Any) -> None:
        """Answers what exactly was sent."""
        self._tell("sent", id=id, **what)

    def take_focus(self) -> None:
        """Puts the keyboard into the prompt box, where it is in the panel already."""
        self._tell("focus")

    def ask_for_dock(self, model_id: str) -> None:
        """Asks the page to show a widget in a dock; it answers with `docked`.

        Args:
            model_id: of the whole panel.
        """
        self._tell("dock", model_id=model_id)

    def download(self, name: str, mime: str, content: bytes) -> None:
        """Has the browser save a file."""
        self._tell("download", [content], name=name, mime=mime)

    def _bring_font(self, blocks: Iterable[str]) -> None:
        """Sends the font of formulas before the first of them; the page keeps it."""
        if not self._font_is_sent and any("<math" in block for block in blocks):
            self._font_is_sent = True
            self._tell("font", [MATH_FONT.read_bytes()])

    def _tell(self, type: str, buffers: Sequence[bytes] = (), /, **content: Any) -> None:
        with self._telling:
            self._told += 1
            self.send({"type": type, "n": self._told, **content}, list(buffers))
