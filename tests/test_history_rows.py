"""Answers to rows of frames: begun in blocks, ended in groups, found by what was asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chat_magics.errors import StoreError
from chat_magics.history import MISFIT, Exchange, History, RowAsked, RowEnded, asked_rows, new_id
from chat_magics.history.exchange import now
from chat_magics.messages import Completion, Usage
from tests.history_samples import start_python

KEYS = [letter * 64 for letter in "abcd"]


def first_of(run):
    return Exchange(
        conversation=run.id,
        prompt="",
        sent="",
        base_url="demo",
        model_asked="demo",
        surface="batch",
    )


def begun(history, keys=KEYS):
    run = history.begin_run("Classify {{text}}")
    rows = [RowAsked(new_id(), key, f"Classify {key[0]}\0") for key in keys]
    history.begin_rows(first_of(run), rows)
    return run, rows


def ended(row, text="yes", error=None):
    usage = Usage(prompt_tokens=9, completion_tokens=2)
    came = Completion(text=text, model="demo-1", finish_reason="stop", usage=usage)
    if error and error != MISFIT:
        return RowEnded(row.id, "error", None, None, 4, 1.0, error, "it failed", now())
    status = "error" if error else "complete"
    return RowEnded(row.id, status, came, 0.5, 1, 1.0, error, error and "no fit", now())


def test_an_answer_is_found_by_what_was_asked_whenever_that_was(history):
    _, rows = begun(history)
    history.finish_rows([ended(rows[0]), ended(rows[1], error=MISFIT)])
    history.finish_rows([ended(rows[2], error="ServerUnavailable")])
    found = history.row_answers(KEYS)
    assert set(found) == {KEYS[0], KEYS[1]}, "what failed without a reply is to be asked again"
    assert found[KEYS[0]][1:-1] == ("yes", "demo-1", 9, 2, 0.5, 1.0, 1, "stop", None, None)
    assert timedelta() <= now() - found[KEYS[0]].ended < timedelta(days=1)
    assert found[KEYS[1]].error == "no fit"


def test_a_block_is_kept_letter_by_letter_however_long(history, monkeypatch):
    monkeypatch.setattr(asked_rows, "CHARACTERS_AT_ONCE", 40)
    texts = ["plain", 'a "quote"\\n, \\u0041 and {"json": [1]}', "two\nlines\ttab", "", "é 漢 😀"]
    texts += ["NUL \0 DLE \x10 \x100", "' OR 1=1; --", "long " * 100, "null", "last"]
    run = history.begin_run("Classify {{text}}")
    rows = [RowAsked(new_id(), f"{place:064}", text) for place, text in enumerate(texts)]
    history.begin_rows(first_of(run), rows)
    history.finish_rows([ended(row) for row in rows])
    kept = {each.id: each for each in history.load_exchanges(run.id)}
    assert [kept[row.id].prompt for row in rows] == texts
    assert [kept[row.id].sent for row in rows] == texts
    assert set(history.row_answers([row.key for row in rows])) == {row.key for row in rows}


def test_the_newest_answer_counts(history):
    for text in ("old", "new"):
        _, rows = begun(history, KEYS[:1])
        history.finish_rows([ended(rows[0], text)])
    assert history.row_answers(KEYS)[KEYS[0]].text == "new"


def test_answers_belong_to_their_owner(place):
    with_rows = History(place, owner="ann", on_warning=pytest.fail)
    _, rows = begun(with_rows)
    with_rows.finish_rows([ended(rows[0])])
    with_rows.close()
    other = History(place, owner="bob", on_warning=pytest.fail)
    assert other.row_answers(KEYS) == {}
    other.close()


def test_a_run_stands_in_the_frames_and_not_in_the_list(history):
    run, rows = begun(history)
    history.finish_rows([ended(row) for row in rows])
    history.end_run(run.id)
    assert history.load_conversations() == []
    assert [record.id for record in history.load_conversations(runs=True)] == [run.id]
    frame = history.exchanges(surface="batch")
    assert list(frame["prompt"]) == [row.prompt for row in rows]
    assert list(history.search("classify")["conversation"]) == [run.id] * 4
    assert history.conversations()["cost"].item() == 2.0
    assert history.delete(run.id) == 4
    assert history.row_answers(KEYS) == {}


def test_a_row_never_changes_once_it_ended(history):
    _, rows = begun(history)
    history.finish_rows([ended(rows[0])])
    with pytest.raises(StoreError, match="1 rows"):
        history.finish_rows([ended(rows[0], "other"), ended(rows[1])])
    assert history.row_answers(KEYS).keys() == {KEYS[0]}, "all of a group or none"


def test_rows_that_were_never_sent_leave_nothing(history):
    run, rows = begun(history)
    history.drop_rows([row.id for row in rows])
    assert history.exchanges(conversation=run.id).empty


DYING = """
import os, sys
from tests.test_history_rows import begun, ended
from chat_magics.history import History
history = History(sys.argv[1], on_warning=print)
_, rows = begun(history)
history.finish_rows([ended(rows[0])])
os.kill(os.getpid(), 9)
"""


def test_rows_of_a_killed_process_are_interrupted_and_its_answers_kept(place):
    start_python(DYING, place).wait()
    history = History(place, on_warning=pytest.fail)
    assert history.row_answers(KEYS).keys() == {KEYS[0]}
    assert sorted(history.exchanges()["status"]) == ["complete"] + ["interrupted"] * 3
    history.close()


def test_keys_are_found_by_an_index(tmp_path):
    history = History(tmp_path / "history.db", on_warning=pytest.fail)
    query = "EXPLAIN QUERY PLAN SELECT id FROM exchanges WHERE request_key IN ('a', 'b')"
    plan = history._store.read(lambda connection: connection.exec_driver_sql(query).all())
    assert "exchanges_request_key" in str(plan)
    history.close()
