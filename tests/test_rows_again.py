"""`retry` of frames that were ordered, cut, saved, or asked something else meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pandas as pd
import polars as pl
import pytest
from pydantic import BaseModel

import chat_magics.pandas  # noqa: F401
from chat_magics import Session
from chat_magics.batch import ask, retry
from chat_magics.errors import InvalidRequest
from tests.chat_server import ChatServer, Reply, Status
from tests.rows_samples import PROMPT, answering, frame, rows_session


class Kind(BaseModel):
    kind: Literal["late", "broken"]
    urgent: bool
    tags: list[str]


@pytest.fixture
def session(server: ChatServer) -> Iterator[Session]:
    with rows_session(server) as opened:
        yield opened


def failing(text: str) -> Any:
    return Status(400) if text == "row 1" else f"to {text}"


def now(server: ChatServer) -> None:
    server.default = answering(lambda text: f"now {text}")


def test_the_rows_may_be_in_another_order_or_fewer(server: ChatServer, session: Session) -> None:
    server.default = answering(failing)
    data = frame(4)
    out = data.chat.ask(PROMPT, progress=False, session=session)
    now(server)
    backwards = data.chat.retry(out.iloc[::-1])
    assert backwards["answer"].tolist() == ["to row 3", "to row 2", "now row 1", "to row 0"]
    assert backwards.index.tolist() == [3, 2, 1, 0]
    data["text"] = data["text"].tolist()[::-1]
    assert data.chat.retry(out.head(2))["answer"].tolist() == ["to row 0", "now row 1"]


def test_each_result_is_asked_its_own_question_again(server: ChatServer, session: Session) -> None:
    server.default = answering(failing)
    data, given = frame(3), {"progress": False, "session": session}
    first = data.chat.ask(PROMPT, name="first", **given)
    data.chat.ask("Something else: {{text}}", **given)
    data.chat.ask("A plan: {{text}}", dry_run=True, **given)
    before = len(server.posts)
    now(server)
    mended = data.chat.retry(first)
    assert mended["first"].tolist() == ["to row 0", "now row 1", "to row 2"]
    assert [post.last for post in server.posts[before:]] == ["Classify: row 1"]
    server.default = answering(failing)
    other = data.chat.retry(first, model="other-model")
    assert other["status"].tolist() == ["complete", "error", "complete"]
    now(server)
    assert data.chat.retry(other)["first"].tolist() == ["to row 0", "now row 1", "to row 2"]
    assert server.bodies[-1]["model"] == "other-model"


@pytest.mark.parametrize(
    "read",
    [
        pd.read_parquet,
        lambda file: pd.read_parquet(file, dtype_backend="numpy_nullable"),
        lambda file: pd.read_parquet(file, dtype_backend="pyarrow"),
        pl.read_parquet,
    ],
    ids=["pandas", "nullable", "pyarrow", "polars"],
)
def test_a_result_that_was_saved_is_mended(server, session, tmp_path, read) -> None:
    good = {"kind": "late", "urgent": True, "tags": ["a"]}
    server.default = answering(lambda text: Status(400) if text == "row 1" else good)
    data = frame(3)
    how = {"session": session, "progress": False}
    ask(pl.from_pandas(data), PROMPT, Kind, **how).write_parquet(tmp_path / "out.parquet")
    out = read(tmp_path / "out.parquet")
    server.default = answering(lambda text: {**good, "kind": "broken"})
    mended = retry(data, out, PROMPT, Kind, **how)
    assert list(mended["kind"]) == ["late", "broken", "late"]
    assert list(mended["status"]) == ["complete"] * 3
    assert [list(tags) for tags in mended["tags"]] == [["a"]] * 3


def test_what_cannot_be_mended_is_told_before_anything_is_asked(server, session, tmp_path) -> None:
    good = {"kind": "late", "urgent": True, "tags": ["a"]}
    server.default = answering(lambda text: Status(400) if text == "row 1" else good)
    how = {"session": session, "progress": False}
    ask(frame(3), PROMPT, Kind, **how).to_csv(tmp_path / "out.csv", index=False)
    before = len(server.posts)
    with pytest.raises(InvalidRequest, match=r"column tags holds no .* save frames as Parquet"):
        retry(frame(3), pd.read_csv(tmp_path / "out.csv"), PROMPT, Kind, **how)
    with pytest.raises(InvalidRequest, match="no column text"):
        retry(frame(3), ask(frame(3), PROMPT, Kind, **how).drop(columns="text"), PROMPT, **how)
    assert len(server.posts) == before + 1, "the row that failed, by the second ask"


def test_labels_that_are_numbers_stay_so(server: ChatServer, session: Session) -> None:
    server.default = answering(failing)
    data = frame(2).rename(columns={"text": 0})
    out = data.chat.ask("Classify: {{0}}", progress=False, session=session)
    now(server)
    assert data.chat.retry(out).columns[0] == 0


def test_a_series_may_be_called_as_a_column_of_the_run(server, session) -> None:
    server.default = answering(str.upper)
    values = pd.Series(["a", "b"], name="status")
    out = values.chat.ask("Classify: {{value}}", progress=False, session=session)
    assert out["status"].tolist() == ["a", "b"]
    assert out["chat_status"].tolist() == ["complete"] * 2
    assert "status as chat_status" in session.told[0]
    with pytest.raises(InvalidRequest, match="column answer already"):
        values.rename("answer").chat.ask("{{value}}", session=session)
    assert len(server.posts) == 2
    named = values.rename("text").chat.ask(
        "Name: {{value}}", name="value", progress=False, session=session
    )
    assert named.columns[:2].tolist() == ["text", "value"]


def test_a_typed_answer_that_is_cut_says_so_and_is_not_asked_twice(server, session) -> None:
    server.default = Reply('{"answer": "lo', finish_reason="length")
    given = {"into": Literal["low", "high"], "progress": False, "session": session}
    for cached in (False, True):
        out = ask(frame(2), PROMPT, **given)
        assert out["status"].tolist() == ["cut"] * 2
        assert out["error"].str.contains("max_tokens").all()
        assert out["cached"].tolist() == [cached] * 2
    assert len(server.posts) == 2
    server.default = Reply('{"answer": "low"}')
    assert retry(frame(2), out, PROMPT, **given)["status"].tolist() == ["complete"] * 2


def test_a_frame_that_was_there_already_names_no_run_of_another(server, session) -> None:
    data = frame(2).chat.ask(PROMPT, name="first", progress=False, session=session)
    for runs in (1, 0):
        out = data.chat.ask("{{text}} {{first}}", name="second", progress=False, session=session)
        assert len(out.attrs["chat_magics"].get("runs", ())) == runs
    assert out.attrs["chat_magics"].keys() == {"question"}


def test_wrong_arguments_are_told_in_one_line(server, session) -> None:
    data = frame(1)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"into": {"kind": str}}, "no JSON schema"),
        ({"into": {"kind": "str"}}, "no JSON schema"),
        ({"into": {"type": str}}, "no JSON schema"),
        ({"into": Kind(kind="late", urgent=True, tags=[])}, "into"),
        ({"system": 5}, "system is a text, not int"),
        ({"model": 5}, "model is a text, not int"),
        ({"name": ["a"]}, "name is a text, not list"),
    ]
    for how, words in wrong:
        with pytest.raises(InvalidRequest, match=words) as caught:
            ask(data, PROMPT, session=session, progress=False, **how)
        assert "\n" not in str(caught.value)
    out = data.chat.ask(PROMPT, progress=False, session=session)
    with pytest.raises(InvalidRequest, match="no argument modle; near it: model"):
        data.chat.retry(out, modle="x")
    with pytest.raises(InvalidRequest, match="near it: 'Text '"):
        ask(data.rename(columns={"text": "Text "}), "{{Text}}", session=session)
