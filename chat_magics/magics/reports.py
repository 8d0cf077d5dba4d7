"""The small magics: models, new, open, cache, doctor. Each prints a short text."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from IPython.core.error import UsageError

from ..conversation import Conversation, Session
from ..display.show import printable
from ..errors import ChatError, NotFound
from ..history import Exchange
from ..pricing import format_cost
from ..redis_link import place_of
from .doctor import examine

__all__ = ["cache", "doctor", "models", "new", "reopen"]


def models(session: Session, line: str) -> None:
    """Prints the models of the server, the configured one marked."""
    _no_words("chat_models", line)
    session.refresh()
    note = ""
    try:
        names = session.loop.run(session.client.models(fresh=True))
        if not names:
            raise NotFound(f"{session.config.host} lists no model")
    except ChatError as error:
        names = list(session.config.fallback_models)
        note = f"the server cannot be asked ({error}); these are the configured ones"
    chosen = session.config.model
    lines = [f"{'*' if name == chosen else ' '} {name}" for name in names]
    _print(*lines, *([f"Note: {note}"] if note else []))
    if chosen and chosen not in names:
        _print(f"Note: the configured model, {chosen}, is not among them")


def new(session: Session, line: str) -> None:
    """Starts a new conversation."""
    session.refresh()
    name = _unquoted(line)
    session.conversation = Conversation(name or None, session=session)
    _print(f"A new conversation{f', {name}' if name else ''}. The one before is kept.")


def reopen(session: Session, line: str) -> None:
    """Opens a conversation, or lists those that can be."""
    session.refresh()
    if line:
        record = session.listing.find(_unquoted(line))
        session.conversation = Conversation.open(record.id, session=session)
        opened = session.conversation
        exchanges = opened.exchanges()
        _print(f"Opened {opened.name or opened.record.title}, {_count(exchanges)}.")
        if exchanges:
            last = exchanges[-1]
            _print(f"Last: > {_start(last.prompt)}", f"      {_start(last.text or '(no reply)')}")
        return
    records = session.history.load_conversations(limit=20)
    if not records:
        _print("There is no conversation yet.")
    session.listing.shown(record.id for record in records)
    for row, record in enumerate(records):
        named = f"{record.name}: " if record.name else ""
        used = f"{record.used:%Y-%m-%d %H:%M} UTC"
        _print(f"{row:>3}  {record.id[:8]}  {used}  {named}{record.title or ''}")


def cache(session: Session, line: str) -> None:
    """Prints what the cache holds and what it saved; or empties it."""
    session.refresh()
    stored = session.client.cache
    assert stored is not None
    if line == "--clear":
        _print(f"{stored.clear()} cached replies are gone.")
        return
    _no_words("chat_cache", line, "--clear")
    stats = stored.stats()
    saved = session.history.saved()
    url = session.config.cache_url
    where = f"in Redis at {place_of(url)}" if url else f"of {session.config.cache_mb}"
    _print(
        f"{stats.entries} replies, {stats.size_bytes / 2**20:.1f} MiB {where}",
        f"this kernel: {stats.hits} hits, {stats.misses} misses, {stats.faults} faults",
        f"saved so far: {format_cost(saved)}",
        "" if session.config.cache else "The cache is off: %chat_config cache true",
    )


def doctor(session: Session, line: str) -> None:
    """Prints what was checked and what to do about what is wrong."""
    _no_words("chat_doctor", line, "--ask")
    session.refresh()
    for finding in examine(session, ask=line == "--ask"):
        _print(f"{'ok  ' if finding.good else 'MEND'}  {finding.what}: {finding.said}")


def _no_words(magic: str, line: str, known: str = "") -> None:
    if line not in ("", known):
        also = f" but {known}" if known else ""
        raise UsageError(f"%{magic} takes nothing{also}, not {line!r}")


def _unquoted(name: str) -> str:
    """The name without the quotes around it, which `%%chat --conversation` needs for blanks."""
    quoted = len(name) > 1 and name[0] == name[-1] and name[0] in "'\""
    return name[1:-1] if quoted else name


def _count(exchanges: Sequence[Exchange]) -> str:
    return "1 exchange" if len(exchanges) == 1 else f"{len(exchanges)} exchanges"


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 72 else line[:71] + "…"


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines if line))
