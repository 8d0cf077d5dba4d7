"""What every test stands on: a home of its own, no settings from outside, and a model server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.chat_server import ChatServer
from tests.lab_fixtures import browser, lab, model
from tests.place_fixtures import history, place, postgres
from tests.redis_fixtures import redis, unhurried
from tests.shell import Shell

__all__ = [
    "browser",
    "history",
    "home",
    "lab",
    "model",
    "place",
    "postgres",
    "priced",
    "redis",
    "server",
    "shell",
    "unhurried",
]

settings.register_profile("untimed", deadline=None)  # a slow machine is no failure
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; the environment of who runs the tests neither helps nor harms."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "CHAT_MAGICS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("CHAT_MAGICS_HOME", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A model server; the test fails where a request was not what OpenAI's types allow."""
    with ChatServer() as started:
        yield started
    assert started.violations == []


@pytest.fixture
def priced(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings that lead to the tests' server by a proxy: elsewhere than here a model has a price.

    What a server on one's own machine costs is not known.
    """
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    return {"base_url": "http://models.example/v1", "model": "gpt-4o-mini"}


@pytest.fixture
def streams() -> Path:
    """The folder of recorded streams of real servers."""
    return Path(__file__).parent / "streams"


@pytest.fixture
def shell(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell with the extension, on the tests' server."""
    monkeypatch.setenv("CHAT_MAGICS_WARM_UP", "0")
    monkeypatch.setenv("CHAT_MAGICS_BASE_URL", server.url)
    monkeypatch.setenv("CHAT_MAGICS_MODEL", "test-model")
    shell = Shell()
    shell.run("%load_ext chat_magics")
    # Else the first question waits for imports, and a wait of a second is told in a line.
    shell.ip.chat_magics_extension.magics.session.prepare()
    yield shell
    server.release()
    shell.close()
