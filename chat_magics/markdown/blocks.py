"""Markdown → its top-level blocks → the HTML of each: what the whole text and a stream share."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from chat_magics.markdown.code import render_code
from chat_magics.markdown.delimiters import math_delimiters
from chat_magics.markdown.formula import Math, formula
from chat_magics.markdown.links import honest_links
from chat_magics.markdown.sanitise import clean, plain

__all__ = ["Block", "environment", "parse", "render"]

_log = logging.getLogger(__name__)

_MAX_NESTING = 24
"""Levels, two for each list. markdown-it drops what lies deeper: such a block shows its source."""


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - markdown-it's name
        # links.py decides, and shows what it refuses.
        return True


@cache
def _parser() -> _Parser:
    md = _Parser("commonmark", {"html": False, "maxNesting": _MAX_NESTING})
    md.enable(["table", "strikethrough"])
    md.use(math_delimiters).use(honest_links)
    md.add_render_rule("fence", render_code)
    md.add_render_rule("code_block", render_code)
    for kind in ("math_inline", "math_display", "math_block", "math_pending"):
        md.add_render_rule(kind, _render_math)
    md.parse("x")  # fills the tables of rules, which two threads must not do at once
    return md


def _render_math(
    _self: RendererProtocol,
    tokens: Sequence[Token],
    idx: int,
    _options: OptionsDict,
    env: EnvType,
) -> str:
    token = tokens[idx]
    if token.type == "math_pending":
        return plain(token.content)
    html = formula(token.content, display=token.type != "math_inline", math=env["math"])
    return f'<div class="chat-magics-math">{html}</div>\n' if token.type == "math_block" else html


@dataclass(frozen=True, slots=True)
class Block:
    """One block at the top level.

    Args:
        kind: the type of its first token, such as `paragraph_open`; empty if it was not parsed.
        tokens: what markdown-it made of it.
        start: its first line, counted from 0.
        end: the line after its last one.
        source: its lines.
    """

    kind: str
    tokens: Sequence[Token]
    start: int
    end: int
    source: str


def environment(math: Math, *, streaming: bool = False) -> EnvType:
    """What the rules of one text share: how math goes out, and the links defined so far.

    Args:
        math: what the page can show.
        streaming: True while the text may still go on.
    """
    return {"math": math, "streaming": streaming, "references": {}}


def parse(source: str, env: EnvType) -> list[Block]:
    """The top-level blocks of a normalised text; never raises.

    Args:
        source: what `normalise` gave.
        env: what `environment` gave; the link definitions of the text are added to it.
    """
    lines = source.split("\n")
    try:
        tokens = _parser().parse(source, env)
    except Exception as problem:  # noqa: BLE001 - a reply is shown, whatever the parser stumbles over
        _log.warning("a reply is shown as its source: %r", problem)
        return [Block("", (), 0, len(lines), source)]
    blocks: list[Block] = []
    first = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            inside = tokens[first : index + 1]
            start, end = _extent(inside[0], lines)
            blocks.append(Block(inside[0].type, inside, start, end, "\n".join(lines[start:end])))
            first = index + 1
    return blocks


def _extent(token: Token, lines: Sequence[str]) -> tuple[int, int]:
    start, end = token.map or (0, len(lines))
    end = min(end, len(lines))
    if token.type != "fence":
        while end > start + 1 and not lines[end - 1].strip(" \t"):
            end -= 1
    return start, end


def render(block: Block, env: EnvType) -> str:
    """The sanitised HTML of one block; its source where it nests too deep or cannot be rendered."""
    if not block.tokens or any(token.level >= _MAX_NESTING - 1 for token in block.tokens):
        return clean(plain(block.source))
    md = _parser()
    try:
        return clean(md.renderer.render(block.tokens, md.options, env))
    except Exception as problem:  # noqa: BLE001 - a reply is shown, whatever a lexer stumbles over
        _log.warning("a block of a reply is shown as its source: %r", problem)
        return clean(plain(block.source))
