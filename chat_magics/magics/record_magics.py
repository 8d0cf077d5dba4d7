"""RecordMagics: the magics over what is stored: history, statistics, search, files.

Only the standard library and IPython are imported here; all else loads when a magic runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from .one_line import one_line_errors

if TYPE_CHECKING:
    from ..conversation import Session

__all__ = ["RecordMagics"]


@magics_class
class RecordMagics(Magics):
    """Look into what was said, and take it along."""

    @property
    def session(self) -> Session:
        """The session of this shell."""
        from ..conversation import Session  # 0.3 s, at the first magic that needs it

        return Session.of(self.shell)

    @no_var_expand
    @line_magic
    def chat_history(self, line: str) -> Any:
        """The messages of the current conversation as a frame, or of the one that is named.

        ::

            %chat_history
            messages = %chat_history left joins
            %chat_history --all --since 2026-01 --model gpt --status error --text "left join"

        `--all` is every conversation; `--since`, `--until`, `--model`, `--status`, `--surface` and
        `--text` narrow it.
        """
        with one_line_errors():
            from .records import history

            return history(self.session, line.strip())

    @no_var_expand
    @line_magic
    def chat_conversations(self, line: str) -> Any:
        """The conversations as a frame; open, rename, tag, untag or delete one.

        ::

            %chat_conversations
            %chat_conversations --since 2026-01 --model gpt
            %chat_conversations open left joins
            %chat_conversations rename "left joins" joins
            %chat_conversations tag joins work pandas
            %chat_conversations delete joins

        A conversation is named by its name, the beginning of its id, or the number of its row in
        the list that was shown last. Deleting asks first; `--yes` does not.
        """
        with one_line_errors():
            from .records import conversations

            return conversations(self.session, line.strip())

    @no_var_expand
    @line_magic
    def chat_search(self, line: str) -> Any:
        """Find what was said, in all conversations, the best first; `%chat_open 0` opens row 0.

        ::

            %chat_search left join
            %chat_search "left join" model:gpt since:2026-01 role:assistant
            %chat_search join*

        All words must be there; quotes make a phrase, `*` a beginning. `model:`, `since:`,
        `until:`, `status:`, `surface:`, `conversation:` and `role:` narrow it.
        """
        with one_line_errors():
            from .records import search

            return search(self.session, line.strip())

    @no_var_expand
    @line_magic
    def chat_stats(self, line: str) -> Any:
        """The figures of this conversation: messages, tokens, cost, times, errors.

        ::

            %chat_stats
            %chat_stats left joins
            %chat_stats --all --plot
            %chat_stats --by model
            %chat_stats out --by status

        Of a variable with the frame that `%%chat_rows` gave, they are those of that run. `--by`
        model, day, conversation, surface, status or error gives a frame with a row for each;
        `--all` is every conversation; `--plot` draws.
        """
        with one_line_errors():
            from .figures import stats

            return stats(self.session, getattr(self.shell, "user_ns", {}), line.strip())

    @no_var_expand
    @line_magic
    def chat_export(self, line: str) -> None:
        """Write this conversation into a file: json, md, csv, html, ipynb or parquet.

        ::

            %chat_export talk.md
            %chat_export everything.parquet --all
            %chat_export talk.html -c "left joins" --force
            %chat_export -

        The ending tells the format, or `--format`; `-` prints. A file that is there is left as it
        is without `--force`. In a notebook, prompts are `%%chat` cells, which ask again when they
        are run, or text with `--prompts markdown`.
        """
        with one_line_errors():
            from .files import write

            write(self.session, line.strip())

    @no_var_expand
    @line_magic
    def chat_import(self, line: str) -> None:
        """Take in conversations of a file: our JSON, Markdown or ipynb, or another tool's.

        ::

            %chat_import talk.md
            %chat_import conversations.json

        Other tools: the data export of ChatGPT (conversations.json), logs.db of llm, `.chat`
        files of jupyter-chat. What cannot be read is listed.
        """
        with one_line_errors():
            from .files import read

            read(self.session, line.strip())
