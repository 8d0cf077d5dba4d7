"""What the database's errors mean: a file that cannot be used, or something to tell the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from chat_magics.errors import StoreAway, StoreError

__all__ = ["FileUnusable", "translated"]


class FileUnusable(StoreError):
    """The history file cannot be used: the chat goes on in memory.

    Args:
        message: what is wrong with it, as the end of a sentence: `is read-only`.
        damaged: True where its content is broken and it is to be set aside.
    """

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged


AWAY_SECONDS = 3.0
"""After so long a server that restarts may answer again."""

# SQLite's own words, since its error codes are on the exception from Python 3.11 only.
_FILE_FAULTS = (
    ("database or disk is full", "cannot be written: the disk is full", False),
    ("disk I/O error", "cannot be written: the disk or quota is full, or the disk fails", False),
    ("readonly database", "is read-only", False),
    ("unable to open database file", "cannot be opened: check the folder's rights", False),
    ("database disk image is malformed", "is damaged", True),
    ("malformed database schema", "is damaged", True),
    ("file is not a database", "is not a history file, or is damaged", True),
    ("Could not decode to UTF-8", "is damaged", True),
)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise our own errors for those of the driver and the file system.

    Args:
        name: the file or server, as it is shown to a person.
    """
    try:
        yield
    except DBAPIError as error:
        raise _meaning(error, name) from error
    except OSError as error:
        raise FileUnusable(f"cannot be written: {error.strerror or error}") from error


def _meaning(error: DBAPIError, name: str) -> StoreError:
    words = str(error.orig).strip().partition("\n")[0]
    for fragment, meaning, damaged in _FILE_FAULTS:
        if fragment in words:
            return FileUnusable(meaning, damaged=damaged)
    if "database is locked" in words:
        return StoreError(f"Another process keeps {name} locked: try again, or end that kernel")
    if _is_away(error):
        return StoreAway(
            f"The history {name} does not answer: {words}. What was kept is safe; try again in a "
            "moment",
            retry_after=AWAY_SECONDS,
            transient=True,
        )
    if isinstance(error, IntegrityError):
        return StoreError(f"The history {name} already holds that: {words}")
    return StoreError(f"The history {name} does not work: {words}; check it and try again")


def _is_away(error: DBAPIError) -> bool:
    """True where a server broke off, cannot be reached, or goes down or comes up just now."""
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError):
        return False
    code = getattr(error.orig, "sqlstate", "")
    # None where no connection could be made: then the server gave no code (SQLSTATE) either.
    return code is None or str(code).startswith(_TRANSIENT)


_TRANSIENT = ("08", "53", "57P")
"""Classes of PostgreSQL: the connection, resources such as connections, an operator's doing."""
