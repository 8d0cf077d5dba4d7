"""`engine="openai-batch"`: submitted, left, taken up by another call, half the price."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest

from chat_magics import Session
from chat_magics.batch import ask, ask_file, away, retry, runs
from chat_magics.batch.fetched import BatchRates
from chat_magics.batch.openai_batch import BatchRun
from chat_magics.batch.purse import Rates
from chat_magics.client import batch_files
from chat_magics.errors import BudgetReached, ChatError, InvalidRequest, NotFound
from chat_magics.messages import Usage
from tests.aimock import aimock
from tests.batch_server import BatchServer
from tests.chat_server import Answer, ChatServer, Hang, Reply, Request, Status
from tests.chat_server_shapes import error_body
from tests.history_samples import start_python
from tests.rows_samples import PROMPT, answering, frame, rows_session
from tests.talks import until

FIXTURE = {"match": {"userMessage": "Hello"}, "response": {"content": "unused"}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(away, "FIRST_PAUSE", 0.01)


@pytest.fixture
def session(server: ChatServer) -> Iterator[Session]:
    with rows_session(server) as opened:
        yield opened


@pytest.fixture
def batches(server: ChatServer) -> BatchServer:
    return BatchServer(server)


def asked(data: Any, session: Session, into: Any = None, **how: Any) -> Any:
    given = {"engine": "openai-batch", "progress": False, **how}
    return ask(data, PROMPT, into, session=session, **given)


def told(session: Session) -> list[str]:
    said: list[str] = session.told  # type: ignore[attr-defined]
    return said


def chats(server: ChatServer) -> int:
    return sum(post.path == "/v1/chat/completions" for post in server.posts)


def test_rows_are_answered_by_one_batch_and_never_again(
    server: ChatServer, batches: BatchServer, session: Session
) -> None:
    batches.reply = answering(lambda text: f"about {text}")
    data = pd.DataFrame({"text": ["a", "b", "a", None]}, index=[5, 5, 6, 7])
    out = asked(data, session)
    assert out["answer"].tolist() == ["about a", "about b", "about a", pd.NA]
    assert out["status"].tolist() == ["complete"] * 3 + ["missing"]
    assert out["cached"].tolist() == [False, False, True, False]
    assert out.index.tolist() == [5, 5, 6, 7]
    assert (len(batches.batches), chats(server)) == (1, 0)
    again = asked(data, session)
    assert again["cached"].tolist()[:3] == [True, True, True]
    assert again["answer"].equals(out["answer"])
    assert len(batches.batches) == 1
    assert ask(data, PROMPT, session=session, progress=False)["cached"].tolist()[:3] == [True] * 3


def test_half_of_the_price_is_planned(server: ChatServer) -> None:
    at_openai = {"base_url": "https://api.openai.com/v1", "model": "gpt-4o-mini"}
    with rows_session(server, **at_openai) as session:
        full = asked(frame(4), session, dry_run=True, engine=None)
        half = asked(frame(4), session, dry_run=True)
        assert half.price == full.price / 2 > 0
        assert str(half).endswith("by the Batch API, at half the price, within a day")
        with pytest.raises(BudgetReached, match="4 prompts would cost"):
            asked(frame(4), session, max_cost=half.price * 0.9)


def test_half_of_the_price_is_paid_and_all_of_what_is_asked_once_more() -> None:
    at = "https://api.openai.com/v1", "gpt-4o-mini"
    one, other = Usage(prompt_tokens=1_000_000), Usage(completion_tokens=1_000_000)
    full, half = Rates(*at), BatchRates(*at)
    dear, cheap = full.cost(None, other), full.cost(None, one)
    assert dear is not None
    assert cheap is not None
    assert half.cost(None, one, None) == cheap / 2
    assert half.cost(None, other, one) == dear + cheap / 2
    assert BatchRates("http://127.0.0.1", "nobody's").cost(None, one) is None


def test_what_does_not_fit_is_asked_once_more_at_once(
    server: ChatServer, batches: BatchServer, session: Session
) -> None:
    batches.reply = answering(lambda text: "low" if text == "row 0" else "who knows")
    server.default = answering(lambda text: '{"answer": "high"}')
    out = asked(frame(3), session, Literal["low", "high"])
    assert out["answer"].tolist() == ["low", "high", "high"]
    assert out["attempts"].tolist() == [1, 2, 2]
    assert chats(server) == 2
    assert "does not fit" in server.bodies[-1]["messages"][-1]["content"]


def test_an_interrupt_leaves_the_batch_and_the_same_call_takes_it_up(
    server: ChatServer, batches: BatchServer, home: Path
) -> None:
    batches.polls = 10**9
    with rows_session(server) as session:

        def interrupt() -> None:
            server.until(lambda: any(batch["seen"] for batch in batches.batches.values()))
            _thread.interrupt_main()

        threading.Thread(target=interrupt).start()
        with pytest.raises(ChatError, match="the batch goes on at the server"):
            asked(frame(3), session)
    assert [batch["status"] for batch in batches.batches.values()] == ["in_progress"]
    batches.polls = 0
    with rows_session(server) as later:
        out = asked(frame(4), later)  # one row is new
        assert out["status"].tolist() == ["complete"] * 4
        assert len(batches.batches) == 2
        assert [batch["request_counts"]["total"] for batch in batches.batches.values()] == [3, 1]


def test_what_was_not_reached_is_fetched_by_retry_and_not_asked_again(
    server: ChatServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(batch_files.request_files.__kwdefaults__, "most_requests", 3)
    batches = Uneven(server)
    data = frame(7)
    with rows_session(server) as session:
        out = interrupted(lambda: asked(data, session), lambda: stored(session) == 3)
    assert out["status"].value_counts().to_dict() == {"complete": 3, "stopped": 4}
    batches.held = False
    with rows_session(server) as later:
        how: dict[str, Any] = {"engine": "openai-batch", "session": later, "progress": False}
        mended = retry(data, out, PROMPT, **how)
    assert mended["status"].eq("complete").all()
    assert len(batches.batches) == 3


def test_a_refresh_that_was_left_is_taken_up_by_the_same_call(
    server: ChatServer, batches: BatchServer, home: Path
) -> None:
    with rows_session(server) as session:
        asked(frame(3), session)
        batches.polls = 10**9

        def is_waited_for() -> bool:
            return [batch["seen"] > 0 for batch in batches.batches.values()] == [True, True]

        with pytest.raises(ChatError, match="the batch goes on at the server"):
            interrupted(lambda: asked(frame(3), session, refresh=True), is_waited_for)
    batches.polls = 0
    with rows_session(server) as later:
        out = asked(frame(3), later, refresh=True)
        assert out["status"].eq("complete").all()
        assert len(batches.batches) == 2


class Uneven(BatchServer):
    """Only the first batch ends while others are held."""

    held = True

    def _look(self, batch: dict[str, Any]) -> None:
        if self.held and batch["id"] != "batch_0":
            batch["seen"] += 1
            batch["status"] = "in_progress"
        else:
            super()._look(batch)


def stored(session: Session) -> int:
    return len(session.history.exchanges(status="complete"))


def interrupted(asking: Callable[[], Any], when: Callable[[], bool]) -> Any:
    """What the call gives that is interrupted once that is so."""

    def interrupt() -> None:
        until(when)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        return asking()
    finally:
        thread.join()


def test_second_requests_are_kept_one_by_one(
    server: ChatServer, batches: BatchServer, home: Path
) -> None:
    batches.reply = answering(lambda text: "who knows" if text >= "row 3" else '{"answer":"low"}')

    def second(request: Request) -> Any:
        last = request.body["messages"][0]["content"].endswith("row 5")
        return Hang() if last else Reply('{"answer":"low"}')

    server.default = second
    into = Literal["low", "high"]
    with rows_session(server) as session:
        out = interrupted(
            lambda: asked(frame(6), session, into), lambda: server.held == 1 and chats(server) == 3
        )
    assert out["status"].tolist() == ["complete"] * 5 + ["stopped"]
    server.default = Reply('{"answer":"low"}')
    with rows_session(server) as later:
        assert asked(frame(6), later, into)["status"].eq("complete").all()
    assert chats(server) == 4, "one that was answered is not asked again"


def test_a_batch_whose_making_was_not_confirmed_is_looked_for_before_another_is_made(
    server: ChatServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(batch_files.request_files.__kwdefaults__, "most_requests", 3)
    batches = Unconfirmed(server)
    with rows_session(server, max_attempts=1) as session:
        out = asked(frame(6), session)
    assert out["status"].eq("complete").all()
    assert len(batches.batches) == 2


class Unconfirmed(BatchServer):
    """Makes the second batch, and does not say so."""

    def _asked(self, request: Request) -> Answer | None:
        answer = super()._asked(request)
        creates = request.path == "/v1/batches" and request.method == "POST"
        return Status(503) if creates and len(self.batches) == 2 else answer


def test_budgets_count_what_is_out_already(
    server: ChatServer, batches: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "BLOCK", 4)
    with rows_session(server) as session:
        plan = ask_file(**files_given(tmp_path, session), dry_run=True)
    six_rows = (plan.tokens_in + plan.tokens_out) * 6 // plan.to_ask
    with rows_session(server, tokens_per_day=six_rows) as session:
        batches.reply = lambda request: Reply("x", prompt_tokens=10_000)
        with pytest.raises(ChatError, match="tokens_per_day"):
            ask_file(**files_given(tmp_path, session))
    assert len(batches.batches) == 1


def test_a_batch_that_ended_meanwhile_is_fetched_and_not_asked_again(
    server: ChatServer, batches: BatchServer, home: Path, tmp_path: Path
) -> None:
    with rows_session(server) as session:
        asked(frame(3), session)
    (home / "history.db").unlink()
    for name in ("history.db-wal", "history.db-shm"):
        (home / name).unlink(missing_ok=True)
    with rows_session(server) as later:  # as another machine would
        out = asked(frame(3), later)
        assert out["status"].tolist() == ["complete"] * 3
        assert len(batches.batches) == 1
        assert asked(frame(3), later, refresh=True)["status"].tolist() == ["complete"] * 3
        assert len(batches.batches) == 2


def test_prompts_are_in_the_history_before_the_answers_are_fetched(
    server: ChatServer, batches: BatchServer, home: Path
) -> None:
    batches.polls = 10**9
    seen: list[pd.DataFrame] = []
    with rows_session(server) as session:

        def look() -> None:
            server.until(lambda: any(batch["seen"] for batch in batches.batches.values()))
            seen.append(session.history.exchanges())
            _thread.interrupt_main()

        threading.Thread(target=look).start()
        with pytest.raises(ChatError, match="goes on at the server"):
            asked(frame(3), session)
        stopped = session.history.exchanges()
    assert sorted(seen[0]["prompt"]) == [f"Classify: row {n}" for n in range(3)]
    assert seen[0]["status"].tolist() == ["streaming"] * 3
    assert stopped["status"].tolist() == ["stopped"] * 3
    assert stopped["error"].str.contains("its batch goes on at the server").all()
    batches.polls = 0
    with rows_session(server) as later:
        out = asked(frame(3), later)
        assert not out["cached"].any()
        assert list(later.history.exchanges(status="complete")["conversation"].unique()) == [
            out.attrs["chat_magics"]["run"]
        ]
    assert len(batches.batches) == 1


KILLED = """
import sys
from chat_magics import Session
from chat_magics.batch import ask
from tests.history_samples import start_python
from tests.rows_samples import PROMPT, frame
session = Session({"base_url": sys.argv[1], "model": "test-model", "api_key": "sk-test"})
ask(frame(3), PROMPT, session=session, progress=False, engine="openai-batch")
"""


def test_what_a_killed_process_submitted_is_taken_up_by_another(
    server: ChatServer, batches: BatchServer, home: Path
) -> None:
    batches.polls = 10**9
    process = start_python(KILLED, server.url)
    server.until(lambda: any(batch["seen"] for batch in batches.batches.values()))
    process.kill()
    process.wait()
    batches.polls = 0
    with rows_session(server) as session:
        assert asked(frame(3), session)["status"].tolist() == ["complete"] * 3
        statuses = session.history.exchanges()["status"].value_counts().to_dict()
    assert statuses == {"interrupted": 3, "complete": 3}
    assert len(batches.batches) == 1


@pytest.mark.parametrize("named", [True, False])
def test_of_an_expired_batch_the_answers_are_kept_and_the_rest_is_asked_by_the_same_call(
    server: ChatServer, batches: BatchServer, session: Session, named: bool
) -> None:
    batches.outcome, batches.answered, batches.told = "expired", 2, named
    data = frame(3)
    out = asked(data, session)
    assert out["status"].tolist() == ["complete", "complete", "error"]
    assert "before" in out["error"].iloc[2]
    batches.outcome, batches.answered = "completed", None
    mended = retry(data, out, PROMPT, engine="openai-batch", session=session, progress=False)
    assert mended["status"].tolist() == ["complete"] * 3
    assert [batch["request_counts"]["total"] for batch in batches.batches.values()] == [3, 1]


def test_a_row_that_fails_has_its_error(batches: BatchServer, session: Session) -> None:
    def reply(request: Any) -> Reply | Status:
        return Status(429) if "row 1" in request.last else Reply("fine")

    batches.reply = reply
    out = asked(frame(3), session)
    assert out["status"].tolist() == ["complete", "error", "complete"]
    assert "429" in out["error"].iloc[1]
    batches.reply = lambda _: Reply("fine")
    assert asked(frame(3), session)["status"].tolist() == ["complete"] * 3
    assert len(batches.batches) == 2


def test_a_batch_that_is_refused_ends_the_run_with_the_reason(
    batches: BatchServer, session: Session
) -> None:
    batches.outcome = "failed"
    with pytest.raises(InvalidRequest, match="refused the batch batch_0: line 3"):
        asked(frame(3), session)


def test_a_server_without_the_api_is_told(server: ChatServer, session: Session) -> None:
    with pytest.raises(NotFound, match="has no Files and Batches API"):
        asked(frame(3), session)
    with pytest.raises(InvalidRequest, match="engine 'openai' is none"):
        asked(frame(3), session, engine="openai")


@pytest.fixture
def files_of_100(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"most_requests": 100, "most_bytes": 10**9}
    monkeypatch.setattr(batch_files.request_files, "__kwdefaults__", limits)


def counts(batches: BatchServer) -> list[int]:
    return [batch["request_counts"]["total"] for batch in batches.batches.values()]


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(work()))
    thread.start()
    return thread, done


@pytest.mark.usefixtures("files_of_100")
def test_many_rows_go_in_several_batches_none_of_which_waits_for_another(
    server: ChatServer, batches: BatchServer, session: Session
) -> None:
    batches.polls = 10**9
    thread, done = in_thread(lambda: asked(frame(250), session))
    server.until(lambda: len(batches.batches) == 3)
    batches.polls = 0
    thread.join()
    assert done[0]["answer"].tolist() == [f"to Classify: row {n}" for n in range(250)]
    assert counts(batches) == [100, 100, 50]


def test_a_file_is_not_larger_than_the_server_takes(
    batches: BatchServer, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"most_requests": 50_000, "most_bytes": 2_000}
    monkeypatch.setattr(batch_files.request_files, "__kwdefaults__", limits)
    assert asked(frame(20), session)["status"].eq("complete").all()
    assert len(batches.batches) > 1
    sizes = [len(batches.files[each["input_file_id"]]) for each in batches.batches.values()]
    assert max(sizes) <= 2_000


class Crowded(BatchServer):
    """Takes so many batches at a time, as a server does that limits what may be queued."""

    most = 2
    at_once = 0
    refused = 0

    def _create(self, request: Request) -> Answer:
        ended = ("completed", "failed", "expired", "cancelled")
        running = sum(batch["status"] not in ended for batch in self.batches.values())
        if running >= self.most:
            self.refused += 1
            self.polls = 0
            return Status(400, error_body(400, "Enqueued token limit reached"))
        self.at_once = max(self.at_once, running + 1)
        return super()._create(request)


@pytest.mark.usefixtures("files_of_100")
def test_what_the_server_does_not_take_at_once_is_submitted_when_others_have_ended(
    server: ChatServer, session: Session
) -> None:
    batches = Crowded(server, polls=10**9)
    assert asked(frame(450), session)["status"].eq("complete").all()
    assert counts(batches) == [100, 100, 100, 100, 50]
    assert batches.at_once == 2
    assert batches.refused >= 1


def files_given(tmp_path: Path, session: Session) -> dict[str, Any]:
    data = frame(10).assign(text=lambda each: [*each["text"][:9], None])
    data.to_parquet(tmp_path / "in.parquet")
    return {
        "source": tmp_path / "in.parquet",
        "target": tmp_path / "out",
        "prompt": PROMPT,
        "engine": "openai-batch",
        "progress": False,
        "session": session,
    }


def test_rows_of_files_go_by_batches_none_of_which_waits_for_another(
    server: ChatServer,
    batches: BatchServer,
    session: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "BLOCK", 4)
    batches.polls = 10**9
    given = files_given(tmp_path, session)
    plan = ask_file(**given, dry_run=True)
    assert (plan.to_ask, batches.batches) == (9, {})
    assert str(plan).endswith("by the Batch API, at half the price, within a day")
    thread, _ = in_thread(lambda: ask_file(**given))
    server.until(lambda: len(batches.batches) == 3)
    assert session.history.exchanges()["status"].tolist() == ["streaming"] * 9
    batches.polls = 0
    thread.join()
    out = pd.read_parquet(tmp_path / "out")
    assert out["answer"].tolist()[:9] == [f"to Classify: row {n}" for n in range(9)]
    assert out["status"].tolist() == ["complete"] * 9 + ["missing"]
    assert out["cached"].fillna(False).tolist() == [False] * 10
    assert counts(batches) == [4, 4, 1]
    stored = session.history.exchanges()
    assert stored["status"].tolist() == ["complete"] * 9, "each of them once"


def test_of_a_long_file_so_many_batches_are_at_the_server_and_then_the_next(
    server: ChatServer, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "BLOCK", 1)
    monkeypatch.setattr(BatchRun, "ahead", 3)
    batches = Crowded(server, polls=10**9)
    batches.most = 99
    thread, _ = in_thread(lambda: ask_file(**files_given(tmp_path, session)))
    server.until(lambda: len(batches.batches) == 3)
    batches.polls = 0
    thread.join()
    assert (len(batches.batches), batches.at_once) == (9, 3)


def test_a_file_that_was_left_is_taken_up_block_by_block(
    server: ChatServer,
    batches: BatchServer,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "BLOCK", 4)
    batches.polls = 10**9
    with rows_session(server) as session:

        def interrupt() -> None:
            server.until(lambda: len(batches.batches) == 3)
            _thread.interrupt_main()

        threading.Thread(target=interrupt).start()
        with pytest.raises(ChatError, match="nothing is written"):
            ask_file(**files_given(tmp_path, session))
    batches.polls = 0
    with rows_session(server) as later:
        ask_file(**files_given(tmp_path, later))
    assert len(batches.batches) == 3
    assert pd.read_parquet(tmp_path / "out")["status"].eq("complete").sum() == 9


def test_a_retry_of_a_file_submits_what_did_not_fit_and_takes_no_old_answer_for_it(
    server: ChatServer, batches: BatchServer, session: Session, tmp_path: Path
) -> None:
    batches.reply = answering(lambda text: "who knows" if text == "row 3" else "low")
    server.default = Reply("who knows")
    given = {**files_given(tmp_path, session), "into": Literal["low", "high"]}
    ask_file(**given)
    assert pd.read_parquet(tmp_path / "out")["status"].value_counts()["error"] == 1
    batches.reply = lambda request: Reply("high")
    ask_file(**given, retry=True, force=True)
    assert counts(batches) == [9, 1]
    assert pd.read_parquet(tmp_path / "out")["answer"].value_counts().to_dict() == {
        "low": 8,
        "high": 1,
    }


@pytest.mark.npm
def test_a_server_that_others_wrote_answers_rows(tmp_path: Path) -> None:
    with aimock(tmp_path, FIXTURE) as server:
        session = Session({"base_url": server.url, "model": "gpt-4o-mini", "api_key": "sk-test"})
        out = asked(frame(30), session)
        session.close()
    assert out["answer"].tolist() == ["Mock batch completion"] * 30
