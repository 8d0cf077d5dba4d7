"""Settings: which source wins, what is told of it, and what is refused in which words."""

from __future__ import annotations

import inspect
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from chat_magics.config import OPENAI_URL, ChatConfig, default_home, resolve, resolve_sourced
from chat_magics.errors import ConfigError

KEY = "sk-canary-0123456789"


def write_dotenv(folder: Path, *lines: str) -> None:
    (folder / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")


def refusal(arguments: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(arguments)
    return str(caught.value)


def test_nothing_is_set_and_so_everything_is_the_default(home: Path) -> None:
    config, sources = resolve_sourced()
    assert dict(sources) == {"home": "environment"}  # which the tests' own fixture set
    assert config == ChatConfig.model_validate({"home": home})
    assert (config.base_url, config.model, config.api_key) == (OPENAI_URL, None, None)


def test_each_source_wins_over_those_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(arguments: Any = None, notebook: Any = None) -> tuple[str | None, str | None]:
        config, sources = resolve_sourced(arguments, notebook)
        return config.model, sources.get("model")

    assert found() == (None, None)
    write_dotenv(tmp_path, "CHAT_MAGICS_MODEL=file")
    assert found() == ("file", ".env in the working folder")
    monkeypatch.setenv("CHAT_MAGICS_MODEL", "env")
    assert found() == ("env", "environment")
    assert found(None, {"model": "note"}) == ("note", "%config")
    assert found({"model": "arg"}, {"model": "note"}) == ("arg", "argument")


def test_each_setting_is_taken_from_the_place_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dotenv(tmp_path, "CHAT_MAGICS_API=responses", "CHAT_MAGICS_MODEL=lost")
    monkeypatch.setenv("CHAT_MAGICS_MODEL", "env")
    config, sources = resolve_sourced({"temperature": 0.5}, {"cache": False})
    assert (config.api, config.model, config.temperature) == ("responses", "env", 0.5)
    assert sources == {
        "temperature": "argument",
        "cache": "%config",
        "home": "environment",
        "model": "environment",
        "api": ".env in the working folder",
    }


def test_what_is_none_or_empty_in_one_source_is_looked_for_in_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_MAGICS_MODEL", "")
    assert resolve_sourced({"model": None}, {"model": "note"})[1]["model"] == "%config"
    assert resolve().model is None


@pytest.mark.parametrize(
    "given",
    [
        {"options": {"messages": 3}},
        {"options": {"temperature": 9}},
        {"system": "a\ud800"},
        {"model": "a\0b"},
    ],
)
def test_what_no_request_could_be_sent_with_is_refused_as_a_setting(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"\(%config\): ") as refused:
        resolve(notebook=given)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("OPENAI_API_KEY", "api_key"),
        ("CHAT_MAGICS_API_KEY", "api_key"),
        ("OPENAI_BASE_URL", "base_url"),
        ("CHAT_MAGICS_BASE_URL", "base_url"),
        ("OPENAI_ORG_ID", "organization"),
        ("OPENAI_PROJECT_ID", "project"),
    ],
)
def test_the_names_of_the_openai_package_are_understood(
    monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    monkeypatch.setenv(variable, "https://value/v1")
    config, sources = resolve_sourced()
    assert sources[name] == "environment"
    value = getattr(config, name)
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    assert plain == "https://value/v1"


def test_our_own_name_wins_over_that_of_the_openai_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://theirs/v1")
    monkeypatch.setenv("CHAT_MAGICS_BASE_URL", "https://ours/v1")
    assert resolve().host == "ours"


@pytest.mark.parametrize("variable", ["API_KEY", "BASE_URL", "PROJECT", "ORGANIZATION", "MODEL"])
def test_variables_of_other_programs_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "https://value/v1")
    write_dotenv(tmp_path, f"{variable}=https://value/v1")
    assert set(resolve_sourced()[1]) == {"home"}


def test_lists_and_options_are_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_MAGICS_OPTIONS", '{"seed": 7}')
    monkeypatch.setenv("CHAT_MAGICS_FALLBACK_MODELS", '["a", "b"]')
    assert resolve().options == {"seed": 7}
    assert resolve().fallback_models == ("a", "b")
    monkeypatch.setenv("CHAT_MAGICS_OPTIONS", f"{{{KEY}")
    assert refusal({}) == "CHAT_MAGICS_OPTIONS must be JSON"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"temperature": 3}, "temperature (argument): input should be less than or equal to 2"),
        ({"temperature": float("nan")}, "temperature (argument): input should be"),
        ({"max_attempts": 0}, "max_attempts (argument): input should be greater than or equal"),
        ({"total_timeout": 0}, "total_timeout (argument): input should be greater than 0"),
        ({"api": KEY}, "api (argument): input should be 'chat' or 'responses'"),
        ({"cache": KEY}, "cache (argument): must be true, false, or the address of a Redis"),
        ({"options": {"a": object()}}, "options (argument): input"),
        ({"api_key": KEY + " x"}, "api_key (argument): holds a space or a character"),
        ({"api_key": KEY + "ü"}, "api_key (argument): holds a space or a character"),
        ({"api_key": KEY + "\x01"}, "api_key (argument): holds a space or a character"),
        ({"api_key": KEY + "\x7f"}, "api_key (argument): holds a space or a character"),
        ({"fallback_models": []}, "fallback_models (argument): must name one model at"),
        ({"modell": KEY}, "there is no setting 'modell'; %chat_config lists them"),
    ],
)
def test_a_bad_value_is_one_clear_line_without_the_value(
    arguments: dict[str, Any], said: str
) -> None:
    message = refusal(arguments)
    assert message.startswith(said)
    assert KEY not in message
    assert "\n" not in message


