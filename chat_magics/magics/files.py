"""`%chat_export` and `%chat_import`: conversations into files and back."""

from __future__ import annotations

import sys

from IPython.core.error import UsageError

from ..conversation import Conversation, Session
from ..display.show import printable
from . import lines

__all__ = ["read", "write"]


def write(session: Session, line: str) -> None:
    """Writes the running conversation, the one that is named, or all."""
    session.refresh()
    parsed = lines.export().parse(line)
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
    parsed = lines.import_().parse(line)
    if parsed.file is None:
        raise UsageError("%chat_import needs a file: %chat_import talk.md")
    from ..export import load

    for told in session.listing.take_in(load(parsed.file, format=parsed.format)):
        _print(told)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _print(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
