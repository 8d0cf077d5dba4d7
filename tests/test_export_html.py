"""Exported pages and notebooks in a real browser: hostile replies run nothing and fetch nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from chat_magics.export import Transcript, export
from chat_magics.export.neutral import neutral
from tests.chat_server import ChatServer
from tests.chromium import chromium, patient
from tests.export_samples import talk
from tests.lab import Lab, opened

HOSTILE = """Hello
<script>window.hacked = 1</script>
<img src="{trap}/img" onerror="window.hacked = 1">
<iframe srcdoc="<script>parent.hacked = 1</script>"></iframe>
<svg onload="window.hacked = 1"></svg><style>body {{ background: url({trap}/css) }}</style>
<form action="{trap}/form"><button>go</button></form>
<button data-commandlinker-command="apputils:change-theme">theme</button>
![remote]({trap}/markdown) ![by reference][image] \\![escaped]({trap}/escaped)
[click](javascript:window.hacked=1) [entity](java&#115;cript:window.hacked=1)
<a href="javascript:window.hacked=1">raw</a> `<img src={trap}/span>` `` ` <img src={trap}/two> ``
$\\text{{<img src=x onerror=window.hacked=1>}}$ $a
```
$ <img src={trap}/math>
```

    ```
<img src={trap}/indented>

- item
  ```html
  <img src="{trap}/list">

  <b>
  ```
> ```
> ![]({trap}/quoted)

```mermaid
flowchart TD
A@{{ img: "{trap}/mermaid.png", label: "x" }}
```

~~~
<img src={trap}/tilde>
~~~

[image]: {trap}/reference
[link]: javascript:window.hacked=1

[link] </textarea></title></style></main></script><img src={trap}/closed>

Bye
```
<img src={trap}/open>
"""


def attack(trap: str) -> Transcript:
    """A conversation whose every text is hostile."""
    text = HOSTILE.format(trap=trap)
    names = dict.fromkeys(["system", "reasoning", "model", "error", "finish_reason"], text)
    record, exchanges = talk(text, text, **names)
    return Transcript(record.model_copy(update={"title": text, "tags": (text,)}), exchanges)


@contextmanager
def page_of(path: Path, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """An exported page in a browser, and what went otherwise than it should."""
    complaints: list[str] = []
    viewport = {"width": 1000, "height": 900}
    with chromium() as browser:
        page = patient(browser.new_page(**{"viewport": viewport, **options}))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: None if r.url == path.as_uri() else complaints.append(r.url))
        page.goto(path.as_uri())
        yield page, complaints


def html_of(tmp_path: Path, *talks: Transcript) -> Path:
    return export(talks, tmp_path / "talk.html").path or tmp_path


@pytest.mark.browser
def test_a_hostile_page_runs_nothing_and_fetches_nothing(tmp_path: Path) -> None:
    with ChatServer() as trap:
        with page_of(html_of(tmp_path, attack(trap.url))) as (page, complaints):
            page.wait_for_load_state("networkidle")
            assert "Bye" in page.inner_text("main")
            assert page.evaluate("window.hacked") is None
            assert page.locator("img, form, iframe, svg, button, script, textarea").count() == 0
            links = [link.get_attribute("href") or "" for link in page.locator("a").all()]
            assert [link for link in links if not link.startswith("http")] == []
            assert complaints == []
        assert trap.requests == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(tmp_path: Path, scheme: str) -> None:
    code = 'def f(x):  # why\n    return "text" + str(1.5) if x else None\n@d\nclass A: pass'
    reply = f"Text `code` [link](https://example.org)\n\n```python\n{code}\n```\n\n> quoted"
    with page_of(html_of(tmp_path, talk(reply)), color_scheme=scheme) as (page, _):
        weak = page.evaluate(CONTRAST)
    assert weak == []


@pytest.mark.browser
def test_a_page_fits_a_phone_and_code_scrolls_inside_itself(tmp_path: Path) -> None:
    wide = (
        f"```python\n{'x = 1; ' * 60}\n```\n\n{'long' * 80}\n\n|{'a long cell|' * 20}\n|{'-|' * 20}"
    )
    phone = {"viewport": {"width": 390, "height": 800}}
    with page_of(html_of(tmp_path, talk(wide, "y" * 300)), **phone) as (page, _):
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.evaluate("(e => e.scrollWidth > e.clientWidth)(document.querySelector('pre'))")


@pytest.mark.browser
def test_a_page_shows_path_versions_formulas_and_the_quiet_line(tmp_path: Path) -> None:
    with page_of(html_of(tmp_path, talk())) as (page, complaints):
        text = page.inner_text("main")
        assert text.index("Why more rows?") < text.index("Earlier versions") < text.index("Because")
        assert "demo-1 · 2026-01-05 10:31 UTC · 12 → 34 tokens · 1.5 s · $0.25" in text
        assert "failed · no connection" in text
        assert page.locator("math").count() == 1
        assert complaints == []


@pytest.mark.browser
def test_a_hostile_notebook_runs_nothing_and_fetches_nothing(tmp_path: Path) -> None:
    with ChatServer() as trap, Lab(tmp_path) as lab:
        export([attack(trap.url)], tmp_path / "a.ipynb", prompts="markdown")
        with opened(lab, "a.ipynb") as sheet:
            shown = sheet.page.locator(".jp-MarkdownOutput")
            shown.filter(has_text="Bye").first.wait_for()
            sheet.page.wait_for_load_state("networkidle")
            assert sheet.page.evaluate("window.hacked") is None
            forbidden = "img, form, iframe, button, script, textarea, [href^=javascript]"
            assert shown.locator(forbidden).count() == 0
            for link in shown.locator("a:not(.jp-InternalAnchorLink)").all():
                assert re.match("https?:", link.get_attribute("href") or "")
            assert sheet.outside == []
        assert trap.requests == []


def test_what_is_harmless_stays_as_it_is() -> None:
    text = (
        "# A\n\n- `a < b` and $x < y$\n\n```python\nif a < b and not [c]:\n    pass\n```\n> 1 < 2!"
    )
    assert neutral(text) == text


def test_code_with_tags_can_be_copied_from_a_notebook() -> None:
    text = "1. Try:\n   ```html\n   <b>\n\n   ![x](y)\n   ```\n2. `<i>`"
    assert neutral(text) == (
        "1. Try:\n   <pre><code>&lt;b&gt;&#10;&#10;&#33;&#91;x&#93;(y)</code></pre>\n"
        "2. <code>&lt;i&gt;</code>"
    )


def test_no_cell_of_a_notebook_holds_a_tag_or_an_image_of_the_reply(tmp_path: Path) -> None:
    path = export([attack("http://trap")], tmp_path / "a.ipynb").path or tmp_path
    cells = json.loads(path.read_text())["cells"]
    shown = [cell["source"] for cell in cells if cell["cell_type"] == "markdown"]
    assert not any(re.search(r"<(?!/?(pre|code|small)>)[a-z/!?]|!\[", text) for text in shown)


CONTRAST = """() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const f = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const behind = e => {
    const layers = [];
    for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((under, [r, g, b, a = 1]) =>
      [r, g, b].map((v, i) => v * a + under[i] * (1 - a)), [255, 255, 255]);
  };
  const weak = [];
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    if (!node.data.trim()) continue;
    const style = getComputedStyle(node.parentElement).color;
    const color = style.startsWith('color(')
      ? parse(style.replace('color(srgb', '')).map(v => v * 255) : parse(style);
    const [a, b] = [light(color), light(behind(node.parentElement))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (!(ratio >= 4.5)) weak.push([node.data.slice(0, 20), style, ratio]);
  }
  return weak;
}"""
