"""ChatConfig: every setting with its type, default and meaning. Where values come from: sources."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, JsonValue, PrivateAttr, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ..attachments import Limits
from ..checks import check_options, check_text
from ..errors import InvalidRequest
from .policy import Policy
from .redis_url import cache_setting, redis_url

__all__ = ["OPENAI_URL", "PREFIX", "ChatConfig", "default_home", "is_sendable"]

OPENAI_URL = "https://api.openai.com/v1"
PREFIX = "CHAT_MAGICS_"


def _also(name: str, openai_name: str) -> AliasChoices:
    # Not the bare name: API_KEY and PROJECT of an environment belong to other programs.
    return AliasChoices(PREFIX + name.upper(), openai_name)


class ChatConfig(BaseSettings):
    """All settings of a session, checked; made by `resolve`, changed by making a new one.

    Example:
        >>> ChatConfig(model="demo", base_url="demo").model
        'demo'
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        validate_default=False,
    )

    api_key: SecretStr | None = Field(
        None,
        validation_alias=_also("api_key", "OPENAI_API_KEY"),
        description="the key; sent to api.openai.com, or to a base_url set in the same place",
    )
    base_url: str = Field(
        OPENAI_URL,
        validation_alias=_also("base_url", "OPENAI_BASE_URL"),
        description="where the model server is; `demo` is the built-in demo model",
    )
    organization: str | None = Field(
        None,
        validation_alias=_also("organization", "OPENAI_ORG_ID"),
        description="OpenAI organisation; sent with the key, under the same rule",
    )
    project: str | None = Field(
        None,
        validation_alias=_also("project", "OPENAI_PROJECT_ID"),
        description="OpenAI project; sent with the key, under the same rule",
    )
    keyring: bool = Field(False, description="keep the key in the system keyring")
    model: str | None = Field(
        None, description="the model; unset: gpt-5.6-luna at OpenAI, elsewhere the first listed"
    )
    fallback_models: tuple[str, ...] = Field(
        ("gpt-5.6-luna", "gpt-4o-mini"),
        description="listed where the server cannot be asked",
    )
    api: Literal["chat", "responses"] = Field(
        "chat", description="the API spoken: chat completions or responses"
    )
    system: str | None = Field(None, description="the system prompt")
    temperature: float | None = Field(None, ge=0, le=2, description="0 to 2; unset: not sent")
    max_tokens: int | None = Field(None, ge=1, description="longest reply, in tokens")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="further options of the API, sent as they are"
    )
    max_prompt_chars: int = Field(5000, ge=1, description="longest prompt, characters as typed")
    max_attachment_kb: int = Field(
        256, ge=1, description="largest text file that goes with a prompt, kB"
    )
    max_image_mb: int = Field(8, ge=1, description="largest image that goes with a prompt, MB")
    connect_timeout: float = Field(10.0, gt=0, description="seconds to reach the server")
    stall_timeout: float = Field(120.0, gt=0, description="longest gap between bytes, seconds")
    total_timeout: float = Field(600.0, gt=0, description="seconds a reply may take in all")
    max_attempts: int = Field(4, ge=1, le=20, description="requests for one reply, at most")
    max_retry_seconds: float = Field(120.0, ge=0, description="seconds for all retries together")
    max_wait: float = Field(60.0, ge=0, description="longest single wait, seconds")
    transport: Literal["auto", "aiohttp", "httpx"] = Field(
        "auto", description="HTTP below the openai client; auto: aiohttp where installed"
    )
    cache: bool | str = Field(
        True,
        repr=False,  # a URL may hold a password
        description="answer equal requests from the cache; "
        "redis://HOST:6379/0 keeps it there, for several machines",
    )
    cache_ttl: float = Field(3600.0, gt=0, description="seconds that a cached reply is good for")
    cache_mb: int = Field(256, ge=1, description="size limit of the cache, MiB; not in Redis")
    limits: str | None = Field(
        None,
        repr=False,
        description="redis://HOST:6379/0 counts limits over several machines; "
        "unset: over this machine, in home",
    )
    requests_per_minute: int | None = Field(
        None, ge=1, description="limit over all kernels; unset: none"
    )
    tokens_per_minute: int | None = Field(
        None, ge=1, description="limit of each run over rows, prompts and replies; unset: none"
    )
    requests_per_minute_per_address: int | None = Field(
        None, ge=1, description="the same for all who ask from one address, in the app; unset: none"
    )
    answers_at_once: int | None = Field(
        None, ge=1, description="replies under way at a time for one owner; unset: any number"
    )
    max_limit_wait: float = Field(
        60.0, ge=0, description="longest wait for one of these limits of ours, seconds"
    )
    tokens_per_day: int | None = Field(None, ge=1, description="budget of tokens a day (UTC)")
    dollars_per_day: float | None = Field(None, gt=0, description="budget of dollars a day (UTC)")
    tokens_per_conversation: int | None = Field(None, ge=1, description="the same, a conversation")
    dollars_per_conversation: float | None = Field(None, gt=0, description="the same, in dollars")
    log_content: bool = Field(False, description="write prompts and replies into the log as well")
    traces: bool = Field(
        False, description="send spans to the collector that the OTEL_ variables name"
    )
    owner: str = Field("", description="whose conversations these are, where several people share")
    address: str = Field("", description="where the owner asks from, as the app knows it")
    history: str | None = Field(
        None,
        repr=False,  # a URL may hold a password
        description="SQLAlchemy URL or path of the history; unset: history.db in home",
    )
    home: Path = Field(
        default_factory=lambda: default_home(), description="folder of history, cache and logs"
    )
    warm_up: bool = Field(
        True,
        description="import the heavy parts while the kernel is idle; "
        "looked at when the extension is loaded, and not in `.env`",
    )

    _policy: Policy | None = PrivateAttr(default=None)

    @field_validator("api_key")
    @classmethod
    def _key_is_sendable(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value().strip() if key else ""
        if not is_sendable(text):
            raise ValueError("holds a space or a character that a key cannot have")
        return SecretStr(text) if text else None

    @field_validator("base_url")
    @classmethod
    def _url_is_complete(cls, url: str) -> str:
        url = url.strip().rstrip("/")
        if url == "demo":
            return url
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be like https://host/v1, or demo")
        if not url.isprintable() or " " in url or not _has_good_port(url):
            raise ValueError("holds a character or a port that a URL cannot have")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must hold no user, password, query or fragment")
        return url

    @field_validator("model", "system", "organization", "project")
    @classmethod
    def _empty_is_unset(cls, text: str | None) -> str | None:
        return (text or "").strip() or None

    @field_validator("cache", mode="before")
    @classmethod
    def _cache_is_a_switch_or_a_place(cls, given: Any) -> bool | str:
        return cache_setting(given)

    @field_validator("limits", mode="before")
    @classmethod
    def _limits_are_in_redis(cls, given: Any) -> str | None:
        return redis_url(given)

    @field_validator("model", "system")
    @classmethod
    def _text_can_be_sent(cls, text: str | None) -> str | None:
        with _as_value_error():
            check_text(text or "", "it")
        return text

    @field_validator("options")
    @classmethod
    def _options_can_be_sent(cls, options: dict[str, JsonValue]) -> dict[str, JsonValue]:
        with _as_value_error():
            check_options(options)
        return options

    @field_validator("fallback_models")
    @classmethod
    def _names_are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        stripped = tuple(name.strip() for name in names)
        if not all(stripped) or not stripped:
            raise ValueError("must name one model at least, and hold no empty name")
        return stripped

    @field_validator("home")
    @classmethod
    def _home_of_user(cls, home: Path) -> Path:
        return home.expanduser()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Takes values from `resolve` alone, which knows where each came from."""
        return (init_settings,)

    @property
    def policy(self) -> Policy | None:
        """What who runs this machine allows; None where nothing is ruled."""
        return self._policy

    def under(self, policy: Policy, bounded: Iterable[str]) -> ChatConfig:
        """The same settings under a policy.

        Args:
            policy: that holds.
            bounded: the settings that take its value.
        """
        values = {name: policy.rules.number(name) for name in bounded}
        config = self.model_copy(update=values)
        config._policy = policy
        return config

    def ruled_for(self, owner: str | None) -> ChatConfig:
        """The same settings with the policy's rules for somebody; as they are for None.

        Args:
            owner: who asks, where a server asks for many people.
        """
        if self._policy is None or owner is None:
            return self
        return self.under(self._policy.of(owner), ())

    def allowed(self, models: Iterable[str]) -> list[str]:
        """Those of the models that may be asked."""
        policy = self._policy
        return [name for name in models if policy is None or policy.allows(name)]

    @property
    def file_limits(self) -> Limits:
        """How large a file that goes with a prompt may be."""
        return Limits(self.max_attachment_kb * 1_000, self.max_image_mb * 1_000_000)

    @property
    def cache_url(self) -> str | None:
        """The Redis that keeps the cache; None where it is on this machine, or off."""
        return self.cache if isinstance(self.cache, str) else None

    @property
    def host(self) -> str:
        """Host name of the model server, or `demo`."""
        return urlsplit(self.base_url).hostname or self.base_url

    @property
    def at_openai(self) -> bool:
        """True where the server is OpenAI's own, and nobody can listen on the way to it."""
        return self.host == "api.openai.com" and urlsplit(self.base_url).scheme == "https"

    @property
    def on_loopback(self) -> bool:
        """True where the server is on this machine, so that no proxy stands between."""
        if self.host in ("demo", "localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@contextmanager
def _as_value_error() -> Iterator[None]:
    try:
        yield
    except InvalidRequest as error:
        raise ValueError(error.message) from None


def is_sendable(key: str) -> bool:
    """True where a key can stand in an HTTP header: printable ASCII without spaces.

    Example:
        >>> is_sendable("sk-0123"), is_sendable("sk 0123"), is_sendable("sk-\x7f")
        (True, False, False)
    """
    return all("!" <= character <= "~" for character in key)


def _has_good_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def default_home() -> Path:
    """The user data folder of this system; `CHAT_MAGICS_HOME` moves it."""
    from platformdirs import user_data_path  # only where nobody moved it

    return user_data_path("chat_magics", appauthor=False)
