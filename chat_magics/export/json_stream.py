"""A large JSON object, one member after the other, without the whole of it in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

__all__ = ["members"]

_PIECE = 1 << 20  # characters

_BLANK = " \t\n\r"


def members(file: TextIO, listed: str) -> Iterator[tuple[str, Any]]:
    """The members of the object that a file holds, in its order.

    Args:
        file: text that is one JSON object.
        listed: the name of a member that is an array; its elements come one by one, each under
            this name.

    Raises:
        ValueError: it is not JSON, not an object, or ends in the middle.

    Example:
        >>> import io
        >>> list(members(io.StringIO('{"a": 1, "many": [2, 3]}'), "many"))
        [('a', 1), ('many', 2), ('many', 3)]
    """
    text = _Scanner(file)
    text.expect("{")
    if text.passes("}"):
        return
    while True:
        name = text.value()
        text.expect(":")
        if name == listed and text.passes("["):
            yield from ((listed, element) for element in _elements(text))
        else:
            yield str(name), text.value()
        if text.passes("}"):
            return
        text.expect(",")


def _elements(text: _Scanner) -> Iterator[Any]:
    if text.passes("]"):
        return
    while True:
        yield text.value()
        if text.passes("]"):
            return
        text.expect(",")


class _Scanner:
    """The part of the file that is in memory, the line it begins in, and how far it was read."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._line = 1
        self._decode = json.JSONDecoder().raw_decode

    def passes(self, mark: str) -> bool:
        """True where this mark is next, and then it is behind."""
        found = self._next() == mark
        self._at += found
        return found

    def expect(self, mark: str) -> None:
        """Goes behind this mark.

        Raises:
            ValueError: something else is next.
        """
        if not self.passes(mark):
            raise ValueError(f"{mark!r} is missing" if self._next() else "the file ends too early")

    def value(self) -> Any:
        """The next value.

        Raises:
            ValueError: it is not whole, or not JSON.
        """
        self._next()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as problem:
                line = self._line + self._text.count("\n", 0, problem.pos)
                if self._more():
                    continue
                said = problem.msg.removesuffix(" starting at")
                raise ValueError(f"it is damaged in line {line}: {said}") from None
            # A number at the very end of what is in memory may go on.
            if end < len(self._text) or not self._more():
                self._at = end
                return value

    def _next(self) -> str:
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANK:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Reads on, in pieces that grow with the value, so that a long one is not tried often."""
        piece = self._file.read(max(_PIECE, len(self._text) - self._at))
        self._line += self._text.count("\n", 0, self._at)
        self._text = self._text[self._at :] + piece
        self._at = 0
        return bool(piece)
