"""The part of a text that shows why it was found, on one line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from chat_magics.history.search_query import Term
from chat_magics.history.search_words import places

__all__ = ["snippet"]

WIDTH = 160

_NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\s]+")
"""Blanks, controls that a terminal would obey, and marks that turn the direction of writing."""


def snippet(text: str, terms: Sequence[Term]) -> str:
    """The piece of the text with the most of these terms, about 160 characters, on one line.

    Example:
        >>> snippet("A left join\\nkeeps all rows.", [Term(("join",))])
        'A left join keeps all rows.'
    """
    start, end = _around(text, _best(text, terms))
    shown = _NOT_SHOWN.sub(" ", text[start:end]).strip()
    return f"{'…' if start else ''}{shown}{'…' if end < len(text) else ''}"


def _best(text: str, terms: Sequence[Term]) -> int:
    """Where the first of the terms stands that has the most others soon after it."""
    found = places(text)
    own = [place.word for place in found]
    stands: list[tuple[int, int]] = []
    for number, term in enumerate(terms):
        at = _literal_starts(text, term) or [found[at].start for at in term.starts_in(own)]
        stands += [(start, number) for start in at]
    stands.sort()
    starts = [start for start, _ in stands]

    def others(index: int) -> int:
        last = bisect_right(starts, starts[index] + WIDTH // 2)
        return len({number for _, number in stands[index:last]})

    return starts[max(range(len(starts)), key=others)] if starts else 0


def _literal_starts(text: str, term: Term) -> list[int]:
    if term.literal is None:
        return []
    typed = re.escape(term.literal).replace("\\ ", r"\s+")
    return [match.start() for match in re.finditer(typed, text, re.IGNORECASE)]


def _around(text: str, at: int) -> tuple[int, int]:
    """The piece of the text about this place: from blank to blank, where there are blanks."""
    start = max(0, at - WIDTH // 3)
    end = min(len(text), start + WIDTH)
    start = max(0, end - WIDTH)
    if start:
        blank = _next_blank(text, start, at)
        start = start if blank is None else blank + 1
    if end < len(text):
        before = max(text.rfind(blank, at, end) for blank in " \n")
        end = before if before > at + WIDTH // 4 else end
    return start, end


def _next_blank(text: str, start: int, end: int) -> int | None:
    found = re.compile(r"\s").search(text, start, end)
    return found.start() if found else None
