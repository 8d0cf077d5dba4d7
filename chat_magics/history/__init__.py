"""Conversations and exchanges, kept: the only writer of the history file or database.

`exchange.py` holds the values, `history.py` the one class that reads and writes them; the other
files are its parts: columns and layout, the engine, process marks, what is saved from a fault.
"""

from .arrivals import Arrival
from .asked_rows import MISFIT, RowAnswer, RowAsked, RowEnded
from .attachment_info import AttachmentInfo
from .exchange import (
    ConversationRecord,
    Exchange,
    PathMoved,
    Spent,
    Status,
    Surface,
    new_id,
)
from .history import History
from .moving import Moved, move

__all__ = [
    "MISFIT",
    "Arrival",
    "AttachmentInfo",
    "ConversationRecord",
    "Exchange",
    "History",
    "Moved",
    "PathMoved",
    "RowAnswer",
    "RowAsked",
    "RowEnded",
    "Spent",
    "Status",
    "Surface",
    "move",
    "new_id",
]
