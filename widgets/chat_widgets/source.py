"""The view's source as anywidget takes it: one script and one style sheet, of the files in static/.

No build step: `static/` holds plain ES modules that a browser loads as they are. anywidget takes
one module, so they are put one after another, each after those that it imports, without their
imports and the word `export`. For that, no two files may use one name at their top level.
"""

from __future__ import annotations

import re
from pathlib import Path

from chat_magics.markdown import STYLE

__all__ = ["STATIC", "script", "style"]

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|function|const) )", re.MULTILINE)


def script(entry: str = "transcript.js") -> str:
    """One ES module that does what the entry does.

    Args:
        entry: the file's name in `static/`.

    Example:
        >>> 'from "./' in script()
        False
    """
    joined: dict[str, str] = {}
    _join(entry, joined)
    return "\n".join(joined.values())


def style() -> str:
    """The style sheet of replies, of the transcript around them and of the controls above.

    Example:
        >>> ".ct-root" in style()
        True
    """
    sheets = ("transcript.css", "panel.css")
    return STYLE + "".join((STATIC / name).read_text(encoding="utf-8") for name in sheets)


def _join(name: str, joined: dict[str, str]) -> None:
    if name in joined:
        return
    source = (STATIC / name).read_text(encoding="utf-8")
    for imported in _IMPORT.findall(source):
        _join(imported, joined)
    joined[name] = _EXPORT.sub("", _IMPORT.sub("", source))
