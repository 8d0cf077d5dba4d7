"""Prompts over rows: what is asked, what comes back, and what is never asked twice."""

from __future__ import annotations

import threading
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

import chat_magics.pandas  # noqa: F401 - df.chat
from chat_magics import Conversation
from chat_magics.batch import RUN_COLUMNS, RowsPlan, ask, retry
from chat_magics.errors import (
    AuthenticationFailed,
    BudgetReached,
    ChatError,
    InvalidOption,
    InvalidRequest,
)
from tests.chat_server import Hang, Reply, Status
from tests.rows_samples import PROMPT, answering, frame, prompts, rows_session


@pytest.fixture
def session(server):
    with rows_session(server) as opened:
        yield opened


def asked(data, session, prompt=PROMPT, into=None, **how):
    return ask(data, prompt, into, session=session, progress=False, **how)


class Complaint(BaseModel):
    kind: Literal["late", "broken"]
    urgent: bool
    parts: list[str] = []


def test_each_row_has_its_answer_and_how_it_ended(server, session):
    server.default = answering(lambda text: f"about {text}")
    data = pd.DataFrame({"text": ["a", "b"], "id": [7, 8]}, index=["x", "x"])
    out = asked(data, session)
    assert list(out.columns) == ["text", "id", "answer", *RUN_COLUMNS]
    assert list(out.index) == ["x", "x"]
    assert list(out["answer"]) == ["about a", "about b"]
    assert [str(out[name].dtype) for name in RUN_COLUMNS] == list(RUN_COLUMNS.values())
    row = out.iloc[0]
    assert (row["status"], row["model"], row["attempts"]) == ("complete", "test-model", 1)
    assert (row["tokens_in"] > 0, row["cached"], row["seconds"] > 0) == (True, False, True)
    assert pd.isna(row["cost"]), "the price of this server is unknown"
    assert list(data.columns) == ["text", "id"], "what was given stays as it is"


def test_equal_prompts_are_asked_once(server, session):
    out = asked(pd.DataFrame({"text": ["a", "b", "a", "a"]}), session)
    assert sorted(prompts(server)) == ["Classify: a", "Classify: b"]
    assert list(out["cached"]) == [False, False, True, True]
    assert list(out["attempts"]) == [1, 1, 0, 0]
    assert list(out["cost"].fillna(-1)) == [-1, -1, 0, 0]


def test_what_was_answered_is_never_asked_again(server, session):
    asked(frame(3), session)
    session.client.cache.clear()
    out = asked(frame(5), session)
    assert len(server.posts) == 5
    assert list(out["cached"]) == [True] * 3 + [False] * 2
    refreshed = asked(frame(2), session, refresh=True)
    assert len(server.posts) == 7
    assert not refreshed["cached"].any()


def test_another_process_finds_the_answers_at_any_time(server, session):
    asked(frame(3), session)
    with rows_session(server, cache=False) as other:
        assert asked(frame(3), other)["cached"].all()
    assert len(server.posts) == 3


def test_answers_are_typed_columns(server, session):
    server.default = answering(
        lambda text: {"kind": "late" if text == "a" else "broken", "urgent": text == "b"}
    )
    out = asked(pd.DataFrame({"text": ["a", "b", None]}), session, into=Complaint)
    assert list(out["kind"].cat.categories) == ["late", "broken"]
    assert list(out["urgent"].fillna(False)) == [False, True, False]
    assert str(out["urgent"].dtype) == "boolean"
    sent = server.bodies[0]["response_format"]["json_schema"]
    assert (sent["name"], sent["strict"]) == ("Complaint", True)
    again = asked(pd.DataFrame({"text": ["a", "b", None]}), session, into=Complaint)
    pd.testing.assert_frame_equal(
        out[["kind", "urgent", "parts"]], again[["kind", "urgent", "parts"]]
    )


