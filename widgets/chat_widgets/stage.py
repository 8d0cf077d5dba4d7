"""Stage: keeps a transcript in step with a conversation, whoever asks in it.

It listens to the conversation: a reply that begins anywhere (a cell, this panel, another one) is
followed, and whenever the path changes the rows are arranged as the path is. Changes come on the
private loop's thread; the work is done on a thread of the stage's own, one thing after the other.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from chat_magics.errors import StoreAway
from chat_magics.loop import at_exit

from .live import LiveReply
from .rows import Row, families, files_shown, row_of

if TYPE_CHECKING:
    from chat_magics import Conversation, Reply
    from chat_magics.history import Exchange

    from .transcript import Transcript

__all__ = ["Stage"]

_log = logging.getLogger(__name__)

AT_ONCE = 12
"""Newest exchanges that are shown at once; the older ones follow as they are rendered."""

LOOK_AGAIN = 1.0
"""Seconds between two looks at a reply that comes in another kernel: only history tells of it."""

AWAY_SECONDS = 3.0
"""Until what could not be shown, since the history is away, is tried again."""


class Stage:
    """Shows one conversation in one transcript.

    Args:
        conversation: whose path is shown.
        transcript: where.
        on_settled: called with each exchange that ended.
        on_begun: called when a prompt is stored, and is about to be sent.
    """

    def __init__(
        self,
        conversation: Conversation,
        transcript: Transcript,
        on_settled: Callable[[Exchange], None] = lambda exchange: None,
        on_begun: Callable[[], None] = lambda: None,
    ) -> None:
        self.conversation = conversation
        self._transcript = transcript
        self._on_settled, self._on_begun = on_settled, on_begun
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="chat_magics-panel")
        self._live: dict[str, LiveReply] = {}
        self._known: dict[str, Exchange] = {}
        self._rows: dict[str, Row] = {}
        self._left = False
        self._next_look: threading.Timer | None = None
        # Weak: a conversation outlives its panels.
        changed = weakref.WeakMethod(self._changed)
        self._unwatch = conversation.watch(lambda change: (method := changed()) and method(change))
        _STAGES.add(self)
        self._soon(self._open)

    def leave(self) -> None:
        """Shows nothing more; replies that are under way go on."""
        self._left = True
        self._unwatch()
        self._worker.shutdown(wait=False)

    def settled(self) -> None:
        """Waits until all that was known has been shown."""
        self._worker.submit(lambda: None).result()

    @property
    def replies(self) -> Sequence[Reply]:
        """Those that are under way or wait for their turn, in order."""
        return [live.reply for live in self._live.values()]

    def exchange(self, id: str) -> Exchange | None:
        """What is known of an exchange of this conversation."""
        return self._known.get(id)

    def versions(self, id: str) -> Sequence[str]:
        """Ids of all that ever stood in its place, oldest first."""
        return families(self._known.values()).get(id, (id,))

    # What happens in the conversation

    def _changed(self, change: Any) -> None:
        reply = getattr(change, "reply", None)
        if reply is None:
            self._soon(self._arrange)
        elif not reply.ask.alone:
            self._soon(self._follow, reply)

    def _soon(self, work: Callable[..., None], *arguments: Any) -> None:
        if not self._left:
            self._worker.submit(self._do, work, *arguments)

    def _do(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            if not self._left:
                work(*arguments)
        except StoreAway as away:
            self._transcript.notice(away.message)
            again = self._open if work == self._open else self._arrange
            later = threading.Timer(AWAY_SECONDS, self._soon, [again])
            later.daemon = True
            later.start()
        except Exception as error:  # noqa: BLE001 - the thread goes on, and the person is told
            if self._left:
                return  # what it was in the middle of was closed meanwhile
            _log.exception("the panel cannot show a change")
            self._transcript.notice(f"The panel cannot show a change: {error}")

    def _open(self) -> None:
        """The newest exchanges at once, and then all of them."""
        self._learn()
        path = self.conversation.path
        self._transcript.show([self._row(id) for id in path[-AT_ONCE:]])
        for reply in self.conversation.replies:
            self._follow(reply)
        self._soon(self._arrange)

    def _learn(self) -> None:
        """Reads what is not known yet of this conversation."""
        path = self.conversation.exchanges()
        known = self.conversation.history.load_exchanges(self.conversation.id)
        self._known.update({exchange.id: exchange for exchange in [*known, *path]})

    def _follow(self, reply: Reply) -> None:
        if reply.id in self._live:
            return
        files = files_shown(reply.ask.attachments)
        row = Row(reply.id, reply.prompt, surface=reply.ask.surface, attachments=files)
        self._rows[reply.id] = row
        live = LiveReply(reply, self._transcript, self._began, self._ended)
        self._live[reply.id] = live
        self._arrange()
        live.start()

    def _began(self, live: LiveReply) -> None:
        self._soon(self._show_begun, live)

    def _show_begun(self, live: LiveReply) -> None:
        row = self._rows.get(live.id)
        if row is not None and row.state == "queued":
            row.state = "streaming"
            self._transcript.put(row)
            self._tell_busy()
            self._on_begun()

    def _ended(self, live: LiveReply) -> None:
        self._soon(self._settle, live)

    def _settle(self, live: LiveReply) -> None:
        self._live.pop(live.id, None)
        exchange, row = live.reply.exchange, self._rows[live.id]
        if exchange is None:
            self._rows.pop(live.id)
            self._give_back(live.reply)
        else:
            self._known[exchange.id] = exchange
            row.settle(exchange)
            row.versions = self._place_of(exchange.id)
            self._transcript.settle(row)
            error = live.reply.error
            if error is not None and not (exchange.id in self.conversation.path and exchange.error):
                self._transcript.notice(error.message)
        self._arrange()
        if exchange is not None:
            self._on_settled(exchange)

    def _give_back(self, reply: Reply) -> None:
        """Nothing was sent: it was stopped while it waited, or refused. No word is lost."""
        message = reply.error.message if reply.error else "stopped before it was sent"
        self._transcript.refused(reply.prompt, message)

    # Arranging

    def _arrange(self) -> None:
        """The rows as the path is, with what is under way in its place."""
        if any(id not in self._known and id not in self._live for id in self.conversation.path):
            self._learn()
        stale = self.conversation.stale()
        rows = []
        for id in self._order():
            row = self._row(id)
            at = self._place_of(id)
            if (row.stale, row.versions) != (id in stale, at):
                # A new one: the transcript tells by comparing what is to be sent.
                row = self._rows[id] = Row(**{**vars(row), "stale": id in stale, "versions": at})
            rows.append(row)
        self._transcript.arrange(rows)
        self._tell_busy()
        self._look_again()

    # What another kernel has under way here, or had when it died

    def _elsewhere(self) -> list[str]:
        shown = self._transcript.rows
        return [row.id for row in shown if row.state == "streaming" and row.id not in self._live]

    def _look_again(self) -> None:
        if self._next_look is None and self._elsewhere():
            self._next_look = threading.Timer(LOOK_AGAIN, self._soon, [self._catch_up])
            self._next_look.daemon = True
            self._next_look.start()

    def _catch_up(self) -> None:
        self._next_look = None
        self.conversation.catch_up()
        stand = {exchange.id: exchange for exchange in self.conversation.exchanges()}
        changed = [
            stand[id]
            for id in self._elsewhere()
            if stand.get(id, self._known[id]) != self._known[id]
        ]
        for exchange in changed:
            self._known[exchange.id] = exchange
            self._rows[exchange.id] = row_of(exchange, versions=self._place_of(exchange.id))
        self._arrange()
        for exchange in changed:
            if exchange.status != "streaming":
                self._on_settled(exchange)

    def _order(self) -> list[str]:
        order = list(self.conversation.path)
        for live in self._live.values():
            ask = live.reply.ask
            if live.id in order:
                continue
            standing = self._standing(order, ask.replaces)
            if standing is None:
                order.append(live.id)
            else:
                order[standing : None if ask.cut else standing + 1] = [live.id]
        return order

    def _standing(self, order: Sequence[str], replaced: str | None) -> int | None:
        family = self.versions(replaced) if replaced else ()
        return next((at for at, id in enumerate(order) if id in family), None)

    def _row(self, id: str) -> Row:
        row = self._rows.get(id)
        if row is None:
            row = self._rows[id] = row_of(self._known[id], versions=self._place_of(id))
        return row

    def _place_of(self, id: str) -> tuple[int, int]:
        family = self.versions(id)
        return family.index(id) + 1 if id in family else len(family), len(family)

    def _tell_busy(self) -> None:
        under_way = [live for live in self._live.values() if live.reply.exchange is not None]
        current = (under_way or list(self._live.values()))[:1]
        queued = max(0, len(self._live) - 1)
        self._transcript.busy(current[0].id if current else None, queued)

    def by_id(self) -> Mapping[str, Exchange]:
        """All that is known of this conversation."""
        return dict(self._known)


_STAGES: weakref.WeakSet[Stage] = weakref.WeakSet()


def _leave_all() -> None:
    for stage in list(_STAGES):
        stage.leave()


at_exit(_leave_all)  # such as of a script: what they stand on closes then
