"""One formula → HTML: TeX for the host's MathJax, or MathML that needs nothing."""

from __future__ import annotations

import html
import logging
import re
from typing import Literal
from xml.etree import ElementTree

__all__ = ["Math", "formula"]

_log = logging.getLogger(__name__)

Math = Literal["tex", "mathml"]
"""How formulas go out: `tex` for the MathJax of the page, `mathml` for the browser itself."""

# Links, styles (a CSS url() is fetched), ids, and definitions, which MathJax keeps for the
# formulas of the whole page, the user's own included.
_REFUSED = re.compile(
    r"\\(?:href|url|class|cssId|style|data|bbox|require|includegraphics|mmlToken|unicode"
    r"|csname|[egx]?def|let|(?:re)?newcommand|providecommand|(?:re)?newenvironment"
    r"|Declare[A-Za-z]+|Newextarrow)(?![A-Za-z])"
)
_NUMBERED = re.compile(r"\\(begin|end)\{(equation|align|alignat|flalign|gather|multline)\}")
_LONGEST = 10_000  # characters; latex2mathml takes 0.1 s for as many


def formula(tex: str, *, display: bool, math: Math) -> str:
    """The formula as HTML, or as its source in `<code>` where it cannot be shown.

    Args:
        tex: what stood between the delimiters.
        display: True for a formula on its own line.
        math: what the page can show.

    Example:
        >>> print(formula("a < b", display=False, math="tex"))
        <span class="tex2jax_process mathjax_process">\\(a &lt; b\\)</span>
    """
    if _REFUSED.search(tex):
        return f"<code>{html.escape(tex)}</code>"
    if math == "mathml":
        return _mathml(tex, display)
    opening, closing = (r"\[", r"\]") if display else (r"\(", r"\)")
    body = opening + html.escape(tex, quote=False) + closing
    return f'<span class="tex2jax_process mathjax_process">{body}</span>'


def _mathml(tex: str, display: bool) -> str:
    # Imported here because it takes 84 ms, and most replies hold no formula.
    from latex2mathml.converter import convert_to_element

    unnumbered = _NUMBERED.sub(r"\\\1{\2*}", tex)
    try:
        if len(tex) > _LONGEST:
            raise ValueError(f"longer than {_LONGEST} characters")
        tree = convert_to_element(unnumbered, display="block" if display else "inline")
        for element in tree.iter():
            # latex2mathml writes entities into the text and leaves `<` of a \text alone: read
            # them, so that writing the tree escapes each character once.
            element.text = html.unescape(element.text or "")
        markup = ElementTree.tostring(tree, encoding="unicode")
    except Exception as problem:  # noqa: BLE001 - latex2mathml raises whatever it stumbles over
        _log.debug("a formula is shown as its source: %r", problem)
        return f"<code>{html.escape(tex)}</code>"
    return f'<span class="chat-magics-math">{markup}</span>'
