"""The transcript's real view in a real Chromium, on a page of ours that plays anywidget's part.

The page is served on loopback with a strict content security policy. The test is the kernel: it
sends the protocol's messages with `tell` and reads what the view says with `said`.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, FilePayload, Locator, Page

from chat_magics.markdown import to_html
from chat_widgets.source import script, style
from tests.chromium import patient
from tests.lab import HERE

POLICY = (
    "default-src 'none'; script-src 'self' blob:; style-src-elem 'self'; "
    "style-src-attr 'unsafe-inline'; img-src 'self'"  # cells of tables have text-align
)
TRAITS = {
    "uid": "view-1",
    "placeholder": "Ask something",
    "limit": 5000,
    "accept": [".csv", ".txt", "text/*", "image/png"],
    "max_bytes": {"text": 256_000, "image": 1_000_000},
}

HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>View</title>
<link rel="stylesheet" href="/theme.css"><link rel="stylesheet" href="/view.css">
<link rel="stylesheet" href="/page.css">
</head><body BODY><main><h1>Page</h1>
<div class="chat-magics-static">static transcript</div><div id="one"></div></main>
<script type="module" src="/host.js"></script></body></html>"""

PAGE_CSS = """body { margin: 0; background: var(--jp-layout-color1, Canvas); }
:root { color-scheme: light dark; }
h1 { position: absolute; left: -100vw; } .chat-magics-static { color: CanvasText; }
main { padding: 8px; } #one { --ct-height: calc(100vh - 16px); }"""

# What anywidget does: one model, a module from a blob, `initialize` once and `render` per view.
HOST_JS = """
const handlers = [];
const model = (context) => ({
  get: (name) => window.traits[name],
  on: (name, act) => handlers.push({ name, act, context }),
  off: () => {},
  send: (message, _callbacks, buffers = []) => window.said.push({ ...message,
    buffers: buffers.map((buffer) => new TextDecoder().decode(buffer)) }),
});
const fire = (name, ...details) =>
  [...handlers].filter((one) => one.name === name).forEach((one) => one.act(...details));
window.said = [];
window.told = 0;
window.tell = (message, buffers = []) => fire("msg:custom", { n: ++window.told, ...message },
  buffers.map((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
window.setTrait = (name, value) => { window.traits[name] = value; fire(`change:${name}`); };
window.fire = fire;
window.traits = await (await fetch("/traits.json")).json();
const source = await (await fetch("/view.js")).text();
const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
const view = (await import(url)).default;
await view.initialize({ model: model("initialize") });
window.show = async (element) => {
  element.removeAttribute("class");
  const cleanup = await view.render({ model: model(element), el: element });
  return () => { cleanup(); element.replaceChildren(); };
};
window.close_one = await window.show(document.getElementById("one"));
document.body.dataset.ready = "yes";
"""


