"""Which exchanges a filter means, in which order they come, and what is refused."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pandas as pd
import pytest

from chat_magics.errors import InvalidRequest, StoreError
from chat_magics.history import History
from chat_magics.history.filters import Filter, moment_of
from tests.frame_samples import START, filled


@pytest.fixture
def history():
    opened = History("sqlite://", on_warning=pytest.fail)
    yield opened
    opened.close()


def prompts(history, **narrow):
    found = [exchange.prompt for exchange in history.walk(**narrow)]
    assert list(history.exchanges(**narrow)["prompt"]) == found
    assert history.stats(**narrow)["exchanges"].item() == len(found)
    return found


SAMPLES = [
    {"prompt": "one", "text": "100% Ärger_", "model": "gpt-5", "created": START},
    {"prompt": "two", "status": "error", "surface": "cell", "created": START + timedelta(days=1)},
    {"prompt": "three", "text": "\x00\x10", "talk": 1, "created": START + timedelta(days=60)},
]


@pytest.mark.parametrize(
    ("narrow", "found"),
    [
        ({}, ["one", "two", "three"]),
        ({"model": "GPT"}, ["one"]),
        ({"model": "demo"}, ["two", "three"]),
        ({"status": "error"}, ["two"]),
        ({"surface": "cell"}, ["two"]),
        ({"text": "äRGER_"}, ["one"]),
        ({"text": "0%"}, ["one"]),
        ({"text": "%%"}, []),
        ({"text": "ä.ger"}, []),
        ({"text": "THREE"}, ["three"]),
        ({"text": "\x00\x10"}, ["three"]),
        ({"since": "2026-02"}, ["three"]),
        ({"until": "2026-01-06T12:00"}, ["one"]),
        ({"since": "2026-01-05T12:00:00Z", "until": date(2026, 2, 1)}, ["one", "two"]),
        (
            {"since": datetime(2026, 1, 6, 14, tzinfo=timezone(timedelta(hours=2)))},
            ["two", "three"],
        ),
        ({"exchanges": []}, []),
        ({"conversation": []}, []),
        ({"owner": "nobody"}, []),
    ],
)
def test_a_field_narrows(history, narrow, found):
    filled(history, SAMPLES)
    assert prompts(history, **narrow) == found


def test_exchanges_come_in_the_order_of_their_ids(history):
    one, two, three = (exchange.id for exchange in filled(history, SAMPLES))
    assert prompts(history, exchanges=[three, "none", one, three]) == ["three", "one"]
    assert prompts(history, exchanges=pd.Series([two])) == ["two"]
    assert prompts(history, exchanges=(id for id in [two]), model="gpt") == []


def test_more_ids_than_a_statement_takes_values_are_no_error(history):
    done = filled(history, SAMPLES)
    ids = [f"{number:032x}" for number in range(40_000)]
    assert prompts(history, exchanges=[*ids, done[0].id]) == ["one"]
    assert prompts(history, conversation=[*ids, done[2].conversation]) == ["three"]


@pytest.mark.parametrize(
    ("narrow", "words"),
    [
        ({"modle": "x"}, "No filter 'modle': choose conversation, exchanges, since"),
        ({"status": "done"}, "No status 'done': choose streaming, complete"),
        ({"surface": "page"}, "No surface 'page'"),
        ({"since": "soon"}, "since 'soon' is no moment: write 2026, 2026-01"),
        ({"since": "2026-13"}, "since '2026-13'"),
        ({"until": 2026}, "until 2026 is no moment"),
        ({"until": pd.NaT}, "until NaT is no moment"),
        ({"model": 5}, "model is a text, and not 5"),
        ({"conversation": 5}, "conversation takes ids"),
        ({"exchanges": [None]}, "exchanges takes ids"),
        ({"exchanges": "a\x00"}, "exchanges takes ids"),
    ],
)
def test_what_makes_no_sense_is_refused(history, narrow, words):
    for read in (history.messages, history.conversations, history.stats, history.walk):
        with pytest.raises(InvalidRequest) as refused:
            read(**narrow)
        assert str(refused.value).startswith(words)
        assert "\n" not in str(refused.value)


def test_other_things_that_make_no_sense_are_refused(history):
    with pytest.raises(InvalidRequest, match="No statistics by 'week': choose model, day"):
        history.stats(by="week")
    with pytest.raises(InvalidRequest, match="1 or more"):
        history.walk(at_once=0)
    with pytest.raises(InvalidRequest, match="1 or more"):
        history.conversations(limit=0)


@pytest.mark.parametrize(
    "text", ["2026", "2026-01", "2026-01-01", " 2026-1-1 ", "2026-01-01T00:00Z"]
)
def test_a_moment_can_be_written_short(text):
    assert moment_of("since", text) == datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_a_filter_can_be_used_twice():
    wanted = Filter(exchanges=(id for id in "ab"))  # type: ignore[arg-type]
    assert len(wanted.where("")) == len(wanted.where("")) == 2
    assert wanted.exchanges == ("a", "b")


def test_nobody_else_is_seen_unless_asked_for(tmp_path):
    mine = History(tmp_path / "h.db", owner="me", on_warning=pytest.fail)
    yours = History(tmp_path / "h.db", owner="you", on_warning=pytest.fail)
    filled(mine, SAMPLES[::2])
    filled(yours, SAMPLES[1:2])
    assert prompts(mine) == ["one", "three"]
    assert prompts(mine, owner="you") == ["two"]
    assert prompts(mine, owner="*", conversation=None) == ["one", "two", "three"]
    assert list(mine.conversations()["queries"]) == [1, 1]
    assert len(mine.conversations(owner="*")) == 3
    mine.close()
    yours.close()


@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_pages_neither_lose_nor_double_exchanges_of_one_moment(history, at_once):
    filled(history, [{"created": START + timedelta(days=place // 3)} for place in range(7)])
    walked = list(history.walk(at_once))
    assert walked == history.load_exchanges()
    assert len(walked) == 7


def test_others_write_between_two_pages(history):
    filled(history, SAMPLES)
    walked = history.walk(at_once=1)
    next(walked)
    filled(history, [{"prompt": "four", "talk": 2, "created": START + timedelta(days=99)}])
    assert [exchange.prompt for exchange in walked] == ["two", "three", "four"]


def test_a_closed_history_gives_no_frame(tmp_path):
    history = History(tmp_path / "h.db", on_warning=pytest.fail)
    history.close()
    for read in (history.messages, history.exchanges, history.conversations, history.stats):
        with pytest.raises(StoreError, match="closed"):
            read()
