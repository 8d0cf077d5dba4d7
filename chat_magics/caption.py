"""The quiet line under a reply: model, tokens, seconds, cost, cache state, what went otherwise."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .history import Exchange

__all__ = ["age", "ago", "caption", "heading"]

RECENT_DAYS = 30
"""After so many days the date says more than their number."""

_CUTS = {
    None: "may be cut",
    "length": "cut at max_tokens",
    "content_filter": "held back by the content filter",
    "tool_calls": "asked for a tool",
}
_ENDINGS = {
    "stopped": "stopped",
    "interrupted": "interrupted",
    "error": "failed",
    "streaming": "streaming",
}


def caption(exchange: Exchange, *, dated: bool = False) -> str:
    """One line about a finished exchange.

    Args:
        exchange: how it ended is told where it was not as usual.
        dated: for a file: when it was asked, no ages, and what went wrong.

    Example:
        >>> from chat_magics.history import Exchange
        >>> done = Exchange(
        ...     conversation="c", prompt="Hi", sent="Hi", base_url="demo", model_asked="demo",
        ...     model="demo", status="stopped", latency=1.25, text="Hel", cost=0.0,
        ... )
        >>> caption(done)
        'demo · 1.2 s · $0 · stopped'
    """
    when = f"{exchange.created:%Y-%m-%d %H:%M} UTC" if dated else ""
    parts = [exchange.model or exchange.model_asked, when, _tokens(exchange)]
    if exchange.latency is not None:
        parts.append(_seconds(exchange.latency))
    if exchange.answered:
        parts.append(_cost(exchange))
    if exchange.cached and exchange.stored_at:
        parts.append("cached" if dated else f"cached {age(exchange.stored_at)} ago")
    if exchange.status in _ENDINGS:
        parts.append(_ENDINGS[exchange.status])
    else:
        parts += [_CUTS.get(exchange.finish_reason, ""), "" if exchange.answered else "empty reply"]
    if exchange.wasted:
        parts.append("asked again")
    elif exchange.attempts > 1:
        parts.append(f"{exchange.attempts} attempts")
    if dated and exchange.error:
        parts.append(exchange.error)
    return " · ".join(" ".join(part.split()) for part in parts if part)


def heading(name: str | None, title: str) -> str:
    """What a conversation is shown as, in one line.

    Example:
        >>> heading(None, "Why does a left join make more rows?")
        'Why does a left join make more rows?'
    """
    return " ".join((name or title).split()) or "Conversation"


def age(since: datetime) -> str:
    """How long ago, in one unit.

    Example:
        >>> age(datetime.now(timezone.utc))
        '0 s'
    """
    seconds = max(0, int((datetime.now(timezone.utc) - since).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def ago(since: datetime) -> str:
    """When it was, true in every time zone: the person's may not be the kernel's.

    Example:
        >>> ago(datetime.now(timezone.utc))
        'just now'
        >>> ago(datetime(2024, 3, 5, 23, 59, tzinfo=timezone.utc))
        '2024-03-05'
    """
    seconds = (datetime.now(timezone.utc) - since).total_seconds()
    if seconds >= RECENT_DAYS * 86400:
        return f"{since.astimezone(timezone.utc):%Y-%m-%d}"
    return f"{age(since)} ago" if seconds >= 60 else "just now"


def _tokens(exchange: Exchange) -> str:
    usage = exchange.usage
    if usage is None:
        return ""
    about = "about " if usage.estimated else ""
    return f"{about}{usage.prompt_tokens:,} → {usage.completion_tokens:,} tokens"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def _cost(exchange: Exchange) -> str:
    from .pricing import format_cost  # prices load after the first text

    cost = format_cost(exchange.cost)
    if exchange.saved:
        return f"{cost} (saved {format_cost(exchange.saved)})"
    estimated = exchange.usage is not None and exchange.usage.estimated and exchange.cost
    return f"about {cost}" if estimated else cost