def test_what_pandas_writes_of_it_is_read_as_the_docs_say(server, session, tmp_path):
    """pandas writes the dtype of lists and structs, and then does not know it."""
    server.default = answering(lambda text: {"kind": "late", "urgent": True, "parts": [text]})
    out = asked(frame(2), session, into=Complaint)
    out.to_parquet(tmp_path / "out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet", dtype_backend="pyarrow")
    assert [list(parts) for parts in found["parts"]] == [["row 0"], ["row 1"]]


def test_a_reply_that_does_not_fit_is_asked_once_more_with_the_reason(server, session):
    server.script(Reply("no JSON"), Reply('{"answer": 3}'))
    out = asked(frame(1), session, into=int)
    assert (out["answer"].item(), out["attempts"].item()) == (3, 2)
    assert out["tokens_in"].item() == 20, "both are paid for"
    second = server.bodies[1]["messages"]
    assert [message["role"] for message in second] == ["user", "assistant", "user"]
    assert second[1]["content"] == "no JSON"
    assert "not JSON" in second[2]["content"] or "does not fit" in second[2]["content"]


def test_a_schema_that_the_model_never_meets_is_an_error_with_its_text(server, session):
    server.default = answering(lambda text: "3" if text == "row 1" else "I would rather not")
    out = asked(frame(3), session, into=int)
    assert list(out["status"]) == ["error", "complete", "error"]
    assert "I would rather not" in out["error"][0]
    assert len(server.posts) == 5
    asked(frame(3), session, into=int)
    assert len(server.posts) == 5, "they were paid for"
    assert list(session.history.exchanges(status="error")["text"]) == ["I would rather not"] * 2


def test_a_missing_value_is_not_asked_and_says_so(server, session):
    data = pd.DataFrame({"text": ["a", None, np.nan, pd.NA], "n": [1, 2, 3, 4]})
    out = asked(data, session, "Classify: {{text}} {{n}}")
    assert list(out["status"]) == ["complete", "missing", "missing", "missing"]
    assert out["error"][1] == "text is missing"
    assert len(server.posts) == 1


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_have_the_same_columns(server, session, rows):
    out = asked(frame(rows), session, into=Complaint if rows == 0 else None)
    assert len(out) == rows
    assert list(out["status"]) == ["complete"] * rows
    assert [str(out[name].dtype) for name in RUN_COLUMNS] == list(RUN_COLUMNS.values())
    assert len(server.posts) == rows


def test_a_series_is_named_value(server, session):
    texts = pd.Series(["a", "b"], name="text", index=[5, 6])
    out = asked(texts, session, "Classify: {{value}}")
    assert (list(out.columns)[:2], list(out.index)) == (["text", "answer"], [5, 6])
    assert sorted(prompts(server)) == ["Classify: a", "Classify: b"]


def test_a_row_that_is_too_long_is_told_before_and_stays(server, session):
    data = pd.DataFrame({"text": ["a", "b" * 6_000, "NUL \0"]})
    plan = asked(data, session, dry_run=True)
    assert plan.refused == 2
    out = asked(data, session)
    assert list(out["status"]) == ["complete", "error", "error"]
    assert "max_prompt_chars is 5,000" in out["error"][1]
    assert len(server.posts) == 1


def test_wrong_questions_are_refused_before_anything_is_sent(server, session):
    wrong = [
        ({"prompt": "Classify: {{txt}}"}, InvalidRequest, "near it: text"),
        ({"into": "nonsense"}, InvalidRequest, "into"),
        ({"options": {"n": 3}}, InvalidOption, "n must be 1"),
        ({"concurrency": 0}, InvalidRequest, "concurrency"),
        ({"max_cost": -1}, InvalidRequest, "max_cost"),
        ({"into": int, "options": {"response_format": {}}}, InvalidRequest, "response_format"),
        ({"into": int, "name": "text"}, InvalidRequest, "has a column text already"),
    ]
    for how, kind, words in wrong:
        with pytest.raises(kind, match=words):
            asked(frame(2), session, **how)
    assert server.requests == []


