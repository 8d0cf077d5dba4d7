"""Model text → safe HTML, whole or while it streams; a model's text is hostile input.

markdown-it-py (no HTML of the author's) → Pygments and math → the allow-list, last. The files:
`blocks` parses and renders top-level blocks, `delimiters` and `formula` do math, `links` and
`code` what they say, `sanitise` holds the allow-list, `whole` and `stream` are the two ways in.
"""

from chat_magics.markdown.code import CodeBlock
from chat_magics.markdown.formula import Math
from chat_magics.markdown.stream import BlockUpdate, MarkdownStream
from chat_magics.markdown.style import STYLE
from chat_magics.markdown.whole import code_blocks, to_html, wrap

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
