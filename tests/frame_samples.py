"""Histories with every kind of value, for the tests of frames and statistics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from chat_magics.frames import SCHEMA, Column
from chat_magics.history import Exchange, History
from chat_magics.messages import Usage
from tests.history_samples import make

__all__ = ["START", "awkward", "checked", "drawn_exchanges", "filled", "sound"]

START = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)


def filled(history: History, samples: Sequence[dict[str, Any]]) -> list[Exchange]:
    """These exchanges, stored; `talk` in a sample is the number of its conversation."""
    talks: dict[int, Any] = {}
    done = []
    for sample in samples:
        values = dict(sample)
        number = values.pop("talk", 0)
        talk = talks.get(number) or history.new_conversation(f"talk {number}")
        started = {"prompt": "Hello", "created": START, **values, "status": "streaming"}
        exchange = make(talk, **started)
        talks[number] = history.begin(exchange, talk, [*talk.path, exchange.id])
        final = exchange.model_copy(update={"status": values.get("status", "complete")})
        if final.status != "streaming":
            history.finish(final)
        done.append(final)
    return done


def awkward() -> list[dict[str, Any]]:
    """Exchanges whose values are hard to store, to read by two ways, or to sort."""
    used = Usage(prompt_tokens=2**40, completion_tokens=0, estimated=True)
    texts = ["NUL \x00\x00 DLE \x10\x10 and \x100", "", "🦀 é \u202e \ud7ff\ue000", "x" * 100_000]
    samples: list[dict[str, Any]] = [
        {"prompt": text, "text": text[::-1], "talk": place % 2, "usage": used, "cost": 0.1 + 0.2}
        for place, text in enumerate(texts)
    ]
    samples += [
        {"created": datetime(1, 1, 1, tzinfo=timezone.utc), "ended": START, "text": "early"},
        {"created": datetime(9999, 12, 31, 23, 59, 59, 999999, timezone.utc), "text": "late"},
        {"status": "error", "error_type": "RateLimited", "error": "\x00", "created": START},
        {"status": "streaming", "text": "half", "created": START + timedelta(days=1)},
        {"model": "\x10", "cell": "\x00", "options": {"stop": ["\x00", "ü"]}, "notes": ("\x10",)},
        {"cached": True, "stored_at": START, "saved": 0.0, "latency": 1e-9, "attempts": 2**31 - 1},
        {"context": ("a", "b"), "system": "", "reasoning": "why", "surface": "cell", "text": "y"},
    ]
    return samples


def sound(frame: pd.DataFrame, columns: Sequence[Column]) -> bool:
    """True where a frame has these columns, in this order, of these dtypes, and a plain index."""
    found = [(name, str(dtype)) for name, dtype in frame.dtypes.items()]
    assert found == [(column.name, column.dtype) for column in columns]
    assert frame.index.equals(pd.RangeIndex(len(frame)))
    return True


def checked(frame: pd.DataFrame, kind: Any) -> pd.DataFrame:
    """The frame, its columns compared with SCHEMA."""
    assert sound(frame, SCHEMA[kind])
    return frame


_AMOUNTS = st.none() | st.floats(0, 1e6, allow_subnormal=False)
_USAGE = st.none() | st.builds(
    Usage,
    prompt_tokens=st.integers(0, 10**6),
    completion_tokens=st.integers(0, 10**6),
    cached_tokens=st.integers(0, 100),
    reasoning_tokens=st.integers(0, 100),
)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


def drawn_exchanges() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of exchanges of three conversations, models and days, whose figures may be missing."""
    aware = st.integers(0, 200_000_000_000).map(lambda us: START + timedelta(microseconds=us))
    sample = st.fixed_dictionaries(
        {
            "talk": st.integers(0, 2),
            "prompt": _TEXT,
            "text": _TEXT,
            "created": aware,
            "status": st.sampled_from(["complete", "error", "stopped", "interrupted", "streaming"]),
            "model": st.sampled_from([None, "a", "b", "\x10 ü"]),
            "surface": st.sampled_from(["cell", "panel"]),
            "error_type": st.sampled_from([None, "RateLimited", "ServerUnavailable"]),
            "finish_reason": st.sampled_from([None, "stop", "length"]),
            "usage": _USAGE,
            "wasted": _USAGE,
            "cost": _AMOUNTS,
            "saved": _AMOUNTS,
            "latency": _AMOUNTS,
            "time_to_first_token": _AMOUNTS,
            "attempts": st.integers(0, 5),
            "cached": st.booleans(),
        },
        optional={"ended": aware},
    )
    return st.lists(sample, max_size=12)
