"""The magics over what is stored: history, conversations, search. They give frames."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..conversation import Conversation, Session
from ..display.show import printable
from ..frames.shown import shown
from ..history.filters import Filter
from . import lines
from .arguments import words_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..history import ConversationRecord

__all__ = ["conversations", "history", "search"]


def _filters(parsed: argparse.Namespace) -> dict[str, Any]:
    """The filters of a line, checked before anything is printed or read."""
    given = {name: getattr(parsed, name) for name in lines.FILTERS}
    Filter(**given)
    return {name: value for name, value in given.items() if value is not None}


def history(session: Session, line: str) -> DataFrame:
    """The messages of a conversation, or of all; above them what they are, and what is stale."""
    session.refresh()
    parsed = lines.history().parse(line)
    filters, name = _filters(parsed), " ".join(parsed.name)
    if parsed.all:
        if name:
            raise UsageError("%chat_history --all is all of it: name no conversation")
        return shown("messages", session.history.messages(**filters))
    conversation = Conversation.open(name, session=session) if name else session.conversation
    if not conversation.path:
        _print("Nothing was said yet in this conversation.")
    else:
        _tell(conversation)
    found = session.history.messages(exchanges=conversation.path, **filters)
    return shown("messages", found)


def _tell(conversation: Conversation) -> None:
    record = conversation.record
    title = record.name or record.title
    _print(f"{title} ({record.id[:8]}), {_counted(len(record.path))}")
    for id in (id for id in record.path if id in conversation.stale()):
        at = record.path.index(id) + 1
        _print(f"Exchange {at} is stale: an earlier cell changed since it was asked.")


def search(session: Session, line: str) -> DataFrame:
    """What was found; `%chat_open` takes its row numbers."""
    session.refresh()
    if not line:
        raise UsageError("what is to be found? %chat_search left join since:2026-01")
    found = session.history.search(line)
    _note(found)
    session.listing.shown(found["conversation"])
    if not len(found):
        _print("Nothing was found.")
    return shown("search", found)


def conversations(session: Session, line: str) -> DataFrame | None:
    """The conversations as a frame; or one of them is opened, renamed, tagged, deleted."""
    session.refresh()
    words = words_of(line)
    if words and words[0] in _ACTIONS:
        _ACTIONS[words[0]](session, words[1:])
        return None
    if words and not words[0].startswith("-"):
        known = ", ".join(_ACTIONS)
        raise UsageError(f"%chat_conversations knows no {words[0]!r}; it knows {known}")
    found = session.history.conversations(**_filters(lines.conversations().parse(line)))
    session.listing.shown(found["id"])
    return shown("conversations", found)


def _open(session: Session, words: list[str]) -> None:
    from .reports import reopen

    reopen(session, _one(session, words, "open NAME"))


def _rename(session: Session, words: list[str]) -> None:
    if len(words) != 2:
        raise UsageError("%chat_conversations rename NAME NEW: quote a name that has blanks")
    record = session.listing.find(words[0])
    renamed = session.history.rename(record.id, words[1])
    session.listing.changed(renamed)
    _print(f"{record.name or record.title} is now called {renamed.name}.")


def _tag(session: Session, words: list[str]) -> None:
    _retag(session, words, "tag", session.history.tag)


def _untag(session: Session, words: list[str]) -> None:
    _retag(session, words, "untag", session.history.untag)


def _retag(
    session: Session, words: list[str], verb: str, change: Callable[..., ConversationRecord]
) -> None:
    if len(words) < 2:
        raise UsageError(f"%chat_conversations {verb} NAME TAG ...")
    record = change(session.listing.find(words[0]).id, *words[1:])
    session.listing.changed(record)
    _print(f"{record.name or record.title}: {', '.join(record.tags) or 'no tags'}")


def _delete(session: Session, words: list[str]) -> None:
    sure = "--yes" in words
    name = _one(session, [word for word in words if word != "--yes"], "delete NAME")
    record = session.listing.find(name)
    number = len(session.history.load_exchanges(record.id))
    title = record.name or record.title
    if not sure and not _confirmed(
        f"Delete «{title}» with {_counted(number)}? It cannot be undone"
    ):
        _print("Nothing was deleted.")
        return
    session.listing.delete(record.id)
    _print(f"«{title}» is deleted, with {_counted(number)}.")


def _confirmed(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        raise UsageError("Nothing was deleted.") from None
    except (EOFError, RuntimeError, NotImplementedError):
        raise UsageError(f"{question}: nobody can be asked here; add --yes") from None


def _one(session: Session, words: list[str], usage: str) -> str:
    if not words:
        raise UsageError(f"%chat_conversations {usage}")
    return " ".join(words)


_ACTIONS: dict[str, Callable[[Session, list[str]], None]] = {
    "open": _open,
    "rename": _rename,
    "tag": _tag,
    "untag": _untag,
    "delete": _delete,
}


def _counted(number: int) -> str:
    return "1 exchange" if number == 1 else f"{number:,} exchanges"


def _note(frame: Any) -> None:
    if note := frame.attrs.get("note"):
        _print(f"Note: {note}")


def _print(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
