"""The log on the disk: numbered parts of JSON lines that several processes write at once.

A part is never renamed, which is what makes RotatingFileHandler lose lines when two processes
rotate: who finds the part full goes on with the next number, and removes those too far behind.
Each line is one appending write, and nothing stays open between two lines.
"""

from __future__ import annotations

import os
from pathlib import Path

from chat_magics.private_files import private_folder

__all__ = ["LogFile"]

_PARTS = f"chat_magics.{'[0-9]' * 6}.jsonl"


class LogFile:
    """Appends lines to the newest part in a folder; safe for threads, processes and forks.

    Args:
        directory: the folder, made private (0700) at the first line.
        max_bytes: a part that has this size is full (default 1 MB).
        keep: parts kept (default 5).

    Example:
        >>> import tempfile
        >>> log = LogFile(Path(tempfile.mkdtemp()))
        >>> log.append('{"status": "complete"}')
        >>> [part.name for part in log.parts()]
        ['chat_magics.000001.jsonl']
    """

    def __init__(self, directory: Path, *, max_bytes: int = 1_000_000, keep: int = 5) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.keep = keep
        self._number = 0
        self._cut = False

    def parts(self) -> list[Path]:
        """The parts that are there, oldest first; no other file of the folder."""
        return sorted(self.directory.glob(_PARTS))

    def append(self, line: str) -> None:
        """Write one line.

        Raises:
            OSError: it could not be written, or not as a whole.
        """
        descriptor = self._open()
        try:
            # A line cut by a full disk is ended first, so that it spoils no other one. Lone
            # surrogates become \\udcxx, which JSON reads back.
            text = ("\n" if self._cut else "") + line + "\n"
            data = text.encode("utf-8", "backslashreplace")
            written = os.write(descriptor, data)
            self._cut = written < len(data)
            if self._cut:
                raise OSError(f"only {written} of {len(data)} bytes of a log line were written")
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        """A descriptor of the first part, from the newest known one on, that is not full."""
        if not self._number or not self._part(self._number).exists():
            private_folder(self.directory)
            parts = self.parts()
            self._number = int(parts[-1].suffixes[-2][1:]) if parts else 1
        while True:
            descriptor = os.open(
                self._part(self._number), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600
            )
            if os.fstat(descriptor).st_size < self.max_bytes:
                return descriptor
            os.close(descriptor)
            self._number += 1
            for old in self.parts():
                if old.name <= self._part(self._number - self.keep).name:
                    old.unlink(missing_ok=True)

    def _part(self, number: int) -> Path:
        return self.directory / f"chat_magics.{max(0, number):06d}.jsonl"
