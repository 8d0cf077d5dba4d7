"""Markdown that is still being written → its blocks: each finished one once, the open one anew.

A block is finished when no further text can change it. That is decided on whole lines: the last
block stays open until the lines after it prove that it is over (a blank line for a paragraph, a
table or a quote; for a list, a blank line and then a line that is neither indented nor an item).
Only the text from the open block on is parsed again; the link definitions before it are kept.

The HTML of the finished blocks, one after another, is what `to_html` gives for the whole text,
with one exception: a link whose definition (`[name]: https://…`) comes in a later block stays as
it was written, since its block was finished before.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it.utils import EnvType

from chat_magics.markdown.blocks import Block, environment, parse, render
from chat_magics.markdown.code import CODE_END
from chat_magics.markdown.formula import Math
from chat_magics.markdown.sanitise import normalise

__all__ = ["BlockUpdate", "MarkdownStream"]

_LONG = 8_192
"""Characters from which the open block is not parsed at each update."""
_GROWTH = 1.125
"""By how much a long open block grows until it is parsed again: the cost stays linear."""
_HUGE = 131_072
"""Characters from which the open block is not parsed again before it is over."""

_AT_ONCE = re.compile("")
_AFTER_BLANK = re.compile(r"[ \t]*\n")
_AFTER_ANY_LINE = re.compile(r"[^\n]*\n")  # a delimiter row makes a table of `# a | b`
_AFTER_FRESH_LINE = re.compile(r"(?:[ \t]*\n)+(?=[^\s\d+*-]|\*\*)")
_OVER = {
    "blockquote_open": _AFTER_BLANK,
    "bullet_list_open": _AFTER_FRESH_LINE,
    "code_block": _AFTER_FRESH_LINE,
    "heading_open": _AFTER_ANY_LINE,
    "hr": _AT_ONCE,
    "math_block": _AT_ONCE,
    "ordered_list_open": _AFTER_FRESH_LINE,
    "paragraph_open": _AFTER_BLANK,
    "table_open": _AFTER_BLANK,
}
"""What must follow a block, by the type of its first token, for it to be over for good."""
_FRESH_LINE = re.compile(r"\n[ \t]*\n(?=[^\s\d+*-]|\*\*)|\n(?=```|~~~|#{1,6} )")
"""After this, no long block but a fence goes on, so it is worth a look at once."""


@dataclass(frozen=True, slots=True)
class BlockUpdate:
    """The present state of one block.

    Args:
        index: its place, from 0; the same as long as the block is open.
        html: its sanitised HTML, whole.
        source: the Markdown it comes from.
        closed: True when it is finished and will not change again.
    """

    index: int
    html: str
    source: str
    closed: bool


class MarkdownStream:
    """Blocks of a reply while its text comes; one object for one reply.

    Args:
        math: `tex` for a page with MathJax, `mathml` for any other.

    Example:
        >>> stream = MarkdownStream()
        >>> stream.feed("# Hello\\n\\nworl")
        >>> [(block.index, block.html, block.closed) for block in stream.update()]
        [(0, '<h1>Hello</h1>\\n', True), (1, '<p>worl</p>\\n', False)]
        >>> stream.feed("d")
        >>> [(block.index, block.html, block.closed) for block in stream.finish()]
        [(1, '<p>world</p>\\n', True)]
    """

    def __init__(self, math: Math = "tex") -> None:
        self._env = environment(math, streaming=True)
        self._new: list[str] = []
        self._held = ""
        self._tail = ""
        self._looked_at = (0, "")
        self._parsed = 0
        self._lines_seen = 0
        self._rest_from = 0
        self._base = ""
        self._fence: re.Pattern[str] | None = None
        self._index = 0
        self._shown: str | None = None

    def feed(self, text: str) -> None:
        """Append text; nothing is parsed.

        Args:
            text: any piece of the reply, however cut.
        """
        self._new.append(text)

    def update(self) -> list[BlockUpdate]:
        """The blocks that changed since the last update: finished ones, then the open one."""
        if not self._take():
            return []
        if self._is_due():
            closed = self._close()
            self._refresh()
        else:
            closed = []
        return closed + self._open()

    def finish(self) -> list[BlockUpdate]:
        """The blocks that were not finished yet, all closed; the text is over."""
        self._take()
        self._tail += normalise(self._held)
        self._held = ""
        self._env["streaming"] = False
        blocks = parse(self._tail, self._env)
        updates = self._finished(blocks)
        if not blocks and self._shown is not None:
            updates = [BlockUpdate(self._index, "", "", closed=True)]
        self._tail, self._shown = "", None
        return updates

    def _take(self) -> bool:
        """Move what was fed to the tail; a carriage return waits for the line feed after it."""
        text = self._held + "".join(self._new)
        self._new.clear()
        whole = text.removesuffix("\r")
        self._held = text[len(whole) :]
        self._tail += normalise(whole)
        return bool(whole)

    def _is_due(self) -> bool:
        size = len(self._tail)
        if size < _LONG or (size < _HUGE and size >= self._parsed * _GROWTH):
            return True
        over = self._fence or _FRESH_LINE
        return over.search(self._tail, self._lines_seen) is not None

    def _close(self) -> list[BlockUpdate]:
        """Cut the finished blocks off the tail."""
        complete = _whole_lines(self._tail)
        if self._looked_at == (len(complete), self._tail[len(complete) :][:2]):
            return []
        env = self._copy_env()
        blocks = parse(complete, env)
        starts = _line_starts(complete)
        done = _finished_blocks(blocks, self._tail, starts)
        cut = _cut(blocks, done, complete.split("\n"))
        updates = self._finished(done)
        known = self._env["references"]
        for name, reference in env["references"].items():
            if name not in known and reference["map"][0] < cut:
                known[name] = reference
        self._tail = self._tail[starts[cut] :]
        complete = complete[starts[cut] :]
        self._looked_at = (len(complete), self._tail[len(complete) :][:2])
        return updates

    def _finished(self, blocks: Sequence[Block]) -> list[BlockUpdate]:
        updates = [
            BlockUpdate(self._index + place, render(block, self._env), block.source, closed=True)
            for place, block in enumerate(blocks)
        ]
        if blocks:
            self._index += len(blocks)
            self._shown = None
        return updates

    def _refresh(self) -> None:
        """Render the open block; of a long one only the whole lines, once for all of `_GROWTH`."""
        self._parsed = len(self._tail)
        is_long = self._parsed >= _LONG
        source = _whole_lines(self._tail) if is_long else self._tail
        self._lines_seen = len(source.rstrip(" \t\n"))
        env = self._copy_env()
        blocks = parse(source, env)
        self._base = "".join(render(block, env) for block in blocks)
        self._rest_from = len(source)
        self._fence = _closing_fence(blocks[-1]) if blocks else None

    def _open(self) -> list[BlockUpdate]:
        rest = self._tail[self._rest_from :]
        markup = self._base
        if rest and self._fence:
            markup = markup.removesuffix(CODE_END) + html.escape(rest) + CODE_END
        elif rest:
            markup += f'<p class="chat-magics-pending">{html.escape(rest)}</p>\n'
        if markup == (self._shown or ""):
            return []
        self._shown = markup
        return [BlockUpdate(self._index, markup, self._tail, closed=False)]

    def _copy_env(self) -> EnvType:
        return {**self._env, "references": dict(self._env["references"])}


def _whole_lines(text: str) -> str:
    return text[: text.rfind("\n") + 1]


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _finished_blocks(blocks: list[Block], text: str, starts: Sequence[int]) -> list[Block]:
    """Those that no line after `text` can change."""
    if not blocks:
        return []
    last = blocks[-1]
    if last.kind == "fence":
        is_over = _closing_fence(last) is None
    else:
        over = _OVER.get(last.kind)
        is_over = over is not None and over.match(text, starts[last.end]) is not None
    if is_over:
        return blocks
    # Math without its end may turn out to be text, and then the lines before it go on.
    may_join = last.kind == "math_pending" and blocks[-2:-1] and blocks[-2].end == last.start
    return blocks[: -2 if may_join else -1]


def _closing_fence(block: Block) -> re.Pattern[str] | None:
    """The line that would close the block; None if it is no fence, or closed."""
    if block.kind != "fence":
        return None
    marker = block.tokens[0].markup
    line = rf"^ {{0,3}}{marker[0]}{{{len(marker)},}}[ \t]*$"
    after_opening = block.source.partition("\n")[2]
    if re.match(line, after_opening.rpartition("\n")[2]):
        return None
    return re.compile(line + r"\n", re.MULTILINE)


def _cut(blocks: Sequence[Block], done: Sequence[Block], lines: Sequence[str]) -> int:
    """The first line that is still needed: link definitions may go on until a blank line."""
    cut = done[-1].end if done else 0
    limit = blocks[len(done)].start if len(done) < len(blocks) else len(lines) - 1
    blank = [line for line in range(cut, limit) if not lines[line].strip(" \t")]
    return blank[-1] + 1 if blank else cut
