"""`%chat … ?`: a question, where IPython would read the mark at the end as a call for help.

`name?` at the end of a line is IPython's help, before any magic sees the line: `%chat why?` would
look up `why` and lose the question. So such lines become the call that a magic line becomes.
"""

from __future__ import annotations

import re

__all__ = ["keep_questions"]

_QUESTION = re.compile(r"^(\s*)%chat[ \t]+([^\n]*[^\s?][^\n]*\?)[ \t]*$")


def keep_questions(lines: list[str]) -> list[str]:
    """Lines of a cell, each `%chat` line that ends in a question mark as a call of the magic.

    `%chat?` alone is still a call for help.

    Example:
        >>> keep_questions(["%chat Why?\\n"])
        ["get_ipython().run_line_magic('chat', 'Why?')\\n"]
    """
    return [_QUESTION.sub(_call, line) for line in lines]


def _call(match: re.Match[str]) -> str:
    indent, prompt = match.groups()
    return f"{indent}get_ipython().run_line_magic('chat', {prompt!r})"
