"""Conversations and exchanges as JSON values, and back, with what does not fit listed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from chat_magics.attachments import readable_size
from chat_magics.errors import InvalidRequest
from chat_magics.export.transcript import Transcript, Unread
from chat_magics.history.exchange import ConversationRecord, Exchange

__all__ = [
    "FORMAT",
    "VERSION",
    "Parts",
    "attached_line",
    "check_version",
    "conversation_values",
    "exchange_values",
    "in_and_out",
    "transcript_of",
]

FORMAT = "chat_magics"
VERSION = 1
"""Raise it when a file can no longer be read by older releases."""

_ID = re.compile(r"[\w-]{1,32}", re.ASCII)


class Parts(NamedTuple):
    """What was read of one conversation.

    Args:
        transcript: None where nothing could be made of it.
        unread: what is missing from it.
    """

    transcript: Transcript | None
    unread: list[Unread]


def check_version(version: object) -> None:
    """Refuse what a newer release wrote.

    Raises:
        InvalidRequest: it was written by a newer release, or tells no version.
    """
    if not isinstance(version, int) or version < 1:
        raise InvalidRequest("the file tells no version: it was not written by chat_magics")
    if version > VERSION:
        raise InvalidRequest(
            f"the file was written by a newer chat_magics (version {version}, this one knows "
            f"{VERSION}): pip install -U chat-magics"
        )


def conversation_values(record: ConversationRecord) -> dict[str, Any]:
    """A conversation as JSON values, without its owner and origin."""
    return record.model_dump(mode="json", exclude={"owner", "origin"})


def exchange_values(exchange: Exchange, *, terse: bool = False) -> dict[str, Any]:
    """An exchange as JSON values, without its owner and conversation.

    Args:
        exchange: what is written.
        terse: leave out what is as it is by default.
    """
    values = exchange.model_dump(
        mode="json", exclude={"owner", "conversation"}, exclude_defaults=terse
    )
    if terse and exchange.sent == exchange.prompt:
        del values["sent"]
    return values


def attached_line(exchange: Exchange) -> str:
    """What went with the prompt, for a reader; empty where nothing did.

    Example:
        >>> from chat_magics.history import AttachmentInfo
        >>> file = AttachmentInfo(name="a.csv", mime="text/csv", kind="text", size=3)
        >>> asked = {"conversation": "c", "prompt": "Hi", "sent": "Hi", "base_url": "demo"}
        >>> attached_line(Exchange(**asked, model_asked="demo", attachments=(file,)))
        'Attached: a.csv (text, 3 B)'
    """
    files = [f"{f.name} ({f.kind}, {readable_size(f.size)})" for f in exchange.attachments]
    return f"Attached: {', '.join(files)}" if files else ""


def in_and_out(transcript: Transcript) -> tuple[list[Exchange], list[Exchange]]:
    """The exchanges of the path in its order, and all others, oldest first."""
    by_id = {exchange.id: exchange for exchange in transcript.exchanges}
    path = dict.fromkeys(id for id in transcript.conversation.path if id in by_id)
    return [by_id[id] for id in path], [each for each in by_id.values() if each.id not in path]


def transcript_of(where: str, conversation: object, exchanges: Iterable[object]) -> Parts:
    """The conversation that these JSON values describe.

    Args:
        where: names it for a person.
        conversation: what `conversation_values` gave.
        exchanges: what `exchange_values` gave, oldest first.
    """
    record = _valid(ConversationRecord, where, conversation)
    if isinstance(record, Unread):
        return Parts(None, [record])
    found: dict[str, Exchange] = {}
    unread: list[Unread] = []
    for number, values in enumerate(exchanges, 1):
        spot = f"{where}, exchange {number}"
        exchange = _exchange(spot, record.id, values)
        if isinstance(exchange, Unread):
            unread.append(exchange)
        elif exchange.id in found:
            unread.append(Unread(spot, f"the id {exchange.id} stands there twice"))
        else:
            found[exchange.id] = exchange
    path = tuple(id for id in record.path if id in found)
    if len(path) < len(record.path):
        gone = len(record.path) - len(path)
        unread.append(Unread(where, f"{gone} of its path cannot be read: it goes on without"))
        record = record.model_copy(update={"path": path})
    return Parts(Transcript(record, tuple(found.values())), unread)


def _exchange(where: str, conversation: str, values: object) -> Exchange | Unread:
    if isinstance(values, Mapping):
        values = {"sent": values.get("prompt"), **values, "conversation": conversation}
    return _valid(Exchange, where, values)


_Value = TypeVar("_Value", Exchange, ConversationRecord)


def _valid(kind: type[_Value], where: str, values: object) -> _Value | Unread:
    if not isinstance(values, Mapping):
        return Unread(where, "it is not an object of JSON")
    try:
        value = kind.model_validate({**values, "owner": ""})
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        return Unread(where, f"{field}: {first['msg']}" if field else first["msg"])
    if not _ID.fullmatch(value.id):
        return Unread(where, "its id is none of chat_magics")
    return value
