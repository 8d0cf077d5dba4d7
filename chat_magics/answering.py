"""Answering: how many replies one person may have under way at a time, over all kernels.

A place is a lock on a small file, which the system frees with the process that held it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from chat_magics.file_lock import try_file_lock
from chat_magics.private_files import private_folder

__all__ = ["Answering"]


class Answering:
    """Gives each person so many places for replies under way.

    Args:
        directory: the folder of the locks, made private (0700) at the first use.

    Example:
        >>> import tempfile
        >>> answering = Answering(Path(tempfile.mkdtemp()))
        >>> leave = answering.enter("me", 1)
        >>> answering.enter("me", 1) is None, answering.enter("you", 1) is None
        (True, False)
        >>> leave()
        >>> answering.enter("me", 1) is None
        False
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def enter(self, identity: str, places: int) -> Callable[[], None] | None:
        """Take a place where one is free.

        Args:
            identity: who asks.
            places: how many this person has.

        Returns:
            what gives it up again; None where all are taken.

        Raises:
            OSError: the folder cannot be used.
        """
        private_folder(self._directory)
        name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        for place in range(places):
            leave = try_file_lock(self._directory / f"{name}.{place}")
            if leave is not None:
                return leave
        return None
