"""A history of many messages, written as an application would have written it, only faster."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from chat_magics.history import ConversationRecord, Exchange, History, conversations, exchanges
from chat_magics.messages import Usage

from .text import tokens

__all__ = ["EXCHANGES", "RARE_EVERY", "make", "rare_word"]

EXCHANGES = 25
"""Of each conversation; with its reply, each is two messages."""

RARE_EVERY = 1_000
"""One exchange of so many holds a word that no other one holds."""

_MODELS = ("gpt-5.6-luna", "gpt-4o-mini", "llama-4", "qwen-3")
_START = datetime(2025, 1, 1, tzinfo=timezone.utc)
_AT_ONCE = 40
_PROMPT, _REPLY = (5, 40), (20, 120)
"""Tokens, from and to: 1,000,000 messages are some 240 MB of text."""


def make(path: Path, talks: int) -> None:
    """A history file of so many conversations, searchable."""
    history = History(path, on_warning=print)
    dice = random.Random(1)
    words = tokens(20_000)
    try:
        for start in range(0, talks, _AT_ONCE):
            some = [_talk(dice, words, number) for number in range(start, start + _AT_ONCE)]
            history._store.write(lambda connection, some=some: _store(connection, some))
    finally:
        history.close()


def rare_word(number: int) -> str:
    """The word that only the exchange of this number holds, where one of its number does."""
    return f"rare{number // RARE_EVERY}word"


def _store(connection, talks) -> None:
    for record, asked in talks:
        conversations.add(connection, record)
        exchanges.add_ended(connection, asked)


def _talk(dice, words, number) -> tuple[ConversationRecord, list[Exchange]]:
    asked = list(_exchanges(dice, words, number))
    record = ConversationRecord(
        id=asked[0].conversation,
        title=f"Conversation {number}",
        created=asked[0].created,
        used=asked[-1].created,
        path=tuple(exchange.id for exchange in asked),
    )
    return record, asked


def _exchanges(dice, words, talk) -> Iterator[Exchange]:
    conversation = f"{dice.getrandbits(128):032x}"
    for number in range(talk * EXCHANGES, (talk + 1) * EXCHANGES):
        created = _START + timedelta(seconds=40 * number, microseconds=dice.randrange(10**6))
        latency = dice.uniform(0.5, 8.0)
        prompt, reply = (_text(dice, words, *span) for span in (_PROMPT, _REPLY))
        if number % RARE_EVERY == 0:
            prompt += f" {rare_word(number)}"
        model = _MODELS[number % len(_MODELS)]
        begun = {
            "id": f"{number:032x}",
            "conversation": conversation,
            "prompt": prompt,
            "sent": prompt,
            "created": created,
            "ended": created + timedelta(seconds=latency),
            "base_url": "https://api.openai.com/v1",
            "model_asked": model,
            "surface": "cell",
            "latency": latency,
            "attempts": 1,
        }
        yield Exchange(**(begun | _end(number, model, prompt, reply, latency)))


def _end(number, model, prompt, reply, latency) -> dict[str, object]:
    if number % 50 == 0:
        return {"status": "error", "error_type": "RateLimited", "error": "asked to wait"}
    return {
        "status": "complete",
        "model": model,
        "text": reply,
        "finish_reason": "stop",
        "usage": Usage(prompt_tokens=len(prompt) // 4, completion_tokens=len(reply) // 4),
        "cost": len(reply) * 1e-6,
        "time_to_first_token": latency / 10,
        "request_id": f"req_{number}",
    }


def _text(dice, words, least, most) -> str:
    start = dice.randrange(len(words) - most)
    return "".join(words[start : start + dice.randint(least, most)])
