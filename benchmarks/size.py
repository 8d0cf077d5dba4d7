"""What 1,000,000 messages in 20,000 conversations cost: a frame, statistics, search, opening."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from chat_magics import Conversation, Session
from chat_magics.frames.shown import shown
from chat_magics.history import History
from chat_magics.history.filters import Filter
from chat_magics.history.search import find
from chat_magics.history.search_query import read_query
from chat_magics.magics import records

from .pairs import Row, in_turns, row
from .place import Place
from .size_history import EXCHANGES, RARE_EVERY, make, rare_word

__all__ = ["frame", "opening", "parquet", "rare", "statistics"]

TALKS, FEW_TALKS = 20_000, 20
"""Conversations of the large history, and of one with 1,000 messages."""

_FLOOR = """
import os, sys
from pathlib import Path
import adbc_driver_sqlite, numpy, pandas, pyarrow, pyarrow.compute
from adbc_driver_manager import AdbcConnection, AdbcStatement
from sqlalchemy import select
from chat_magics.frames import from_arrow
from chat_magics.frames.messages import message_batch
from chat_magics.history import bulk, rows
query = select(*rows.asked_columns())
columns = list(query.selected_columns)
sql = bulk._statement(query, columns)
started = sum(os.times()[:4])
with (
    adbc_driver_sqlite.connect(Path(sys.argv[1]).as_uri() + "?mode=ro") as database,
    AdbcConnection(database) as connection,
    AdbcStatement(connection) as statement,
):
    statement.set_options(**{"adbc.sqlite.query.batch_rows": "8192"})
    statement.set_sql_query(sql)
    stream, _ = statement.execute_query()
    batches = []
    for batch in pyarrow.RecordBatchReader._import_from_c(stream.address):
        given = bulk._as_given(batch if batches else batch.slice(1), columns)
        batches.append(message_batch(given))
frame = from_arrow("messages", pyarrow.Table.from_batches(batches))
print(sum(os.times()[:4]) - started)
"""

_MESSAGES = """
import os, sys
import numpy, pandas, pyarrow, pyarrow.compute
from chat_magics.history import History
history = History(sys.argv[1], on_warning=print)
started = sum(os.times()[:4])
frame = history.messages()
print(sum(os.times()[:4]) - started)
history.close()
"""

_MEMORY = """
import json, resource, sys, time
import pandas
from chat_magics import Conversation
chat = Conversation(history=sys.argv[1])
history = chat.session.history
{prepare}
unit = 1e3 if sys.platform != "darwin" else 1e6
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.process_time()
{work}
took = time.process_time() - started
print(json.dumps([took, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit]))
chat.session.close()
"""


def frame(place: Place) -> list[Row]:
    """CPU of `history.messages()`, that of its own process included, against ADBC in this one."""
    path = str(_history(place, TALKS))
    pairs = in_turns(
        lambda: float(place.run(_FLOOR, path)), lambda: float(place.run(_MESSAGES, path)), pairs=5
    )
    what = "CPU of `messages()`, 1,000,000 messages, against the fastest way found, ADBC in-process"
    return [row(what, pairs, at_most=1.3, unit="s")]


def statistics(place: Place) -> list[Row]:
    """What `stats(by="model")` takes, without a frame of the messages."""
    return [_memory(place, 'history.stats(by="model")', "", 'history.stats(by="model")', 100)]


def parquet(place: Place) -> list[Row]:
    """What the export of everything to Parquet takes."""
    work = 'chat.export("all.parquet", everything=True, force=True)'
    prepare = "import pyarrow.parquet"
    return [_memory(place, "Parquet export of everything", prepare, work, 300)]


def _memory(place: Place, what: str, prepare: str, work: str, most: float) -> Row:
    code = _MEMORY.format(prepare=prepare, work=work)
    took, grown = json.loads(place.run(code, str(_history(place, TALKS))))
    ours = f"{grown:.0f} MB, {took:.3g} s CPU"
    return Row(f"memory over the start: {what}", "–", ours, grown, most, grown <= most, unit="MB")


def rare(place: Place) -> list[Row]:
    """A search for a word that stands once in 1,000,000 messages, in the store."""
    history = History(_history(place, TALKS), on_warning=print)
    words = [rare_word(number) for number in range(0, TALKS * EXCHANGES, RARE_EVERY)]
    try:
        took = median(_searched(history, word) for word in words) * 1000
    finally:
        history.close()
    what = "search for a rare word, median, in the store"
    return [Row(what, "–", f"{took:.2f} ms", took, 5, took <= 5, unit="ms")]


def _searched(history: History, word: str) -> float:
    query = read_query(word)
    started = time.perf_counter()
    found = history._store.read(lambda connection: find(connection, "", query, Filter(), 50))
    took = time.perf_counter() - started
    assert found is not None
    assert len(found.columns["rank"]) == 1, word
    return took


def opening(place: Place) -> list[Row]:
    """What opening, looking and listing takes a person, with 1,000,000 messages and with 1,000."""
    few, many = (
        Session({**place.settings(), "history": str(_history(place, talks))})
        for talks in (FEW_TALKS, TALKS)
    )
    try:
        return [
            _against_few("opening a conversation of 50 messages", _opened, few, many),
            _against_few("`%chat_history` of one, displayed", _shown, few, many),
            _against_few("listing 20 conversations, displayed", _listed, few, many),
        ]
    finally:
        few.close()
        many.close()


def _against_few(
    what: str, work: Callable[[Session, str], object], few: Session, many: Session
) -> Row:
    turns = {id(each): cycle(each.history.load_conversations(FEW_TALKS)) for each in (few, many)}

    def timed(session: Session) -> float:
        record = next(turns[id(session)])
        session.opened.pop(record.id, None)  # one that is open is not read again
        started = time.perf_counter()
        work(session, record.id)
        return time.perf_counter() - started

    pairs = in_turns(lambda: timed(few), lambda: timed(many), pairs=200, warm=40)
    what = f"{what}, with 1,000,000 messages, against 1,000"
    return row(what, pairs, at_most=1.2, unit="ms", factor=1000)


def _opened(session: Session, id: str) -> object:
    return Conversation.open(id[:12], session=session).exchanges()


def _shown(session: Session, id: str) -> object:
    with redirect_stdout(StringIO()):
        return _displayed(records.history(session, id[:12]))


def _listed(session: Session, _id: str) -> object:
    return _displayed(shown("conversations", session.history.conversations(limit=FEW_TALKS)))


def _displayed(frame: Any) -> tuple[str, str]:
    """What a notebook is sent of a frame."""
    return frame._repr_html_(), repr(frame)


def _history(place: Place, talks: int) -> Path:
    """The history of so many conversations, made where it is not there yet."""
    path = place.home / f"history-{talks}.db"
    if not path.exists():
        make(path, talks)
    return path
