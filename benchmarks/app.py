"""What the app costs: time and bytes of its page, memory of a session, many sessions at once."""

from __future__ import annotations

import asyncio
from statistics import median

from .app_crowd import Crowd, stream_at_once
from .app_page import browser, loaded, needed
from .app_server import HELLO, PANEL, Served, app, bare
from .app_visitor import visiting
from .pairs import Row, in_turns, row
from .place import Place

__all__ = ["crowd", "load", "memory", "page"]

SESSIONS = 30
REPLY = "tokens=500"
_BOX = ".ct-root textarea"
_BUTTON = ".jupyter-button"


def page(place: Place) -> list[Row]:
    """From the request for the page to its box, against Voilà's own with one button."""
    with bare(place, HELLO) as floor, app(place) as ours, browser() as chromium:
        pairs = in_turns(
            lambda: loaded(chromium, floor, _BUTTON),
            lambda: loaded(chromium, ours, _BOX),
            pairs=7,
        )
    what = "page request to usable panel, preheated, against a bare Voilà page with a button"
    return [row(what, pairs, at_most=1.3, unit="s")]


def load(place: Place) -> list[Row]:
    """Bytes of the first page, against the same panel in Voilà as it is."""
    with bare(place, PANEL) as floor, app(place) as ours, browser() as chromium:
        pairs = in_turns(
            lambda: needed(chromium, floor, _BOX),
            lambda: needed(chromium, ours, _BOX),
            pairs=1,
            warm=0,
        )
    what = "bytes of the first page load, against the panel's notebook in Voilà by default"
    return [row(what, pairs, at_most=0.4, unit="kB", factor=1e-3)]


def memory(place: Place) -> list[Row]:
    """RSS of a session's kernel over one with a button in bare Voilà."""
    with bare(place, HELLO) as floor, app(place) as ours:
        found = [
            (*asyncio.run(_resident(floor)), *asyncio.run(_resident(ours, REPLY))) for _ in range(3)
        ]
    floor_mb, before, after = (median(each) for each in zip(*found, strict=True))
    return [
        _over(floor_mb, before, "before the first question", 10),
        _over(floor_mb, after, "after it", 70),
    ]


async def _resident(served: Served, prompt: str = "") -> tuple[float, ...]:
    """MB of a kernel whose page is open, and after a question."""
    await asyncio.to_thread(served.rest)
    async with visiting(served.url) as visitor:
        await asyncio.to_thread(served.rest)
        sizes = [served.memory(visitor.kernel)]
        if prompt:
            await visitor.ask(prompt)
            await asyncio.to_thread(served.rest)
            sizes.append(served.memory(visitor.kernel))
    return tuple(sizes)


def _over(floor: float, ours: float, when: str, most: float) -> Row:
    what = f"RSS of a session's kernel {when}, over a bare one with a button"
    more = ours - floor
    return Row(what, f"{floor:.1f} MB", f"{ours:.1f} MB", more, most, more <= most, unit="MB")


def crowd(place: Place) -> list[Row]:
    """Many sessions that stream at once: whether each ends well, and how the server fares."""
    told = ("--max-sessions", str(SESSIONS + 10), "--preheated", "2")
    with app(place, *told) as served:
        seen = asyncio.run(stream_at_once(served, SESSIONS))
    return _crowded(seen)


def _crowded(seen: Crowd) -> list[Row]:
    what = f"{SESSIONS} sessions streaming at once"
    replies = f"{seen.tokens:,} tokens in {seen.seconds:.0f} s"
    unanswered, slowest = len(seen.unanswered), max(seen.probes) * 1000
    opening = f"{max(seen.opening) * 1000:.0f} ms while pages opened"
    probes = f"{len(seen.probes)} probes, the slowest {slowest:.0f} ms; {opening}"
    lag = seen.lag_p99 * 1000
    return [
        Row(f"{what}: replies that failed", "–", replies, seen.failed, 0, not seen.failed),
        Row("the same: `/healthz` unanswered", "–", probes, unanswered, 0, not unanswered),
        Row(
            "the same: the server's loop late, p99",
            "–",
            f"{lag:.0f} ms",
            lag,
            100,
            lag < 100,
            unit="ms",
        ),
    ]
