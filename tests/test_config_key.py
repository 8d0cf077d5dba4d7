"""The key: where it may go, and how the system keyring keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import pytest

from chat_magics.config import key_to_send, may_go, resolve_sourced, save_key
from chat_magics.errors import ConfigError

KEY = "sk-canary-0123456789"
OTHER = "http://other.example/v1"


class Drawer(keyring.backend.KeyringBackend):
    """A keyring that forgets at the end of the test."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    before, drawer = keyring.get_keyring(), Drawer()
    keyring.set_keyring(drawer)
    yield drawer
    keyring.set_keyring(before)


@pytest.fixture
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


def set_in(
    source: str, name: str, value: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, str]]:
    """Puts a setting into a source; what is to be handed to `resolve_sourced` for it."""
    if source == "environment":
        monkeypatch.setenv(f"CHAT_MAGICS_{name.upper()}", value)
    if source == ".env":
        with (folder / ".env").open("a", encoding="utf-8") as file:
            file.write(f"CHAT_MAGICS_{name.upper()}={value}\n")
    return {source: {name: value}} if source in ("arguments", "notebook") else {}


SOURCES = ["arguments", "notebook", "environment", ".env"]


@pytest.mark.parametrize("url_from", SOURCES)
@pytest.mark.parametrize("key_from", SOURCES)
def test_a_key_goes_elsewhere_only_with_a_url_of_the_same_source(
    key_from: str, url_from: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, dict[str, str]] = {"arguments": {}, "notebook": {}}
    for source, name, value in ((key_from, "api_key", KEY), (url_from, "base_url", OTHER)):
        for where, held in set_in(source, name, value, tmp_path, monkeypatch).items():
            given[where].update(held)
    key, withheld = key_to_send(*resolve_sourced(**given))
    assert key == (KEY if key_from == url_from else None)
    assert (withheld is None) is (key_from == url_from)
    assert KEY not in (withheld or "")


@pytest.mark.parametrize("url_from", SOURCES)
@pytest.mark.parametrize("name", ["organization", "project"])
def test_organisation_and_project_go_elsewhere_only_with_a_url_of_the_same_source(
    name: str, url_from: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CHAT_MAGICS_{name.upper()}", "canary")
    given = set_in(url_from, "base_url", OTHER, tmp_path, monkeypatch)
    assert may_go(*resolve_sourced(**given), name) is (url_from == "environment")
    monkeypatch.setenv("CHAT_MAGICS_BASE_URL", "demo")
    assert not may_go(*resolve_sourced(), name)
    assert may_go(*resolve_sourced({"base_url": "https://api.openai.com/v1"}), name)


@pytest.mark.parametrize("key_from", SOURCES)
def test_every_key_goes_to_openai(
    key_from: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = set_in(key_from, "api_key", KEY, tmp_path, monkeypatch)
    assert key_to_send(*resolve_sourced(**given)) == (KEY, None)
    given.setdefault("arguments", {})["base_url"] = "https://api.openai.com/v1"
    assert key_to_send(*resolve_sourced(**given)) == (KEY, None)


def test_a_file_in_a_folder_cannot_collect_the_key_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for url in (OTHER, "http://api.openai.com/v1", "https://api.openai.com.evil.example/v1"):
        (tmp_path / ".env").write_text(f"OPENAI_BASE_URL={url}\n")
        key, withheld = key_to_send(*resolve_sourced())
        assert key is None
        assert withheld is not None
        assert "the key (environment) is not sent to" in withheld
        assert ".env in the working folder" in withheld


def test_the_demo_model_gets_no_key() -> None:
    assert key_to_send(*resolve_sourced({"api_key": KEY, "base_url": "demo"})) == (None, None)


def test_a_server_without_a_key_is_asked_without_one() -> None:
    assert key_to_send(*resolve_sourced({"base_url": OTHER})) == (None, None)


def test_the_keyring_is_asked_last_and_only_where_it_is_on(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_key("api.openai.com", KEY)
    assert drawer.held == {("chat_magics", "api.openai.com"): KEY}
    assert resolve_sourced()[0].api_key is None
    config, sources = resolve_sourced({"keyring": True})
    assert (key_to_send(config, sources), sources["api_key"]) == ((KEY, None), "keyring")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    assert key_to_send(*resolve_sourced({"keyring": True}))[0] == "sk-other"


def test_the_keyring_gives_each_host_its_own_key(drawer: Drawer) -> None:
    save_key("other.example", KEY)
    assert key_to_send(*resolve_sourced({"keyring": True, "base_url": OTHER})) == (KEY, None)
    assert key_to_send(*resolve_sourced({"keyring": True})) == (None, None)


@pytest.mark.usefixtures("no_keyring")
def test_a_system_without_a_keyring_is_told_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^the system keyring cannot be read \(NoKeyringError"):
        resolve_sourced({"keyring": True})
    with pytest.raises(ConfigError, match=r"^no system keyring to save to") as caught:
        save_key("api.openai.com", KEY)
    assert KEY not in str(caught.value)
