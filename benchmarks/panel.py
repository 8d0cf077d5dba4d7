"""What the panel costs: bytes to the page, CPU of the kernel, tasks of the page, a long history."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from chat_widgets.rows import rendered

from .pairs import Row, in_turns, row
from .panel_page import Notebook, Tasks, notebook
from .place import KEY, Place
from .server import MODEL
from .text import SECTION_TOKENS, tokens

__all__ = ["history", "reply"]

SHORT, LONG = 4_000, 16_000
RATE = 100
EXCHANGES = 250
"""Of the long conversation: a message of the user and one of the model each."""

_PANEL = "from chat_widgets import ChatPanel\npanel = ChatPanel()\npanel"
_CPU = "import time\nbusy = time.process_time()"
_CPU_SINCE = "print('CPU', time.process_time() - busy)"
_READ = """
from openai import AsyncOpenAI
client = AsyncOpenAI(api_key={key!r}, base_url={url!r})
async def read(prompt, take):
    stream = await client.chat.completions.create(
        model={model!r}, messages=[{{"role": "user", "content": prompt}}], stream=True
    )
    async for chunk in stream:
        if chunk.choices and (text := chunk.choices[0].delta.content):
            take(text)
await read("tokens=20", len)
"""
_BARE_READ = "await read({prompt!r}, len)"
_BARE_VIEW = """
import anywidget, asyncio
class Bare(anywidget.AnyWidget):
    _esm = '''export default {{ render({{ model, el }}) {{
      el.className = "bare"; el.style = "height: 500px; overflow: auto; white-space: pre-wrap";
      model.on("msg:custom", (text) => {{ el.append(text); el.scrollTop = el.scrollHeight; }});
    }} }}'''
bare = Bare()
bare
"""
_BARE_SHOWN = """
texts = []
async def show():
    while texts is not None:
        await asyncio.sleep({pace})
        if texts:
            bare.send("".join(texts)); texts.clear()
showing = asyncio.ensure_future(show())
await read({prompt!r}, texts.append)
await asyncio.sleep({pace} * 2); showing.cancel()
"""
_SETTLED = (
    "(rows => rows.length >= {count} && rows.at(-1).dataset.state === 'complete')"
    "([...document.querySelectorAll('.ct-rows > .ct-row')])"
)
_FILL = """
from chat_magics import Conversation
long = Conversation()
for number in range({exchanges}):
    long.ask(f"tokens=120 number {{number}}").text
