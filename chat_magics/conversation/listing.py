"""Listing: how a person names a stored conversation, and what becomes of the open ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from ..export import Loaded
    from ..history import Arrival, ConversationRecord, Exchange
    from .session import Session

__all__ = ["Listing"]


class Listing:
    """Finds, renames and deletes stored conversations, and keeps the open ones in step.

    Args:
        session: whose history and open conversations these are.

    Example:
        >>> from chat_magics import Conversation, Session
        >>> session = Session({"base_url": "demo", "history": "sqlite://"})
        >>> _ = Conversation("joins", session=session)
        >>> session.listing.find("joins").name
        'joins'
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shown: tuple[str, ...] = ()

    def shown(self, ids: Iterable[str]) -> None:
        """Notes which conversations stand in the rows that were shown last."""
        self._shown = tuple(ids)

    def find(self, ref: Any) -> ConversationRecord:
        """The conversation that is meant.

        Args:
            ref: its name, its id or the beginning of it; the number of a row of what was shown
                last, which goes before a name of up to three digits; or a row of such a frame.

        Raises:
            NotFound: there is none; the message tells the nearest names.
            InvalidRequest: it is none of these.
        """
        text = (str(ref) if isinstance(ref, (str, int)) else _of_row(ref)).strip()
        if text.isdecimal() and len(text) < _DIGITS and int(text) < len(self._shown):
            return self._in_row(int(text))
        try:
            return self._stored(text)
        except NotFound:
            if not text.isdecimal() or not self._shown:
                raise
            return self._in_row(int(text))

    def _stored(self, ref: str) -> ConversationRecord:
        return self._session.store_now(lambda history: history.conversation(ref))

    def _in_row(self, row: int) -> ConversationRecord:
        if row >= len(self._shown):
            raise NotFound(f"the last list has {_counted(len(self._shown), 'row')}, from 0 on")
        try:
            return self._stored(self._shown[row])
        except NotFound:
            raise NotFound(f"row {row} was deleted: list again") from None

    def changed(self, record: ConversationRecord) -> None:
        """Takes a changed record into the conversation that is open, where it is."""
        opened = self._session.opened.get(record.id)
        if opened is not None:
            opened.state.keep(record)

    def take_in(self, loaded: Loaded) -> list[str]:
        """Stores the conversations of a file; what became of them, in lines for a person.

        Args:
            loaded: as `chat_magics.export.load` gives it.
        """
        lines: list[str] = []
        came = {"added": 0, "present": 0, "different": 0}
        exchanges = 0
        for record, asked in loaded:
            arrival = self._put(record, asked)
            came[arrival.outcome] += 1
            exchanges += len(asked) if arrival.outcome == "added" else 0
            if arrival.note:
                lines.append(f"{record.name or record.title or record.id[:8]}: {arrival.note}")
        added = _counted(came["added"], "conversation")
        lines.append(f"{added} added, with {_counted(exchanges, 'exchange')}")
        if came["present"]:
            lines.append(f"{_counted(came['present'], 'conversation')} here already")
        if came["different"]:
            lines.append(f"{_counted(came['different'], 'conversation')} left out: see above")
        return lines + [f"Not read: {missed}" for missed in loaded.unread]

    def _put(self, record: ConversationRecord, exchanges: Sequence[Exchange]) -> Arrival:
        return self._session.store_now(lambda history: history.put(record, exchanges))

    def delete(self, id: str) -> None:
        """Deletes a conversation with all its exchanges; the current one makes room for a new one.

        Raises:
            StoreError: a reply of it is under way, or another conversation holds a part of it.
        """
        self._session.store_now(lambda history: history.delete(id))
        current = self._session.opened.get(id)
        if current is not None and self._session.conversation is current:
            self._session.conversation = type(current)(session=self._session)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _of_row(row: Any) -> str:
    """The conversation's id in a row of a frame; a row is what has `get`, as a Series does."""
    get = getattr(row, "get", None)
    id = None if get is None else next((v for n in _IDS if isinstance(v := get(n), str)), None)
    if id is None:
        raise InvalidRequest(
            "a conversation is opened by its name, its id, or a row of a frame of history: "
            "found.loc[0]"
        )
    return id


_IDS = ("conversation", "id")

_DIGITS = 4
"""From so many on, digits may be the beginning of an id."""
