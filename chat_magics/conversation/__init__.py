"""Session, Conversation, Reply: what is asked, in what context, and what comes of it."""

from .ask import Ask, api_options
from .conversation import Conversation
from .path import Cell
from .reply import Reply
from .session import Session
from .spending import Plan

__all__ = ["Ask", "Cell", "Conversation", "Plan", "Reply", "Session", "api_options"]
