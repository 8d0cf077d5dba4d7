"""export(): conversations into a file, whole or not at all, or onto a stream."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO, get_args

from chat_magics.errors import InvalidRequest
from chat_magics.export import (
    csv_file,
    html_file,
    json_file,
    markdown_file,
    notebook_file,
    parquet_file,
)
from chat_magics.export.cleaning import MASK, Cleaner
from chat_magics.export.files import checked_target, path_text, whole_file
from chat_magics.export.formats import chosen_format
from chat_magics.export.notebook_file import Prompts
from chat_magics.export.transcript import Transcript
from chat_magics.history.exchange import Exchange

__all__ = ["Exported", "export"]

_WRITERS = {
    "json": json_file.write,
    "markdown": markdown_file.write,
    "csv": csv_file.write,
    "html": html_file.write,
}


LARGEST_INLINE = 1_000_000
"""Bytes of a file that Markdown and notebooks hold; JSON holds all."""


class Exported(NamedTuple):
    """What was exported.

    Args:
        path: the file; None for a stream.
        format: its name.
        conversations: how many.
        exchanges: how many, all versions.
        redacted: how many secrets were replaced.
        notes: what a reader must be told.
    """

    path: Path | None
    format: str
    conversations: int
    exchanges: int
    redacted: int
    notes: tuple[str, ...]


def export(
    transcripts: Iterable[Transcript],
    target: str | os.PathLike[str] | TextIO,
    *,
    format: str | None = None,
    force: bool = False,
    secrets: Sequence[str] = (),
    prompts: Prompts = "cells",
) -> Exported:
    """Write conversations; owner, origin and places of this machine stay here.

    Keys that stand in the text are replaced only where `secrets` names them; without it nothing
    is. `Conversation.export` names those that its session knows.

    Args:
        transcripts: taken one after the other, so that they need not all be in memory.
        target: a path, an open text file, or `-` to print.
        format: a name of `FORMATS` or an ending; None goes by the ending of the path, and takes
            Markdown where there is no path.
        force: replace a file that is there.
        secrets: values, such as keys, that are replaced wherever they stand; none where empty.
        prompts: in a notebook, as cells that ask again when they are run, or as text.

    Raises:
        InvalidRequest: the path or the format cannot be used, or the file cannot be written.

    Example:
        >>> import io
        >>> page = io.StringIO()
        >>> export([], page, format="json").conversations, "chat_magics" in page.getvalue()
        (0, True)
    """
    if not isinstance(transcripts, Iterable):
        raise InvalidRequest("export takes a list of transcripts, or what gives them in turn")
    if prompts not in get_args(Prompts):
        raise InvalidRequest(f"prompts are written as cells or as markdown, and not as {prompts!r}")
    stream = _stream(target)
    path = None if stream else Path(path_text(target))
    name = chosen_format(path, format)
    outgoing = _Outgoing(transcripts, Cleaner(secrets), inline=name != "json")
    if name == "parquet":
        parquet_file.check_installed()
    if stream is not None:
        if name == "parquet":
            raise InvalidRequest("Parquet cannot be printed: name a file")
        _write_text(name, outgoing, stream, prompts)
        return outgoing.report(None, name)
    checked = checked_target(path_text(target), force=force)
    with whole_file(checked, force=force) as temporary:
        if name == "parquet":
            parquet_file.write(outgoing, temporary)
        else:
            # A spreadsheet takes a CSV file without this mark for an old code page.
            encoding = "utf-8-sig" if name == "csv" else "utf-8"
            with temporary.open("w", encoding=encoding, newline="") as out:
                _write_text(name, outgoing, out, prompts)
    return outgoing.report(checked, name)


def _stream(target: str | os.PathLike[str] | TextIO) -> TextIO | None:
    if hasattr(target, "write"):
        return target  # type: ignore[return-value]  # a path has no write
    return sys.stdout if path_text(target) == "-" else None


def _write_text(name: str, outgoing: _Outgoing, out: TextIO, prompts: Prompts) -> None:
    if name == "ipynb":
        notebook_file.write(outgoing, out, prompts=prompts)
    else:
        _WRITERS[name](outgoing, out)


class _Outgoing:
    """The transcripts on their way out: cleaned and counted, without files that are too large.

    Args:
        transcripts: as they are stored.
        cleaner: takes out what must not leave.
        inline: the format is for reading, and no place for large files.
    """

    def __init__(
        self, transcripts: Iterable[Transcript], cleaner: Cleaner, *, inline: bool
    ) -> None:
        self._transcripts = transcripts
        self._cleaner = cleaner
        self._inline = inline
        self._listed = 0
        self._conversations = 0
        self._exchanges = 0
        self._streaming = 0

    def __iter__(self) -> Iterator[Transcript]:
        for transcript in self._transcripts:
            self._conversations += 1
            self._exchanges += len(transcript.exchanges)
            self._streaming += sum(each.status == "streaming" for each in transcript.exchanges)
            record, exchanges = self._cleaner.transcript(transcript)
            yield Transcript(record, tuple(map(self._fitting, exchanges)))

    def _fitting(self, exchange: Exchange) -> Exchange:
        kept = []
        for info in exchange.attachments:
            too_large = self._inline and info.content is not None and info.size > LARGEST_INLINE
            self._listed += too_large
            kept.append(info.model_copy(update={"content": None}) if too_large else info)
        return exchange.model_copy(update={"attachments": tuple(kept)}) if kept else exchange

    def report(self, path: Path | None, name: str) -> Exported:
        """What came of it."""
        redacted = self._cleaner.found
        notes = []
        if redacted:
            times = "once" if redacted == 1 else f"{redacted} times"
            notes.append(f"a key stood in the text: it is replaced by {MASK}, {times}")
        if self._listed and name in ("markdown", "ipynb"):
            files = "one file" if self._listed == 1 else f"{self._listed} files"
            notes.append(f"{files} of more than 1 MB listed, and not in it: JSON holds all")
        if self._streaming:
            notes.append(f"{self._streaming} still being answered: what had come was written")
        return Exported(path, name, self._conversations, self._exchanges, redacted, tuple(notes))
