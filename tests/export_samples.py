"""A conversation for the tests of export: a path, an earlier version, usage, code, and an error."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from chat_magics.export import Transcript
from chat_magics.history import ConversationRecord, Exchange
from chat_magics.messages import Usage

__all__ = ["MOMENT", "talk"]

MOMENT = datetime(2026, 1, 5, 10, 30, 0, 123456, tzinfo=timezone.utc)

REPLY = """\
# Why

A **left join** keeps all rows of the left table, so $n \\geq m$.

```python
left.merge(right, how="left")
```
"""


def talk(text: str = REPLY, prompt: str = "Why more rows?", **values: Any) -> Transcript:
    """A conversation of one answered exchange in its path, an earlier version, and a failed one."""
    ids = [f"{number:032x}" for number in (1, 2, 3)]
    record = ConversationRecord(
        id="c0ffee", title="Why more rows?", created=MOMENT, used=MOMENT, path=ids[1:]
    )
    common = {"conversation": "c0ffee", "base_url": "demo", "model_asked": "demo"}
    older = Exchange(
        id=ids[0], prompt="Why?", sent="Why?", text="Because.", status="complete",
        created=MOMENT, ended=MOMENT, finish_reason="stop", **common,
    )  # fmt: skip
    answered = {
        "text": text, "status": "complete", "finish_reason": "stop", "model": "demo-1",
        "usage": Usage(prompt_tokens=12, completion_tokens=34), "cost": 0.25, "latency": 1.5,
        "created": MOMENT + timedelta(minutes=1), "ended": MOMENT + timedelta(minutes=2),
        "supersedes": ids[0],
    }  # fmt: skip
    newer = Exchange(id=ids[1], prompt=prompt, sent=prompt, **common, **{**answered, **values})
    failed = Exchange(
        id=ids[2], prompt="And?", sent="And?", status="error", error="no connection",
        error_type="ConnectionFailed", created=MOMENT + timedelta(minutes=3), **common,
    )  # fmt: skip
    return Transcript(record, (older, newer, failed))
