"""Prompts over Parquet, in Python and from a shell."""

from __future__ import annotations

import json
import threading

import pandas as pd
import pytest

from chat_magics.batch import ask_file
from chat_magics.cli import main
from chat_magics.errors import AuthenticationFailed, InvalidRequest
from tests.chat_server import Hang, Reply, Status
from tests.rows_samples import PROMPT, answering, frame, rows_session


@pytest.fixture
def files(tmp_path):
    frame(30).assign(n=range(30)).to_parquet(tmp_path / "in.parquet")
    return tmp_path / "in.parquet", tmp_path / "out.parquet"


def test_a_file_becomes_a_file_with_answers(server, files):
    server.default = answering(lambda text: text.upper())
    source, target = files
    with rows_session(server) as session:
        ask_file(source, target, PROMPT, session=session, progress=False)
    out = pd.read_parquet(target)
    assert list(out["answer"]) == [f"ROW {number}" for number in range(30)]
    assert list(out["n"]) == list(range(30))


def test_several_blocks_are_one_run_and_equal_prompts_are_asked_once(server, files, monkeypatch):
    monkeypatch.setattr("chat_magics.batch.over_files.rows_at_a_time", lambda how: 10)
    source, target = files
    pd.concat([frame(20), frame(20)]).to_parquet(source)
    with rows_session(server) as session:
        given = {"session": session, "progress": False, "concurrency": 1}
        plan = ask_file(source, target, PROMPT, dry_run=True, **given)
        assert (plan.rows, plan.distinct, plan.to_ask) == (40, 20, 20)
        assert not server.posts
        ask_file(source, target, PROMPT, **given)
        assert len(session.history.load_conversations(runs=True)) == 1
    assert len(server.posts) == 20
    assert list(pd.read_parquet(target)["cached"]) == [False] * 20 + [True] * 20


def test_equal_prompts_of_several_blocks_are_asked_again_once(server, files, monkeypatch):
    monkeypatch.setattr("chat_magics.batch.over_files.rows_at_a_time", lambda how: 10)
    source, target = files
    pd.concat([frame(10)] * 3).to_parquet(source)
    with rows_session(server) as session:
        ask_file(source, target, PROMPT, session=session, progress=False)
        server.default = Reply("new")
        given = {"session": session, "progress": False, "refresh": True, "force": True}
        ask_file(source, target, PROMPT, **given)
        assert len(server.posts) == 20
        assert list(pd.read_parquet(target)["answer"]) == ["new"] * 30
        server.default = Status(400)
        ask_file(source, target, PROMPT, **given)
        assert set(pd.read_parquet(target)["status"]) == {"error"}, "no old answer stands in"


def test_a_run_that_ends_early_writes_nothing_and_is_taken_up(server, files):
    source, target = files
    server.script(*[Reply("a")] * 5)
    server.default = Status(401)
    with rows_session(server) as session:
        given = {"session": session, "progress": False, "concurrency": 1}
        with pytest.raises(AuthenticationFailed, match="the same call asks the rest"):
            ask_file(source, target, PROMPT, **given)
        assert not target.exists()
        server.default = Reply("b")
        ask_file(source, target, PROMPT, **given)
    assert list(pd.read_parquet(target)["answer"]) == ["a"] * 5 + ["b"] * 25


def test_the_command_asks_and_writes(server, files, tmp_path, monkeypatch, capsys):
    server.default = answering(lambda text: {"length": len(text)})
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("CHAT_MAGICS_MODEL", "m")
    (tmp_path / "p.md").write_text(PROMPT + "\n")
    schema = {"type": "object", "properties": {"length": {"type": "integer"}}}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    source, target = map(str, files)
    line = ["rows", source, target, "--prompt-file", "p.md", "--into", "schema.json"]
    assert main([*line, "--dry-run"]) == 0
    assert "30 rows: 30 distinct prompts" in capsys.readouterr().out
    assert main(line) == 0
    assert pd.read_parquet(target)["length"].sum() == 10 * 5 + 20 * 6
    assert server.bodies[0]["messages"][0]["content"].startswith("Classify: row")
    assert main(line) == 2, "the target is there"
    assert "out.parquet" in capsys.readouterr().err
    assert main([*line, "--force"]) == 0
    assert len(server.posts) == 30
    server.default = answering(lambda text: Status(400) if text == "row 3" else "x")
    assert main(["rows", source, target, "--prompt", PROMPT, "--force"]) == 0
    assert (
        "1 of 30 rows have no whole answer: the columns status and error" in capsys.readouterr().err
    )
    assert main(["rows", source, target, "--prompt", "", "--force"]) == 2
    assert "the prompt names no column" in capsys.readouterr().err


