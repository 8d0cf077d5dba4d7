"""Frames: what the columns are (`schema.py`), how values become them (`build.py`), what of them a
context is made of (`context.py`), and statistics for a reader (`report.py`).
"""

from .build import empty, from_arrow, in_time_order, string_dtype, to_frame, typed_array
from .context import exchanges_in
from .report import readable
from .schema import GROUPS, SCHEMA, Column, Dtype, Kind

__all__ = [
    "GROUPS",
    "SCHEMA",
    "Column",
    "Dtype",
    "Kind",
    "empty",
    "exchanges_in",
    "from_arrow",
    "in_time_order",
    "readable",
    "string_dtype",
    "to_frame",
    "typed_array",
]
