"""Notices: the small pages around the app: signing in, refusals, and what went wrong.

They ask for nothing else: no script, no file, no other host. Jupyter Server's handlers take
`login.html` and `error.html` by their names.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader

__all__ = ["notices"]


def notices() -> Environment:
    """Their templates, in the place of Jupyter Server's.

    Example:
        >>> page = notices().get_template("refused.html")
        >>> "in 30 seconds" in page.render(what="All seats are taken.", seconds=30)
        True
    """
    return Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
