"""`%%chat_rows` in real JupyterLab: the bar, the stop button, and the rest asked afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.chat_server import ChatServer, Hang, Reply, Status
from tests.chromium import PATIENCE
from tests.lab import Lab, Sheet, opened
from tests.rows_samples import answering

pytestmark = pytest.mark.browser

FRAME = """%load_ext chat_magics
import pandas as pd
df = pd.DataFrame({"text": [f"row {n}" for n in range(40)]})"""
ASK = "%%chat_rows df -o out --concurrency 2\nClassify: {{text}}"


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with Lab(folder, CHAT_MAGICS_BASE_URL=model.url, CHAT_MAGICS_MODEL="test-model") as started:
        started.use_dark_theme()
        yield started


def first_ten(text: str) -> Any:
    """All but one of the first ten have an answer, the others none for now."""
    number = int(text.split()[1])
    if number == 3:
        return Status(400)
    return Reply(text) if number < 10 else Hang()


def bar(sheet: Sheet) -> Any:
    """The bar of the cell that asks, its words on one line."""
    return sheet.page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".jp-OutputArea").last


def test_stop_keeps_what_was_answered_and_the_same_cell_asks_the_rest(
    lab: Lab, model: ChatServer
) -> None:
    model.default = answering(first_ten)
    counts = "out['status'].value_counts().to_dict()"
    lab.write("rows.ipynb", FRAME, ASK, counts, "%chat_stats out")
    with opened(lab, "rows.ipynb", width=390, alone=True) as sheet:
        sheet.run(0)
        sheet.run(1, wait=False)
        model.until(lambda: model.held == 2, PATIENCE / 1000)
        expect(bar(sheet)).to_contain_text("40 rows: 40 distinct prompts, 0 answered before")
        expect(bar(sheet)).to_contain_text("10/40")
        expect(bar(sheet)).to_contain_text("rows/s, 1 error, unknown price")
        filled = sheet.page.locator(".progress-bar").first
        assert filled.evaluate("bar => bar.offsetWidth / bar.parentElement.offsetWidth") < 0.3
        words = sheet.page.locator(".jp-OutputArea .widget-html-content").last
        assert words.evaluate("words => words.scrollWidth <= words.clientWidth"), "none is cut off"
        sheet.page.locator("[data-command='notebook:interrupt-kernel']").first.click()
        sheet.wait_idle()
        said = sheet.output(1)
        assert "stopped with 30 prompts left (it was interrupted)" in said
        assert "Traceback" not in said
        sheet.run(2)
        assert sheet.output(2).endswith("{'stopped': 30, 'complete': 9, 'error': 1}")
        model.release()
        model.default = Reply("later")
        before = len(model.posts)
        sheet.run(1)
        expect(bar(sheet)).to_contain_text("31/31")
        assert len(model.posts) - before == 31
        sheet.run(2)
        assert sheet.output(2).endswith("{'complete': 40}")
        sheet.run(3)
        assert "31" in sheet.output(3)
        assert sheet.errors == []
        assert sheet.outside == []
