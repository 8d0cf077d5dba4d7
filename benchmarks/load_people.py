"""People who ask, read and think, for a while: each with a page, or by the API."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp

from .app_visitor import PATIENCE, Visitor, visiting

__all__ = ["Spoken", "talk"]

THINKS = 10.0
"""Seconds, in the mean, between the end of a reply and the next prompt."""

RAMP, LASTS = 15.0, 60.0
AT_A_TIME = 3
PROMPTS = (
    "Why does a left join make rows?",
    "Show me some code",
    "What is a table?",
    "Explain the formula",
    "Who are you?",
)


@dataclass
class Spoken:
    """What was said while it counted.

    Args:
        seconds: how long that was.
        first: seconds until the first text, of each reply, by `page` and `api`.
        failed: what went wrong.
    """

    seconds: float = LASTS
    first: dict[str, list[float]] = field(default_factory=lambda: {"page": [], "api": []})
    failed: list[str] = field(default_factory=list)


class _Person(Protocol):
    async def ask(self, prompt: str) -> float:
        """Asks and reads to the end; seconds until the first text."""


class _WithPage:
    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def ask(self, prompt: str) -> float:
        started = time.monotonic()
        await self._visitor.begin(prompt)
        first = time.monotonic() - started
        end = await self._visitor.end()
        if end.get("state") != "complete":
            raise RuntimeError(f"a reply in a page ended as {end}")
        return first


class _ByApi:
    def __init__(self, url: str, browser: aiohttp.ClientSession) -> None:
        self._url = url
        self._browser = browser
        self._session: str | None = None

    async def ask(self, prompt: str) -> float:
        started = time.monotonic()
        first, last = 0.0, ""
        asked = {"prompt": prompt, "session": self._session, "stream": True}
        async with self._browser.post(f"{self._url}api/query", json=asked) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                if line.startswith(b"event: "):
                    last = line.decode().split()[1]
                    if last == "text" and not first:
                        first = time.monotonic() - started
                elif line.startswith(b"data: ") and last == "done":
                    self._session = json.loads(line.removeprefix(b"data: "))["session"]
        if last != "done":
            raise RuntimeError(f"a reply of the API ended with {last}")
        return first


async def talk(
    urls: Sequence[str], *, people: int, pages: int, on_start: Callable[[], object]
) -> Spoken:
    """Opens the pages, lets all begin, and takes down what is said for a minute.

    Args:
        urls: of the servers; a person stays with one.
        people: how many.
        pages: how many of them have a page.
        on_start: called when it begins to count.
    """
    spoken, counts = Spoken(), asyncio.Event()
    async with AsyncExitStack() as visits:
        crowd = await _everybody(urls, people, pages, visits)
        talking = [
            asyncio.create_task(_talks(person, number, spoken, counts))
            for number, person in enumerate(crowd)
        ]
        await asyncio.sleep(RAMP)
        on_start()
        counts.set()
        await asyncio.sleep(spoken.seconds)
        counts.clear()
        for each in talking:
            each.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
    return spoken


async def _everybody(
    urls: Sequence[str], people: int, pages: int, visits: AsyncExitStack
) -> list[_Person]:
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(number: int) -> _Person:
        url = urls[number % len(urls)]
        if number >= pages:
            jar = aiohttp.CookieJar(unsafe=True)
            limit = aiohttp.ClientTimeout(total=PATIENCE)
            browser = aiohttp.ClientSession(cookie_jar=jar, timeout=limit, trust_env=False)
            await visits.enter_async_context(browser)
            await browser.get(f"{url}api/models")
            return _ByApi(url, browser)
        async with turn:
            visitor = await visits.enter_async_context(visiting(url))
            await visitor.ask("Who are you?")
            return _WithPage(visitor)

    return await asyncio.gather(*(one(number) for number in range(people)))


async def _talks(person: _Person, number: int, spoken: Spoken, counts: asyncio.Event) -> None:
    chance = random.Random(number)
    kind = "page" if isinstance(person, _WithPage) else "api"
    await asyncio.sleep(chance.uniform(0, RAMP))
    turn = 0
    while True:
        turn += 1
        prompt = f"{chance.choice(PROMPTS)} ({number}, {turn})"
        try:
            first = await person.ask(prompt)
        except Exception as error:  # noqa: BLE001 - each is a figure of its own
            spoken.failed.append(repr(error))
        else:
            if counts.is_set():
                spoken.first[kind].append(first)
        await asyncio.sleep(chance.uniform(0.5, 1.5) * THINKS)
