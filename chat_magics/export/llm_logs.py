"""Reads `logs.db`, the SQLite log of the command line tool `llm` by Simon Willison.

Described by its documentation («Logging to SQLite», with «The message store» and «SQL schema») and
by its migrations, of versions 0.2 to 0.32. The file holds up to three generations of tables, each
read where it is there: `threads`, `turns`, `messages` and `parts` (since 0.32), `conversations` and
`responses` (0.6 to 0.31), `logs` or `log` (before). A conversation that goes on over generations is
one, and what stands in two of them is taken once.

The prompt is what was typed; fragments are in what was sent. A call of the model that answered to
the results of tools is a part of the reply before it. Attachments, calls and results of tools, and
schemas are listed as unread.

The file is opened for reading only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chat_magics.errors import InvalidRequest
from chat_magics.export.foreign import conversation_id, one_line
from chat_magics.export.llm_responses import Responses
from chat_magics.export.llm_tables import Tables
from chat_magics.export.llm_threads import Threads
from chat_magics.export.said import Said, Source, left_out
from chat_magics.export.transcript import Transcript, Unread
from chat_magics.export.tree import transcript

__all__ = ["read", "recognises"]

SQLITE = b"SQLite format 3\0"


def recognises(path: Path, head: bytes) -> bool:
    """True for an SQLite file with the tables of a log.

    Args:
        path: the file.
        head: its first bytes, at least 16.

    Example:
        >>> recognises(Path("x.json"), b"[]")
        False
    """
    if not head.startswith(SQLITE):
        return False
    try:
        with _opened(path) as tables:
            return _Log(tables).is_one
    except InvalidRequest:
        return False


def read(path: Path) -> Iterator[Transcript | Unread]:
    """The conversations of the file, oldest first, and after each what could not be read of it.

    Raises:
        InvalidRequest: the file cannot be opened, is damaged, or is no log of llm.
    """
    with _opened(path) as tables:
        log = _Log(tables)
        if not log.is_one:
            raise InvalidRequest("the file is no log of llm: its tables are not there")
        for number, id in enumerate(log.conversations(), 1):
            title = one_line(log.title(id))
            where = f"conversation {number} «{title}»" if title else f"conversation {number}"
            said = log.said(id)
            source = Source("llm", "llm", conversation_id("llm", id))
            told = transcript(said, source, title=title, tip=log.tip(id))
            yield told or Unread(where, "nobody says anything in it")
            yield from left_out(where, said)


@contextmanager
def _opened(path: Path) -> Iterator[Tables]:
    if not path.is_file():
        raise InvalidRequest("it is no file that can be read")
    try:
        connection = _connected(path)
        try:
            yield Tables(connection)
        finally:
            connection.close()
    except (sqlite3.Error, OverflowError) as error:
        fault = one_line(str(error))
        raise InvalidRequest(f"the file is damaged or no log of llm: {fault}") from None


def _connected(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, even where the folder of a file in WAL mode is read-only."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    ways = [uri] if path.with_name(f"{path.name}-wal").exists() else [uri, f"{uri}&immutable=1"]
    while True:
        connection = sqlite3.connect(ways.pop(0), uri=True)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.Error:
            connection.close()
            if not ways:
                raise
            continue
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        return connection


class _Log:
    """The generations of tables in one file, as one log."""

    def __init__(self, tables: Tables) -> None:
        self._responses = Responses(tables)
        self._threads = Threads(tables)
        self.is_one = self._responses.there or self._threads.there

    def conversations(self) -> list[str]:
        """The ids of all conversations, oldest first."""
        return sorted({*self._threads.times, *self._responses.times}, key=self._begun)

    def _begun(self, id: str) -> tuple[str, str]:
        times = (self._threads.times.get(id), self._responses.times.get(id))
        return min((time for time in times if time), default=""), id

    def title(self, id: str) -> str:
        """What llm calls a conversation."""
        return self._threads.names.get(id) or self._responses.names.get(id) or ""

    def tip(self, id: str) -> str | None:
        """The last message of the branch that is shown; None for the newest one."""
        return self._threads.tip(id)

    def said(self, id: str) -> list[Said]:
        """The messages of a conversation."""
        old = self._responses.said(id, without=self._threads.turns_of(id))
        return self._threads.said(id, old)
