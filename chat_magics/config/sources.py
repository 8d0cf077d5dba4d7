"""Where settings come from, in which order, and which of them may go where.

Argument, then `%config ChatMagics.x`, then the environment, then `.env` in the working folder,
then the system keyring (the key only), then the default. Instead of a variable, the environment may
hold the same name with `_FILE` and the path of a file with the value, as mounted secrets are.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from ..errors import ConfigError
from .policy import under_policy
from .settings import ChatConfig

__all__ = [
    "Sourced",
    "TypedKey",
    "from_environment",
    "key_to_send",
    "may_go",
    "resolve",
    "resolve_sourced",
    "save_key",
]

KEYRING_SERVICE = "chat_magics"
_TYPED = "typed for "

_seen: dict[type[BaseSettings], tuple[dict[str, str], dict[str, Any]]] = {}
"""The environment as it was, and what it holds of some settings: found out in 3 ms."""


@dataclasses.dataclass(frozen=True)
class TypedKey:
    """A key that a person typed for one server.

    Args:
        host: which was named when the key was asked for; it goes nowhere else.
        key: never shown.
    """

    host: str
    key: str = dataclasses.field(repr=False)

    @property
    def source(self) -> str:
        """Where a setting came from that is this key."""
        return f"{_TYPED}{self.host}"


Sourced = Mapping[str, str]
"""Setting name → the words that say where its value came from."""


def resolve(
    arguments: Mapping[str, Any] | None = None,
    notebook: Mapping[str, Any] | None = None,
    *,
    folder: Path | None = None,
) -> ChatConfig:
    """The settings in force.

    Args:
        arguments: what was given in code; wins over all else.
        notebook: what was set by `%config ChatMagics` or `%chat_config`.
        folder: where `.env` is looked for; the working folder by default.

    Raises:
        ConfigError: a setting is unknown or has a value that does not make sense.

    Example:
        >>> resolve({"temperature": 0.2}).temperature
        0.2
    """
    return resolve_sourced(arguments, notebook, folder=folder)[0]


def resolve_sourced(
    arguments: Mapping[str, Any] | None = None,
    notebook: Mapping[str, Any] | None = None,
    *,
    folder: Path | None = None,
    policy: str | None = None,
) -> tuple[ChatConfig, Sourced]:
    """As `resolve`, and where each setting that is not a default came from.

    Args:
        arguments: as for `resolve`.
        notebook: the same.
        folder: the same.
        policy: path of the policy that held before; by default the one the environment names.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, layer in _layers(arguments or {}, notebook or {}, folder):
        for name, value in layer.items():
            if name not in ChatConfig.model_fields:
                raise ConfigError(f"there is no setting {name!r}; %chat_config lists them")
            if value is None or name in values:
                continue
            typed = isinstance(value, TypedKey)
            values[name], sources[name] = (value.key, value.source) if typed else (value, source)
    try:
        config = ChatConfig(**values)
    except ValidationError as error:
        raise ConfigError(_one_line(error, sources)) from None
    if config.api_key is None and config.keyring and (key := _from_keyring(config.host)):
        config = config.model_copy(update={"api_key": SecretStr(key)})
        sources["api_key"] = "keyring"
    return under_policy(config, sources, policy), sources


