"""Addresses of Redis: which are taken, and how they are shown: without their password."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

__all__ = ["cache_setting", "is_redis", "password_of", "redis_url", "shown"]

_USABLE = (
    "must be like redis://HOST:6379/0, redis://USER:PASSWORD@HOST:6379/0, or rediss:// with TLS"
)
_PASSWORD = re.compile(r"(://[^:/@\s]*:)\S*@")
_SWITCH = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
"""pydantic's words for them: with a text allowed as well, it would take them for texts."""


def is_redis(value: object) -> bool:
    """True for the address of a Redis, of whatever quality."""
    return isinstance(value, str) and value.startswith(("redis://", "rediss://"))


def redis_url(given: Any) -> str | None:
    """The address, checked; None for nothing.

    Raises:
        ValueError: it is none, or redis is not installed; the message repeats none of it.

    Example:
        >>> redis_url(" redis://localhost:6379/0 ")
        'redis://localhost:6379/0'
    """
    text = given.strip() if isinstance(given, str) else given
    if text is None or text == "":
        return None
    if not is_redis(text) or not _is_whole(text):
        raise ValueError(_USABLE)
    if find_spec("redis") is None:
        raise ValueError("needs a package: pip install 'chat-magics[redis]'")
    return str(text)


def cache_setting(given: Any) -> bool | str:
    """On, off, or the address of a Redis.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> cache_setting("off"), cache_setting(True)
        (False, True)
    """
    if isinstance(given, bool):
        return given
    word = str(given).strip().lower()
    if word in _SWITCH:
        return _SWITCH[word]
    if is_redis(word):
        return redis_url(given) or False
    raise ValueError("must be true, false, or the address of a Redis such as redis://HOST:6379/0")


def shown(value: object) -> str:
    """A value as it may be seen: the password of an address in it is not.

    Example:
        >>> shown("rediss://me:p@ss@host:6380/0"), shown(True)
        ('rediss://me:***@host:6380/0', 'True')
    """
    return _PASSWORD.sub(r"\1***@", str(value))


def password_of(value: object) -> list[str]:
    """The password in the address of a Redis, as it is written and as it is meant."""
    if not is_redis(value):
        return []
    written = urlsplit(str(value)).password
    return [written, unquote(written)] if written else []


def _is_whole(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and not parts.fragment and _is_database(parts) and _only_tls(parts)


def _is_database(parts: SplitResult) -> bool:
    return parts.path in ("", "/") or parts.path[1:].isdecimal()


def _only_tls(parts: SplitResult) -> bool:
    """Whether the query says how TLS is done and nothing else: time limits are ours."""
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    tls = parts.scheme == "rediss" and all(name.startswith("ssl_") for name in names)
    return tls or not parts.query