def test_a_bad_value_says_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dotenv(tmp_path, "CHAT_MAGICS_MAX_TOKENS=many")
    assert refusal({}).startswith("max_tokens (.env in the working folder): input should be")
    monkeypatch.setenv("OPENAI_BASE_URL", "host/v1")
    monkeypatch.setenv("CHAT_MAGICS_MAX_TOKENS", "5")
    assert refusal({}) == "base_url (environment): must be like https://host/v1, or demo"


def test_a_dotenv_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"OPENAI_API_KEY=\xff\xfe")
    assert "is not UTF-8" in refusal({})


def test_the_dotenv_of_another_folder_is_not_read(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    write_dotenv(tmp_path, "CHAT_MAGICS_MODEL=above")
    assert resolve(folder=below).model is None
    assert resolve(folder=tmp_path).model == "above"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://host/v1/", "https://host/v1"),
        (" http://127.0.0.1:8000/v1 ", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("demo", "demo"),
    ],
)
def test_a_url_is_kept_without_what_surrounds_it(given: str, kept: str) -> None:
    assert resolve({"base_url": given}).base_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "host/v1",
        "ftp://host/v1",
        "https://",
        "https:///v1",
        "https://user:pw@host/v1",
        "https://host/v1?key=x",
        "https://host/v1#x",
        "http://[::1/v1",
        "http://host:port/v1",
        "http://host:99999/v1",
        "http://ho st/v1",
        "http://ho\0st/v1",
        "",
    ],
)
def test_a_url_that_leads_nowhere_is_refused_before_anything_is_sent(url: str) -> None:
    assert refusal({"base_url": url}).startswith("base_url (argument): ")


@pytest.mark.parametrize(
    ("url", "at_openai", "on_loopback"),
    [
        ("https://api.openai.com/v1", True, False),
        ("HTTPS://API.OPENAI.COM/v1", True, False),
        ("http://api.openai.com/v1", False, False),
        ("https://api.openai.com.evil.example/v1", False, False),
        ("https://evil.example/api.openai.com", False, False),
        ("http://127.8.0.1/v1", False, True),
        ("http://localhost:1/v1", False, True),
        ("http://[::1]/v1", False, True),
        ("http://localhost.evil.example/v1", False, False),
        ("http://10.0.0.1/v1", False, False),
        ("demo", False, True),
    ],
)
def test_the_host_is_known_for_what_it_is(url: str, at_openai: bool, on_loopback: bool) -> None:
    config = resolve({"base_url": url})
    assert (config.at_openai, config.on_loopback) == (at_openai, on_loopback)


def test_the_key_is_shown_nowhere() -> None:
    config, sources = resolve_sourced({"api_key": f" {KEY}\n"})
    assert config.api_key is not None
    assert config.api_key.get_secret_value() == KEY
    shown = [repr(config), str(config), config.model_dump_json(), repr(config.model_dump())]
    shown += [json.dumps(config.model_dump(mode="json")), repr(sources)]
    shown += [refusal({"api_key": KEY, "temperature": 9})]
    assert [text for text in shown if KEY in text] == []


def test_an_empty_key_is_none() -> None:
    assert resolve({"api_key": "  "}).api_key is None


def test_a_config_cannot_be_changed_and_travels() -> None:
    config = resolve({"model": "m"})
    with pytest.raises(ValueError, match="frozen"):
        config.model = "n"
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.skipif(sys.platform == "win32", reason="a working folder cannot be deleted there")
def test_a_working_folder_that_was_deleted_has_no_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert resolve({"model": "m"}).model == "m"


def test_every_setting_says_what_it_means() -> None:
    assert [n for n, field in ChatConfig.model_fields.items() if not field.description] == []
    assert inspect.getdoc(ChatConfig)


def test_the_home_is_moved_by_one_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_MAGICS_HOME", "~/chats")
    assert resolve().home == tmp_path / "chats"
    monkeypatch.delenv("CHAT_MAGICS_HOME")
    assert resolve().home == default_home()
    assert default_home().name == "chat_magics"


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY_FILE", "CHAT_MAGICS_API_KEY_FILE"])
def test_a_secret_may_stand_in_a_file_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    (tmp_path / "key").write_text("sk-from-a-file\n")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "key"))
    config, sources = resolve_sourced(folder=tmp_path)
    assert config.api_key is not None
    assert config.api_key.get_secret_value() == "sk-from-a-file"
    assert sources["api_key"] == "environment"


def test_a_value_goes_before_the_file_of_the_same_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "model").write_text("from-the-file")
    monkeypatch.setenv("CHAT_MAGICS_MODEL_FILE", str(tmp_path / "model"))
    assert resolve(folder=tmp_path).model == "from-the-file"
    monkeypatch.setenv("CHAT_MAGICS_MODEL", "from-the-value")
    assert resolve(folder=tmp_path).model == "from-the-value"


def test_a_file_of_a_secret_that_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHAT_MAGICS_HISTORY_FILE", str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="CHAT_MAGICS_HISTORY_FILE names a file that cannot be"):
        resolve(folder=tmp_path)
