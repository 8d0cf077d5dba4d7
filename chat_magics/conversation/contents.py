"""Contents: what a conversation holds, its record, its path, its versions; read and rearranged."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ChatError
from ..messages import Message
from .attached import earlier_images
from .path import branch, messages_of, stale

if TYPE_CHECKING:
    from ..history import ConversationRecord, Exchange
    from .reply import Reply
    from .session import Session
    from .state import State
    from .watching import Change

__all__ = ["Contents"]


class Contents:
    """The part of Conversation that looks at what was said, and asks nothing."""

    session: Session
    state: State

    @property
    def record(self) -> ConversationRecord:
        """Its id, name, title and path, as stored."""
        if self.state.record is None:
            self._run(self.state.load())
        assert self.state.record is not None
        return self.state.record

    @property
    def id(self) -> str:
        """Its id, 32 hex digits."""
        return self.record.id

    @property
    def name(self) -> str | None:
        """Its name, where it has one."""
        return self.record.name

    @property
    def path(self) -> tuple[str, ...]:
        """Ids of the exchanges that are the context now, in order."""
        return self.state.path

    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges that are the context now, in order."""
        if not self.state.loaded:
            self._run(self.state.load())
        return tuple(self.state.known[id] for id in self.path)

    def catch_up(self) -> None:
        """Reads anew what another kernel had under way here; `exchanges` then tells how it stands.

        A reply whose kernel died is marked as interrupted.
        """
        self._run(self._caught_up())

    async def _caught_up(self) -> None:
        await self.state.load()
        await self.state.catch_up()

    @property
    def replies(self) -> tuple[Reply, ...]:
        """Those that are under way or wait for their turn, in order."""
        return tuple(self.state.replies)

    def watch(self, on_change: Callable[[Change], object]) -> Callable[[], None]:
        """Tells of each prompt that is asked here, by whatever surface, and of each new path.

        Args:
            on_change: given an `Asked` or a `PathChanged`, on whatever thread it happens; it must
                be quick.

        Returns:
            what ends it.

        Example:
            >>> from chat_magics import Conversation
            >>> chat = Conversation(base_url="demo", history="sqlite://")
            >>> seen = []
            >>> leave = chat.watch(seen.append)
            >>> _ = chat.ask("Hello").wait()
            >>> [type(change).__name__ for change in seen]
            ['Asked', 'PathChanged']
            >>> leave()
        """
        return self.state.watchers.add(on_change)

    def sent(self, exchange: Exchange) -> tuple[Message, ...]:
        """Exactly what was sent for an exchange, put together from history.

        Args:
            exchange: of this conversation, or of another one of this history.
        """
        context = exchange.context
        known = self.session.store_now(lambda history: history.load_exchanges(ids=context))
        by_id = {each.id: each for each in known}
        images = self.session.store_now(lambda h: earlier_images([*known, exchange], h))
        asked = Message(role="user", content=exchange.sent, images=images.get(exchange.id, ()))
        return messages_of(context, by_id, exchange.system, asked, images)[0]

    def stale(self) -> frozenset[str]:
        """Ids of exchanges asked with an older version of what stands before them."""
        return stale(self.path, {exchange.id: exchange for exchange in self.exchanges()})

    def versions(self, exchange: str) -> list[Exchange]:
        """All that ever stood in this exchange's place, in time order."""
        return self.session.store_now(lambda history: history.versions(exchange))

    def bring_back(self, exchange: str) -> None:
        """Puts another version in the place of the one that stands in the path now.

        What was said after it comes back with it: the latest exchanges that were asked with it.

        Raises:
            NotFound: no version of it is in the path.
        """
        family = {version.id: version for version in self.versions(exchange)}
        later = self.session.store_now(lambda history: history.load_exchanges(self.id))
        known = {each.id: each for each in later}
        self._run(self.state.change_path(lambda path: branch(path, known, family, exchange)))

    def set_path(self, path: Sequence[str]) -> None:
        """Makes these exchanges the context, in this order, after the reply that is under way.

        Raises:
            NotFound: one of them is not in history; nothing is changed.
        """
        self._run(self.state.change_path(lambda _: path))

    def _run(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            self.session.check_open()
        except ChatError:
            work.close()
            raise
        self.session.loop.run(work)
