"""The lines of the smaller magics, parsed: words and options, with quotes as in a shell."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
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
        self.offers: dict[str, Sequence[str]] = {}
        """Values that Tab offers behind an option, where not only they are taken."""

    def error(self, message: str) -> NoReturn:
        """Refuses the line.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{message}; %{self._magic}? shows how")

    def flags(self) -> list[str]:
        """The long options, as they were added."""
        return [flag for flag in self._option_string_actions if flag.startswith("--")]

    def values(self, flag: str) -> Sequence[str] | None:
        """What may stand behind an option; None where it takes nothing, or there is no such."""
        action = self._option_string_actions.get(flag)
        if action is None or action.nargs == 0:
            return None
        return self.offers.get(flag) or [str(choice) for choice in action.choices or ()]

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
