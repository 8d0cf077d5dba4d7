"""Writing a file whole or not at all, and never over another one unasked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chat_magics.errors import InvalidRequest
from chat_magics.export.scratch import scratch

__all__ = ["checked_target", "path_text", "whole_file"]

_MODE = 0o666
"""Less the umask, as for any file that a person saves: exports are there to be shared."""


def path_text(path: object) -> str:
    """The path that was given, as text.

    Raises:
        InvalidRequest: it is no path.
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str):
        raise InvalidRequest(f"a file is named by a path, and not by {type(path).__name__}")
    return text


def checked_target(target: str | os.PathLike[str], *, force: bool) -> Path:
    """The path that can be written.

    Args:
        target: as a person gave it; `~` is their home.
        force: a file that is there may be replaced.

    Raises:
        InvalidRequest: it is no path, a folder or a device, its folder is missing, or there is a
            file and not `force`.
    """
    text = path_text(target)
    try:
        path = Path(text).expanduser()
        if not text.strip() or not path.name:
            raise InvalidRequest("Name a file to write to")
        if path.is_dir():
            raise InvalidRequest(f"{path} is a folder: name a file in it")
        if not path.parent.is_dir():
            raise InvalidRequest(f"There is no folder {path.parent}: make it first")
        _check_free(path, force)
    except (OSError, RuntimeError, ValueError) as problem:  # no such ~user, a NUL, too long
        raise InvalidRequest(f"{text!r} cannot be written: {_reason(problem)}") from None
    return path


def _check_free(path: Path, force: bool) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise InvalidRequest(f"{path} is no ordinary file: name another one")
    if not force:
        raise _taken(path)


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[Path]:
    """A temporary file beside `path`, which takes its place when the block ends well.

    A file that is replaced leaves its permissions to the new one. A symbolic link is replaced
    itself: what it points to stays as it is.

    Args:
        path: what `checked_target` gave.
        force: a file that is there is replaced.

    Raises:
        InvalidRequest: it cannot be written, or another program made the file meanwhile.
    """
    try:
        with scratch(path) as folder:
            temporary = folder / "new"
            _create(temporary, like=path)
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            _publish(temporary, path, force)
    except OSError as problem:
        raise InvalidRequest(f"{path} cannot be written: {_reason(problem)}") from problem


def _create(temporary: Path, like: Path) -> None:
    old = like.lstat() if os.path.lexists(like) else None
    kept = stat.S_IMODE(old.st_mode) if old and stat.S_ISREG(old.st_mode) else None
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    os.close(os.open(temporary, flags, _MODE if kept is None else kept & _MODE))
    if kept is not None:
        temporary.chmod(kept)


def _publish(temporary: Path, path: Path, force: bool) -> None:
    if force:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # unlike a rename, fails where there is a file
    except FileExistsError:
        raise _taken(path) from None
    except OSError:
        _publish_without_links(temporary, path)


def _publish_without_links(temporary: Path, path: Path) -> None:
    """For file systems that know no hard links, such as those of memory sticks."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE))
    except FileExistsError:
        raise _taken(path) from None
    temporary.replace(path)


def _taken(path: Path) -> InvalidRequest:
    return InvalidRequest(
        f"{path} is there already: choose another name, or force it (--force, force=True)"
    )


def _reason(problem: Exception) -> str:
    return (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
