"""What a Markdown text leaves open at its end, and would swallow what follows it."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["left_open"]

_FENCE = re.compile(r"(?P<before>(?:[ >]|[-+*] |\d{1,9}[.)] )*)(?P<fence>`{3,}(?=[^`]*$)|~{3,})")
_RAW = re.compile(r" {0,3}<(script|pre|style|textarea)(?=[\s>]|$)", re.IGNORECASE)


class _Open(NamedTuple):
    fence: str = ""
    tag: str = ""
    closing: str = ""

    def ends_at(self, line: str) -> bool:
        if self.tag:
            return self.tag in line.lower()
        bare = line.strip(" \t>")
        return len(bare) >= len(self.fence) and set(bare) == {self.fence[0]}


def left_open(text: str) -> str:
    """A line that closes a fence or a block of raw HTML that the text does not; empty if none.

    Example:
        >>> left_open("Try:\\n````python\\n1 + 1\\n```")
        '````'
    """
    open_now: _Open | None = None
    for line in text.split("\n"):
        if open_now is not None:
            open_now = None if open_now.ends_at(line) else open_now
        elif match := _FENCE.match(line):
            # One within a list or a quotation ends with it, as does one that is indented deep.
            before = match["before"]
            at_top = not before.strip(" ") and len(before) < 4
            open_now = _Open(match["fence"], "", before + match["fence"] if at_top else "")
        elif (match := _RAW.match(line)) and (tag := f"</{match[1].lower()}>") not in line.lower():
            open_now = _Open("", tag, tag)
    return open_now.closing if open_now else ""
