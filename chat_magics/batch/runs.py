"""Which run serves: one that sends requests itself, or one by the Batch API; and who watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bar import Bar
from .engines import OPENAI_BATCH
from .openai_batch import BLOCK, BatchRun
from .run import RowRun

if TYPE_CHECKING:
    from ..conversation import Session
    from .how import How
    from .question import Question

__all__ = ["made", "rows_at_a_time"]

_ROWS = 2_000


def made(session: Session, question: Question, how: How, *, progress: bool) -> RowRun:
    """The run that serves, which has sent nothing yet.

    Args:
        session: whose client and history it uses.
        question: what is asked of each row.
        how: how.
        progress: show a bar.
    """
    kind = BatchRun if how.engine == OPENAI_BATCH else RowRun
    return kind(session, question, how, Bar() if progress else None)


def rows_at_a_time(how: How) -> int:
    """Rows of a file that are read, asked and written together.

    Example:
        >>> from .how import How
        >>> rows_at_a_time(How("", concurrency=100)), rows_at_a_time(How("", engine="openai-batch"))
        (6400, 50000)
    """
    return BLOCK if how.engine == OPENAI_BATCH else max(_ROWS, 64 * how.concurrency)
