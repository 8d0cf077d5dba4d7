"""`df.chat` and `series.chat`: prompts over the rows of pandas frames, once this is imported."""

from __future__ import annotations

from typing import Any

import pandas

from . import plots
from .batch import FrameRows, How, ask, question_of, runs_of
from .conversation import Session
from .errors import InvalidRequest

__all__ = ["RowsAccessor"]

_ASKED = "_chat_magics_asked"
"""Where a frame keeps what was asked of it; pandas makes a new accessor each time."""

_OF_THE_FIRST = ("dry_run", "refresh")
"""What `ask` takes and `retry` does not."""


@pandas.api.extensions.register_series_accessor("chat")
@pandas.api.extensions.register_dataframe_accessor("chat")
class RowsAccessor:
    """Prompts over the rows of one frame, or the values of one series.

    Example:
        >>> import pandas as pd
        >>> import chat_magics.pandas
        >>> from chat_magics import Session
        >>> session = Session({"base_url": "demo", "history": "sqlite://"})
        >>> text = pd.Series(["Late again.", "Thanks!"], name="text")
        >>> print(text.chat.ask("Is this a complaint? {{value}}", dry_run=True, session=session))
        2 rows: 2 distinct prompts, 0 answered before, 2 to ask
        about ... tokens to send and 400 to receive, $0: demo at demo
        >>> session.close()
    """

    def __init__(self, data: Any) -> None:
        self._data = data

    def ask(self, prompt: str, into: Any = None, **how: Any) -> Any:
        """Asks the prompt of every row; see `chat_magics.batch.ask`, whose arguments it takes.

        Args:
            prompt: with `{{column}}` where a row's value belongs; `{{value}}` in a series.
            into: what the answers are to be.
            how: `model`, `system`, `temperature`, `max_tokens`, `options`, `name`, `concurrency`,
                `max_cost`, `dry_run`, `refresh`, `engine`, `progress`, `session`.

        Returns:
            the frame with the columns of the answers and of the run; with `dry_run` a plan.

        Raises:
            ChatError: see `chat_magics.batch.ask`.
        """
        answered = ask(self._data, prompt, into, **how)
        self._note(answered, {"prompt": prompt, "into": into, **how})
        return answered

    def retry(self, out: Any, **how: Any) -> Any:
        """Asks again the rows of `out` that failed, were cut or were not reached.

        Args:
            out: what `ask` gave.
            how: what is to be otherwise than in the `ask` that gave `out`; all of it, prompt and
                `into` too, where this frame was not asked in this kernel.

        Returns:
            a frame like `out`, with the new outcomes in the place of those that failed.

        Raises:
            InvalidRequest: the prompt is not known here, or `out` is no such frame.
            ChatError: see `chat_magics.batch.ask`.
        """
        given = {name: v for name, v in self._as_asked(out).items() if name not in _OF_THE_FIRST}
        given |= how
        if "prompt" not in given:
            raise InvalidRequest(
                "nothing was asked of this frame yet: give the prompt and into as they were"
            )
        how = dict(given)
        session, progress = how.pop("session", None), how.pop("progress", True)
        rows = FrameRows(self._data, How.of(**how), session, progress=progress)
        mended = rows.asked_again(out)
        self._note(mended, given)
        return mended

    def _note(self, answered: Any, given: dict[str, Any]) -> None:
        """Keeps what was given for a frame of answers; a plan is none."""
        if (question := question_of(answered)) is not None:
            asked = vars(self._data).setdefault(_ASKED, {})
            asked.pop(question, None)  # so that the last one stands last
            asked[question] = given

    def _as_asked(self, out: Any) -> dict[str, Any]:
        """What `ask` was given for `out`; the last of all where `out` does not tell."""
        asked: dict[str, dict[str, Any]] = vars(self._data).get(_ASKED, {})
        question = question_of(out) or next(reversed(asked), None)
        return asked.get(question, {}) if question is not None else {}

    def stats(self, by: str | None = None, *, session: Session | None = None) -> pandas.DataFrame:
        """The figures of the run that gave this frame: answers, errors, tokens, cost, times.

        Of rows whose answers were there already nothing is counted: they were no part of the run.
        What `retry` asked again counts as well.

        Args:
            by: `status`, `error`, `model` or another group of `history.stats`: a row for each; None
                for one row.
            session: in whose history it is; the shell's by default.

        Raises:
            InvalidRequest: this frame is none that `ask` or `retry` gave, or nothing was asked.

        Example:
            >>> import pandas as pd
            >>> session = Session({"base_url": "demo", "history": "sqlite://"})
            >>> frame = pd.DataFrame({"text": ["Late again.", "Thanks!"]})
            >>> out = frame.chat.ask("Sum up: {{text}}", progress=False, session=session)
            >>> int(out.chat.stats(session=session)["exchanges"].item())
            2
            >>> session.close()
        """
        history = (session or Session.current()).history
        return history.stats(by=by, conversation=runs_of(self._data))

    def plot(self, by: str = "status", *, session: Session | None = None) -> plots.Plot:
        """A picture of the same: exchanges, tokens and cost of each group; needs the extra `plots`.

        Args:
            by: see `stats`; `day` is drawn along time.
            session: see `stats`.

        Raises:
            InvalidRequest: see `stats`.
        """
        found = self.stats(by, session=session)
        return plots.over_time(found) if by == "day" else plots.by_group(found)
