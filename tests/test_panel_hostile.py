"""Hostile and monstrous replies in the panel, in real JupyterLab and on a page of real Voilà."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.chat_server import ChatServer, Reply
from tests.lab import Lab, opened
from tests.test_lab import HOSTILE
from tests.test_markdown_hostile import HTML_PAYLOADS, MARKDOWN_PAYLOADS
from tests.voila import Visit, Voila, visited

pytestmark = pytest.mark.browser

CELL = "from chat_widgets import ChatPanel\nChatPanel()"
FOREIGN = (
    ".ct-reply :is(script, img, form, iframe, svg, style, object, embed, input, base, meta, link,"
    " video, details, template, [data-commandlinker-command], [id], [name], [srcdoc], .jp-Button)"
)
CODE_BAR = ".ct-code-bar svg"  # ours: the icons above a block of code
MONSTERS = {
    "a single line of 1 MB": "x" * 1_000_000 + "\n\nBye\n",
    "a line of code of 1 MB": "```python\n" + "x" * 1_000_000 + "\n```\n\nBye\n",
    "10,000 nested quotes": ">" * 10_000 + " deep\n\nBye\n",
    "a table of 1,000 columns": "|"
    + "a|" * 1_000
    + "\n|"
    + "-|" * 1_000
    + "\n"
    + ("|" + "b|" * 1_000 + "\n") * 3
    + "\nBye\n",
    "broken characters": "\x00\ufffe\u202e\u200b" * 1_000 + "\ufffd\U0010ffff\n\nBye\n",
}
"""What a browser or a parser may choke on, each with a paragraph after it."""


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer() as started:
        yield started


@contextmanager
def _in_voila(folder: Path, environment: dict[str, str]) -> Iterator[Visit]:
    with Voila(folder, CELL, **environment) as voila, visited(voila) as visit:
        yield visit


@contextmanager
def _in_lab(folder: Path, environment: dict[str, str]) -> Iterator[Visit]:
    with Lab(folder, **environment) as lab:
        lab.write("panel.ipynb", CELL)
        with opened(lab, "panel.ipynb") as sheet:
            sheet.run(0)
            visit = Visit(sheet.page, sheet.errors, sheet.outside)
            visit.box.wait_for()
            yield visit


@pytest.fixture(scope="module", params=[_in_lab, _in_voila], ids=["lab", "voila"])
def visit(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model: ChatServer
) -> Iterator[Visit]:
    settings = {"BASE_URL": model.url, "MODEL": "test-model", "CACHE": "0"}
    environment = {f"CHAT_MAGICS_{name}": value for name, value in settings.items()}
    with request.param(tmp_path_factory.mktemp("panel"), environment) as shown:
        yield shown
        assert shown.errors == []
        assert shown.outside == []


def _trapped(payload: str, trap: ChatServer) -> str:
    """The payload with our port in the place of its hosts, and our flag in that of its alert."""
    host = trap.url.removeprefix("http://").removesuffix("/v1")
    for evil in ("https://evil.example", "http://evil.example", "//evil.example"):
        payload = payload.replace(evil, f"http://{host}")
    return payload.replace("alert(1)", "window.hacked=1").replace("parent.hacked", "top.hacked")


def _unharmed(page: Page, trap: ChatServer) -> None:
    for link in page.locator(".ct-reply a").all():
        assert (link.get_attribute("href") or "").startswith(("http:", "https:", "mailto:"))
    foreign = page.locator(FOREIGN)
    assert foreign.count() == page.locator(CODE_BAR).count()
    assert page.evaluate("window.hacked") is None
    assert trap.requests == []


def test_nothing_of_a_hostile_reply_runs_or_is_fetched(visit: Visit, model: ChatServer) -> None:
    with ChatServer() as trap:
        corpus = [HOSTILE.format(trap=trap.url), *HTML_PAYLOADS, *MARKDOWN_PAYLOADS]
        pieces = [_trapped(payload, trap) + "\n\n" for payload in corpus]
        # Each piece is shown unfinished too: the whole comes in bits of seven characters.
        text = "".join(pieces) + "\n\nBye\n"
        bits = [text[at : at + 7] for at in range(0, len(text), 7)]
        model.script(Reply(bits, delay_between=0.002))
        row = visit.ask("Attack me")
        expect(row.locator(".ct-reply")).to_contain_text("Bye")
        _unharmed(visit.page, trap)


@pytest.mark.parametrize("name", MONSTERS)
def test_the_page_stays_usable_with(visit: Visit, model: ChatServer, name: str) -> None:
    text = MONSTERS[name]
    model.script(Reply([text[at : at + 4_000] for at in range(0, len(text), 4_000)]))
    row = visit.ask(f"Show {name}")
    expect(row.locator(".ct-reply > *").last).to_contain_text("Bye")
    # A page that is busy with the reply takes no text for longer than this.
    visit.box.fill("still here", timeout=240_000)
    expect(visit.box).to_have_value("still here")


FORMULA = r"$$\left( \frac{a}{\sum_i b_i} \right)^2$$"
FONT = "[...document.fonts].filter((font) => font.family.includes('Chat Magics Math'))"


def test_formulas_have_a_font_of_their_own(visit: Visit, model: ChatServer) -> None:
    model.script(Reply(FORMULA), Reply(FORMULA))
    for prompt in ("A formula", "Another formula"):
        formula = visit.ask(prompt).locator("math")
        assert "Chat Magics Math" in formula.evaluate("e => getComputedStyle(e).fontFamily")
    visit.page.wait_for_function(f"{FONT}.some((font) => font.status === 'loaded')")
    assert visit.evaluate(f"{FONT}.length") == 1
