"""`%chat_doctor`: is everything there that a chat needs? Free checks, and one that costs."""

from __future__ import annotations

import platform
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from ..caption import age
from ..client import Sending
from ..config import key_to_send
from ..conversation import Session
from ..errors import ChatError
from ..messages import ChatRequest, Message
from ..pricing import format_cost, price, source
from ..redis_link import link_to

__all__ = ["Finding", "examine"]

PACKAGES = ("chat-magics", "openai", "aiohttp", "ipython", "ipykernel", "jupyterlab", "pandas")


class Finding(NamedTuple):
    """One check: whether it is well, what was looked at, and what was found."""

    good: bool
    what: str
    said: str


def examine(session: Session, *, ask: bool) -> Iterator[Finding]:
    """Checks one thing after the other; only `ask` sends a request that may cost."""
    yield Finding(True, "versions", ", ".join(_versions()))
    yield _key(session)
    yield from _server(session)
    yield _folder(session)
    yield _history(session)
    yield _cache(session)
    yield _limits(session)
    yield Finding(True, "prices", source())
    if ask:
        yield _asked(session)


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    yield f"SQLite {sqlite3.sqlite_version}"
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} not installed"


def _key(session: Session) -> Finding:
    config, sources = session.config, session.sources
    key, withheld = key_to_send(config, sources)
    if withheld:
        return Finding(True, "key", withheld)
    if key:
        return Finding(True, "key", f"set ({sources.get('api_key')}); sent to {config.host}")
    if config.at_openai:
        return Finding(False, "key", "not set: %chat_config api_key, or %chat_config base_url demo")
    return Finding(True, "key", f"none is sent to {config.host}")


def _server(session: Session) -> Iterator[Finding]:
    config = session.config
    try:
        names = session.loop.run(session.client.models(fresh=True))
    except ChatError as error:
        yield Finding(False, "server", f"{config.base_url}: {error}")
        return
    yield Finding(True, "server", f"{config.base_url} answers and lists {len(names)} models")
    model = session.loop.run(session.client.default_model())
    known = model in names
    listed = ", ".join(names[:5])
    yield Finding(known, "model", model if known else f"{model} is not listed; there are {listed}")


def _folder(session: Session) -> Finding:
    home = session.config.home
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = home / ".probe"
        probe.write_text("", encoding="utf-8")
        probe.unlink()
    except OSError as error:
        return Finding(False, "folder", f"{home} cannot be written ({error.strerror})")
    open_to_others = sys.platform != "win32" and home.stat().st_mode & 0o077
    if open_to_others:
        return Finding(False, "folder", f"{home} can be read by others: chmod 700")
    return Finding(True, "folder", str(home))


def _history(session: Session) -> Finding:
    try:
        history = session.history
        newest = history.load_conversations(limit=1)
    except ChatError as error:
        return Finding(False, "history", str(error))
    last = f", last used {age(newest[0].used)} ago" if newest else ""
    where = history.place if history.durable else "in memory only: what is said now is not kept"
    return Finding(history.durable, "history", f"{where}{last}")


def _cache(session: Session) -> Finding:
    cache = session.client.cache
    if not session.config.cache or cache is None:
        return Finding(True, "cache", "off")
    stats = cache.stats()
    said = f"{stats.entries} replies, {stats.size_bytes / 2**20:.1f} MiB, {stats.faults} faults"
    if session.config.cache_url:
        return _in_redis("cache", session.config.cache_url, said)
    return Finding(not stats.faults, "cache", said)


def _limits(session: Session) -> Finding:
    url = session.config.limits
    if url is None:
        return Finding(True, "limits", "counted over this machine")
    return _in_redis("limits", url, "counted over all machines that use it")


def _in_redis(what: str, url: str, said: str) -> Finding:
    link = link_to(url)
    try:
        link.call(lambda client: client.ping())
    except OSError as error:
        return Finding(False, what, str(error))
    return Finding(True, what, f"in Redis at {link.place}, {said}")


def _asked(session: Session) -> Finding:
    config = session.config
    request = ChatRequest(
        base_url=config.base_url,
        model=session.loop.run(session.client.default_model()),
        messages=(Message(role="user", content="Reply with the word: ready"),),
        api=config.api,
        options=session.default_options(),
        owner=config.owner,
    )
    try:
        completion = session.client.complete(request, Sending(use_cache=False))
    except ChatError as error:
        return Finding(False, "a request", str(error))
    cost = format_cost(price(completion.model, completion.usage, config.base_url))
    tokens = f"{completion.usage.total_tokens} tokens"
    return Finding(True, "a request", f"{completion.latency:.1f} s, {tokens}, {cost}")
