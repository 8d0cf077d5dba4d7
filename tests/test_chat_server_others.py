"""The servers of other people that our tests use: that they start and say what we think."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest

from tests.aimock import aimock

ASK = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.npm
def test_aimock_starts_answers_and_remembers(tmp_path: Path) -> None:
    greeting = {"match": {"userMessage": "Hello"}, "response": {"content": "Hi there"}}
    with aimock(tmp_path, greeting) as server:
        answer = httpx2.post(server.url + "/chat/completions", json=ASK, trust_env=False)
        assert answer.json()["choices"][0]["message"]["content"] == "Hi there"
        assert [entry["path"] for entry in server.journal()] == ["/v1/chat/completions"]


@pytest.mark.parametrize("name", ["aimock-chat", "litellm-chat-usage", "aimock-responses"])
def test_a_recorded_stream_holds_the_whole_reply(streams: Path, name: str) -> None:
    text = ""
    for line in (streams / f"{name}.sse").read_text(encoding="utf-8").splitlines():
        data = json.loads(line[6:]) if line.startswith("data: {") else {}
        choices = data.get("choices") or [{}]
        text += data.get("delta") or choices[0].get("delta", {}).get("content") or ""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16")
    assert whole == "Here is a **list**:\n\n- Grüße\n- 世界 🙂\n\n```python\nprint(1)\n```\n"
