"""The magics, and what is needed to load them into a shell."""

from .extension import load, unload
from .magics import ChatMagics
from .record_magics import RecordMagics

__all__ = ["ChatMagics", "RecordMagics", "load", "unload"]
