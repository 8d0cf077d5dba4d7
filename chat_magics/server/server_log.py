"""The server's own lines in the log: who asked for what, how long it took, and what failed."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from pathlib import Path

from ..log_file import LogFile
from ..telemetry import redacted

__all__ = ["LogHandler"]


class LogHandler(logging.Handler):
    """Writes records as JSON lines beside those of the requests; never a prompt, never a key.

    Args:
        directory: the folder of the log.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._file = LogFile(directory)

    def emit(self, record: logging.LogRecord) -> None:
        served = getattr(record, "served", None)
        values = {
            "event": "served" if served else "server",
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            **(served or {"message": redacted(record.getMessage(), [])}),
        }
        if record.exc_info:
            formatter = self.formatter or logging.Formatter()
            values["traceback"] = redacted(formatter.formatException(record.exc_info), [])
        try:
            self._file.append(json.dumps(values, ensure_ascii=False))
        except OSError:
            self.handleError(record)