def test_columns_of_the_same_name_keep_theirs(server, session):
    out = asked(frame(1).assign(status="open", chat_status=1), session)
    assert out["status"].item() == "open"
    assert out["chat_chat_status"].item() == "complete"
    assert "status as chat_chat_status" in session.told[0]


def test_a_plan_sends_nothing_and_tells_what_would_be_asked(server, session):
    asked(frame(1), session)
    data = pd.DataFrame({"text": ["row 0", "b", "b", None]})
    plan = asked(data, session, dry_run=True, max_tokens=50)
    assert isinstance(plan, RowsPlan)
    plan = asked(data, session, dry_run=True)
    assert (plan.rows, plan.missing, plan.distinct, plan.answered, plan.to_ask) == (4, 1, 2, 1, 1)
    assert "unknown price" in str(plan)
    assert len(server.posts) == 1


def test_max_cost_needs_a_price_and_is_kept(server, session):
    with pytest.raises(BudgetReached, match="price of test-model is unknown"):
        asked(frame(2), session, max_cost=1.0)
    assert server.posts == []


def test_a_run_that_would_cost_too_much_does_not_start(server, priced):
    with rows_session(server, **priced) as session:
        plan = asked(frame(1000), session, dry_run=True)
        assert plan.price > 0.01
        with pytest.raises(BudgetReached, match="1,000 prompts would cost about"):
            asked(frame(1000), session, max_cost=0.01)
    assert server.posts == []


def test_a_run_stops_when_its_money_is_spent_and_is_taken_up_again(server, priced):
    server.default = Reply("a", prompt_tokens=1_000_000)  # far more than was thought
    with rows_session(server, **priced) as session:
        plan = asked(frame(50), session, dry_run=True)
        out = asked(frame(50), session, max_cost=max(1.0, plan.price), concurrency=2)
        spent = out["cost"].sum()
        assert 0.5 < spent <= 1.0
        statuses = out["status"].value_counts().to_dict()
        assert statuses == {"complete": len(server.posts), "stopped": 50 - len(server.posts)}
        assert "max_cost is $1" in out["error"].dropna().iloc[0]
        assert "the same call asks the rest" in session.told[0]
        whole = asked(frame(50), session)
        assert (whole["cached"].sum(), len(server.posts)) == (statuses["complete"], 50)
        assert whole["cost"].sum() == pytest.approx(server_cost(server, spent, statuses), rel=0.01)


def test_a_run_whose_rows_cost_more_than_was_thought_asks_few_until_it_knows(server, priced):
    server.default = Reply("a", prompt_tokens=1_000_000)
    with rows_session(server, **priced) as session:
        plan = asked(frame(50), session, dry_run=True)
        out = asked(frame(50), session, max_cost=max(1.0, plan.price), concurrency=50)
        assert out["cost"].sum() <= 1.0
        assert out["status"].eq("complete").sum() == len(server.posts)


def server_cost(server, spent, statuses):
    return spent / statuses["complete"] * statuses["stopped"]


def test_the_budgets_of_the_settings_hold_for_rows(server):
    with rows_session(server, tokens_per_conversation=400) as session:
        out = asked(frame(50), session, concurrency=2)
        assert 0 < len(server.posts) < 50
        assert "tokens_per_conversation" in session.told[0]
        assert set(out["status"]) == {"complete", "stopped"}


def test_rows_share_the_cache_and_the_request_of_a_cell(server, session):
    Conversation(session=session).ask("Classify: row 0").wait()
    out = asked(frame(2), session)
    assert list(out["cached"]) == [True, False]
    cell, row = server.bodies
    assert set(cell) - set(row) == {"stream", "stream_options"}
    assert {name: cell[name] for name in row if name != "messages"} == {"model": "test-model"}


