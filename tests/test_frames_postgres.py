"""Frames and statistics in a real PostgreSQL server: the same as in a file."""

from __future__ import annotations

import pytest
from pandas.testing import assert_frame_equal

from chat_magics.history import History
from tests.frame_samples import START, awkward, checked, filled
from tests.postgres import INSTALL, PostgresServer, programs
from tests.test_statistics import compare

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(programs() is None, reason=INSTALL),
]


@pytest.fixture(scope="module")
def history():
    with PostgresServer() as server:
        opened = History(server.database("frames"), on_warning=pytest.fail)
        filled(opened, SAMPLES)
        yield opened
        opened.close()


TIMED = {"latency": 2.5, "time_to_first_token": 0.5, "text": "Ärger", "model": "b", "attempts": 3}
SAMPLES = [*awkward(), TIMED, {**TIMED, "latency": 9.0, "created": START.replace(hour=23)}]


@pytest.fixture
def copy(history):
    """The same rows in memory."""
    other = History("sqlite://", on_warning=pytest.fail)
    for record in history.load_conversations():
        other.add(record)
    for exchange in history.walk():
        begun = exchange.model_copy(update={"status": "streaming"})
        record = other.conversation(exchange.conversation)
        other.begin(begun, record, record.path)
        if exchange.status != "streaming":
            other.finish(exchange)
    yield other
    other.close()


@pytest.mark.parametrize("kind", ["messages", "exchanges", "conversations"])
def test_frames_are_those_of_sqlite(history, copy, kind):
    frame = checked(getattr(history, kind)(), kind)
    other = checked(getattr(copy, kind)(), kind)
    order = [name for name in ("conversation", "exchange", "role", "id") if name in frame]
    frame, other = (each.sort_values(order, ignore_index=True) for each in (frame, other))
    unequal = ["used"] if kind == "conversations" else []
    assert_frame_equal(frame.drop(columns=unequal), other.drop(columns=unequal))


def test_figures_are_what_pandas_makes_of_the_exchanges(history):
    compare(history)


@pytest.mark.parametrize(
    "narrow", [{"text": "ärger"}, {"text": "\x00\x00"}, {"text": "%"}, {"until": "1900"}]
)
def test_a_filter_means_the_same_in_both(history, copy, narrow):
    found = [exchange.id for exchange in history.walk(**narrow)]
    assert found == [exchange.id for exchange in copy.walk(**narrow)]
    assert bool(found) == (narrow != {"text": "%"})


def test_pages_and_more_ids_than_a_statement_takes_values(history):
    ids = [exchange.id for exchange in history.walk(at_once=2)]
    assert len(ids) == len(SAMPLES)
    # Each % would take the driver longer than the one before; no id has any.
    unknown = ["%", *(f"{number:032x}" for number in range(70_000))]
    assert history.stats(exchanges=[*unknown, *ids])["exchanges"].item() == len(SAMPLES)
    assert len(history.exchanges(exchanges=[*unknown, *ids])) == len(SAMPLES)
