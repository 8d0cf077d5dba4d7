"""What History promises about conversations and exchanges, in a real file."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest

from chat_magics.errors import ConfigError, InvalidRequest, NotFound, StoreError
from chat_magics.history import Exchange, History, Spent, new_id
from chat_magics.messages import Usage
from tests.history_samples import ask, begun, make

LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)

FINAL = {
    "status": "stopped",
    "ended": datetime(2026, 11, 22, 15, 0, 0, 123456, tzinfo=timezone.utc),
    "model": "demo-2",
    "text": "half \x10\x10 an \x00 answer",
    "reasoning": "hm",
    "finish_reason": "length",
    "usage": Usage(prompt_tokens=3, completion_tokens=4, cached_tokens=1, estimated=True),
    "wasted": Usage(prompt_tokens=3, reasoning_tokens=2),
    "cost": 0.1 + 0.2,
    "saved": 0.0,
    "latency": 1.5,
    "time_to_first_token": 0.25,
    "attempts": 2,
    "cached": True,
    "stored_at": datetime(2026, 11, 21, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
    "request_id": "req",
    "error_type": "RequestTimeout",
    "error": "no reply",
    "notes": ("dropped top_k", "\x00"),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chats" / "history.db"


@pytest.fixture
def history(path):
    opened = History(path, on_warning=pytest.fail)
    yield opened
    opened.close()


def reopened(history, path, owner=""):
    history.close()
    return History(path, owner=owner, on_warning=pytest.fail)


def test_ids_sort_in_the_order_they_were_made():
    ids = []
    for _ in range(50):
        ids.append(new_id())
        threading.Event().wait(0.0001)
    assert ids == sorted(ids)
    assert {(id[12], id[16] in "89ab") for id in ids} == {("7", True)}


def test_every_field_of_an_exchange_comes_back_as_it_was_stored(history, path):
    talk = history.new_conversation(origin="notebook")
    exchange, _ = begun(
        history,
        talk,
        "a prompt with NUL \x00, DLE \x10, \x100 and 🦀",
        system="be \x00 brief",
        context=("a", "b"),
        options={"temperature": 0.5, "stop": ["\x00", "é"], "tools": None},
        surface="cell",
        cell="c1",
        execution="e1",
        supersedes="f" * 32,
    )
    final = exchange.model_copy(update=FINAL)
    history.finish(final)
    again = reopened(history, path)
    stored = again.exchange(exchange.id)
    assert stored == final
    assert again.conversation(talk.id).title == exchange.prompt
    again.close()
    assert stored.stored_at.utcoffset() == timedelta(0)


def test_a_prompt_is_in_the_file_before_the_reply(history, path):
    exchange, _ = begun(history, history.new_conversation())
    other = History(path, on_warning=pytest.fail)
    assert other.exchange(exchange.id) == exchange
    assert other.exchange(exchange.id).status == "streaming"
    other.close()


def test_begin_stores_the_conversation_with_path_title_and_time(history):
    talk = history.new_conversation(origin="nb")
    assert history.load_conversations() == []
    exchange, stored = begun(history, talk, "What\n is   " + "x" * 80)
    assert history.load_conversations() == [stored]
    assert stored.path == (exchange.id,)
    assert stored.title == "What is " + "x" * 51 + "…"
    assert stored.used == exchange.created
    _, later = begun(history, stored, "another")
    assert later.title == stored.title
    assert len(later.path) == 2


def test_a_begin_that_fails_leaves_nothing(history):
    exchange, talk = begun(history, history.new_conversation())
    with pytest.raises(StoreError, match="already"):
        history.begin(exchange, history.new_conversation(), [exchange.id])
    assert history.load_conversations() == [talk]


def test_partial_text_replaces_what_was_there(history):
    exchange, _ = begun(history, history.new_conversation())
    history.append_partial(exchange.id, "one", "think")
    history.append_partial(exchange.id, "one two", "think more")
    stored = history.exchange(exchange.id)
    assert (stored.text, stored.reasoning, stored.status) == (
        "one two",
        "think more",
        "streaming",
    )


def test_an_ended_exchange_never_changes(history):
    done, _ = ask(history, history.new_conversation())
    with pytest.raises(StoreError, match="ended"):
        history.finish(done.model_copy(update={"text": "other"}))
    with pytest.raises(StoreError, match="ended"):
        history.append_partial(done.id, "other")
    assert history.exchange(done.id) == done


def test_an_exchange_must_begin_streaming_and_end_otherwise(history):
    talk = history.new_conversation()
    with pytest.raises(StoreError, match="before it is sent"):
        history.begin(make(talk, status="complete"), talk, [])
    exchange, _ = begun(history, talk)
    with pytest.raises(StoreError, match="final status"):
        history.finish(exchange)
    with pytest.raises(NotFound):
        history.finish(make(talk).model_copy(update={"status": "complete"}))


def test_finish_sets_the_path_in_the_same_step(history):
    exchange, talk = begun(history, history.new_conversation())
    history.finish(exchange.model_copy(update={"status": "error"}), path=[])
    assert history.conversation(talk.id).path == ()


def test_a_conversation_is_found_by_name_id_and_beginning_of_its_id(history):
    talk = history.create_conversation(" thesis ")
    assert talk.name == "thesis"
    for ref in ("thesis", " thesis", talk.id, talk.id[:8], talk.id[:8].upper()):
        assert history.conversation(ref) == talk


def test_a_name_wins_over_the_beginning_of_an_id(history):
    talk = history.new_conversation().model_copy(update={"id": "abcd" + "1" * 28})
    history.add(talk)
    named = history.create_conversation("abcd")
    assert history.conversation("abcd") == named


def test_an_unknown_name_tells_the_nearest_ones(history):
    history.create_conversation("thesis")
    with pytest.raises(NotFound, match=r"'thesys'.*nearest names: thesis"):
        history.conversation("thesys")
    with pytest.raises(NotFound, match=r"'%'$"):
        history.conversation("%")


def test_a_beginning_that_several_ids_share_is_refused(history):
    first = history.new_conversation().model_copy(update={"id": "abcd" + "1" * 28})
    second = history.new_conversation("two").model_copy(update={"id": "abcd" + "2" * 28})
    history.add(first)
    history.add(second)
    with pytest.raises(InvalidRequest, match=r"Several .* abcd2222 \(two\)"):
        history.conversation("abcd")
    assert history.conversation("abcd2") == second


def test_a_name_is_taken_once(history):
    talk = history.create_conversation("one")
    other = history.create_conversation("two")
    with pytest.raises(InvalidRequest, match="choose another name"):
        history.create_conversation("one")
    with pytest.raises(InvalidRequest, match="choose another name"):
        history.rename(other.id, "one")
    with pytest.raises(InvalidRequest, match="empty"):
        history.rename(other.id, "  ")
    assert history.rename(talk.id, "one").name == "one"
    assert history.rename(talk.id, None).name is None
    assert history.rename(other.id, "one").name == "one"


def test_conversations_are_listed_by_last_use(history):
    first = history.create_conversation("first")
    second = history.create_conversation("second")
    assert [talk.name for talk in history.load_conversations()] == ["second", "first"]
    ask(history, first)
    assert [talk.name for talk in history.load_conversations()] == ["first", "second"]
    assert [talk.id for talk in history.load_conversations(limit=1)] == [first.id]
    assert second.title == ""


def test_a_notebook_finds_its_latest_conversation(history):
    history.create_conversation(origin="a")
    latest = history.create_conversation(origin="a")
    history.create_conversation(origin="b")
    assert history.latest("a") == latest
    assert history.latest("c") is None


def test_title_and_path_can_be_set(history):
    talk = history.create_conversation()
    assert history.set_title(talk.id, "Bees").title == "Bees"
    assert history.set_path(talk.id, ["b", "a"]).path == ("b", "a")
    with pytest.raises(NotFound):
        history.set_title(history.new_conversation().id, "x")


def test_exchanges_come_in_time_order_or_in_the_order_asked_for(history):
    talk = history.new_conversation()
    first, talk = ask(history, talk)
    second, talk = ask(history, talk)
    other, _ = ask(history, history.new_conversation())
    assert history.load_exchanges() == [first, second, other]
    assert history.load_exchanges(talk.id) == [first, second]
    assert history.load_exchanges(talk.id, limit=1) == [second]
    assert history.load_exchanges(ids=[other.id, "gone", first.id]) == [other, first]
    assert history.load_exchanges(ids=[]) == []


def test_many_ids_can_be_asked_for_at_once(history):
    done, _ = ask(history, history.new_conversation())
    ids = [new_id() for _ in range(1200)]
    assert history.load_exchanges(ids=[*ids, done.id]) == [done]


def test_versions_are_the_whole_family_from_any_member(history):
    talk = history.new_conversation()
    first, talk = ask(history, talk)
    second, talk = begun(history, talk, supersedes=first.id)
    third, talk = begun(history, talk, supersedes=second.id)
    branch, talk = begun(history, talk, supersedes=first.id)
    ask(history, talk)
    family = [first.id, second.id, third.id, branch.id]
    for member in family:
        assert [version.id for version in history.versions(member)] == family
    with pytest.raises(NotFound):
        history.versions(new_id())


def test_spent_adds_usage_waste_and_cost_and_counts_what_has_no_price(history):
    talk = history.new_conversation()
    used = Usage(prompt_tokens=10, completion_tokens=5, cached_tokens=9, reasoning_tokens=5)
    ask(history, talk, usage=used, wasted=Usage(prompt_tokens=10), cost=0.5)
    done, _ = ask(history, talk, usage=used)
    ask(history, talk, usage=used, cached=True, cost=0.0)
    ask(history, talk, status="error", text="")
    begun(history, talk)
    ask(history, history.new_conversation(), usage=used, cost=0.25)
    assert history.spent(LONG_AGO) == Spent(tokens=55, cost=0.75, unknown=1)
    assert history.spent(LONG_AGO, talk.id) == Spent(tokens=40, cost=0.5, unknown=1)
    assert history.spent(done.created, talk.id) == Spent(tokens=15, cost=0.0, unknown=1)
    assert history.spent(datetime.now(timezone.utc)) == Spent(0, 0.0, 0)


def test_an_owner_sees_and_changes_only_what_is_theirs(history, path):
    done, talk = ask(history, history.create_conversation("mine"))
    hers = History(path, owner="her", on_warning=pytest.fail)
    assert (
        hers.load_conversations()
        == hers.load_exchanges()
        == hers.load_exchanges(ids=[done.id])
        == []
    )
    assert hers.spent(LONG_AGO) == Spent(0, 0.0, 0)
    for look in (hers.conversation, hers.exchange, hers.versions):
        with pytest.raises(NotFound):
            look(done.id if look != hers.conversation else talk.id)
    with pytest.raises(NotFound):
        hers.rename(talk.id, "stolen")
    with pytest.raises(NotFound):
        hers.append_partial(done.id, "stolen")
    with pytest.raises(StoreError, match="open that of"):
        hers.begin(make(talk), talk, [])
    assert hers.create_conversation("mine").owner == "her"
    hers.close()


def test_the_file_and_its_folder_are_private(history, path):
    begun(history, history.new_conversation())
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {part.stat().st_mode & 0o777 for part in path.parent.iterdir()} == {0o600}


def test_a_place_is_a_path_or_a_url(tmp_path):
    by_url = History(f"sqlite:///{tmp_path}/odd ?#%41 name.db", on_warning=pytest.fail)
    talk = by_url.create_conversation()
    assert (by_url.durable, by_url.place) == (True, f"{tmp_path}/odd ?#%41 name.db")
    by_url.close()
    by_path = History(tmp_path / "odd ?#%41 name.db", on_warning=pytest.fail)
    assert by_path.load_conversations() == [talk]
    by_path.close()


@pytest.mark.parametrize("place", ["mysql://u:secret@h/d", "sqlite:x.db", "nonsense://", "://"])
def test_a_place_that_cannot_be_is_told_without_its_password(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="sqlite:///PATH") as told:
        History(place, on_warning=pytest.fail)
    assert "secret" not in str(told.value)


def test_a_history_in_memory_says_so():
    history = History("sqlite://", on_warning=pytest.fail)
    done, _ = ask(history, history.new_conversation())
    assert history.exchange(done.id) == done
    assert not history.durable
    history.close()


def test_a_closed_history_says_so(history):
    history.close()
    history.close()
    with pytest.raises(StoreError, match="closed"):
        history.load_conversations()


def test_three_threads_ask_at_once_and_nothing_is_lost(history):
    talk = history.create_conversation()
    asked: list[Exchange] = []

    def chat():
        for _ in range(15):
            asked.append(ask(history, talk)[0])

    threads = [threading.Thread(target=chat) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(history.load_exchanges(talk.id), key=lambda e: e.id) == sorted(
        asked, key=lambda e: e.id
    )
    assert len(asked) == 45
