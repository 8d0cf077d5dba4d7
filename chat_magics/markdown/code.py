"""Code blocks: highlighted for the eye, and taken out of a reply as they are."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight  # type: ignore[import-untyped]  # ships no types
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]  # ships no types
from pygments.lexers import get_all_lexers, get_lexer_by_name  # type: ignore[import-untyped]  # ships no types

__all__ = ["CODE_END", "CodeBlock", "language_of", "render_code"]

CODE_END = "</code></pre>\n"
"""How the HTML of each code block ends."""

_LANGUAGE = re.compile(r"[\w+#.-]{1,40}", re.ASCII)
_SAME = {"ipython": "python", "ipython3": "python"}
_LONGEST = 100_000  # characters; Pygments takes 0.15 s for as many


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A block of code in a reply.

    Args:
        language: as the reply names it, in lower case; empty where it names none.
        code: the code, without the line break at its end.

    Example:
        >>> CodeBlock("python", "1 + 1").language
        'python'
    """

    language: str
    code: str


def language_of(info: str) -> str:
    """The language that the opening line of a fence names, or an empty string.

    Example:
        >>> language_of("Python title=a.py"), language_of("{r}"), language_of("")
        ('python', 'r', '')
    """
    match = _LANGUAGE.match(info.strip().lstrip("{."))
    return match[0].lower() if match else ""


def render_code(
    _self: RendererProtocol,
    tokens: Sequence[Token],
    idx: int,
    _options: OptionsDict,
    _env: EnvType,
) -> str:
    """A rule for markdown-it: `<pre><code>` with the spans of Pygments."""
    token = tokens[idx]
    language = language_of(token.info)
    label = f' data-lang="{html.escape(language)}"' if language else ""
    return f"<pre{label}><code>{_highlighted(token.content, language)}{CODE_END}"


def _highlighted(code: str, language: str) -> str:
    language = _SAME.get(language, language)
    # Asking Pygments for a name that it does not know takes 65 ms: it loads its plug-ins.
    known = any(language in aliases for _, aliases, _, _ in get_all_lexers(plugins=False))
    if not known or len(code) > _LONGEST:
        return html.escape(code)
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True, classprefix="pg-")))
