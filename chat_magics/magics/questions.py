"""`%chat … ?`: a question, where IPython would read the mark at the end as a call for help.

`name?` at the end of a line is IPython's help, before any magic sees the line: `%chat why?` would
look up `why` and lose the question. So such lines become the call that a magic line becomes. It
works on tokens, as IPython's own: what stands in a string is left alone.
"""

from __future__ import annotations

import re
from tokenize import DEDENT, INDENT, TokenInfo

from IPython.core.inputtransformer2 import HelpEnd, TokenTransformBase

__all__ = ["Question"]

_QUESTION = re.compile(r"^(\s*)%(chat(?:_new|_open|_history)?)[ \t]+([^\n]*[^\s?][^\n]*\?)[ \t]*$")


class Question(TokenTransformBase):
    """Turns one `%chat` line that ends in a question mark into a call of the magic.

    `%chat?` alone is still a call for help.
    """

    priority = HelpEnd.priority - 1

    @classmethod
    def find(cls, tokens_by_line: list[list[TokenInfo]]) -> Question | None:
        """The first such line of the cell."""
        for line in tokens_by_line:
            tokens = [token for token in line if token.type not in (INDENT, DEDENT)]
            if tokens and tokens[0].string == "%":
                first = tokens[0].line.split("\n")[0]
                if _QUESTION.match(first):
                    return cls(tokens[0].start)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """The lines, this one as a call."""
        match = _QUESTION.match(lines[self.start_line].rstrip("\n"))
        if match is None:
            raise SyntaxError("no question after all")  # IPython goes on to the next transform
        indent, magic, rest = match.groups()
        call = f"{indent}get_ipython().run_line_magic({magic!r}, {rest!r})\n"
        return [*lines[: self.start_line], call, *lines[self.start_line + 1 :]]
