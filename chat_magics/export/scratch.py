"""A folder beside a target for what is not whole yet; what killed programs left there goes."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from chat_magics.file_lock import try_file_lock

__all__ = ["scratch"]

_LOCK = "lock"


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """A hidden folder beside a target, removed at the end; after a kill, by the next call.

    Whoever uses one holds the lock in it, which the system frees when a process dies: so the
    folders of programs that were killed are told from those of programs at work. What stood at
    the target may be put aside as `old` in it; after a kill it is put back, where nothing else
    took its place.

    Args:
        target: what is being made; a file or a folder.

    Raises:
        OSError: no folder can be made there.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as home:
        ...     with scratch(Path(home) / "out.parquet") as folder:
        ...         (folder / "new").touch()
        ...     list(Path(home).iterdir())
        []
    """
    _remove_dead(target)
    folder, leave = _made(target)
    try:
        yield folder
    finally:
        _removed(folder, leave)


def _beginning(target: Path) -> str:
    """Of the names of its folders, and of no other target's."""
    name = os.fsencode(target.name)
    return f".{target.name[:40]}.{blake2b(name, digest_size=4).hexdigest()}"


def _made(target: Path) -> tuple[Path, Callable[[], None]]:
    while True:
        folder = target.with_name(f"{_beginning(target)}{secrets.token_hex(4)}.part")
        folder.mkdir()
        with suppress(FileNotFoundError):  # taken for one of the dead in this moment
            leave = try_file_lock(folder / _LOCK)
            if leave is not None:
                return folder, leave


def _remove_dead(target: Path) -> None:
    ours = re.compile(re.escape(_beginning(target)) + r"[0-9a-f]{8}\.part")
    for folder in target.parent.iterdir():
        if not ours.fullmatch(folder.name):
            continue
        with suppress(OSError):  # somebody else's, or gone meanwhile
            leave = try_file_lock(folder / _LOCK)
            if leave is not None:
                if (folder / "old").exists() and not os.path.lexists(target):
                    (folder / "old").rename(target)
                _removed(folder, leave)


def _removed(folder: Path, leave: Callable[[], None]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    leave()
    shutil.rmtree(folder, ignore_errors=True)  # Windows removes no file that is open
