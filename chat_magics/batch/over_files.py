"""`ask_file`: prompts over the rows of a Parquet dataset that need not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..conversation import Session, api_options
from ..errors import ChatError
from .bar import Bar
from .engines import OPENAI_BATCH, Engine
from .how import How
from .openai_batch import BLOCK, BatchRun
from .parquet_parts import whole_parquet
from .parquet_rows import ParquetRows
from .plan import RowsPlan, planned
from .question import Asked, Question, Wording, ready
from .result import names_in, of_rows, run_columns
from .run import RowRun
from .tables import Table
from .template import texts

if TYPE_CHECKING:
    from .outcome import Outcome

__all__ = ["ask_file"]

_BLOCK = 2_000
"""Rows that are read, asked and written together; more where many are asked at a time."""

_DIGITS = 32
"""Of a key, by which distinct prompts are counted."""


def ask_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    prompt: str,
    into: Any = None,
    *,
    model: str | None = None,
    system: str | None = None,
    options: Mapping[str, Any] | None = None,
    name: str = "answer",
    concurrency: int = 16,
    max_cost: float | None = None,
    dry_run: bool = False,
    refresh: bool = False,
    engine: Engine = None,
    force: bool = False,
    progress: bool = True,
    session: Session | None = None,
) -> RowsPlan:
    """Asks a prompt of every row of a Parquet file or folder, and writes another one.

    It goes through the rows in blocks, so that neither the data nor the answers have to fit into
    memory. The target is there whole or not at all; a run that was stopped or killed has all its
    answers in the history, and the same call asks only the rest.

    Args:
        source: a Parquet file, or a folder of them.
        target: a file where it ends in `.parquet`, else a folder.
        prompt: see `ask`, as all that is not named here.
        into: see `ask`.
        model: see `ask`.
        system: see `ask`.
        options: see `ask`.
        name: see `ask`.
        concurrency: see `ask`.
        max_cost: see `ask`; to know the price, all rows are looked at before the first is asked.
        dry_run: see `ask`.
        refresh: see `ask`.
        engine: see `ask`; by `openai-batch` 50,000 rows go out, and the next when they are back.
        force: replace a target that is there.
        progress: see `ask`.
        session: see `ask`.

    Returns:
        what was planned; without `dry_run` and `max_cost`, for the first block of rows only.

    Raises:
        InvalidRequest: the source cannot be read, or the target not be written.
        BudgetReached: it would cost more than max_cost, or has no known price.
        ChatError: the run ended before all was asked; nothing is written then.
    """
    session = session or Session.current()
    wording = Wording(prompt, into, model, system, api_options(options), name)
    rows = ParquetRows(source)
    by_batch = engine == OPENAI_BATCH
    block = BLOCK if by_batch else max(_BLOCK, 64 * concurrency)
    file = _File(rows, ready(wording, session, rows.columns), block)
    how = How(concurrency, max_cost, refresh, engine=engine)
    run = (BatchRun if by_batch else RowRun)(
        session, file.question, how, Bar() if progress else None
    )
    plan = file.plan(run) if dry_run or max_cost is not None else None
    if plan is not None:
        plan.check(max_cost)
    if dry_run:
        assert plan is not None
        return plan
    with whole_parquet(target, force=force) as parts:
        return file.ask_all(run, plan, parts.write)


class _File:
    """A dataset, and what is asked of it."""

    def __init__(self, rows: ParquetRows, question: Question, block: int) -> None:
        self.question = question
        self._rows = rows
        self._names = names_in(rows.columns, question.shape)
        self._block = block

    def _asked(self, table: Table) -> Asked:
        columns = self.question.template.columns
        block = [row for rows in table.blocks(columns=columns) for row in rows]
        return self.question.asked({name: texts([row[name] for row in block]) for name in columns})

    def _blocks(self, columns: tuple[str, ...] | None = None) -> Iterator[Table]:
        return map(Table, self._rows.blocks(self._block, columns))

    def plan(self, run: RowRun) -> RowsPlan:
        """The plan of all blocks; a prompt that stands in several is counted once."""
        seen: set[bytes] = set()
        whole = planned(self.question, 0, 0, 0, 0, [])
        for table in self._blocks(self.question.template.columns):
            asked = self._asked(table)
            keys = {key: bytes.fromhex(key[:_DIGITS]) for key in asked.prompts}
            fresh = {key: text for key, text in asked.prompts.items() if keys[key] not in seen}
            seen.update(keys.values())
            whole = _sum(whole, run.plan(asked._replace(prompts=fresh)))
        return whole

    def ask_all(self, run: RowRun, plan: RowsPlan | None, write: Any) -> RowsPlan:
        """Asks block by block, and writes each."""
        run.totals.to_ask, done = len(self._rows), 0
        blocks = self._blocks()
        table = next(blocks)
        asked = self._asked(table)
        first = run.plan(asked)
        with run.under_way(plan or first):
            while True:
                outcomes = run.ask_planned()
                if run.reason is not None:
                    raise _unfinished(run.reason, len(self._rows) - done)
                write(self._answered(table, asked, outcomes))
                done = run.totals.done = done + len(table)
                following = next(blocks, None)
                if following is None:
                    return plan or first
                table = following
                asked = self._asked(table)
                run.plan(asked)

    def _answered(self, table: Table, asked: Asked, outcomes: Mapping[str | int, Outcome]) -> Any:
        columns = run_columns(of_rows(asked.keys, outcomes), self.question.shape, self._names)
        return table.with_columns(columns)


def _sum(one: RowsPlan, other: RowsPlan) -> RowsPlan:
    unknown = one.price is None or other.price is None
    return replace(
        one,
        rows=one.rows + other.rows,
        missing=one.missing + other.missing,
        refused=one.refused + other.refused,
        distinct=one.distinct + other.distinct,
        answered=one.answered + other.answered,
        tokens_in=one.tokens_in + other.tokens_in,
        tokens_out=one.tokens_out + other.tokens_out,
        price=None if unknown else (one.price or 0.0) + (other.price or 0.0),
    )


def _unfinished(reason: ChatError, left: int) -> ChatError:
    """The reason, with what is to be done; of its own kind."""
    reason.restate(
        f"stopped with up to {left:,} rows left ({reason.message}): nothing is written, what was "
        "answered is kept, and the same call asks the rest"
    )
    return reason
