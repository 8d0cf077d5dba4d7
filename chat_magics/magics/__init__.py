"""The magics, and what is needed to load them into a shell."""

from .extension import load, unload
from .magics import ChatMagics

__all__ = ["ChatMagics", "load", "unload"]
