"""What goes with prompts: files that a person names, and those of earlier turns, out of history."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Union

from ..attachments import Attachment, Limits, read
from ..errors import InvalidRequest
from ..history import Exchange, History
from ..messages import Image

if TYPE_CHECKING:
    from ..config import ChatConfig

__all__ = ["File", "earlier_images", "files_of", "given_files"]

File = Union[str, "os.PathLike[str]", Attachment]
"""A file to attach: its path, or what `chat_magics.attachments` made of it."""


def given_files(given: Sequence[File], config: ChatConfig) -> tuple[Attachment, ...]:
    """The files that a person gave, read and checked.

    Raises:
        NotFound: one of them is not there.
        InvalidRequest: one of them cannot be sent; or it is no list of files.
    """
    if isinstance(given, (str, bytes, os.PathLike)):
        raise InvalidRequest(f"attachments is a list of files: attachments=[{given!r}]")
    if not isinstance(given, Iterable):
        raise InvalidRequest(f"attachments is a list of files, not {type(given).__name__}")
    return tuple(_file(each, config.file_limits) for each in given)


def _file(given: File, limits: Limits) -> Attachment:
    if isinstance(given, Attachment):
        return given
    if not isinstance(given, (str, os.PathLike)):
        raise InvalidRequest(f"a file to attach is a path, not {type(given).__name__}")
    return read(given, limits)


def files_of(exchange: Exchange, history: History) -> tuple[Attachment, ...]:
    """The files that went with a prompt, whole.

    Raises:
        NotFound: history has not kept one of them.
    """
    if not exchange.attachments:
        return ()
    return tuple(info.whole() for info in history.with_files([exchange])[0].attachments)


def earlier_images(
    exchanges: Iterable[Exchange], history: History
) -> Mapping[str, tuple[Image, ...]]:
    """The images that went with prompts, by exchange; read only now, since they are large.

    Raises:
        NotFound: history has not kept one of them.
    """
    asked = [each for each in exchanges if any(a.kind == "image" for a in each.attachments)]
    if not asked:
        return {}
    return {
        each.id: tuple(info.whole().image for info in each.attachments if info.kind == "image")
        for each in history.with_files(asked)
    }