class ViewPage:
    """The page with one view; the test is the kernel."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.outside: list[str] = []
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda r: None if HERE.match(r.url) else self.outside.append(r.url))

    @property
    def box(self) -> Locator:
        """Where prompts are typed."""
        return self.page.get_by_role("textbox", name="Message")

    @property
    def rows(self) -> Locator:
        """The rows that the kernel told of."""
        return self.page.locator(".ct-rows > .ct-row")

    @property
    def said_below(self) -> Locator:
        """What came of an action, below the box."""
        return self.page.locator(".ct-said")

    @property
    def scrolled(self) -> float:
        """Pixels from the end of the transcript."""
        far: float = self.page.locator(".ct-log").evaluate(
            "log => log.scrollHeight - log.scrollTop - log.clientHeight"
        )
        return far

    def clipboard(self) -> str:
        """What was copied last."""
        copied: str = self.page.evaluate("navigator.clipboard.readText()")
        return copied

    def choose(self, name: str, mime: str, content: bytes, *, taken: bool = True) -> None:
        """Attaches a file, as by the button; waits for its chip where it is to be taken."""
        file: FilePayload = {"name": name, "mimeType": mime, "buffer": content}
        self.page.locator("input[type=file]").set_input_files(file)
        if taken:
            self.page.locator(".ct-composer .ct-name", has_text=name).wait_for()

    def reload(self) -> None:
        """Loads the page anew."""
        self.page.reload()
        self.page.wait_for_selector("body[data-ready]")

    def tell(self, type: str, *buffers: bytes, **content: Any) -> None:
        """Sends a message to the view."""
        texts = [base64.b64encode(buffer).decode() for buffer in buffers]
        self.page.evaluate("([m, b]) => tell(m, b)", [{"type": type, **content}, texts])

    def said(self, type: str) -> list[dict[str, Any]]:
        """What the view said so far, of one type."""
        messages: list[dict[str, Any]] = self.page.evaluate("window.said")
        return [message for message in messages if message["type"] == type]

    def snapshot(self, *rows: dict[str, Any], busy: str | None = None, **more: Any) -> None:
        """Answers the view's first question."""
        self.tell("snapshot", rows=list(rows), busy=busy, **{"queued": 0, "starters": [], **more})

    def stream(self, id: str, index: int, before: str, after: str) -> None:
        """Sends one block's change as Python does: the common prefix in UTF-16 units."""
        keep = 0
        while keep < min(len(before), len(after)) and before[keep] == after[keep]:
            keep += 1
        units = len(before[:keep].encode("utf-16-le")) // 2
        self.tell("delta", id=id, blocks=[[index, units, after[keep:]]], count=index + 1)


def row(id: str, prompt: str, reply: str = "", **more: Any) -> dict[str, Any]:
    """A row as Python sends it; the reply is Markdown."""
    blocks = [to_html(part, math="mathml") for part in reply.split("\n\n\n") if part]
    return {
        "id": id,
        "prompt": prompt,
        "attachments": [],
        "blocks": blocks,
        "caption": "demo · 12 → 34 tokens · 1.2 s · $0",
        "notes": [],
        "state": "complete",
        "error": None,
        "versions": [1, 1],
        "surface": "panel",
        "stale": False,
        "truncated": False,
        **more,
    }


def theme(name: str) -> str:
    """The style sheet of one of JupyterLab's own themes: light or dark."""
    folder = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"
    return (folder / f"theme-{name}-extension/index.css").read_text(encoding="utf-8")


@contextmanager
def view_page(
    browser: Browser, *, width: int = 900, lab: str = "", dark: bool = False, **traits: Any
) -> Iterator[ViewPage]:
    """A page with a view, as a person sees it.

    Args:
        browser: of `chromium`.
        width: of the window, in pixels.
        lab: `light` or `dark` for JupyterLab's colours; else the page has none of its own.
        dark: whether the system is dark.
        traits: other than the usual ones.
    """
    files = {
        "/": HTML.replace(
            "BODY", f'data-jp-theme-light="{str(lab == "light").lower()}"' * bool(lab)
        ),
        "/host.js": HOST_JS,
        "/favicon.ico": "",
        "/page.css": PAGE_CSS,
        "/theme.css": theme(lab) if lab else "",
        "/traits.json": json.dumps({**TRAITS, **traits}),
        "/view.css": style(),
        "/view.js": script(),
    }
    with _serving(files) as url:
        context = browser.new_context(
            viewport={"width": width, "height": 760},
            color_scheme="dark" if dark else "light",
            permissions=["clipboard-read", "clipboard-write"],
            accept_downloads=True,
        )
        shown = ViewPage(patient(context).new_page())
        shown.page.goto(url)
        shown.page.wait_for_selector("body[data-ready]")  # the policy forbids eval
        yield shown
        context.close()


@contextmanager
def _serving(files: dict[str, str]) -> Iterator[str]:
    types = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", types.get(Path(self.path).suffix, "text/html"))
            self.send_header("Content-Security-Policy", POLICY + "; connect-src 'self'")
            self.end_headers()
            self.wfile.write((body or "").encode())

        def log_message(self, *_: object) -> None:
            """Nothing is printed for a request."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