def _layers(
    arguments: Mapping[str, Any], notebook: Mapping[str, Any], folder: Path | None
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "argument", arguments
    yield "%config", notebook
    yield "environment", from_environment(ChatConfig)
    folder = folder or _working_folder()
    if folder is None:
        return
    dotenv = folder / ".env"
    if dotenv.is_file() and os.access(dotenv, os.R_OK):
        yield ".env in the working folder", _by_field(_dotenv_source(dotenv))


def from_environment(settings: type[BaseSettings]) -> dict[str, Any]:
    """The values of these settings that the environment holds, or files that it names.

    Args:
        settings: a class of settings; a variable with the value goes before a file.

    Raises:
        ConfigError: a file cannot be read, or a value that must be JSON is none.
    """
    held = _in_variables(settings)
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        prefixed = f"{settings.model_config.get('env_prefix', '')}{name}".upper()
        names = alias.choices if isinstance(alias, AliasChoices) else (prefixed,)
        for variable in (f"{each}_FILE" for each in names):
            if name not in held and (path := os.environ.get(variable)):
                held[name] = _content(path, variable)
    return held


def _in_variables(settings: type[BaseSettings]) -> dict[str, Any]:
    environment = dict(os.environ)
    if settings not in _seen or _seen[settings][0] != environment:
        _seen[settings] = environment, _by_field(EnvSettingsSource(settings))
    return dict(_seen[settings][1])


def _content(path: str, variable: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{variable} names a file that cannot be read: {said}") from None


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted, and its .env with it
        return None


def _dotenv_source(path: Path) -> DotEnvSettingsSource:
    try:
        return DotEnvSettingsSource(ChatConfig, env_file=path, env_file_encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8: save it as such, or remove it") from None


def _by_field(source: EnvSettingsSource) -> dict[str, Any]:
    """What a source holds, under the names of the fields instead of their aliases."""
    held: dict[str, Any] = {}
    prefix = source.env_prefix.upper()
    for name, field in source.settings_cls.model_fields.items():
        try:
            value, _, is_complex = source.get_field_value(field, name)
            value = source.prepare_field_value(name, field, value, is_complex)
        except ValueError:
            raise ConfigError(f"{prefix}{name.upper()} must be JSON") from None
        if value is not None and value != "":
            held[name] = value
    return held


def _one_line(error: ValidationError, sources: Mapping[str, str]) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = _field_name(str(first["loc"][0])) if first["loc"] else "settings"
    said = first["msg"].removeprefix("Value error, ")
    return f"{name} ({sources.get(name, 'default')}): {said[:1].lower()}{said[1:]}"


def _field_name(location: str) -> str:
    for name, field in ChatConfig.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices) and location in alias.choices:
            return name
    return location


def _from_keyring(host: str) -> str | None:
    try:
        import keyring  # optional, and 150 ms
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError("keyring is on but not installed: pip install keyring") from None
    try:
        return keyring.get_password(KEYRING_SERVICE, host)
    except KeyringError as error:
        raise ConfigError(
            f"the system keyring cannot be read ({type(error).__name__}): "
            "turn the setting keyring off, and set OPENAI_API_KEY"
        ) from None


def save_key(host: str, key: str) -> None:
    """Puts a key for a host into the system keyring.

    Raises:
        ConfigError: keyring is not installed, or this system has none.
    """
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError("keyring is not installed: pip install keyring") from None
    try:
        keyring.set_password(KEYRING_SERVICE, host, key)
    except KeyringError as error:
        raise ConfigError(f"no system keyring to save to ({type(error).__name__})") from None


def key_to_send(config: ChatConfig, sources: Sourced) -> tuple[str | None, str | None]:
    """The key that may go to `config.base_url`, and why one that is set may not."""
    if config.base_url == "demo" or config.api_key is None:
        return None, None
    if may_go(config, sources, "api_key"):
        return config.api_key.get_secret_value(), None
    source = sources.get("api_key", "default")
    remedy = "set both in the same place"
    if source.startswith(_TYPED):
        remedy = "type one for this server by %chat_config api_key"
    return None, (
        f"the key ({source}) is not sent to {config.host} "
        f"({sources.get('base_url', 'default')}): {remedy}"
    )


def may_go(config: ChatConfig, sources: Sourced, name: str) -> bool:
    """True where the value of a setting may be sent to `config.base_url`.

    It goes to api.openai.com, or to a base_url that was set in the same place: else a URL from a
    file in some folder could collect the key of the environment. The keyring keeps keys by host,
    and one that was typed is for the host that was named.

    Args:
        config: the settings in force.
        sources: where they came from.
        name: of the setting: `api_key`, `organization` or `project`.

    Example:
        >>> config, sources = resolve_sourced({"base_url": "http://localhost/v1", "project": "p"})
        >>> may_go(config, sources, "project"), may_go(config, sources, "organization")
        (True, False)
    """
    if config.base_url == "demo":
        return False
    source = sources.get(name, "default")
    if source.startswith(_TYPED):
        return source == f"{_TYPED}{config.host}"
    return config.at_openai or source in (sources.get("base_url", "default"), "keyring")
