"""A tree of messages, as other tools keep a conversation, told as exchanges, versions and a path.

A prompt and all that follows it up to the next prompt is an exchange. Where the tree branches,
the exchanges of one place are versions: each supersedes the one asked before it. A prompt that
nothing followed is an exchange that was interrupted; a reply that nobody asked for has an empty
prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from chat_magics.export.foreign import EPOCH, exchange_id, joined, one_line, usable
from chat_magics.export.said import Said, Source, kinds
from chat_magics.export.transcript import Transcript
from chat_magics.history.conversations import title_of
from chat_magics.history.exchange import ConversationRecord, Exchange
from chat_magics.messages import Usage

__all__ = ["Grown", "grow", "transcript"]


class Grown(NamedTuple):
    """The exchanges, oldest first, and the ids of those that are the context now."""

    exchanges: tuple[Exchange, ...]
    path: tuple[str, ...]


def grow(said: Iterable[Said], source: Source, tip: str | None = None) -> Grown:
    """A conversation's messages as exchanges.

    Args:
        said: the messages in the order of the source, the parent of each among them.
        source: where they come from.
        tip: the id of the last message of the branch that is shown; None for the newest one.

    Example:
        >>> from chat_magics.export.said import Said, Source
        >>> talk = [
        ...     Said("1", None, "user", "Hello"),
        ...     Said("2", "1", "assistant", "Hi"),
        ...     Said("3", "1", "assistant", "Good day"),
        ... ]
        >>> exchanges, path = grow(talk, Source("a tool", "tool", "c0ffee"), tip="3")
        >>> [(each.prompt, each.text) for each in exchanges]
        [('Hello', 'Hi'), ('Hello', 'Good day')]
        >>> path == (exchanges[1].id,), exchanges[1].supersedes == exchanges[0].id
        (True, True)
    """
    tree = _Tree(said)
    turns = tree.turns()
    made: dict[str, Exchange] = {}
    paths: dict[str | None, tuple[str, ...]] = {None: ()}
    answered: dict[str | None, tuple[str, ...]] = {None: ()}
    for turn in turns:
        before = made[turn.before].ended if turn.before else source.created
        exchange = _exchange(turn, source, before or EPOCH, place=len(paths[turn.before]))
        made[turn.end] = exchange.model_copy(update={"context": answered[turn.before]})
        paths[turn.end] = (*paths[turn.before], exchange.id)
        own = (exchange.id,) if exchange.answered else ()
        answered[turn.end] = answered[turn.before] + own
    _supersede(turns, made)
    newest = max(reversed(turns), key=lambda turn: made[turn.end].created, default=None)
    shown = tree.end_of(tip) or (newest.end if newest else None)
    oldest_first = sorted(made.values(), key=lambda exchange: (exchange.created, exchange.id))
    return Grown(tuple(oldest_first), paths.get(shown, ()))


def transcript(
    said: Iterable[Said], source: Source, *, title: str = "", tip: str | None = None
) -> Transcript | None:
    """The conversation that these messages are; None where nobody said anything.

    Args:
        said: the messages in the order of the source.
        source: where they come from.
        title: what the source calls it; where it does not, the first prompt gives the title.
        tip: the id of the last message of the branch that is shown; None for the newest one.
    """
    exchanges, path = grow(said, source, tip)
    if not exchanges:
        return None
    asked = next((each.prompt for each in exchanges if each.prompt.strip()), "")
    record = ConversationRecord(
        id=source.conversation,
        title=one_line(title) or title_of(asked),
        created=source.created or exchanges[0].created,
        used=exchanges[-1].created,
        path=path,
    )
    return Transcript(record, exchanges)


class _Turn(NamedTuple):
    """A prompt, what follows it, and the ids of its last message and of that of the turn before."""

    prompt: Said | None
    replies: tuple[Said, ...]
    system: str | None
    end: str
    before: str | None
    again: bool


class _Tree:
    """The messages, each after its parent; a parent that is not there, or a circle, is cut."""

    def __init__(self, said: Iterable[Said]) -> None:
        self.nodes: dict[str, Said] = {}
        for each in said:
            self.nodes.setdefault(each.id, each)
        self._parent = _planted(self.nodes)
        self._children: dict[str, list[str]] = {id: [] for id in self.nodes}
        for id, parent in self._parent.items():
            if parent is not None:
                self._children[parent].append(id)
        self._end: dict[str | None, str | None] = {None: None}
        self._before: dict[str | None, str | None] = {None: None}
        self._system: dict[str | None, str | None] = {None: None}
        for id, parent in self._parent.items():
            self._place(self.nodes[id], parent)

    def _place(self, node: Said, parent: str | None) -> None:
        """Tells the last message that counts of its turn, of the turn before, and its system."""
        open_turn = self._end[parent]
        speaks = node.counts and bool(open_turn or node.role == "user" or node.says)
        self._end[node.id] = node.id if speaks else open_turn
        self._before[node.id] = self._end[parent] if node.role == "user" else self._before[parent]
        above = self._system[parent]
        own = node.text if node.role == "system" else ""
        self._system[node.id] = node.system or joined((above or "", own)) or None

    def turns(self) -> list[_Turn]:
        """All turns, each after the one before it."""
        found: dict[str, _Turn] = {}
        prompts: set[str] = set()
        for id in self._parent:
            end = self._end[id]
            follows = [self.nodes[child] for child in self._children[id]]
            last = not follows or any(child.role == "user" for child in follows)
            if end is None or end in found or not last:
                continue
            turn = self._turn(end, self._system[id])
            again = turn.prompt is not None and turn.prompt.id in prompts
            prompts.update({turn.prompt.id} if turn.prompt else ())
            found[end] = turn._replace(again=again)
        return list(found.values())

    def _turn(self, end: str, system: str | None) -> _Turn:
        replies: list[Said] = []
        at: str | None = end
        while at is not None and self.nodes[at].role != "user":
            replies += [self.nodes[at]] if self.nodes[at].counts else []
            at = self._parent[at]
        prompt = self.nodes[at] if at is not None else None
        before = self._before[end]
        return _Turn(prompt, tuple(reversed(replies)), system, end, before, again=False)

    def end_of(self, tip: str | None) -> str | None:
        """The last message of the turn that a message belongs to, on its youngest branch."""
        if tip not in self._parent:
            return None
        at = tip
        while True:
            replies = [c for c in self._children[at] if self.nodes[c].role != "user"]
            if len(replies) < len(self._children[at]) or not replies:
                return self._end[at]
            at = replies[-1]


def _planted(nodes: Mapping[str, Said]) -> dict[str, str | None]:
    """The parent of each message, which stands before it; one in a circle has none."""
    children: dict[str, list[str]] = {id: [] for id in nodes}
    for id, node in nodes.items():
        if node.parent in children:
            children[node.parent].append(id)
    first = [id for id, node in nodes.items() if node.parent not in nodes]
    parents: dict[str, str | None] = {}
    for root in (*first, *nodes):
        pending: list[tuple[str, str | None]] = [(root, None)]
        while pending:
            id, parent = pending.pop()
            if id not in parents:
                parents[id] = parent
                pending += [(child, id) for child in reversed(children[id])]
    return parents


def _exchange(turn: _Turn, source: Source, before: datetime, place: int) -> Exchange:
    prompt = turn.prompt or Said("", None, "user")
    created, ended = _times(turn, before)
    said = (prompt, *turn.replies)
    spoken = [each for each in turn.replies if each.text] or turn.replies
    last = spoken[-1] if spoken else None
    model = next((usable(each.model) for each in reversed(turn.replies) if each.model), None)
    asked = next((usable(each.asked) for each in said if each.asked), None)
    latencies = [each.latency for each in turn.replies if each.latency is not None]
    return Exchange(
        id=exchange_id(source.conversation, turn.end, created, place),
        conversation=source.conversation,
        prompt=usable(prompt.text),
        sent=usable(prompt.text if prompt.sent is None else prompt.sent),
        system=usable(turn.system) if turn.system else None,
        status=last.status if last else "interrupted",
        created=created,
        ended=ended,
        base_url=source.place,
        model_asked=asked or source.asked,
        model=model,
        options={name: value for each in said for name, value in each.options.items()},
        text=usable(joined(each.text for each in turn.replies)),
        reasoning=usable(joined(each.reasoning for each in turn.replies)),
        finish_reason=_finish_reason(last),
        usage=_sum(turn.replies),
        latency=sum(latencies) if latencies else None,
        attempts=1 if turn.replies else 0,
        notes=_notes(turn, source),
    )


def _finish_reason(last: Said | None) -> str | None:
    """As it was told; `unknown` is not «may be cut», which a reply without one is taken for."""
    if last is None or last.status != "complete":
        return None
    return usable(last.finish_reason) if last.finish_reason else "unknown"


def _times(turn: _Turn, before: datetime) -> tuple[datetime, datetime]:
    """When it was asked, and when the reply ended; what is not known is that of what stands next.

    A reply that took another's place was asked for when it began.
    """
    said = [*([turn.prompt] if turn.prompt and not turn.again else []), *turn.replies]
    times = [each.created for each in said if each.created]
    created = times[0] if times else before
    if turn.again and turn.prompt and turn.prompt.created:
        created = max(created, turn.prompt.created)
    ends = [each.ended or each.created for each in turn.replies]
    return created, max([created, *(end for end in ends if end)])


def _notes(turn: _Turn, source: Source) -> tuple[str, ...]:
    said = (*((turn.prompt,) if turn.prompt else ()), *turn.replies)
    missing = ", ".join(kinds(said))
    told = [note for each in said for note in each.notes]
    if missing:
        told.append(f"left out: {missing}")
    if turn.prompt is None:
        told.append("nobody asked for it")
    return (f"imported from {source.tool}", *(usable(note) for note in dict.fromkeys(told)))


def _sum(replies: Iterable[Said]) -> Usage | None:
    total: Usage | None = None
    for each in replies:
        if each.usage is not None:
            total = each.usage if total is None else total + each.usage
    return total


def _supersede(turns: Iterable[_Turn], made: dict[str, Exchange]) -> None:
    """Each exchange takes the place of the one that was asked in its place before."""
    places: dict[str | None, list[str]] = {}
    for turn in turns:
        places.setdefault(turn.before, []).append(turn.end)
    for ends in places.values():
        ends.sort(key=lambda end: made[end].created)
        for older, newer in pairwise(ends):
            made[newer] = made[newer].model_copy(update={"supersedes": made[older].id})
