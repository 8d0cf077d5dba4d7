"""Prompts over rows: a template over the rows of a frame, and typed columns of the answers."""

from .engines import OPENAI_BATCH
from .how import How
from .over_files import ask_file
from .over_frames import FrameRows, ask, retry
from .plan import RowsPlan
from .result import RUN_COLUMNS, question_of, runs_of

__all__ = [
    "OPENAI_BATCH",
    "RUN_COLUMNS",
    "FrameRows",
    "How",
    "RowsPlan",
    "ask",
    "ask_file",
    "question_of",
    "retry",
    "runs_of",
]