def test_small_files_of_a_folder_are_asked_together(server, files):
    source, target = files
    folder = source.with_name("many")
    for number in range(8):
        (folder / f"n={number}").mkdir(parents=True)
        frame(2, f"of {number}:").to_parquet(folder / f"n={number}" / "in.parquet")
    server.default = Hang()
    with rows_session(server) as session:
        given = {"session": session, "progress": False, "concurrency": 16}
        thread = threading.Thread(
            target=ask_file, args=(folder, target, PROMPT), kwargs=given, daemon=True
        )
        thread.start()
        server.until(lambda: server.held == 16)
        server.release()
        thread.join()
        out = pd.read_parquet(target)
        assert list(out["text"]) == [f"of {number}: {row}" for number in range(8) for row in (0, 1)]
        assert list(out["n"]) == [number for number in range(8) for _ in (0, 1)]
        with pytest.raises(InvalidRequest, match="of which it would become a part"):
            ask_file(folder, folder / "out.parquet", PROMPT, session=session)


def test_columns_that_are_called_otherwise_are_told(server, files):
    source, target = files
    frame(2).assign(status="old").to_parquet(source)
    with rows_session(server) as session:
        ask_file(source, target, PROMPT, session=session, progress=False)
        assert "status as chat_status" in session.told[0]


def test_a_wrong_column_is_told_before_anything(server, files):
    with rows_session(server) as session, pytest.raises(InvalidRequest, match="near it: text"):
        ask_file(*files, "{{txt}}", session=session, progress=False)
    assert not server.requests


@pytest.mark.parametrize("max_cost", [None, 1.0])
def test_a_retry_asks_what_did_not_fit_or_was_cut_once_more_and_nothing_else(
    server, files, monkeypatch, priced, max_cost
):
    monkeypatch.setattr("chat_magics.batch.over_files.rows_at_a_time", lambda how: 10)
    source, target = files
    pd.concat([frame(10)] * 3).to_parquet(source)
    asked = {f"row {number}" for number in range(10)}
    replies = {"row 3": Reply("none"), "row 5": Reply("[1", finish_reason="length")}
    server.default = answering(lambda text: replies.get(text, "[1]" if text in asked else "none"))
    given = {"into": list[int], "progress": False, "concurrency": 1, "max_cost": max_cost}
    with rows_session(server, **priced) as session:
        ask_file(source, target, PROMPT, session=session, **given)
        statuses = ["complete"] * 3 + ["error", "complete", "cut"] + ["complete"] * 4
        assert list(pd.read_parquet(target)["status"]) == statuses * 3
    server.default = Reply("[2]")
    before = len(server.posts)
    with rows_session(server, **priced) as session:
        ask_file(source, target, PROMPT, session=session, force=True, **given)
        assert len(server.posts) == before
        plan = ask_file(source, target, PROMPT, session=session, retry=True, dry_run=True, **given)
        assert (plan.distinct, plan.to_ask) == (10, 2)
        ask_file(source, target, PROMPT, session=session, retry=True, force=True, **given)
        assert len(server.posts) == before + 2
        ask_file(source, target, PROMPT, session=session, retry=True, force=True, **given)
        assert len(server.posts) == before + 2
    out = pd.read_parquet(target)
    assert set(out["status"]) == {"complete"}
    assert [list(each) for each in out["answer"]] == [
        [2] if row in (3, 5) else [1] for row in (*range(10),) * 3
    ]
