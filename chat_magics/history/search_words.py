"""A text as the words that search knows: the same for what is stored and what is looked for.

Neither database splits text as people search it: SQLite's tokenizers take a line of Chinese for
one word and cut Hindi at its vowels, and each knows another Unicode. So the words are made here,
and both databases index what they are given.

A word is a run of letters and digits, without case and accents. Scripts that are written without
blanks, Korean and emoji are one word per character: a few of them next to each other are found as
a phrase.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

__all__ = ["Place", "places", "words"]

LONGEST = 64
"""Characters of a word that count; what follows, as in base64, is not told apart."""

_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u312f"  # radicals, kana, bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f"  # Han, Hangul
    "\u2600-\u27bf\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff"  # emoji
    "\U00020000-\U0003ffff"  # rare Han
)
_VOICED = "\u3099\u309a\uff9e\uff9f"
"""Marks that make another kana of the one before."""

_POINTS = (
    "\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u200c\u200d"
)
"""Accents, Hebrew and Arabic points, soft hyphens, joiners: inside words, and they do not count."""

_INDIC = "\u0900-\u0963\u0966-\u0dff"
"""Scripts whose vowels are marks, which Python does not count among the letters."""

_WORD = re.compile(
    f"[{_ALONE}][{_VOICED}]?|"
    rf"(?:[^\W_{_ALONE}]|[{_INDIC}])+(?:[{_POINTS}{_INDIC}]+[^\W_{_ALONE}]*)*"
)
_ASCII_WORD = re.compile(r"[0-9a-z]+")
_NOT_COUNTED = re.compile(f"[{_POINTS}]+")


class Place(NamedTuple):
    """A word, and where in the text it stands: from `start` up to `end`."""

    word: str
    start: int
    end: int


def words(text: str) -> list[str]:
    """The words of a text, in order.

    Example:
        >>> words("Déjà vu: left_join(日本) in C++")
        ['deja', 'vu', 'left', 'join', '日', '本', 'in', 'c']
    """
    if text.isascii():
        found: list[str] = _ASCII_WORD.findall(text.lower())
        too_long = max(map(len, found), default=0) > LONGEST
        return [word[:LONGEST] for word in found] if too_long else found
    return [word for span in _WORD.findall(text) for word in _of_span(span)]


def places(text: str) -> list[Place]:
    """The words of a text with their places in it.

    Example:
        >>> places("Ein Weiß")
        [Place(word='ein', start=0, end=3), Place(word='weiss', start=4, end=8)]
    """
    return [
        Place(word, *found.span()) for found in _WORD.finditer(text) for word in _of_span(found[0])
    ]


def _of_span(span: str) -> list[str]:
    if span.isascii():
        return [span.lower()[:LONGEST]]
    if len(span) == 1 and _is_plain(span):
        return [span]
    folded = _NOT_COUNTED.sub("", unicodedata.normalize("NFKD", span).casefold())
    found = _WORD.findall(unicodedata.normalize("NFC", folded))
    return [word[:LONGEST] for word in found]


def _is_plain(character: str) -> bool:
    """True where there is nothing to fold, as in nearly all Chinese, Japanese and Korean."""
    return (
        "\u4e00" <= character <= "\u9fff"
        or "\uac00" <= character <= "\ud7a3"
        or "\u3041" <= character <= "\u3096"
        or "\u30a1" <= character <= "\u30fa"
    )
