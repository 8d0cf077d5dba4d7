"""A Reply in a cell's output or a terminal, and what the shell tells about who asks."""

from ..caption import caption
from .shell import current_cell, current_shell, in_notebook
from .show import show, show_error

__all__ = ["caption", "current_cell", "current_shell", "in_notebook", "show", "show_error"]
