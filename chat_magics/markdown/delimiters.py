"""Where math begins and ends in Markdown: `$`, `$$`, `\\(`, `\\[` and amsmath environments."""

from __future__ import annotations

import re
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

__all__ = ["math_delimiters"]

# A delimiter without its partner is looked for no further than this, which keeps a text of
# nothing but openers linear.
_INLINE_LONGEST = 2_000
_BLOCK_LONGEST = 10_000
_BLOCK_LINES = 200

_INLINE = {"$$": "$$", "$": "$", r"\(": r"\)", r"\[": r"\]"}
_BLOCK = re.compile(
    r"\$\$|\\\[|\\begin\{(?P<name>(?:equation|multline|gather|gathered|align|alignat|aligned"
    r"|alignedat|flalign|split|cases|eqnarray|[pbBvV]?matrix)\*?)\}"
)
_PUNCTUATION = frozenset(["", ".", ",", ";", ":", "!", "?"])
_WORD = re.compile(r"[A-Za-z0-9_]")
_PRICE = re.compile(r"\d[\d.,]*[kKMB]?\s+[^\W\d]{2}")
_TEX = re.compile(r"[\\^_={}]")
_AFTER = re.compile(r"(?![A-Za-z0-9_$])|(?:th|s)\b")


def math_delimiters(md: MarkdownIt) -> None:
    """Teach a parser the tokens `math_inline`, `math_display`, `math_block`, `math_pending`.

    `math_block` may interrupt a paragraph and ends at a blank line at the latest. With
    `env["streaming"]`, one at the end of the text whose closing has not come yet is
    `math_pending`: it runs to the end and may still become something else.
    """
    md.inline.ruler.before("escape", "math", _inline)
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    md.block.ruler.before("table", "math_block", _block, {"alt": interrupts})


def _closing(text: str, mark: str, start: int, end: int) -> int:
    """Where `mark` stands in text[start:end] without a backslash that escapes it, or -1."""
    at = text.find(mark, start, end)
    while at >= 0:
        before = text[start:at]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            break
        at = text.find(mark, at + 1, end)
    return at


def _inline(state: StateInline, silent: bool) -> bool:
    opening = next((mark for mark in _INLINE if state.src.startswith(mark, state.pos)), None)
    if opening is None:
        return False
    start = state.pos + len(opening)
    closing = _INLINE[opening]
    end = _closing(state.src, closing, start, min(state.posMax, start + _INLINE_LONGEST))
    if end < 0:
        return False
    tex = state.src[start:end]
    if not tex.strip() or "`" in tex:
        return False  # a backtick: the partner stands inside code
    if opening == "$" and not _is_math(state.src, state.pos, end):
        return False
    if not silent:
        token = state.push("math_inline" if opening in ("$", r"\(") else "math_display", "", 0)
        token.content = tex.strip()
        token.markup = opening
    state.pos = end + len(closing)
    return True


def _is_math(text: str, opening: int, closing: int) -> bool:
    """False for prices and shell variables: `$5 and $10`, `US$5`, `$HOME/$PATH`."""
    tex = text[opening + 1 : closing]
    if tex[0].isspace() or tex[-1].isspace():
        return False
    if opening and _WORD.match(text[opening - 1]):
        return False
    if not _AFTER.match(text, closing + 1):
        return False
    return not (_PRICE.match(tex) and not _TEX.search(tex))


class _Found(NamedTuple):
    line: int
    tex: str
    after: str = ""
    pending: bool = False


def _block(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    if state.is_code_block(first):
        return False
    begin = state.bMarks[first] + state.tShift[first]
    opening = _BLOCK.match(state.src, begin, state.eMarks[first])
    if opening is None:
        return False
    name = opening["name"]
    closing = rf"\end{{{name}}}" if name else {"$$": "$$", r"\[": r"\]"}[opening[0]]
    found = _find(state, first, last, opening.end(), closing)
    if found is None:
        return False
    if not silent:
        token = state.push("math_pending" if found.pending else "math_block", "", 0)
        token.map = [first, found.line + 1]
        if found.pending:
            token.content = opening[0] + found.tex
        elif name:
            token.content = opening[0] + found.tex + closing + found.after
        else:
            token.content = found.tex.strip() + found.after
    state.line = found.line + 1
    return True


def _find(state: StateBlock, first: int, last: int, start: int, closing: str) -> _Found | None:
    """The end of the block that opens before `start`, if it has one."""
    reach = start + _BLOCK_LONGEST
    may_go_on = (
        bool(state.env.get("streaming"))
        and state.level == 0
        and last == state.lineMax <= first + _BLOCK_LINES
        and len(state.src) <= reach
    )
    if not may_go_on and state.src.find(closing, start, reach) < 0:
        return None
    tex: list[str] = []
    for line in range(first, min(last, first + _BLOCK_LINES)):
        if line > first:
            if state.isEmpty(line) or state.sCount[line] < state.blkIndent:
                return None
            start = state.bMarks[line] + state.tShift[line]
        end = _closing(state.src, closing, start, min(state.eMarks[line], reach))
        stop = state.eMarks[line] if end < 0 else end
        if stop >= reach or "`" in state.src[start:stop]:
            return None
        tex.append(state.src[start:stop])
        if end >= 0:
            after = state.src[end + len(closing) : state.eMarks[line]].strip()
            whole = "".join(tex).strip() and after in _PUNCTUATION
            return _Found(line, "\n".join(tex), after) if whole else None
    return _Found(last - 1, "\n".join(tex), pending=True) if may_go_on else None
