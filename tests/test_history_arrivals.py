"""A conversation that is taken in: whole, once, and nothing merged. In a file, and on a server."""

from __future__ import annotations

import pytest

from chat_magics.errors import InvalidRequest
from chat_magics.history import History, new_id
from chat_magics.history.exchange import now
from chat_magics.messages import Usage
from tests.history_samples import ask, begun


@pytest.fixture
def exported(tmp_path):
    """A conversation with two versions of its first exchange, and what belongs to it."""
    elsewhere = History(tmp_path / "elsewhere.db", owner="ada", on_warning=pytest.fail)
    used = Usage(prompt_tokens=3, completion_tokens=4)
    first, talk = ask(elsewhere, elsewhere.create_conversation("trip"), "zebra", cost=0.1)
    second, talk = begun(elsewhere, talk, "zebra 🦀\x00", supersedes=first.id)
    done = {"status": "stopped", "text": "\r\n", "usage": used, "ended": now()}
    elsewhere.finish(second.model_copy(update=done), path=[second.id])
    elsewhere.tag(talk.id, "work")
    yield elsewhere.conversation("trip"), elsewhere.load_exchanges()
    elsewhere.close()


def owned(values):
    return [value.model_copy(update={"owner": ""}) for value in values]


def test_a_conversation_comes_as_it_was_and_is_ones_own(history, exported):
    talk, exchanges = exported
    assert history.put(talk, exchanges) == (talk.id, "added", "")
    assert [history.conversation("trip")] == owned([talk])
    assert history.load_exchanges() == owned(exchanges)
    assert len(history.search("zebra")) == 2
    assert len(history.versions(exchanges[0].id)) == 2


def test_a_second_time_it_is_there_already(history, exported):
    history.put(*exported)
    talk, exchanges = exported
    assert history.put(talk, exchanges[::-1]) == (talk.id, "present", "")
    renamed = talk.model_copy(update={"name": "journey", "tags": ()})
    assert history.put(renamed, exchanges).note == "its name, tags stayed as they are here"
    assert len(history.load_exchanges()) == 2


def test_one_that_differs_changes_nothing_and_says_what_differs(history, exported):
    talk, exchanges = exported
    history.put(talk, exchanges)
    _, ours = ask(history, history.conversation("trip"), "one more")
    changed = exchanges[1].model_copy(update={"text": "other"})
    arrival = history.put(talk, [changed])
    assert arrival.outcome == "different"
    assert "2 only here, 1 not the same" in arrival.note
    assert history.conversation("trip") == ours
    assert len(history.load_exchanges()) == 3


def test_exchanges_that_stand_in_another_conversation_are_not_taken_twice(history, exported):
    talk, exchanges = exported
    history.put(talk, exchanges)
    copy = talk.model_copy(update={"id": "c" * 32, "name": None})
    arrival = history.put(
        copy, [e.model_copy(update={"conversation": "c" * 32}) for e in exchanges]
    )
    assert (arrival.outcome, "2 of its 2" in arrival.note) == ("different", True)
    assert len(history.load_conversations()) == 1


@pytest.mark.parametrize("name", ["trip", " ", "x" * 200, "a\nb"])
def test_a_name_that_is_taken_or_none_is_left_out(history, exported, name):
    history.create_conversation("trip")
    talk, exchanges = exported
    arrival = history.put(talk.model_copy(update={"name": name}), exchanges)
    assert (arrival.outcome, "without its name" in arrival.note) == ("added", True)
    assert history.conversation(talk.id).name is None


def test_ids_that_another_owner_has_are_replaced_throughout_and_always_alike(place, exported):
    first = History(place, owner="ada", on_warning=pytest.fail)
    second = History(place, owner="bob", on_warning=pytest.fail)
    talk, (old, new) = exported
    new = new.model_copy(update={"context": (old.id,)})
    first.put(talk, [old, new])
    arrival = second.put(talk, [old, new])
    assert (arrival.outcome, "other ids" in arrival.note) == ("added", True)
    mine = second.load_exchanges()
    assert {mine[0].id, mine[1].id}.isdisjoint({old.id, new.id})
    assert mine[1].context == (mine[0].id,)
    assert mine[1].supersedes == mine[0].id
    assert second.conversation("trip").path == (mine[1].id,)
    assert second.put(talk, [old, new]).outcome == "present"
    assert first.load_exchanges() == [old, new]
    first.close()
    second.close()


def test_what_streamed_is_interrupted(history):
    talk = history.new_conversation()
    exchange, _ = begun(history, talk)
    other = talk.model_copy(update={"id": "d" * 32})
    streaming = exchange.model_copy(update={"id": new_id(), "conversation": other.id})
    history.put(other, [streaming])
    kept = history.exchange(streaming.id)
    assert (kept.status, kept.ended) == ("interrupted", streaming.created)


def test_a_path_keeps_only_what_is_here_and_once(history, exported):
    talk, exchanges = exported
    own, _ = ask(history, history.new_conversation())
    path = (exchanges[0].id, "e" * 32, own.id, exchanges[0].id)
    arrival = history.put(talk.model_copy(update={"path": path}), exchanges)
    assert arrival.note.startswith("2 exchanges of its context")
    assert history.conversation("trip").path == (exchanges[0].id, own.id)


def test_what_was_deleted_can_come_back_and_does_not_count_twice(history, exported):
    talk, exchanges = exported
    history.put(talk, exchanges)
    before = history.spent(exchanges[0].created)
    history.delete(talk.id)
    assert history.put(talk, exchanges).outcome == "added"
    assert history.spent(exchanges[0].created) == before
    ask(history, history.conversation("trip"))
    history.delete(talk.id)


BROKEN = {
    "two with one id": lambda talk, a, b: (talk, [a, a]),
    "of another conversation": lambda talk, a, b: (
        talk,
        [a.model_copy(update={"conversation": "c"})],
    ),
    "no id": lambda talk, a, b: (talk, [a.model_copy(update={"id": "../x"})]),
    "no id of a conversation": lambda talk, a, b: (talk.model_copy(update={"id": "x"}), []),
    "in a circle": lambda talk, a, b: (talk, [a.model_copy(update={"supersedes": b.id}), b]),
    "too many tokens": lambda talk, a, b: (
        talk,
        [a.model_copy(update={"usage": Usage(prompt_tokens=2**63)}), b],
    ),
    "too many attempts": lambda talk, a, b: (talk, [a.model_copy(update={"attempts": 2**31})]),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_does_not_belong_together_is_refused_whole(history, exported, broken):
    talk, exchanges = exported
    with pytest.raises(InvalidRequest, match=r"^[^\n]+$"):
        history.put(*broken(talk, *exchanges))
    assert history.load_conversations() == history.load_exchanges() == []
