"""The pictures of the panel in docs/images, taken anew: `python -m tests.pictures`.

Real JupyterLab in a real browser, with the demo model; look at them before they are committed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.chromium import chromium
from tests.lab import Lab
from tests.panel_lab import EXTENSION, LONG, Panel, panel_in

IMAGES = Path(__file__).parent.parent / "docs" / "images"

SHOW = "%load_ext chat_magics\nfrom chat_widgets import ChatPanel\nChatPanel(height='560px')"
UNREACHABLE = (
    "from chat_widgets import ChatPanel\n"
    "ChatPanel(height='360px', base_url='http://127.0.0.1:9/v1', model='m', max_attempts=1)"
)


def _taken(panel: Panel, name: str) -> None:
    panel.page.mouse.move(0, 0)
    panel.whole.screenshot(path=IMAGES / f"{name}.png")
    print(name)


def streaming_and_stopped(browser: Browser, lab: Lab) -> None:
    """A reply in the middle, and the same one stopped there."""
    with panel_in(browser, lab, "streaming", first=SHOW) as panel:
        panel.asked("Show me code that groups a DataFrame by month")
        panel.ask("Explain the mean and the variance with formulas")
        row = panel.rows.nth(1)
        expect(row.locator("math").first).to_be_visible(timeout=LONG)
        _taken(panel, "panel-streaming")
        panel.whole.get_by_role("button", name="Stop").click()
        panel.ended(row, "stopped")
        _taken(panel, "panel-stopped")


def error(browser: Browser, lab: Lab) -> None:
    """A server that nobody reaches."""
    with panel_in(browser, lab, "error", first=UNREACHABLE) as panel:
        panel.ask("Is anybody there?")
        panel.ended(panel.rows.first, "error")
        _taken(panel, "panel-error")


def branch_and_analytics(browser: Browser, lab: Lab) -> None:
    """A prompt that was edited, with its two versions; and what all that came to."""
    with panel_in(browser, lab, "branch", first=SHOW) as panel:
        panel.asked("What is a left join?")
        panel.tool(panel.rows.first, "Regenerate")
        versions = panel.rows.first.locator(".ct-version")
        expect(versions).to_have_text("2/2", timeout=LONG)
        panel.ended(panel.rows.first)
        panel.rows.first.hover()
        panel.whole.screenshot(path=IMAGES / "panel-branch.png")
        print("panel-branch")
        for prompt in ("Show me a table of ways to choose rows", "And the same as code"):
            panel.asked(prompt)
        panel.open("Analytics")
        expect(panel.drawer.locator("svg, img").first).to_be_visible(timeout=LONG)
        panel.drawer.screenshot(path=IMAGES / "panel-analytics.png")
        print("panel-analytics")


def main() -> int:
    """Takes all of them, or those that are named."""
    wanted = sys.argv[1:]
    folder = Path(tempfile.mkdtemp())
    shutil.copytree(EXTENSION, folder / "data" / "labextensions" / "chat-magics")
    with (
        Lab(folder, JUPYTER_PATH=str(folder / "data"), CHAT_MAGICS_BASE_URL="demo") as lab,
        chromium() as browser,
    ):
        for take in (streaming_and_stopped, error, branch_and_analytics):
            if not wanted or take.__name__ in wanted:
                take(browser, lab)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
