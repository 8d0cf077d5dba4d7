"""Living: the part of History that tells which replies are under way, and whether it answers."""

from __future__ import annotations

from chat_magics.history import under_way
from chat_magics.history.layout import version_of
from chat_magics.history.resilient import ResilientStore

__all__ = ["Living"]


class Living:
    """Signs of life, of replies and of the store. Made by History, never by itself."""

    owner: str
    _store: ResilientStore

    def check(self) -> None:
        """Do nothing where it can be read now.

        Raises:
            StoreAway: its database does not answer.
            StoreError: it cannot be read.

        Example:
            >>> from chat_magics.history import History
            >>> history = History("sqlite://", on_warning=print)
            >>> history.check()
            >>> history.close()
        """
        self._store.read(version_of)

    def end_dead(self) -> None:
        """Mark the replies whose process died while they came as interrupted, whosever they are."""
        if self._store.read(under_way.has_streaming):
            self._store.write(under_way.interrupt_dead)

    def beat(self, exchange_id: str) -> None:
        """Tell other machines that a reply is still under way, where the history is on a server.

        Raises:
            NotFound: there is no such exchange.
            StoreError: it has ended, or the server does not answer.
        """
        if self._store.on_server:
            self._store.write(
                lambda connection: under_way.beat(connection, self.owner, exchange_id)
            )
