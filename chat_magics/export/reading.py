"""load(): the conversations of a file, ours or another tool's, and what of it was not read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from chat_magics.errors import ChatError, InvalidRequest
from chat_magics.export import (
    json_file,
    jupyter_chat,
    llm_logs,
    markdown_file,
    notebook_file,
    openai_archive,
)
from chat_magics.export.files import path_text
from chat_magics.export.formats import FORMATS, format_of_ending
from chat_magics.export.transcript import Transcript, Unread

__all__ = ["Loaded", "load"]

Parts = Iterator[Transcript | Unread]

_HEAD = 65_536  # bytes

_ZIP = b"PK\x03\x04"


class _Reader(NamedTuple):
    recognises: Callable[[Path, bytes], bool]
    read: Callable[[Path], Parts]


# Those of other tools first: what they look for is not found in ours.
_READERS = {
    "openai": _Reader(openai_archive.recognises, openai_archive.read),
    "llm": _Reader(llm_logs.recognises, llm_logs.read),
    "jupyter-chat": _Reader(jupyter_chat.recognises, jupyter_chat.read),
    "markdown": _Reader(markdown_file.recognises, markdown_file.read),
    "ipynb": _Reader(notebook_file.recognises, notebook_file.read),
    "json": _Reader(json_file.recognises, json_file.read),
}


class Loaded:
    """The conversations of a file, read while they are iterated, once.

    Args:
        path: the file.
        format: what it is.
        parts: what is read of it.

    Attributes:
        path: the file.
        format: `json`, `markdown`, `ipynb`, `openai`, `llm` or `jupyter-chat`.
        unread: what could not be read so far, each with where and why; complete at the end.
    """

    def __init__(self, path: Path, format: str, parts: Parts) -> None:
        self.path = path
        self.format = format
        self.unread: list[Unread] = []
        self._parts = parts

    def __iter__(self) -> Iterator[Transcript]:
        for part in self._parts:
            if isinstance(part, Unread):
                self.unread.append(part)
            else:
                yield part


def load(path: str | os.PathLike[str], format: str | None = None) -> Loaded:
    """The conversations of a file that `export` or another tool wrote.

    Args:
        path: JSON, Markdown or a notebook of ours; ChatGPT's `conversations.json`, the `logs.db`
            of llm, a `.chat` of Jupyter Chat.
        format: `json`, `markdown`, `ipynb`, `openai`, `llm` or `jupyter-chat`; None looks into
            the file.

    Raises:
        InvalidRequest: there is no such file, or nothing in it can be read.

    Example:
        >>> import tempfile
        >>> from chat_magics.export import export
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = export([], f"{folder}/talk.json").path
        ...     list(load(path))
        []
    """
    file, head = _opened(path)
    name = _known(format) if format else _recognised(file, head)
    parts = _guarded(file, _READERS[name].read)
    # The first part is read now, so that a file of another kind is refused at once.
    first = list(islice(parts, 1))
    return Loaded(file, name, chain(first, parts))


def _opened(path: str | os.PathLike[str]) -> tuple[Path, bytes]:
    text = path_text(path)
    try:
        file = Path(text).expanduser()
        if file.exists() and not file.is_file():
            raise InvalidRequest(f"{file} is no file: name one")
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except (OSError, RuntimeError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else str(problem)
        raise InvalidRequest(f"{text!r} cannot be read: {reason}") from None
    if head.startswith(_ZIP):
        raise InvalidRequest(f"{file} is a ZIP file: unpack it and import conversations.json")
    return file, head


def _known(format: str) -> str:
    asked = str(format).lower().removeprefix(".")
    name = asked if asked in _READERS else format_of_ending(Path(f"x.{asked}"))
    if name not in _READERS:
        *most, last = _READERS
        good = f"{', '.join(most)} or {last}"
        if name in FORMATS:
            raise InvalidRequest(f"{name} holds too little to be read back: choose {good}")
        raise InvalidRequest(f"unknown format {format!r}: choose {good}")
    return name


def _recognised(file: Path, head: bytes) -> str:
    if not head.strip():
        raise InvalidRequest(f"{file} is empty")
    for name, reader in _READERS.items():
        if reader.recognises(file, head):
            return name
    by_ending = format_of_ending(file)
    if by_ending in FORMATS and by_ending not in _READERS:
        raise InvalidRequest(
            f"{file} cannot be read back, {by_ending} holds too little: export as json, markdown "
            "or ipynb"
        )
    raise InvalidRequest(f"{file} holds no conversation that is known here")


def _guarded(file: Path, read: Callable[[Path], Parts]) -> Parts:
    """The parts; a fault is one line before the first conversation, and a part after it."""
    some = False
    try:
        for part in read(file):
            some = some or isinstance(part, Transcript)
            yield part
    except ChatError as problem:
        problem.restate(f"{file}: {problem}")
        raise
    except Exception as problem:  # readers stumble over damage in any way
        why = _one_line(problem)
        if not some:
            raise InvalidRequest(f"{file} cannot be read: {why}") from problem
        yield Unread("the rest of the file", why)


def _one_line(problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return "it nests too deep"
    if isinstance(problem, UnicodeError):
        return "it is not UTF-8 text"
    return " ".join(str(problem).split()) or type(problem).__name__
