"""`chat-magics move`: a history into another place."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

__all__ = ["add_move"]

PACE = 0.1
"""Seconds between two changes of the line that tells how far it is."""


def add_move(commands: Any) -> None:
    """Adds the command to a parser's commands."""
    parser = commands.add_parser(
        "move",
        help="copy a whole history into another place, such as a database",
        description="Copies the conversations of all owners into an empty file or database, and "
        "verifies them by count and hash. The source is only read. A copy that was cut off in any "
        "way is taken up by the same command; until it ends, the target is no history. End what "
        "uses the source before. A password is better left to PGPASSWORD or ~/.pgpass.",
    )
    place = "a path, sqlite:///PATH, or postgresql+psycopg://USER@HOST/DATABASE"
    parser.add_argument("source", help=place)
    parser.add_argument("target", help="the same; empty")
    parser.set_defaults(run=_move, takes_rest=False)


def _move(parsed: argparse.Namespace) -> int:
    from ..history import move

    line = _Line()
    try:
        moved = move(parsed.source, parsed.target, line.tell)
    finally:
        line.end()
    counts = [f"{count:,} {_NAMES[name]}" for name, count in moved.rows.items()]
    print(f"Moved {', '.join(counts)} to {moved.target}; verified by count and hash.")
    print("Set CHAT_MAGICS_HISTORY to it; the source is as it was.")
    return 0


_NAMES = {
    "conversations": "conversations",
    "exchanges": "exchanges",
    "attachments": "files",
    "removed": "costs of deleted exchanges",
}


class _Line:
    """One line of a terminal that tells how far it is; nothing where it is no terminal."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._next = 0.0
        self._said = ""

    def tell(self, what: str, done: int, of: int) -> None:
        """Shows how far it is."""
        now = time.monotonic()
        if self._shows and now >= self._next:
            self._next = now + PACE
            self._write(f"{what}: {done:,} of {of:,}")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text.ljust(len(self._said))}")
        sys.stderr.flush()
        self._said = text

    def end(self) -> None:
        """Takes it away."""
        if self._said:
            self._write("")
            sys.stderr.write("\r")
