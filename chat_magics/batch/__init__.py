"""Prompts over rows: a template over the rows of a frame, and typed columns of the answers."""

from .over_files import ask_file
from .over_frames import ask, retry
from .plan import RowsPlan
from .result import RUN_COLUMNS

__all__ = ["RUN_COLUMNS", "RowsPlan", "ask", "ask_file", "retry"]
