"""The allow-list: the one gate that every piece of a reply's HTML passes last."""

from __future__ import annotations

import html
import re

import nh3
from pygments.token import STANDARD_TYPES  # type: ignore[import-untyped]  # ships no types

__all__ = ["clean", "normalise", "plain"]

_PROSE = (
    "p br hr h1 h2 h3 h4 h5 h6 strong em s del code pre span div blockquote ul ol li "
    "table thead tbody tr th td a"
)
# Without annotation, annotation-xml, mglyph, maction, semantics: those switch the HTML parser
# back and forth between MathML and HTML, which mutation attacks live on.
_MATHML = (
    "math mrow mi mo mn ms mtext mspace msup msub msubsup mfrac msqrt mroot munder mover "
    "munderover mtable mtr mtd mstyle mpadded mphantom menclose mmultiscripts mprescripts "
    "none merror"
)
_MATHML_ATTRIBUTES = (
    "display mathvariant stretchy fence form separator lspace rspace minsize maxsize "
    "movablelimits accent accentunder linethickness columnalign rowspacing columnspacing "
    "columnlines rowlines width height depth mathsize mathcolor scriptlevel displaystyle "
    "notation symmetric largeop"
)
_MATH_CLASSES = {"chat-magics-math", "mathjax_process", "tex2jax_process"}

_TAGS = frozenset(f"{_PROSE} {_MATHML}".split())
_ATTRIBUTES: dict[str, set[str]] = {
    "*": set(),  # without it nh3 lets `title` and `lang` through on every tag
    **{tag: set(_MATHML_ATTRIBUTES.split()) for tag in _MATHML.split()},
    "a": {"href", "title"},
    "ol": {"start"},
    "pre": {"data-lang"},
    "td": {"style"},
    "th": {"style"},
}
_CLASSES = {
    "div": _MATH_CLASSES,
    "p": {"chat-magics-pending"},
    "pre": {"chat-magics-source"},
    "span": _MATH_CLASSES
    | {"chat-magics-host"}
    | {f"pg-{short}" for short in STANDARD_TYPES.values() if short},
}
_VALUES = {
    "data-lang": re.compile(r"[\w+#.-]{1,40}", re.ASCII),
    "href": re.compile(r"(?:https?://|mailto:).+", re.IGNORECASE | re.DOTALL),
    "start": re.compile(r"\d{1,9}"),
    "style": re.compile(r"text-align:(?:left|right|center)"),
}
_MATH_VALUE = re.compile(r"[\w#%. -]{1,60}", re.ASCII)


def _value(tag: str, attribute: str, value: str) -> str | None:
    if attribute in ("class", "title"):
        return value  # classes are chosen by _CLASSES, a title is only text
    pattern = _VALUES.get(attribute, _MATH_VALUE)
    return value if pattern.fullmatch(value) else None


def clean(markup: str) -> str:
    """The same HTML with nothing left in it that is not on the allow-list.

    Args:
        markup: any HTML, however hostile; each piece is closed where it was left open.

    Example:
        >>> clean("<p onclick=x>Hi<script>alert(1)</script></p>")
        '<p>Hi</p>'
    """
    return nh3.clean(
        markup,
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        attribute_filter=_value,
        allowed_classes=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def plain(source: str) -> str:
    """The text as it was written, for what cannot be rendered: complete and harmless.

    Example:
        >>> plain("a < b")
        '<pre class="chat-magics-source"><code>a &lt; b</code></pre>\\n'
    """
    return f'<pre class="chat-magics-source"><code>{html.escape(source)}</code></pre>\n'


_UNREADABLE = re.compile("[\x00\ud800-\udfff]")


def normalise(text: str) -> str:
    """Text with line ends as LF, and U+FFFD for what no browser can show (NUL, lone surrogates).

    Example:
        >>> normalise("one\\r\\ntwo\\rthree")
        'one\\ntwo\\nthree'
    """
    return _UNREADABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