def test_a_run_is_one_conversation_out_of_the_list(server, session):
    out = asked(frame(3), session)
    history = session.history
    assert history.load_conversations() == []
    run = history.conversation(out.attrs["chat_magics"]["run"])
    assert run.title == PROMPT
    rows = history.exchanges(conversation=run.id)
    assert (len(rows), set(rows["surface"]), set(rows["status"])) == (3, {"batch"}, {"complete"})


def test_the_figures_of_a_run_are_one_call(server, session):
    server.default = answering(lambda text: Status(400) if text == "row 1" else text)
    asked(frame(1), session)
    data = frame(4)
    out = data.chat.ask(PROMPT, progress=False, session=session)
    figures = out.chat.stats(session=session)
    assert (figures["exchanges"].item(), figures["errors"].item()) == (3, 1), "one was there"
    server.default = Reply("b")
    mended = data.chat.retry(out)
    by_status = mended.chat.stats("status", session=session).set_index("status")["exchanges"]
    assert by_status.to_dict() == {"complete": 3, "error": 1}
    assert "complete" in str(mended.chat.plot(session=session))
    again = data.chat.ask(PROMPT, progress=False, session=session)
    with pytest.raises(InvalidRequest, match="no run is noted"):
        again.chat.stats(session=session)


def test_retry_asks_only_what_failed(server, session):
    def first(text):
        return Status(400) if text in ("row 1", "row 3") else text

    server.default = answering(first)
    out = asked(frame(5), session)
    assert list(out["status"]) == ["complete", "error", "complete", "error", "complete"]
    assert "400" in out["error"][1]
    server.default = answering(lambda text: f"now {text}")
    mended = retry(frame(5), out, PROMPT, session=session, progress=False)
    assert list(mended["answer"]) == ["row 0", "now row 1", "row 2", "now row 3", "row 4"]
    assert list(mended["attempts"]) == [1] * 5
    assert (mended.dtypes == out.dtypes).all()
    assert len(server.posts) == 7
    with pytest.raises(InvalidRequest, match="no column answer"):
        retry(frame(5), frame(5), PROMPT, session=session, progress=False)


def test_slow_rows_hold_up_nobody(server, session):
    server.default = answering(lambda text: Hang() if text in ("row 0", "row 1") else text)
    done = []
    thread = threading.Thread(target=lambda: done.append(asked(frame(40), session, concurrency=4)))
    thread.start()
    server.until(lambda: len(server.posts) == 40)
    assert server.held == 2
    server.release()
    thread.join()
    assert set(done[0]["status"]) == {"complete"}


def test_a_wrong_key_ends_the_run_at_once(server, session):
    server.default = Status(401)
    with pytest.raises(AuthenticationFailed):
        asked(frame(200), session, concurrency=4)
    assert len(server.posts) <= 8
    assert set(session.history.exchanges()["status"]) <= {"error", "stopped"}


def test_a_server_that_only_fails_is_not_hammered(server, session):
    server.default = Status(400)
    with pytest.raises(ChatError, match="25 rows in turn failed"):
        asked(frame(200), session, concurrency=4)
    assert len(server.posts) < 35


def test_polars_and_arrow_come_back_as_they_came(server, session):
    import polars as pl
    import pyarrow as pa

    server.default = answering(lambda text: {"kind": "late", "urgent": True, "parts": [text]})
    columns = {"text": ["a", None]}
    for data in (pl.DataFrame(columns), pa.table(columns)):
        out = asked(data, session, into=Complaint)
        assert type(out) is type(data)
        answered = out["parts"].to_pylist() if isinstance(out, pa.Table) else out["parts"].to_list()
        assert answered == [["a"], None]
        again = retry(data, out, PROMPT, Complaint, session=session, progress=False)
        assert listed(again) == listed(out)


def listed(data):
    return data.to_pylist() if hasattr(data, "to_pylist") else data.rows()
