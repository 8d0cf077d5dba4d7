"""A store that goes on in memory when its file fails; it decides that, warns once, saves rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from chat_magics.errors import ConfigError, StoreError
from chat_magics.history.faults import FileUnusable
from chat_magics.history.salvage import rescue, set_aside
from chat_magics.history.store import Store, open_file, open_memory, open_server

__all__ = ["ResilientStore", "file_of"]

T = TypeVar("T")


class ResilientStore:
    """Reads and writes in turns, in a file, on a server, or in memory when the file fails.

    Args:
        place: a file path, `sqlite:///PATH`, `sqlite://` or a `postgresql://` URL.
        on_warning: called with one line when the store goes on in memory.
        replenish: adds to a store in memory what its caller knows and the file may not give.
    """

    def __init__(
        self,
        place: str,
        *,
        on_warning: Callable[[str], None],
        replenish: Callable[[Connection], None],
    ) -> None:
        self._on_warning = on_warning
        self._replenish = replenish
        self._turn = threading.Lock()
        self._closed = False
        self._durable = True
        self._store = self._open(place)

    @property
    def durable(self) -> bool:
        """False where the rows live in this process's memory only."""
        return self._durable

    @property
    def on_server(self) -> bool:
        """True where they are on a server, which other machines may use as well."""
        return self._durable and self._store.path is None

    @property
    def name(self) -> str:
        """Where the rows are, for a person."""
        return self._store.name

    @property
    def path(self) -> Path | None:
        """The SQLite file that the rows are in; None in memory and on a server."""
        return self._store.path

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads.

        Raises:
            StoreError: closed, or the server does not answer.
        """
        return self._run(lambda store: store.read(work))

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, its changes committed. Where the file fails, it runs once more.

        Raises:
            StoreError: closed, or the server does not answer.
        """
        return self._run(lambda store: store.write(work))

    def scrub(self) -> None:
        """Let nothing that was deleted be read from the files any more.

        Raises:
            StoreError: closed, or the server does not answer.
        """
        self._run(lambda store: store.scrub())

    def close(self) -> None:
        """Close what is open; a second call does nothing."""
        with self._turn:
            if not self._closed:
                self._closed = True
                self._store.close()

    def _run(self, use: Callable[[Store], T]) -> T:
        with self._turn:
            if self._closed:
                raise StoreError("This history is closed: open a new one")
            try:
                return use(self._store)
            except FileUnusable as fault:
                failed = self._store
                if failed.path is None:
                    raise
                self._store = self._in_memory(failed.path, fault, failed)
                return use(self._store)

    def _open(self, place: str) -> Store:
        if place.startswith("sqlite:"):
            place = file_of(place)
        elif "://" in place:
            return open_server(place)
        if place in ("", ":memory:"):
            self._durable = False
            return open_memory()
        path = Path(place).expanduser()
        try:
            return open_file(path)
        except FileUnusable as fault:
            return self._in_memory(path, fault, None)

    def _in_memory(self, path: Path, fault: FileUnusable, failed: Store | None) -> Store:
        memory = open_memory()
        saved = rescue(path, memory)
        memory.write(self._replenish)
        if failed is not None:
            failed.close()
        self._durable = False
        self._on_warning(
            f"The chat history {path} {fault.message}. This session's chats are kept in memory "
            f"only, with {saved} earlier exchanges. {_what_next(path, fault)}"
        )
        return memory


def file_of(url: str) -> str:
    """The path in a SQLite URL, taken as it stands; nothing for a database in memory."""
    if url == "sqlite://":
        return ""
    if not url.startswith("sqlite:///"):
        raise ConfigError(f"{url} is not a place for a history: write sqlite:///PATH")
    return url.removeprefix("sqlite:///")


def _what_next(path: Path, fault: FileUnusable) -> str:
    if not fault.damaged:
        return "Mend that and restart the kernel"
    try:
        aside = set_aside(path)
    except OSError as error:
        return f"Move the file away ({error.strerror or error}) and restart the kernel"
    return f"The file was set aside as {aside.name}; after a restart a new one is made"
