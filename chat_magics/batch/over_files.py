"""`ask_file`: prompts over the rows of a Parquet dataset that need not fit into memory."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..conversation import Session
from ..errors import ChatError, InvalidRequest
from ..export.files import path_text
from .engines import Engine
from .how import How
from .parquet_parts import whole_parquet
from .parquet_rows import ParquetRows
from .plan import RowsPlan, planned
from .question import Asked, ready
from .result import names_in, of_rows, renamed, run_columns
from .run import RowRun
from .runs import made, rows_at_a_time
from .tables import Table
from .template import texts

__all__ = ["ask_file"]

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
    retry: bool = False,
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
        retry: ask again what has no whole answer yet: replies that did not fit, or were cut.
        engine: see `ask`; by `openai-batch` batches of 50,000 rows are at the server, eight at a
            time.
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
    how = How.of(
        prompt,
        into,
        model=model,
        system=system,
        options=options,
        name=name,
        concurrency=concurrency,
        max_cost=max_cost,
        refresh=refresh,
        retry=retry,
        engine=engine,
    )
    rows = ParquetRows(source)
    _check_apart(rows.path, Path(path_text(target)))
    file = _File(rows, how, session or Session.current(), progress)
    plan = file.plan() if dry_run or max_cost is not None else None
    if plan is not None:
        plan.check(max_cost)
        if dry_run:
            return plan
    with whole_parquet(target, force=force) as parts:
        plan = file.ask_all(plan, parts.write)
    file.tell()
    return plan


def _check_apart(source: Path, target: Path) -> None:
    if source.resolve() in target.resolve().parents:
        raise InvalidRequest(f"{target} is within {source}, of which it would become a part")


class _File:
    """A dataset, and what is asked of it."""

    def __init__(self, rows: ParquetRows, how: How, session: Session, progress: bool) -> None:
        self._rows = rows
        self._question = ready(how, session, rows.columns)
        self._names = names_in(rows.columns, self._question.shape)
        self._at_a_time = rows_at_a_time(how)
        self._run = made(session, self._question, how, progress=progress)
        self._session = session
        self._statuses: Counter[str] = Counter()

    def _asked(self, table: Table) -> Asked:
        columns = self._question.template.columns
        block = [row for rows in table.blocks(columns=columns) for row in rows]
        return self._question.asked({name: texts([row[name] for row in block]) for name in columns})

    def _blocks(self, columns: tuple[str, ...] | None = None) -> Iterator[Table]:
        return map(Table, self._rows.blocks(self._at_a_time, columns))

    def _prompts(self) -> Iterator[Asked]:
        return map(self._asked, self._blocks(self._question.template.columns))

    def plan(self) -> RowsPlan:
        """The plan of all blocks; a prompt that stands in several is counted once."""
        seen: set[bytes] = set()
        whole = planned(self._question, 0, 0, 0, 0, [])
        for asked in self._prompts():
            keys = {key: bytes.fromhex(key[:_DIGITS]) for key in asked.prompts}
            fresh = {key: text for key, text in asked.prompts.items() if keys[key] not in seen}
            seen.update(keys.values())
            whole = _sum(whole, self._run.plan(asked._replace(prompts=fresh)))
        return whole

    def ask_all(self, plan: RowsPlan | None, write: Callable[[Any], None]) -> RowsPlan:
        """Asks block by block, and writes each."""
        run, coming, sent, done = self._run, self._prompts(), 0, 0
        plan = plan or _of_part(run.plan(next(self._prompts())), len(self._rows))
        run.totals.to_ask = len(self._rows)
        with run.under_way(plan):
            for number, table in enumerate(self._blocks()):
                sent += _send_ahead(run, coming, number + run.ahead - sent)
                asked = self._asked(table)
                run.plan(asked)
                outcomes = run.ask_planned()
                if run.reason is not None:
                    raise _unfinished(run.reason, len(self._rows) - done)
                rows = of_rows(asked.keys, outcomes)
                self._statuses.update(outcome.status for outcome in rows)
                columns = run_columns(rows, self._question.shape, self._names)
                write(table.with_columns(columns))
                done = run.totals.done = done + len(table)
        return plan

    def tell(self) -> None:
        """What is to be told of what was written."""
        if told := renamed(self._names):
            self._session.warn(told)
        if failed := self._statuses["error"] + self._statuses["cut"]:
            self._session.warn(
                f"{failed:,} of {self._statuses.total():,} rows have no whole answer: the columns "
                f"{self._names['status']} and {self._names['error']} tell why"
            )


def _send_ahead(run: RowRun, coming: Iterator[Asked], blocks: int) -> int:
    """Sends so many of the blocks that come, where that is how the run asks; how many it were."""
    sent = 0
    for asked in islice(coming, blocks if run.ahead else 0):
        sent += 1
        if not run.send_ahead(asked):
            break
    return sent


def _of_part(plan: RowsPlan, rows: int) -> RowsPlan:
    """The plan of the first block, which says so."""
    if plan.rows == rows:
        return plan
    part = f"for the first {plan.rows:,} of {rows:,} rows"
    return replace(plan, note=f"{plan.note}, {part}" if plan.note else part)


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
        note=other.note,
    )


def _unfinished(reason: ChatError, left: int) -> ChatError:
    """The reason, with what is to be done; of its own kind."""
    reason.restate(
        f"stopped with up to {left:,} rows left ({reason.message}): nothing is written, what was "
        "answered is kept, and the same call asks the rest"
    )
    return reason
