"""ServeSettings: who may come in, how many at once, and under which name the app is served."""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from typing_extensions import Self

from ..config import from_environment
from ..errors import ConfigError
from ..private_files import private_folder

__all__ = ["Auth", "Network", "ServeSettings", "serve_settings"]

Auth = Literal["none", "token", "proxy"]
SHORTEST_SECRET = 16
"""Characters of what signs the cookies: who guesses it is whoever they like."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ServeSettings(BaseSettings):
    """What `chat-magics serve` is given, on its line or as `CHAT_MAGICS_SERVE_…`.

    Example:
        >>> ServeSettings(host="0.0.0.0", auth="token", token="let-me-in").base_url
        '/'
    """

    model_config = SettingsConfigDict(
        env_prefix="CHAT_MAGICS_SERVE_",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="address to listen at")
    port: int = Field(8866, ge=0, le=65535, description="0 takes a free one")
    base_url: str = Field("/", description="path of the app, such as /chat/ behind a proxy")
    auth: Auth | None = Field(
        None, description="none, token or proxy; unset: token where there is one, else none"
    )
    token: SecretStr | None = Field(None, description="what admits; shared by all who may come in")
    open_to_anyone: bool = Field(
        False, description="serve other machines without authentication: whoever comes spends"
    )
    identity_header: str = Field(
        "X-Forwarded-User", description="where a proxy names the person (auth proxy)"
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        (ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("::1")),
        description="networks whose word about a person and an address is believed",
    )
    allow_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="other origins whose pages may use the app, such as https://example.org"
    )
    frame_ancestors: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="origins that may show the app in a frame; its own always may"
    )
    max_sessions: int = Field(20, ge=1, description="pages open at a time, 100 MB each")
    idle_minutes: float = Field(60, gt=0, description="an open page that does nothing is ended")
    page_loads_per_minute: int = Field(30, ge=1, description="from one address")
    preheated: int = Field(1, ge=0, le=20, description="kernels that wait for the next visitors")
    own_key: bool = Field(False, description="a field for a key of one's own, for that page only")
    max_body_mb: int = Field(12, ge=1, description="largest request body and websocket message")
    drain_seconds: float = Field(
        30, ge=0, description="after SIGTERM, replies under way may end for so long"
    )
    max_batch: int = Field(100, ge=1, description="prompts of one /api/batch-query")
    cookie_secret: SecretStr | None = Field(
        None, description="signs who is who; unset: made once and kept in home"
    )

    @field_validator("base_url")
    @classmethod
    def _path_is_whole(cls, path: str) -> str:
        inner = path.strip("/")
        if not all(character.isalnum() or character in "-._~/" for character in inner):
            raise ValueError("must be a path such as /chat/")
        return f"/{inner}/" if inner else "/"

    @field_validator("trusted_proxies", "allow_origins", "frame_ancestors", mode="before")
    @classmethod
    def _commas(cls, given: Any) -> Any:
        if isinstance(given, str):
            return tuple(each.strip() for each in given.split(",") if each.strip())
        return given

    @field_validator("allow_origins", "frame_ancestors")
    @classmethod
    def _origins_are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin == "*":
                raise ValueError(
                    "* would let any page use the cookies of who is signed in: name the origins"
                )
            scheme, _, host = origin.partition("://")
            if scheme not in ("http", "https") or not host or set(host) & set("/?#@ ;,'\""):
                raise ValueError(f"{origin!r} is no origin: write it like https://example.org")
        return origins

    @field_validator("token", "cookie_secret")
    @classmethod
    def _empty_is_unset(cls, secret: SecretStr | None) -> SecretStr | None:
        text = secret.get_secret_value().strip() if secret else ""
        return SecretStr(text) if text else None

    @field_validator("cookie_secret")
    @classmethod
    def _is_no_word(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"must have {SHORTEST_SECRET} characters at least, at random")
        return secret

    @model_validator(mode="after")
    def _door_is_shut(self) -> Self:
        if self.auth == "token" and self.token is None:
            raise ValueError("auth token needs a token: --token, or CHAT_MAGICS_SERVE_TOKEN_FILE")
        if self.authenticates or self.open_to_anyone or self.on_loopback:
            return self
        raise ValueError(
            f"{self.host} can be reached by others, and who comes in spends the server's key: "
            "give --token or --auth proxy, or say --open-to-anyone"
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Takes values from `serve_settings` alone, which knows files of secrets as well."""
        return (init_settings,)

    @property
    def authenticates(self) -> bool:
        """True where not everybody who reaches the port may come in."""
        return self.auth == "proxy" or (self.token is not None and self.auth != "none")

    @property
    def on_loopback(self) -> bool:
        """True where only this machine can reach the port."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def public_names(self) -> list[str]:
        """Under which host names a server on loopback is reached as well, through a proxy."""
        return [str(urlsplit(origin).hostname) for origin in self.allow_origins]

    def trusts(self, address: str) -> bool:
        """True where a request from this address comes through a proxy of ours."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(found in network for network in self.trusted_proxies)

    def secret(self, home: Path) -> bytes:
        """What signs the cookies; made at the first use, and kept where it was not given.

        Args:
            home: the folder that keeps it, in a file of its owner's only.

        Raises:
            ConfigError: that file is there and holds none, as after a full disk.
        """
        if self.cookie_secret is not None:
            return self.cookie_secret.get_secret_value().encode()
        path = private_folder(home) / "cookie_secret"
        if not path.exists():
            made = path.with_name(f"cookie_secret.{os.getpid()}")
            with open(made, "w", opener=_private) as file:
                file.write(secrets.token_hex(32))
            with suppress(FileExistsError):  # a server beside this one was quicker
                os.link(made, path)
            made.unlink()
        kept = path.read_bytes()
        if len(kept) < SHORTEST_SECRET:
            raise ConfigError(f"{path} holds no secret: remove it, and a new one is made")
        return kept


def serve_settings(arguments: Mapping[str, Any]) -> ServeSettings:
    """The settings of a server: what was given, then the environment, then the defaults.

    Raises:
        ConfigError: one of them does not make sense; the message says which and why.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        return ServeSettings(**{**from_environment(ServeSettings), **given})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = str(first["msg"]).removeprefix("Value error, ")
        name = f"{first['loc'][0]}: " if first["loc"] else ""
        raise ConfigError(f"{name}{said[:1].lower()}{said[1:]}") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
