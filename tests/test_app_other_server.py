"""The app on a model server that other people wrote (aimock), where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.aimock import aimock
from tests.app_page import LONG, serving, visiting

pytestmark = [pytest.mark.browser, pytest.mark.npm]

HELLO = {
    "match": {"userMessage": "Hello"},
    "response": {"content": "Here is a **list**:\n\n- Grüße\n- 世界 🙂\n"},
    "chunkSize": 5,
}
SLOW_DOWN = {
    "match": {"userMessage": "Again", "sequenceIndex": 0},
    "response": {
        "error": {"message": "slow down", "type": "rate_limit_error"},
        "status": 429,
        "retryAfter": 1,
    },
}
AGAIN = {"match": {"userMessage": "Again", "sequenceIndex": 1}, "response": {"content": "Yes."}}


def test_a_page_and_a_program_are_answered(browser: Browser, tmp_path: Path) -> None:
    with (
        aimock(tmp_path, HELLO, SLOW_DOWN, AGAIN) as server,
        serving(tmp_path, server, "--model", "gpt-4o") as app,
    ):
        assert app.get("readyz").json["parts"]["model server"] == "ok"
        with visiting(browser, app) as page:
            row = page.asked("Hello")
            expect(row.locator(".ct-reply li")).to_have_text(["Grüße", "世界 🙂"])
            row = page.asked("Again")
            expect(row.locator(".ct-reply")).to_have_text("Yes.", timeout=LONG)
        answer = app.post("api/query", {"prompt": "Hello"})
        assert answer.status == 200
        statuses = [entry["response"]["status"] for entry in server.journal()]
        assert statuses[-4:] == [200, 429, 200, 200]
