"""Links and images: http, https and mailto only, their host in sight, and nothing is fetched."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

__all__ = ["honest_links"]

# Strict, because what Python and a browser take for the host must be the same: no user name, no
# backslash, no missing slash.
_WEB = re.compile(
    r"https?://(?P<host>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?=[/?#]|$)", re.IGNORECASE
)
_MAIL = re.compile(r"mailto:(?P<host>[^?]+)", re.IGNORECASE)
_HOST_LIKE = re.compile(r"[^\s/@:()?#]+\.[^\s/@:()?#]+")
_LONGEST = 200  # characters of a URL that is shown because it cannot be a link


def honest_links(md: MarkdownIt) -> None:
    """Rewrite the links and images of a parser so that each shows where it leads."""
    md.core.ruler.push("honest_links", _rewrite)
    md.add_render_rule("host", _render_host)


def _render_host(
    _self: RendererProtocol,
    tokens: Sequence[Token],
    idx: int,
    _options: OptionsDict,
    _env: EnvType,
) -> str:
    return f'<span class="chat-magics-host"> ({html.escape(tokens[idx].content)})</span>'


class _Target(NamedTuple):
    is_link: bool
    name: str
    """What a reader must see: the host, the mail address, or the URL that is no link."""


def _target(url: str) -> _Target:
    if match := _WEB.match(url) or _MAIL.match(url):
        return _Target(True, match["host"])
    if url.startswith("data:"):
        return _Target(False, "data")
    if url.startswith("#"):
        return _Target(False, "")
    return _Target(False, url if len(url) <= _LONGEST else url[:_LONGEST] + "…")


def _shows(text: str, name: str) -> bool:
    """True where the text of a link does not hide, or pretend another, host."""
    host = name.lower().removeprefix("www.")
    said = re.sub(r"^\s*(?:https?://|mailto:)?(?:www\.)?", "", text.lower())
    if text.strip() == name:
        return True
    if said.startswith(host) and not re.match(r"[\w.@-]", said[len(host) :]):
        return True
    hosts = {found.lower().removeprefix("www.") for found in _HOST_LIKE.findall(text)}
    return text.isascii() and "@" not in text and hosts == {host}


def _text(tokens: Sequence[Token]) -> str:
    return "".join(_text(token.children) if token.children else token.content for token in tokens)


def _token(kind: str, content: str) -> Token:
    return Token(kind, "", 0, content=content)


def _rewrite(state: StateCore) -> None:
    for token in state.tokens:
        children = token.children
        if children and any(child.type in ("link_open", "image") for child in children):
            token.children = _honest(children)


def _honest(tokens: list[Token]) -> list[Token]:
    done: list[Token] = []
    openings: list[tuple[Token, int]] = []
    for token in tokens:
        if token.type == "image":
            done += _image(token, inside_link=bool(openings))
        elif token.type == "link_open":
            openings.append((token, len(done)))
        elif token.type == "link_close" and openings:
            opening, start = openings.pop()
            done[start:] = _link(opening, done[start:], token, inside_link=bool(openings))
        else:
            done.append(token)
    return done


def _link(opening: Token, inside: list[Token], closing: Token, *, inside_link: bool) -> list[Token]:
    target = _target(str(opening.attrGet("href") or ""))
    if target.name and not _shows(_text(inside), target.name):
        inside = [*inside, _token("host", target.name)]
    return [opening, *inside, closing] if target.is_link and not inside_link else inside


def _image(image: Token, *, inside_link: bool) -> list[Token]:
    url = str(image.attrGet("src") or "")
    target = _target(url)
    shown = [_token("text", f"[image: {_text(image.children or [])}]")]
    if target.name:
        shown.append(_token("host", target.name))
    if not target.is_link or inside_link:
        return shown
    opening = Token("link_open", "a", 1, attrs={"href": url})
    return [opening, *shown, Token("link_close", "a", -1)]
