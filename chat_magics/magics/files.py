"""`%chat_export` and `%chat_import`: conversations into files and back."""

from __future__ import annotations

import sys

from IPython.core.error import UsageError

from ..conversation import Conversation, Session
from ..display.show import printable
from .arguments import Arguments

__all__ = ["read", "write"]


def write(session: Session, line: str) -> None:
    """Writes the running conversation, the one that is named, or all."""
    session.refresh()
    parser = Arguments("chat_export")
    parser.add_argument("file", nargs="?")
    parser.add_argument("-c", "--conversation")
    parser.add_argument("-f", "--format")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--prompts", choices=("cells", "markdown"), default="cells")
    parsed = parser.parse(line)
    if parsed.file is None:
        raise UsageError("%chat_export needs a file: %chat_export talk.md, or - to print")
    if parsed.all and parsed.conversation:
        raise UsageError("--all is all of them: name no conversation")
    name = parsed.conversation
    chosen = Conversation.open(name, session=session) if name else session.conversation
    to_screen = parsed.file == "-"
    done = chosen.export(
        sys.stdout if to_screen else parsed.file,
        format=parsed.format or ("markdown" if to_screen else None),
        force=parsed.force,
        everything=parsed.all,
        prompts=parsed.prompts,
    )
    if not to_screen:
        talks = _counted(done.conversations, "conversation")
        _print(f"{done.path}: {talks}, {_counted(done.exchanges, 'exchange')}")
    for note in done.notes:
        _print(f"Note: {note}")


def read(session: Session, line: str) -> None:
    """Takes the conversations of a file into history, and tells what became of each."""
    session.refresh()
    parser = Arguments("chat_import")
    parser.add_argument("file", nargs="?")
    parser.add_argument("-f", "--format")
    parsed = parser.parse(line)
    if parsed.file is None:
        raise UsageError("%chat_import needs a file: %chat_import talk.md")
    from ..export import load

    for line in session.listing.take_in(load(parsed.file, format=parsed.format)):
        _print(line)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _print(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
