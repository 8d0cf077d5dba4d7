"""The page of the app, or of a bare Voilà, in a real Chromium: how long, and how many bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.chromium import launched
from tests.voila import TEMPLATE_LINKS

from .app_server import Served

__all__ = ["browser", "loaded", "needed"]


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    with sync_playwright() as playwright:
        chromium = launched(playwright.chromium)
        yield chromium
        chromium.close()


def loaded(chromium: Browser, served: Served, wanted: str) -> float:
    """Seconds from the request for the page until it shows what is wanted; nothing is cached."""
    with _visit(chromium, served) as page:
        started = time.perf_counter()
        _show(page, served, wanted)
        return time.perf_counter() - started


def needed(chromium: Browser, served: Served, wanted: str) -> float:
    """Bytes that the page has had over HTTP once it shows what is wanted and is quiet."""
    sizes: list[float] = []
    with _visit(chromium, served) as page:
        session = page.context.new_cdp_session(page)

        def note(event: dict[str, Any]) -> None:
            sizes.append(event["encodedDataLength"])

        session.on("Network.loadingFinished", note)
        session.send("Network.enable")
        _show(page, served, wanted)
        page.wait_for_load_state("networkidle")
    return sum(sizes)


@contextmanager
def _visit(chromium: Browser, served: Served) -> Iterator[Page]:
    """An empty page with a cache of its own; nothing else works meanwhile."""
    served.rest()
    context = chromium.new_context()
    page = context.new_page()
    # Voilà's own template asks a host outside for two style sheets, which would be waited for.
    page.route(TEMPLATE_LINKS, lambda route: route.abort())
    yield page
    context.close()


def _show(page: Page, served: Served, wanted: str) -> None:
    page.goto(served.url, wait_until="commit")
    page.wait_for_selector(wanted, timeout=120_000)
