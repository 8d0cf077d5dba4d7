"""`df.chat` and `series.chat`: prompts over the rows of pandas frames, once this is imported."""

from __future__ import annotations

import inspect
from typing import Any

import pandas

from .batch import ask, retry
from .errors import InvalidRequest

__all__ = ["RowsAccessor"]

_RETRIED = [name for name in inspect.signature(retry).parameters if name not in ("data", "out")]


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
        about ... tokens out and 400 back, $0: demo at demo
        >>> session.close()
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        self._asked: dict[str, Any] = {}

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
        self._asked = {"prompt": prompt, "into": into, **how}
        return answered

    def retry(self, out: Any, **how: Any) -> Any:
        """Asks again the rows of `out` that failed, were cut or were not reached.

        Args:
            out: what `ask` gave.
            how: what is to be otherwise than in the last `ask` of this frame; all of it, prompt
                and `into` too, where this frame was not asked in this kernel.

        Returns:
            a frame like `out`, with the new outcomes in the place of those that failed.

        Raises:
            InvalidRequest: the prompt is not known here, or `out` is no such frame.
            ChatError: see `chat_magics.batch.ask`.
        """
        asked = {name: value for name, value in self._asked.items() if name in _RETRIED}
        for name in ("temperature", "max_tokens"):
            if self._asked.get(name) is not None:
                asked["options"] = {**(asked.get("options") or {}), name: self._asked[name]}
        asked |= how
        if "prompt" not in asked:
            raise InvalidRequest(
                "nothing was asked of this frame yet: give the prompt and into as they were"
            )
        return retry(self._data, out, **asked)
