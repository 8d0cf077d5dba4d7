"""Model text as Markdown for a notebook's own Markdown cells: it draws no image and no HTML.

A notebook renders such a cell by itself and fetches the images in it, which carries data out. So
no `<` that could begin a tag and no `![` of the text is left, wherever it stands: what a host's
parser takes for code and what for prose need not be what ours does. Code that holds such signs
is written as escaped HTML of ours, which shows the same and can be copied.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from chat_magics.markdown.blocks import environment, parse
from chat_magics.markdown.sanitise import normalise

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["neutral"]

_DANGER = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)")
_ESCAPES = {"<": "&lt;", "!": "&#33;"}

_SPAN = re.compile(r"(?<![`\\])(`+)(?!`)([^`\n]+)(?<!`)\1(?!`)")

# Links to these are dead in replies as we show them; a host may run them.
_SCHEMES = re.compile(r"(?:javascript|vbscript|data):")
_IGNORED = re.compile(r"[\\\s\x00-\x20]")

_FENCE = re.compile(r"(`{3,}|~{3,})([^`\n]+)$", re.MULTILINE)

_DRAWN = re.compile(r"mermaid|geojson|topojson|stl|math", re.IGNORECASE)
"""Kinds of code that some hosts draw, with images in it."""


def neutral(text: str) -> str:
    """The text as Markdown that a notebook can be given.

    Args:
        text: Markdown that may be hostile.

    Example:
        >>> neutral("![plan](https://example.org/a.png) <b> `a<b`")
        '&#33;[plan](https://example.org/a.png) &lt;b> <code>a&lt;b</code>'
    """
    source = normalise(text)
    lines = source.split("\n")
    done: list[str] = []
    at = 0
    for token in _code(source):
        start, end = token.map or (0, 0)
        if start < at or not _DANGER.search(token.content):
            continue
        done += [_prose("\n".join(lines[at:start]))] if start > at else []
        done.append(_before(lines[start], token) + _code_as_html(token.content))
        at = end
    done.append(_prose("\n".join(lines[at:])))
    return _FENCE.sub(_undrawn, "\n".join(done))


def _undrawn(fence: re.Match[str]) -> str:
    info = html.unescape(fence[2]).replace("\\", "")
    return f"{fence[1]}text" if _DRAWN.search(info) else fence[0]


def _code(source: str) -> Iterable[Token]:
    return (
        token
        for block in parse(source, environment("tex"))
        for token in block.tokens
        if token.type in ("fence", "code_block")
    )


def _before(line: str, token: Token) -> str:
    """What stands before code in its first line, such as the sign of a list or a quotation."""
    if token.type == "fence":
        return line.partition(token.markup)[0]
    return re.sub(r" {1,4}$", "", line[: len(line) - len(line.lstrip(" >\t"))])


def _code_as_html(code: str) -> str:
    """Code on one line: a blank one would end the block of HTML."""
    return f"<pre><code>{_escaped(code.removesuffix(chr(10)))}</code></pre>"


def _escaped(code: str) -> str:
    text = html.escape(code, quote=False)
    for sign in "!$*[\\]_`~|\n":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text


def _prose(text: str) -> str:
    done = []
    at = 0
    for span in _SPAN.finditer(text):
        if _DANGER.search(span[2]):
            done += [_plain(text[at : span.start()]), f"<code>{_escaped(span[2])}</code>"]
            at = span.end()
    whole = "".join([*done, _plain(text[at:])])
    said = _IGNORED.sub("", html.unescape(whole)).lower()
    return whole.replace("]", "&#93;") if _SCHEMES.search(said) else whole


def _plain(text: str) -> str:
    return _DANGER.sub(lambda found: _ESCAPES[found[0]], text)
