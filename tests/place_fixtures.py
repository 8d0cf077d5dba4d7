"""Fixtures of tests of history that hold for a file and for a server alike."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_magics.history import History
from tests.postgres import INSTALL, PostgresServer, programs

__all__ = ["history", "place", "postgres"]

_SERVER = pytest.param(
    "server",
    marks=[pytest.mark.postgres, pytest.mark.skipif(programs() is None, reason=INSTALL)],
)
_NAMES = (f"place{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests that want a database of their own."""
    with PostgresServer() as started:
        yield started


@pytest.fixture(params=["file", _SERVER])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a history is to be kept: a file, and then a database."""
    if request.param == "file":
        return str(tmp_path / "history.db")
    database: str = request.getfixturevalue("postgres").database(next(_NAMES))
    return database


@pytest.fixture
def history(place: str) -> Iterator[History]:
    """An empty history there."""
    opened = History(place, on_warning=pytest.fail)
    yield opened
    opened.close()
