"""What a streamed reply costs without a display: its first token, each token, and a long one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chat_magics import Conversation, Session

from .pairs import GROWTH_RATE, LONG, SHORT, Row, in_turns, per_further_token, row
from .place import KEY, Place
from .server import MODEL

__all__ = ["first_token", "growth", "paced_token", "token"]


@contextmanager
def _session(place: Place) -> Iterator[Session]:
    session = Session(place.settings())
    try:
        yield session
    finally:
        session.close()


def first_token(place: Place) -> list[Row]:
    """Time to the first token of a server that takes 200 ms, against the raw async client."""
    prompt = "tokens=20 first=0.2"
    loop = asyncio.new_event_loop()
    from openai import AsyncOpenAI  # here, so that nothing else pays for it

    client = AsyncOpenAI(api_key=KEY, base_url=place.url)
    try:
        with _session(place) as session:
            pairs = in_turns(
                lambda: loop.run_until_complete(_first_of_openai(client, prompt)),
                lambda: _first_of_ours(session, prompt),
                pairs=25,
                warm=2,
            )
        loop.run_until_complete(client.close())
    finally:
        loop.close()
    what = "time to first token, warm, server's after 200 ms, against raw `AsyncOpenAI`"
    return [row(what, pairs, at_most=1.05, unit="ms", factor=1000)]


async def _first_of_openai(client, prompt: str) -> float:
    started, first = time.perf_counter(), 0.0
    stream = await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": prompt}], stream=True
    )
    async for chunk in stream:
        if not first and chunk.choices and chunk.choices[0].delta.content:
            first = time.perf_counter() - started
    return first


def _first_of_ours(session: Session, prompt: str) -> float:
    started, first = time.perf_counter(), 0.0
    for _ in Conversation(session=session).ask(prompt, refresh=True):
        first = first or time.perf_counter() - started
    return first


def token(place: Place) -> list[Row]:
    """CPU of one streamed token, as fast as the client takes them."""
    what = "CPU per streamed token, history on, server unpaced, against the openai client's stream"
    return [_per_token(place, what, "tokens=20000", 20_000, pairs=5, at_most=0.25)]


def paced_token(place: Place) -> list[Row]:
    """CPU of one streamed token at a real pace, where waking up costs more than reading."""
    what = "the same at 100 tokens/s"
    return [_per_token(place, what, "tokens=400 rate=100", 400, pairs=5, at_most=0.6)]


def _per_token(
    place: Place, what: str, prompt: str, tokens: int, *, pairs: int, at_most: float
) -> Row:
    from openai import OpenAI  # as above

    with _session(place) as session, OpenAI(api_key=KEY, base_url=place.url) as client:
        measured = in_turns(
            lambda: _cpu(lambda: _read_openai(client, prompt)),
            lambda: _cpu(lambda: _read_ours(session, prompt)),
            pairs,
        )
    return row(what, measured, at_most=at_most, unit="µs", factor=1e6 / tokens)


def _cpu(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _read_openai(client, prompt: str) -> None:
    for chunk in client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": prompt}], stream=True
    ):
        if chunk.choices:
            _ = chunk.choices[0].delta.content


def _read_ours(session: Session, prompt: str) -> None:
    reply = Conversation(session=session).ask(prompt, refresh=True)
    for _ in reply:
        pass
    assert reply.status == "complete"


def growth(place: Place) -> list[Row]:
    """CPU of each further token in a long reply, against that in a short one."""
    with _session(place) as session:

        def cost(tokens: int) -> float:
            return _cpu(lambda: _read_ours(session, f"tokens={tokens} rate={GROWTH_RATE}"))

        pairs = in_turns(
            lambda: per_further_token(cost, SHORT, times=4),
            lambda: per_further_token(cost, LONG, times=1),
            pairs=3,
        )
    what = f"growth of CPU per token from {SHORT:,} to {LONG:,} tokens, without display"
    return [row(what, pairs, at_most=1.1, unit="µs", factor=1e6)]
