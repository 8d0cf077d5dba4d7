"""A text apart: what is prose, what is code, and how many words that are."""

from __future__ import annotations

import re
from typing import NamedTuple

from chat_magics.markdown.blocks import environment, parse
from chat_magics.markdown.sanitise import normalise

__all__ = ["Parts", "count_words", "parts_of", "spoken"]

# Kana, Chinese characters with their extensions and compatibility forms; Korean has blanks.
_UNSPACED = re.compile(
    "[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_CODE = ("```", "~~~", "    ", "\t")
"""One of these is in every text that holds a block of code; most texts are not parsed, then."""

_UNSPOKEN = re.compile(r"`[^`\n]+`|\bhttps?://\S+")


class Parts(NamedTuple):
    """A text without its code, and the code.

    Args:
        prose: the text without its blocks of code.
        code: the blocks of code, without their fences.
        code_characters: how many characters those blocks have, with their fences.
    """

    prose: str
    code: str
    code_characters: int


def parts_of(text: str) -> Parts:
    """The prose and the blocks of code, fenced or indented, of a text that is Markdown.

    Example:
        >>> parts_of("Try:\\n~~~\\n1 + 1\\n~~~\\nand see.")
        Parts(prose='Try:\\nand see.', code='1 + 1\\n', code_characters=14)
    """
    text = normalise(text)
    if not any(mark in text for mark in _CODE):
        return Parts(text, "", 0)
    lines = [line + "\n" for line in text.split("\n")]  # as the parser counts lines
    lines[-1] = lines[-1][:-1]
    code: list[str] = []
    characters = 0
    for block in parse(text, environment("tex")):
        for token in block.tokens:
            if token.type in ("fence", "code_block") and token.map:
                start, end = token.map
                characters += sum(map(len, lines[start:end]))
                lines[start:end] = [""] * (end - start)
                code.append(token.content)
    return Parts("".join(lines), "".join(code), characters)


def count_words(text: str) -> int:
    """How many words a text has: pieces between blanks that hold a letter or a digit.

    Chinese and Japanese put no blanks between words: there each character is one, as word
    processors count. Thai, Lao, Khmer and Burmese put none either, and are counted too low.

    Example:
        >>> count_words("It isn't **well-known** - is it?"), count_words("今日 good")
        (5, 3)
    """
    spaced, unspaced = (text, 0) if text.isascii() else _UNSPACED.subn(" ", text)
    return unspaced + sum(1 for piece in spaced.split() if any(map(str.isalnum, piece)))


def spoken(prose: str) -> str:
    """Prose without spans of code and addresses, which are in no language.

    Example:
        >>> spoken("See `df.head()` at https://example.org/a now")
        'See   at   now'
    """
    return _UNSPOKEN.sub(" ", prose)
