"""Rows of the transcript: what of an exchange is shown, as plain values for the view."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from chat_magics.attachments import Attachment
from chat_magics.caption import caption
from chat_magics.history import AttachmentInfo, Exchange
from chat_magics.markdown import MarkdownStream

__all__ = ["Row", "common_units", "families", "files_shown", "rendered", "row_of"]


@dataclass
class Row:
    """One prompt and its reply, as the view shows them.

    Args:
        id: of the exchange.
        prompt: as typed.
        blocks: safe HTML of the reply, block by block.
        caption: the quiet line.
        notes: what a reader must be told.
        state: `queued`, `streaming`, `complete`, `stopped`, `interrupted` or `error`.
        error: what went wrong, and what to do.
        versions: the number of this one among those of its place, from 1, and how many there are.
        surface: where it was asked.
        stale: it was asked with an older version of what stands before it.
        truncated: the reply was cut.
        attachments: name, kind and size of each file that went with the prompt.
    """

    id: str
    prompt: str
    blocks: list[str] = field(default_factory=list)
    caption: str = ""
    notes: list[str] = field(default_factory=list)
    state: str = "queued"
    error: str | None = None
    versions: tuple[int, int] = (1, 1)
    surface: str = "panel"
    stale: bool = False
    truncated: bool = False
    attachments: list[dict[str, Any]] = field(default_factory=list)

    def as_message(self) -> dict[str, Any]:
        """As the view takes it."""
        return asdict(self)

    @property
    def units(self) -> int:
        """How long its HTML is, as JavaScript counts."""
        return sum(len(html.encode("utf-16-le")) // 2 for html in self.blocks)

    def settle(self, exchange: Exchange) -> None:
        """Takes in how the exchange ended."""
        self.caption = caption(exchange)
        self.notes = list(exchange.notes)
        self.state = exchange.status
        self.error = exchange.error
        self.truncated = exchange.truncated


def rendered(text: str) -> list[str]:
    """A whole reply as blocks of safe HTML, the same that streaming it gives.

    Example:
        >>> rendered("# Hello\\n\\nworld")
        ['<h1>Hello</h1>\\n', '<p>world</p>\\n']
    """
    stream = MarkdownStream(math="mathml")
    stream.feed(text)
    return [block.html for block in stream.finish()]


def row_of(exchange: Exchange, *, versions: tuple[int, int] = (1, 1), stale: bool = False) -> Row:
    """The row of an exchange that is stored."""
    row = Row(
        id=exchange.id,
        prompt=exchange.prompt,
        blocks=rendered(exchange.text),
        versions=versions,
        surface=exchange.surface,
        stale=stale,
        attachments=files_shown(exchange.attachments),
    )
    row.settle(exchange)
    return row


def files_shown(files: Iterable[Attachment | AttachmentInfo]) -> list[dict[str, Any]]:
    """What a row tells of the files that went with its prompt."""
    return [{"name": file.name, "kind": file.kind, "size": file.size} for file in files]


def families(exchanges: Iterable[Exchange]) -> Mapping[str, Sequence[str]]:
    """For each exchange the ids of all that ever stood in its place, oldest first.

    Args:
        exchanges: all of a conversation, oldest first.
    """
    first: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for exchange in exchanges:
        older = exchange.supersedes
        head = first.get(older, older) if older in first else exchange.id
        assert head is not None
        first[exchange.id] = head
        members.setdefault(head, []).append(exchange.id)
    return {id: members[head] for id, head in first.items()}


def common_units(old: str, new: str) -> int:
    """How much of the beginning is the same, in UTF-16 units, as JavaScript counts.

    Example:
        >>> common_units("a😀b", "a😀c")
        3
    """
    same = os.path.commonprefix([old, new])  # noqa: RUF071 - of characters is what is meant
    return len(same) + sum(1 for character in same if character > "\uffff")
