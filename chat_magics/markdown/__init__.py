"""Model text → safe HTML, whole or while it streams; a model's text is hostile input.

markdown-it-py (no HTML of the author's) → Pygments and math → the allow-list, last. The files:
`blocks` parses and renders top-level blocks, `delimiters` and `formula` do math, `links` and
`code` what they say, `sanitise` holds the allow-list, `whole` and `stream` are the two ways in.
Each loads when it is first used: the style sheet alone needs no parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .code import CodeBlock as CodeBlock
    from .formula import Math as Math
    from .stream import BlockUpdate as BlockUpdate
    from .stream import MarkdownStream as MarkdownStream
    from .style import STYLE as STYLE
    from .whole import code_blocks as code_blocks
    from .whole import to_html as to_html
    from .whole import wrap as wrap

__all__ = [
    "STYLE",
    "BlockUpdate",
    "CodeBlock",
    "MarkdownStream",
    "Math",
    "code_blocks",
    "to_html",
    "wrap",
]

_HOMES = {
    "STYLE": "style",
    "BlockUpdate": "stream",
    "CodeBlock": "code",
    "MarkdownStream": "stream",
    "Math": "formula",
    "code_blocks": "whole",
    "to_html": "whole",
    "wrap": "whole",
}


def __getattr__(name: str) -> Any:
    """Loads a public name at its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
