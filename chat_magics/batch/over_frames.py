"""`ask` and `retry`: prompts over the rows of a frame or a series, for whoever has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..conversation import Session
from ..errors import InvalidRequest
from .engines import Engine
from .how import How
from .outcome import FAILED, Outcome
from .question import Asked, ready
from .result import marked, names_in, of_rows, renamed, run_columns
from .run import RowRun
from .runs import made
from .tables import Table
from .template import texts

if TYPE_CHECKING:
    import pandas as pd

    from .plan import RowsPlan

__all__ = ["FrameRows", "ask", "retry"]


def ask(
    data: Any,
    prompt: str,
    into: Any = None,
    *,
    model: str | None = None,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    options: Mapping[str, Any] | None = None,
    name: str = "answer",
    concurrency: int = 16,
    max_cost: float | None = None,
    dry_run: bool = False,
    refresh: bool = False,
    engine: Engine = None,
    progress: bool = True,
    session: Session | None = None,
) -> Any:
    """Asks a prompt of every row, equal ones once, and what was answered before never again.

    Every answer is in the history as it ends, without a limit of time: the same call after a
    crash or a stop asks only the rest. An interrupt ends it cleanly, and gives what there is.

    Args:
        data: a DataFrame or Series of pandas or polars, an Arrow table; `{{value}}` in a series.
        prompt: with `{{column}}` where a row's value belongs; a row in which it is missing is not
            asked, and has the status `missing`.
        into: what the answers are to be: a pydantic model, a dataclass, a JSON schema, a type such
            as `bool`, `Literal[...]` or `list[str]`; None for text. A reply that does not fit is
            asked once more with the reason.
        model: None for the configured one.
        system: None for the configured one.
        temperature: 0 to 2; None for the configured one.
        max_tokens: longest reply; None for the configured one.
        options: further options of the API.
        name: of the column of answers, where an answer is one value.
        concurrency: requests under way at a time, 1 to 1,000; fewer while the server asks to wait.
        max_cost: US dollars; a run that would cost more does not start, and one that comes to it
            stops.
        dry_run: ask nothing; give the plan.
        refresh: ask what was answered before as well.
        engine: where requests are sent from: None for this process, an Executor of
            `concurrent.futures`, or `dask://HOST:8786`. The key never travels: workers in other
            processes find theirs in their own environment. `openai-batch` has OpenAI's Batch API
            answer, at half the price and within a day; an interrupt, or the end of this process,
            leaves the batches at work, and the same call takes up what came.
        progress: show a bar.
        session: the shell's by default.

    Returns:
        a frame of the kind of `data`, index and order kept: its columns, those of the answers, and
        `status` (`complete`, `cut`, `error`, `missing`, `stopped`), `error`, `model`, `tokens_in`,
        `tokens_out`, `cost` (US dollars; 0 where it was there already), `seconds`, `attempts`,
        `cached`. Where the frame has a column of such a name, the run's begins with `chat_`. With
        `dry_run` a RowsPlan, which prints as two lines.

    Raises:
        InvalidRequest: the prompt names a column that is not there, or `into` is no type.
        BudgetReached: it would cost more than max_cost, or has no known price.
        ChatError: nothing could be asked at all, such as with a wrong key.

    Example:
        >>> import pandas as pd
        >>> from chat_magics import Session
        >>> session = Session({"base_url": "demo", "history": "sqlite://"})
        >>> frame = pd.DataFrame({"text": ["late", "late", None]}, index=["a", "b", "c"])
        >>> out = ask(frame, "Classify: {{text}}", session=session, progress=False)
        >>> out["status"].tolist(), out["cached"].tolist()
        (['complete', 'complete', 'missing'], [False, True, False])
        >>> session.close()
    """
    how = How.of(
        prompt,
        into,
        model=model,
        system=system,
        temperature=temperature,
        max_tokens=max_tokens,
        options=options,
        name=name,
        concurrency=concurrency,
        max_cost=max_cost,
        refresh=refresh,
        engine=engine,
    )
    rows = FrameRows(data, how, session, progress=progress)
    return rows.plan() if dry_run else rows.asked()


def retry(
    data: Any,
    out: Any,
    prompt: str,
    into: Any = None,
    *,
    name: str = "answer",
    progress: bool = True,
    concurrency: int = 16,
    max_cost: float | None = None,
    model: str | None = None,
    system: str | None = None,
    options: Mapping[str, Any] | None = None,
    engine: Engine = None,
    session: Session | None = None,
) -> Any:
    """Asks again, of the same frame, the rows that failed, were cut or were not reached.

    Args:
        data: the frame that was asked.
        out: what `ask` gave for it; it stays as it is.
        prompt: see `ask`, as all the others.
        into: see `ask`.
        name: see `ask`.
        progress: see `ask`.
        concurrency: see `ask`.
        max_cost: see `ask`.
        model: see `ask`.
        system: see `ask`.
        options: see `ask`.
        engine: see `ask`.
        session: see `ask`.

    Returns:
        a frame like `out` in which the rows that were asked again have their new outcome; the
        others are as they were.

    Raises:
        InvalidRequest: `out` has not the rows or the columns of such a frame.
        ChatError: as of `ask`.
    """
    how = How.of(
        prompt,
        into,
        model=model,
        system=system,
        options=options,
        name=name,
        concurrency=concurrency,
        max_cost=max_cost,
        engine=engine,
    )
    return FrameRows(data, how, session, progress=progress).asked_again(out)


class FrameRows:
    """The rows of one frame, and what is asked of them.

    Args:
        data: the frame.
        how: what is asked, and how.
        session: the shell's by default.
        progress: show a bar.

    Raises:
        ChatError: something in it is wrong; nothing was sent.
    """

    def __init__(
        self, data: Any, how: How, session: Session | None = None, *, progress: bool = True
    ) -> None:
        self._session = session or Session.current()
        self._how = how
        self._progress = progress
        self._table = Table(data)
        self._question = ready(how, self._session, self._table.columns)
        self._names = names_in(self._table.names, self._question.shape)
        self._prompts = self._asked_of(self._table, self._table.columns)

    def _asked_of(self, table: Table, names: Sequence[str]) -> Asked:
        """The prompts of the rows of a table in which the frame's columns have these names."""
        called = dict(zip(self._table.columns, names, strict=True))
        columns = {name: called[name] for name in self._question.template.columns}
        values: dict[str, list[str | None]] = {name: [] for name in columns}
        for block in table.blocks(columns=list(columns.values())):
            for name, own in columns.items():
                values[name] += texts([row[own] for row in block])
        return self._question.asked(values)

    def plan(self) -> RowsPlan:
        """What would be asked of the rows."""
        return self._run(self._how).plan(self._prompts)

    def asked(self) -> Any:
        """The frame with the answers; see `ask`."""
        run = self._run(self._how)
        outcomes = run.go(run.plan(self._prompts))
        columns = self._columns(self._prompts.keys, outcomes)
        self._tell(run)
        return marked(self._table.with_columns(columns), run.id, self._noted)

    @property
    def _noted(self) -> str:
        return f"{self._question.identity[:16]} {self._how.name}"

    def asked_again(self, out: Any) -> Any:
        """A frame like `out`, whose failed rows were asked again; see `retry`.

        The prompts are made of its own rows, so that these may be in another order, or fewer.

        Raises:
            InvalidRequest: `out` has not the columns of such a frame.
        """
        table = self._given_before(out)
        prompts = self._asked_of(table, self._table.names)
        failed = self._failed_in(table)
        keys = [key if row in failed else None for row, key in enumerate(prompts.keys)]
        # What was not reached may have been answered since, at the server of a batch for one.
        again = frozenset(
            key for row, key in enumerate(keys) if key is not None and failed[row] != "stopped"
        )
        asked = set(keys)
        wanted = {key: text for key, text in prompts.prompts.items() if key in asked}
        run = self._run(replace(self._how, again=again))
        outcomes = run.go(run.plan(prompts._replace(prompts=wanted)))
        kept: dict[str | int, Outcome] = {
            row: Outcome("stopped") for row, key in enumerate(keys) if key is None
        }
        columns = self._columns(keys, {**outcomes, **kept})
        self._tell(run)
        return marked(table.mended(columns, sorted(failed)), run.id, self._noted, out)

    def _run(self, how: How) -> RowRun:
        return made(self._session, self._question, how, progress=self._progress)

    def _columns(
        self, keys: Sequence[str | None], outcomes: Mapping[str | int, Outcome]
    ) -> dict[str, pd.Series[Any]]:
        return run_columns(of_rows(keys, outcomes), self._question.shape, self._names)

    def _given_before(self, out: Any) -> Table:
        """A frame that `ask` gave, of the types that it had then."""
        table, shape = Table(out), self._question.shape
        called = dict(zip(self._table.columns, self._table.names, strict=True))
        asked = [called[name] for name in self._question.template.columns]
        wanted = [*asked, *shape.columns, *self._names.values()]
        if lacking := [name for name in wanted if name not in table.columns]:
            raise InvalidRequest(
                f"retry takes what ask gave, and this frame has no column {lacking[0]}"
            )
        return table.typed_as(run_columns([], shape, self._names))

    def _failed_in(self, table: Table) -> dict[int, str]:
        """The places of the rows that are to be asked again, and their status."""
        status = self._names["status"]
        rows = (row for block in table.blocks(columns=[status]) for row in block)
        return {place: row[status] for place, row in enumerate(rows) if row[status] in FAILED}

    def _tell(self, run: RowRun) -> None:
        if told := renamed(self._names):
            self._session.warn(told)
        if run.reason is not None:
            left = run.totals.to_ask - run.totals.done
            self._session.warn(
                f"stopped with {left:,} prompts left ({run.reason.message}): what was answered is "
                "kept, and the same call asks the rest"
            )
