"""ChatMagics: the magics themselves. Each parses its line and calls what does the work.

Only the standard library and IPython are imported here; all else loads when a magic runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_cell_magic, line_magic, magics_class, no_var_expand

from .one_line import one_line_errors
from .options import ChatOptions, parse_cell, parse_line
from .settings import Settings

if TYPE_CHECKING:
    from ..config import TypedKey
    from ..conversation import Session

__all__ = ["ChatMagics"]


@magics_class
class ChatMagics(Settings):
    """Talk to a language model: `%%chat` cells and what belongs to them."""

    @property
    def session(self) -> Session:
        """The session of this shell, shared with the panel and with `Conversation()`."""
        from ..conversation import Session  # 0.3 s, at the first magic that needs it

        return Session.of(self.shell)

    def set_key(self, key: TypedKey | None) -> None:
        """Keeps a key in this kernel's memory, for its settings alone; None forgets it."""
        self._key = key

    def given_here(self) -> dict[str, Any]:
        """`%config` and `%chat_config`; the key apart, which is no trait."""
        key = getattr(self, "_key", None)
        return {**self.settings_here(), **({"api_key": key} if key else {})}

    @no_var_expand
    @line_cell_magic
    def chat(self, line: str, cell: str | None = None) -> None:
        """Ask a language model; the reply streams in, and is kept.

        ::

            %%chat -m gpt-5.6-luna -s "Answer briefly" -t 0.2 -o answer
            Why does a left join make rows?

            %chat one-line prompt

        The prompt is taken as it stands: braces and $ arrive unchanged. The conversation so far
        is sent with it. Re-running a cell replaces its turn.

        Options:
          -m, --model NAME          the model to ask
          -s, --system TEXT         the system prompt
          -t, --temperature 0..2
          --max-tokens N            longest reply
          --option KEY=VALUE        any other option of the API, as often as needed
          --attach FILE             a text file or an image that goes with the prompt, as often
                                    as needed
          -c, --conversation NAME   ask in this conversation; made where there is none
          --new                     start a new conversation
          --alone                   send no context, and keep this out of the context
          --refresh                 ask past the cache
          --no-cache                neither read nor write the cache
          -o, --out NAME            variable for the reply: str(), .text, .code, .usage, .cost,
                                    .cached, .seconds, .context
          -f, --format FORMAT       markdown, text, code (into a new cell below) or json
          -q, --quiet               show nothing
          --dry-run                 show what would be sent, and its price; send nothing (the
                                    variable of -o is the plan then)
        """
        with one_line_errors():
            if cell is None:
                self._chat(parse_line(line), "%chat needs a prompt: %chat Why is the sky blue?")
            else:
                self._chat(parse_cell(line, cell), "the cell is empty: write the prompt below")

    def _chat(self, options: ChatOptions, if_empty: str) -> None:
        if not options.prompt.strip():
            raise UsageError(if_empty)
        from .ask import ask

        ask(self.session, self.shell, options)

    @no_var_expand
    @line_magic
    def chat_regenerate(self, line: str) -> None:
        """Ask the last prompt again, past the cache; the new reply takes the old one's place.

        Takes the options of `%%chat` that say how: `%chat_regenerate -t 1 -m gpt-4o-mini`
        """
        with one_line_errors():
            options = parse_line(line)
            if options.prompt:
                raise UsageError("%chat_regenerate takes options only: the prompt is the last one")
            from .ask import regenerate

            regenerate(self.session, self.shell, options)

    @line_magic
    def chat_models(self, line: str) -> None:
        """List the models of the server; the configured ones where it cannot be asked."""
        self._report("models", line)

    @no_var_expand
    @line_magic
    def chat_config(self, line: str) -> None:
        """Show each setting with its value and where it came from, or set one.

        ::

            %chat_config
            %chat_config model gpt-4o-mini
            %chat_config model default
            %chat_config api_key

        The key is asked for; it is never taken from the line, which stays in the notebook.
        """
        with one_line_errors():
            from .settings_command import settings

            settings(self, line.strip())

    @no_var_expand
    @line_magic
    def chat_new(self, line: str) -> None:
        """Start a new conversation, with a name where one is given; the old one is kept."""
        self._report("new", line)

    @no_var_expand
    @line_magic
    def chat_open(self, line: str) -> None:
        """Take a conversation up again: by name, beginning of its id, or row of what was listed."""
        self._report("reopen", line)

    @line_magic
    def chat_cache(self, line: str) -> None:
        """Show what the cache holds and saved; `--clear` empties it."""
        self._report("cache", line)

    @line_magic
    def chat_doctor(self, line: str) -> None:
        """Check key, URL, server, versions and folders, at no cost; `--ask` sends one request."""
        self._report("doctor", line)

    def _report(self, name: str, line: str) -> None:
        with one_line_errors():
            from . import reports

            report: Callable[[Session, str], None] = getattr(reports, name)
            report(self.session, line.strip())
