"""SQLAlchemy engines for the three places: a SQLite file, memory, a PostgreSQL server."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from chat_magics.errors import ConfigError

__all__ = [
    "common_engine",
    "file_engine",
    "give_back",
    "memory_engine",
    "read_only_engine",
    "server_engine",
]

BUSY_SECONDS = 30

CONNECTIONS = 8
"""Of one process to one server, at most: an app has a history for each person who asks it."""

SERVER = {
    "application_name": "chat_magics",
    "connect_timeout": 5,
    # Where the machine is gone or the network cut: else a write waits for a quarter of an hour.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""How PostgreSQL is reached where the URL says nothing of it; seconds, and one in ms."""


def file_engine(path: Path, *, checkpoints: bool) -> Engine:
    """The engine of a history file.

    Args:
        path: the file.
        checkpoints: let SQLite merge its write-ahead log by itself, after any commit.
    """
    engine = _sqlite_engine(URL.create("sqlite", database=str(path)))
    # Deleted text is overwritten with zeros: else it stays readable in free parts of the file.
    pragmas = ["synchronous = FULL", "secure_delete = ON"]
    if not checkpoints:
        pragmas.append("wal_autocheckpoint = 0")

    @event.listens_for(engine, "connect")
    def set_pragmas(raw: Any, _record: Any) -> None:
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}")

    return engine


def read_only_engine(path: Path) -> Engine:
    """The engine of a file that is only looked into."""
    place = path.absolute().as_uri()
    return _sqlite_engine(URL.create("sqlite", database=place, query={"mode": "ro", "uri": "true"}))


def memory_engine() -> Engine:
    """The engine of a database in this process's memory."""
    return _sqlite_engine(URL.create("sqlite"))


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def take_over_transactions(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # else the driver begins them, deferred, and writers collide

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get("begin", "BEGIN")
        if statement:
            connection.exec_driver_sql(statement)

    return engine


def server_engine(url: str, silent_seconds: float | None = None) -> tuple[Engine, str]:
    """The engine of a PostgreSQL URL, and the URL as it may be shown: without its password.

    Args:
        url: of a database.
        silent_seconds: how long the server may say nothing; None for what suits a chat.

    Raises:
        ConfigError: the URL cannot be read, or the driver is not installed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(_USABLE) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "postgresql+psycopg":
        raise ConfigError(_USABLE)
    how = {name: value for name, value in SERVER.items() if name not in parsed.query}
    try:
        engine = create_engine(
            parsed,
            connect_args=how,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        from chat_magics.history.patience import PatientConnection  # the driver: 0.2 s
    except ImportError:  # of the driver, or of the library that it is made of
        raise ConfigError(
            "A history in PostgreSQL needs its driver: pip install 'chat-magics[postgres]'"
        ) from None

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: Any, given: Any) -> PatientConnection:
        connection = PatientConnection.connect(*arguments, **given)
        if silent_seconds is not None:
            connection.silent_seconds = silent_seconds
        return connection

    return engine, _shown(parsed)


def common_engine(url: str) -> tuple[Engine, str]:
    """As `server_engine`, and the same one for all who ask until each has given it back."""
    with _lending:
        engine, name, users = _lent.get(url) or (*server_engine(url), 0)
        _lent[url] = engine, name, users + 1
    return engine, name


def give_back(url: str) -> None:
    """Closes the connections of a common engine with its last user."""
    with _lending:
        engine, name, users = _lent.pop(url)
        if users > 1:
            _lent[url] = engine, name, users - 1
            return
    engine.dispose()


_lending = threading.Lock()
_lent: dict[str, tuple[Engine, str, int]] = {}


def _shown(url: URL) -> str:
    """Without what the driver takes from a URL's query, too, where a password may stand."""
    return url.set(query={}).render_as_string(hide_password=True)


_USABLE = "The history's place is a file path, sqlite:///PATH, or postgresql://USER@HOST/DATABASE"
