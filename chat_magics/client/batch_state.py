"""Batch: how a batch of the server stands, as the server tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..errors import BadResponse

__all__ = ["LABEL", "Batch", "batch_told"]

LABEL = "chat_magics"
"""The key of a batch's metadata under which its label stands."""

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


@dataclass(frozen=True)
class Batch:
    """How a batch stands.

    Args:
        id: the server's, by which any process finds it again.
        status: `validating`, `in_progress`, `finalizing`, `completed`, `failed`, `expired`,
            `cancelling` or `cancelled`.
        total: requests in it; 0 until the server has counted them.
        completed: those answered.
        failed: those that ended with an error.
        created: when it was made (UTC).
        expires: when the server gives it up (UTC), where it told.
        label: as it was submitted.
        problems: why the server refused the batch as a whole, a line each.
        files: the server's ids of the files of answers and of errors that are there.
        input_file: the server's id of the file of requests.
    """

    id: str
    status: str
    total: int = 0
    completed: int = 0
    failed: int = 0
    created: datetime | None = None
    expires: datetime | None = None
    label: str = ""
    problems: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    input_file: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it; an expired or cancelled one may have answers."""
        return self.status in _ENDED


def batch_told(told: Any, host: str) -> Batch:
    """A batch of the openai package, which checks no types, as one of ours.

    Raises:
        BadResponse: it is something else.
    """
    try:
        counts, errors = told.request_counts, told.errors
        problems = (errors.data or ()) if errors else ()
        return Batch(
            id=_text(told.id),
            status=_text(told.status),
            total=getattr(counts, "total", 0) or 0,
            completed=getattr(counts, "completed", 0) or 0,
            failed=getattr(counts, "failed", 0) or 0,
            created=_moment(told.created_at),
            expires=_moment(told.expires_at),
            label=str((told.metadata or {}).get(LABEL) or ""),
            problems=tuple(_problem(each) for each in problems),
            files=tuple(file for file in (told.output_file_id, told.error_file_id) if file),
            input_file=str(told.input_file_id or ""),
        )
    except (AttributeError, TypeError, ValueError, OverflowError, OSError):
        raise BadResponse(f"{host} answers, but not with a batch") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _moment(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(seconds, timezone.utc) if seconds else None


def _problem(problem: Any) -> str:
    line = getattr(problem, "line", None)
    said = " ".join(str(problem.message or problem.code or "no reason given").split())
    return f"line {line}: {said}" if line is not None else said
