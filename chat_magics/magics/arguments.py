"""The lines of the smaller magics, parsed: words and options, with quotes as in a shell."""

from __future__ import annotations

import argparse
import shlex
from typing import NoReturn

from IPython.core.error import UsageError

__all__ = ["Arguments", "words_of"]


class Arguments(argparse.ArgumentParser):
    """A parser whose refusal is one line.

    Args:
        magic: its name, for the message.
    """

    def __init__(self, magic: str) -> None:
        super().__init__(prog=f"%{magic}", add_help=False, allow_abbrev=False)
        self._magic = magic

    def error(self, message: str) -> NoReturn:
        """Refuses the line.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{message}; %{self._magic}? shows how")

    def parse(self, line: str) -> argparse.Namespace:
        """The words and options of a line.

        Raises:
            UsageError: an option is unknown or lacks its value, or a quote is not closed.
        """
        return self.parse_args(words_of(line))


def words_of(line: str) -> list[str]:
    """The words of a line; quotes hold blanks together.

    Raises:
        UsageError: a quote is not closed.

    Example:
        >>> words_of("rename 'left joins' joins")
        ['rename', 'left joins', 'joins']
    """
    # A backslash is part of a path on Windows, and no escape.
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = lexer.escape = ""
    try:
        return list(lexer)
    except ValueError:
        raise UsageError(f"a quote is not closed: {line}") from None
