"""Where a new exchange stands in a conversation's path, and what it is sent with. Pure functions.

The path is the ordered list of exchanges that are the context now. What stands in it is what the
reader sees in the notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import NotFound
from ..messages import Image, Message

if TYPE_CHECKING:
    from ..history import Exchange

__all__ = ["Cell", "Place", "branch", "find_place", "messages_of", "stale"]


@dataclass(frozen=True)
class Cell:
    """The cell that asks: its id, and the id of this execution of it."""

    id: str
    execution: str


@dataclass(frozen=True)
class Place:
    """Where a new exchange goes.

    Args:
        before: the exchanges in front of it: its context, oldest first.
        after: those that stay behind it.
        supersedes: the exchange whose place it takes.
        at_once: False where the path changes only when an answer has come, so that a failed
            regenerate or edit leaves the old one standing.
        alone: the new exchange is no part of the path.
    """

    before: tuple[str, ...]
    after: tuple[str, ...] = ()
    supersedes: str | None = None
    at_once: bool = True
    alone: bool = False

    def with_exchange(self, exchange: str) -> tuple[str, ...]:
        """The path with the new exchange in its place."""
        own = () if self.alone else (exchange,)
        return (*self.before, *own, *self.after)


def find_place(
    path: Sequence[str],
    exchanges: Mapping[str, Exchange],
    *,
    cell: Cell | None = None,
    replaces: str | None = None,
    cut: bool = False,
    alone: bool = False,
) -> Place:
    """The place of a new exchange.

    Args:
        path: ids as they are now.
        exchanges: what is known of those.
        cell: the asking cell: its earlier turns leave the path, and the new one stands there;
            further asks of the same execution follow each other.
        replaces: regenerate: the exchange whose place it takes.
        cut: edit: what follows `replaces` leaves the path as well.
        alone: neither sent with the path nor put into it.

    Raises:
        NotFound: what it `replaces` left the path, in every version.
    """
    path = tuple(path)
    if replaces is not None:
        at = _standing(path, exchanges, replaces)
        after = () if cut else path[at + 1 :]
        return Place(path[:at], after, supersedes=path[at], at_once=False)
    return _in_cell(path, exchanges, cell, alone)


def _in_cell(
    path: tuple[str, ...], exchanges: Mapping[str, Exchange], cell: Cell | None, alone: bool
) -> Place:
    """The place of a cell's turn: its earlier turns leave, and those of its execution stay."""
    own = [id for id in path if cell and exchanges[id].cell == cell.id]
    same = [id for id in own if cell and exchanges[id].execution == cell.execution]
    earlier = [id for id in own if id not in same]
    kept = tuple(id for id in path if id not in earlier)
    if alone:
        return Place((), kept, alone=True)
    if same:
        at = kept.index(same[-1]) + 1
    elif earlier:
        at = path.index(earlier[0])
    else:
        at = len(kept)
    return Place(kept[:at], kept[at:], supersedes=earlier[0] if earlier and not same else None)


def _standing(path: Sequence[str], exchanges: Mapping[str, Exchange], id: str) -> int:
    """Where this exchange stands in the path, or what took its place since."""
    for at, version in enumerate(path):
        older: str | None = version
        while older is not None:
            if older == id:
                return at
            older = exchanges[older].supersedes if older in exchanges else None
    raise NotFound("what was to be asked again has left the conversation: bring it back first")


def messages_of(
    before: Sequence[str],
    exchanges: Mapping[str, Exchange],
    system: str | None,
    asked: Message,
    images: Mapping[str, tuple[Image, ...]],
) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """The messages to send, and the ids of the exchanges among them: those that were answered.

    Args:
        before: ids of the exchanges in front of it, oldest first.
        exchanges: what is known of those.
        system: the system prompt, where there is one.
        asked: the prompt as it is sent.
        images: by id, what went with the prompts of those exchanges: the API remembers none.
    """
    context = tuple(id for id in before if exchanges[id].answered)
    messages = [Message(role="system", content=system)] if system else []
    for id in context:
        earlier = Message(role="user", content=exchanges[id].sent, images=images.get(id, ()))
        messages += [earlier, Message(role="assistant", content=exchanges[id].text)]
    return (*messages, asked), context


def branch(
    path: Sequence[str],
    exchanges: Mapping[str, Exchange],
    family: Mapping[str, Exchange],
    chosen: str,
) -> tuple[str, ...]:
    """The path with another version in its place, and with what was said after that one.

    Args:
        path: ids as they are now.
        exchanges: all of the conversation, oldest first.
        family: all versions that ever stood in that place, by id.
        chosen: the version that is to stand there.

    Raises:
        NotFound: none of them stands in the path.
    """
    at = next((at for at, id in enumerate(path) if id in family), None)
    if at is None:
        raise NotFound("no version of this exchange is in the conversation now")
    before, standing, after = tuple(path[:at]), path[at], tuple(path[at + 1 :])
    if standing == chosen:
        return tuple(path)
    asked_with_it = [each for each in exchanges.values() if chosen in each.context]
    if asked_with_it:
        latest = asked_with_it[-1]
        tail = (*latest.context[latest.context.index(chosen) + 1 :], latest.id)
    elif family[chosen].prompt == family[standing].prompt:
        tail = after  # the same was asked again: what follows still makes sense
    else:
        tail = ()
    return (*before, chosen, *(id for id in tail if id not in before))


def stale(path: Sequence[str], exchanges: Mapping[str, Exchange]) -> frozenset[str]:
    """Exchanges of the path that were asked with an older version of what stands before them."""
    found: set[str] = set()
    before: set[str] = set()
    for id in path:
        if any(used not in before for used in exchanges[id].context):
            found.add(id)
        before.add(id)
    return frozenset(found)
