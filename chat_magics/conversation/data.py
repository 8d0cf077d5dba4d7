"""AsData: a conversation as frames, statistics and files, and a frame as its context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from os import PathLike
    from typing import TextIO

    from pandas import DataFrame

    from ..export import Exported, Prompts, Transcript
    from ..history import ConversationRecord, Exchange, History
    from .session import Session

__all__ = ["AsData"]


class AsData:
    """The part of Conversation that pandas users work with."""

    session: Session

    if TYPE_CHECKING:

        @property
        def id(self) -> str: ...

        @property
        def path(self) -> tuple[str, ...]: ...

        @property
        def record(self) -> ConversationRecord: ...

        def exchanges(self) -> tuple[Exchange, ...]: ...

        def set_path(self, path: Sequence[str]) -> None: ...

    @property
    def history(self) -> History:
        """All that was ever said, with `messages()`, `exchanges()`, `conversations()`, `search()`.

        Example:
            >>> from chat_magics import Conversation
            >>> chat = Conversation(base_url="demo")
            >>> _ = chat.ask("Hello").wait()
            >>> int((chat.history.messages()["content"] == "Hello").sum()) > 0
            True
        """
        return self.session.history

    @property
    def frame(self) -> DataFrame:
        """The messages that are the context now, in order; columns as `SCHEMA["messages"]`."""
        self.exchanges()  # reads the path of one that was just opened
        return self.history.messages(exchanges=self.path)

    @property
    def context(self) -> DataFrame:
        """The same; to set it sets what the model sees from now on."""
        return self.frame

    @context.setter
    def context(self, frame: DataFrame) -> None:
        """Makes the exchanges of these messages the context, in this order.

        Args:
            frame: rows of `chat.frame` or of `chat.history.messages()`; some of them, or in
                another order, a prompt and its reply always together.

        Raises:
            InvalidRequest: it is no such frame; the message says why. Nothing is changed.
            NotFound: an exchange of it is not in history.
        """
        from ..frames.context import exchanges_in, row_named

        wanted = exchanges_in(frame)
        ids = list(wanted)
        rows = {id: row for row, id in reversed(list(enumerate(frame["exchange"])))}
        known = {exchange.id: exchange for exchange in self.history.load_exchanges(ids=ids)}
        for id, messages in wanted.items():
            row = rows[id]
            if id not in known:
                where = row_named(row, next(iter(messages.values())))
                raise NotFound(f"{where} is not in history: nothing is changed")
            _check_whole(row_named(row, known[id].prompt), known[id], messages)
        self.set_path(ids)

    def stats(self, by: str | None = None) -> DataFrame:
        """What this conversation holds, cost and took; columns as `SCHEMA["stats"]`.

        Args:
            by: `model`, `day`, `surface`, `status` or `error` for a row of each; None for one row.
        """
        return self.history.stats(by=by, conversation=self.id)

    def export(
        self,
        target: str | PathLike[str] | TextIO,
        *,
        format: str | None = None,
        force: bool = False,
        everything: bool = False,
        prompts: Prompts = "cells",
    ) -> Exported:
        """Writes the conversation into a file, all versions of every exchange with it.

        Args:
            target: a path, or an open text file.
            format: `json`, `markdown`, `csv`, `html`, `ipynb` or `parquet`; by the ending of the
                path where None.
            force: overwrite a file that is there.
            everything: all conversations of this history.
            prompts: in a notebook, `cells` that ask again when they are run, or `markdown`.

        Returns:
            where it is, and how much.

        Raises:
            InvalidRequest: the format is unknown, or the path cannot be written or is taken.
        """
        from ..export import export

        return export(
            self._transcripts(everything),
            target,
            format=format,
            force=force,
            secrets=self.session.secrets(),
            prompts=prompts,
        )

    def _transcripts(self, everything: bool) -> Iterator[Transcript]:
        from ..export import Transcript

        history = self.history
        records = history.load_conversations(None, runs=True) if everything else [self.record]
        for record in records:
            asked = history.load_exchanges(record.id)
            yield Transcript(record, tuple(history.with_files(asked)))


def _check_whole(where: str, exchange: Exchange, messages: Mapping[str, str]) -> None:
    """Refuses a part of an exchange, or one that was edited: an exchange never changes."""
    stored: dict[str, str] = {"user": exchange.prompt}
    if exchange.answered:
        stored["assistant"] = exchange.text
    for role, content in stored.items():
        if role not in messages:
            raise InvalidRequest(
                f"{where} has no {role} message here: keep its prompt and its reply, or drop both"
            )
        if messages[role] != content:
            raise InvalidRequest(
                f"{where}: the {role} message was changed: what was said stays as it was; "
                "chat.edit() asks anew"
            )
