"""HTML: one page to read, print and pass on; it asks no network and runs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TextIO

from chat_magics.caption import caption, heading
from chat_magics.export.page import FOOT, HEAD
from chat_magics.export.transcript import Transcript
from chat_magics.export.values import attached_line, in_and_out
from chat_magics.history.exchange import ConversationRecord, Exchange
from chat_magics.markdown import to_html, wrap
from chat_magics.markdown.sanitise import normalise

__all__ = ["write"]


def write(transcripts: Iterable[Transcript], out: TextIO) -> None:
    """Write conversations one after the other, the path of each first, then what left it."""
    out.write(HEAD)
    none = True
    for transcript in transcripts:
        none = False
        _write_conversation(transcript, out)
    if none:
        out.write('<p class="quiet">No conversation.</p>\n')
    out.write(FOOT)


def _write_conversation(transcript: Transcript, out: TextIO) -> None:
    record = transcript.conversation
    out.write(f'<article>\n<h1 dir="auto">{_text(heading(record.name, record.title))}</h1>\n')
    out.write(f'<p class="quiet">{_text(_summary(record, len(transcript.exchanges)))}</p>\n')
    standing, left = in_and_out(transcript)
    system: str | None = None
    for exchange in standing:
        out.write(_turn(exchange, system))
        system = exchange.system
    if left:
        out.write('<h2 class="left">Earlier versions, and what was asked alone</h2>\n')
    for exchange in left:
        out.write(_turn(exchange, exchange.system))
    out.write("</article>\n")


def _summary(record: ConversationRecord, exchanges: int) -> str:
    count = f"{exchanges:,} exchange{'' if exchanges == 1 else 's'}"
    return " · ".join([f"{record.created:%Y-%m-%d %H:%M} UTC", count, *record.tags])


def _turn(exchange: Exchange, system_before: str | None) -> str:
    parts = ['<section class="turn">']
    if exchange.system and exchange.system != system_before:
        parts.append(_folded("System prompt", exchange.system))
    parts.append('<h2 class="unseen">You</h2>')
    parts.append(f'<div class="prompt text" dir="auto">{_text(exchange.prompt)}</div>')
    if exchange.attachments:
        parts.append(f'<p class="quiet">{_text(attached_line(exchange))}</p>')
    parts.append('<h2 class="unseen">Assistant</h2>')
    if exchange.reasoning:
        parts.append(_folded("Thoughts", exchange.reasoning))
    html = wrap(to_html(exchange.text, math="mathml"), math="mathml")
    parts.append(f'<div class="reply" dir="auto">{html}</div>')
    parts.append(f'<p class="quiet">{_text(caption(exchange, dated=True))}</p>\n</section>\n')
    return "\n".join(parts)


def _folded(summary: str, text: str) -> str:
    body = f'<div class="text" dir="auto">{_text(text)}</div>'
    return f"<details><summary>{summary}</summary>{body}</details>"


def _text(text: str) -> str:
    return escape(normalise(text))
