"""The browser of the tests: a real Chromium, and patience for a machine that does much at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, expect, sync_playwright

__all__ = ["CHROMIUM", "FLAGS", "PATIENCE", "chromium", "launched", "patient"]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Without these Chromium looks for its maker's hosts at each start.
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PATIENCE = 120_000
"""Milliseconds for whatever a test waits for: five seconds would judge the machine."""

expect.set_options(timeout=PATIENCE)

T = TypeVar("T", Page, BrowserContext)


def launched(kind: BrowserType) -> Browser:
    """A browser of its own."""
    executable = next(found for program in CHROMIUM if (found := shutil.which(program)))
    return kind.launch(executable_path=executable, args=FLAGS, timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for several pages."""
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium)
        yield browser
        browser.close()


def patient(opened: T) -> T:
    """A page, or all pages of a context, that wait long for what a test wants of them."""
    opened.set_default_timeout(PATIENCE)
    return opened