print(len(long.exchanges()))
"""
_SHOW_EMPTY = "ChatPanel(Conversation())"
_SHOW_LONG = "ChatPanel(long)"


@dataclass(frozen=True)
class _Streamed:
    """What one reply took."""

    received: int
    copies: int
    cpu: float
    tasks: Tasks


def reply(place: Place) -> list[Row]:
    """A long reply in the panel: bytes, growth, CPU of the kernel, tasks of the page."""
    from chat_widgets.live import PACE

    short, long = (f"tokens={count} rate={RATE}" for count in (SHORT, LONG))
    cells = [_PANEL, _CPU, _CPU_SINCE, _READ.format(key=KEY, url=place.url, model=MODEL)]
    cells += [_BARE_READ.format(prompt=short), _BARE_VIEW.format()]
    cells += [_BARE_SHOWN.format(prompt=short, pace=PACE)]
    with notebook(place, place.home / "panel", *cells) as sheet:
        sheet.run(0)
        # The first formula of a page brings its font, once: that is no cost of a reply.
        _asked(sheet, f"tokens={SECTION_TOKENS}", 1)
        ours = _asked(sheet, short, 2)
        far = _asked(sheet, long, 3)
        sheet.run(3)
        sheet.run(1)
        sheet.run(4)
        read_cpu = _cpu(sheet)
        sheet.run(5)
        bare: list[Tasks] = []
        with sheet.traced(bare):
            sheet.run(6, wait=False)
            sheet.until(_NOTHING_RUNS)
    return [*_bytes(ours, far), _kernel(read_cpu, ours), *_page(bare[0], ours)]


_NOTHING_RUNS = (
    "![...document.querySelectorAll('.jp-InputPrompt')].some(p => p.innerText.includes('*'))"
)


def _asked(sheet: Notebook, prompt: str, number: int) -> _Streamed:
    """Asks by the panel's box; the row of that number is the reply's."""
    sheet.run(1)
    box = sheet.page.get_by_role("textbox", name="Message")
    box.fill(prompt)
    tasks: list[Tasks] = []
    before, copies = sheet.received, sheet.copies
    with sheet.traced(tasks):
        box.press("Enter")
        sheet.until(_SETTLED.format(count=number))
    received = sheet.received - before
    # The copy for the saved notebook comes last; the cell that is run here comes after it.
    cpu = _cpu(sheet)
    return _Streamed(received, sheet.copies - copies, cpu, tasks[0])


def _cpu(sheet: Notebook) -> float:
    """Seconds of the kernel since cell 1 ran."""
    return float(sheet.run(2).rpartition("CPU")[2])


@lru_cache
def _final(count: int) -> int:
    """Bytes of the HTML of a whole reply."""
    return len("".join(rendered("".join(tokens(count)))).encode())


def _bytes(short: _Streamed, long: _Streamed) -> list[Row]:
    what = f"WebSocket bytes of {SHORT:,} tokens at {RATE} tokens/s in the panel"
    final = float(_final(SHORT))
    whole, copy = [(final, float(short.received))], [(final, float(short.copies))]
    each = [(short.received / SHORT, long.received / LONG)]
    return [
        row(f"{what}, against its final HTML", whole, at_most=4, unit="kB", factor=1e-3),
        row(f"the same per token for {LONG:,}", each, at_most=1.3, unit="bytes"),
        row("the copy that a saved notebook shows", copy, at_most=1.5, unit="kB", factor=1e-3),
    ]


def _kernel(read: float, ours: _Streamed) -> Row:
    what = "CPU of the kernel for that, against a bare loop that only reads the stream"
    return row(what, [(read, ours.cpu)], at_most=4, unit="s")


def _page(bare: Tasks, ours: _Streamed) -> list[Row]:
    p99, longest = ours.tasks.p99, [(bare.longest, ours.tasks.longest)]
    tasks = "main-thread tasks of the page while that streams"
    return [
        Row(f"{tasks}, p99", f"{bare.p99:.3g} ms", f"{p99:.3g} ms", p99, 50, p99 <= 50, "ms"),
        row(
            "the longest, against a bare view that only appends text",
            longest,
            at_most=3,
            unit="ms",
        ),
    ]


def history(place: Place) -> list[Row]:
    """A panel of a long conversation, until its end is on the page, against an empty one."""
    cells = [_PANEL, _FILL.format(exchanges=EXCHANGES), _SHOW_EMPTY, _SHOW_LONG]
    with notebook(place, place.home / "panel_history", *cells) as sheet:
        sheet.run(0)
        sheet.run(1, wait=False)
        sheet.until(_NOTHING_RUNS)
        pairs = in_turns(
            lambda: _shown(sheet, 2, ".ct-starter"),
            lambda: _shown(sheet, 3, f".ct-row[aria-label$='number {EXCHANGES - 1}'] .ct-caption"),
            pairs=5,
        )
    empty, full = (median(pair[at] for pair in pairs) for at in (0, 1))
    more = median(full - empty for empty, full in pairs)
    what = f"panel shown with {2 * EXCHANGES} messages, more than an empty one"
    return [Row(what, f"{empty:.3g} s", f"{full:.3g} s", more, 1, more <= 1, "s")]


def _shown(sheet: Notebook, cell: int, what: str) -> float:
    """Seconds from running a cell until its panel shows something."""
    place = f"document.querySelectorAll('.jp-Notebook .jp-CodeCell')[{cell}]"
    sheet.page.evaluate(f"{place}.querySelectorAll('.ct-root').forEach((e) => e.remove())")
    started = time.perf_counter()
    sheet.run(cell, wait=False)
    sheet.page.wait_for_function(f'{place}.querySelector(".ct-root {what}")', timeout=60_000)
    seconds = time.perf_counter() - started
    sheet.until(_NOTHING_RUNS)
    return seconds
