"""A whole text → HTML, and the code in it."""

from __future__ import annotations

from chat_magics.markdown.blocks import environment, parse, render
from chat_magics.markdown.code import CodeBlock, language_of
from chat_magics.markdown.formula import Math
from chat_magics.markdown.sanitise import normalise

__all__ = ["code_blocks", "to_html", "wrap"]


def to_html(text: str, *, math: Math = "tex") -> str:
    """The text, which is Markdown and may be hostile, as sanitised HTML; never raises.

    Args:
        text: what the model wrote.
        math: `tex` for a page with MathJax, `mathml` for any other.

    Example:
        >>> to_html("*Hello* <script>")
        '<p><em>Hello</em> &lt;script&gt;</p>\\n'
    """
    env = environment(math)
    return "".join(render(block, env) for block in parse(normalise(text), env))


def wrap(html: str, *, math: Math) -> str:
    """The outer `<div>` that `STYLE` applies to, around what `to_html` or a stream gave.

    Args:
        html: sanitised HTML.
        math: as it was rendered; with `tex`, MathJax is kept from all but our formulas.

    Example:
        >>> wrap("<p>Hi</p>", math="mathml")
        '<div class="chat-magics"><p>Hi</p></div>'
    """
    ignore = " tex2jax_ignore mathjax_ignore" if math == "tex" else ""
    return f'<div class="chat-magics{ignore}">{html}</div>'


def code_blocks(text: str) -> tuple[CodeBlock, ...]:
    """The blocks of code in a text, in order, fenced or indented, those within lists too.

    Args:
        text: what the model wrote.

    Example:
        >>> code_blocks("- Try:\\n  ```python\\n  1 + 1\\n  ```")
        (CodeBlock(language='python', code='1 + 1'),)
    """
    return tuple(
        CodeBlock(language_of(token.info), token.content.removesuffix("\n"))
        for block in parse(normalise(text), environment("tex"))
        for token in block.tokens
        if token.type in ("fence", "code_block")
    )
