"""RowMagics: `%%chat_rows`, a prompt over the rows of a frame.

Only the standard library and IPython are imported here; all else loads when the magic runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand

from .one_line import one_line_errors

if TYPE_CHECKING:
    from ..conversation import Session

__all__ = ["RowMagics"]


@magics_class
class RowMagics(Magics):
    """Ask one prompt of many rows."""

    @property
    def session(self) -> Session:
        """The session of this shell."""
        from ..conversation import Session  # 0.3 s, at the first magic that needs it

        return Session.of(self.shell)

    @no_var_expand
    @cell_magic
    def chat_rows(self, line: str, cell: str) -> Any:
        """Ask the cell of every row of a frame; `{{column}}` stands for the row's value.

        ::

            %%chat_rows df -o out --into Complaint --concurrency 32 --max-cost 2
            Classify the complaint: {{text}}

        Equal prompts are asked once, and what was answered before is never asked again: after a
        stop, run the cell again. In a series the value is `{{value}}`.

        Options:
          -o, --out NAME            variable for the frame with the answers
          --into TYPE               what answers are to be: a variable that holds a pydantic model
                                    or a JSON schema, bool, int, float, or a file with a schema
          --name NAME               column of answers that are one value
          -m, --model NAME          the model to ask
          -s, --system TEXT         the system prompt
          --concurrency N           requests at a time (default 16)
          --max-cost DOLLARS        what it may cost
          --engine ENGINE           a variable that holds an Executor, dask://HOST:8786, or
                                    openai-batch: at half the price, within a day
          --retry NAME              ask again the rows that failed in the frame of this variable
          --refresh                 ask what was answered before as well
          --dry-run                 show what would be asked, and its price; ask nothing
        """
        with one_line_errors():
            from .rows import rows

            return rows(self.session, self.shell, line, cell)
