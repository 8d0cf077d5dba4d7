"""What is deleted is gone, and what it cost is not forgotten; tags. In a file, and on a server."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from chat_magics.errors import InvalidRequest, NotFound
from chat_magics.history import History, Spent
from chat_magics.messages import Usage
from tests.history_samples import ask, begun, intact, start_python

EVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


def test_a_deleted_conversation_is_gone_with_all_versions_and_words(history):
    first, talk = ask(history, history.create_conversation("one"), "zebra")
    second, talk = begun(history, talk, "zebra", supersedes=first.id)
    history.finish(second.model_copy(update={"status": "stopped"}))
    kept, _ = ask(history, history.create_conversation("two"), "zebra")
    assert len(history.search("zebra")) == 3
    assert history.delete(talk.id) == 2
    assert list(history.search("zebra")["exchange"]) == [kept.id]
    assert history.load_exchanges() == [kept]
    with pytest.raises(NotFound):
        history.conversation("one")
    assert history.create_conversation("one").name == "one"


def test_what_was_deleted_before_its_words_were_indexed_is_not_found(history):
    _, talk = ask(history, history.new_conversation(), "zebra")
    history.delete(talk.id)
    assert history.search("zebra").empty


def test_budgets_do_not_forget_what_was_spent(history):
    usage = Usage(prompt_tokens=10, completion_tokens=5)
    paid, talk = ask(history, history.new_conversation(), usage=usage, wasted=usage, cost=0.25)
    _, talk = ask(history, talk, usage=usage)  # of unknown price
    _, talk = ask(history, talk, usage=usage, cached=True, cost=0.0)
    before = history.spent(EVER), history.spent(EVER, talk.id), history.spent(paid.created)
    assert before[0] == Spent(45, 0.25, 1)
    history.delete(talk.id)
    assert (history.spent(EVER), history.spent(EVER, talk.id)) == before[:2]
    assert history.spent(paid.created) == before[2]
    assert history.spent(datetime.now(timezone.utc)) == Spent(0, 0.0, 0)


def test_a_conversation_that_is_being_answered_stays(history):
    exchange, talk = begun(history, history.new_conversation())
    with pytest.raises(InvalidRequest, match="stop that reply"):
        history.delete(talk.id)
    assert history.exchange(exchange.id) == exchange


def test_a_conversation_whose_process_died_while_it_answered_can_go(history, place):
    other = start_python(
        "history = History(place, on_warning=print)\n"
        "print(begun(history, history.new_conversation())[1].id, flush=True); sys.stdin.read()",
        place,
    )
    talk = other.stdout.readline().strip()
    other.kill()
    other.communicate()
    assert history.delete(talk) == 1


def test_what_stands_in_another_context_stays_and_that_one_is_named(history):
    done, talk = ask(history, history.create_conversation("source"))
    other = history.create_conversation("borrower")
    history.set_path(other.id, [done.id])
    with pytest.raises(InvalidRequest, match="borrower"):
        history.delete(talk.id)
    history.set_path(other.id, [])
    assert history.delete(talk.id) == 1


def test_nobody_deletes_what_is_another_owners(history, place):
    _, talk = ask(history, history.new_conversation())
    other = History(place, owner="ada", on_warning=pytest.fail)
    with pytest.raises(NotFound):
        other.delete(talk.id)
    other.close()
    assert len(history.load_exchanges()) == 1


def test_a_kernel_that_has_it_open_is_told_and_stores_nothing(history, place):
    _, talk = ask(history, history.new_conversation())
    other = History(place, on_warning=pytest.fail)
    other.delete(talk.id)
    with pytest.raises(NotFound, match="was deleted"):
        begun(history, talk, "typed")
    assert history.load_exchanges() == history.load_conversations() == []
    other.close()


def test_no_file_holds_the_words_of_what_was_deleted(tmp_path):
    folder = tmp_path / "files"
    history = History(folder / "history.db", on_warning=pytest.fail)
    done, talk = begun(history, history.new_conversation(), "qqsecretzz")
    for length in range(1, 60):
        history.append_partial(done.id, "qqsecretzz" * 20 * length)
    history.finish(done.model_copy(update={"status": "complete", "text": "qqsecretzz yes"}))
    for _ in range(20):
        ask(history, history.new_conversation(), "other words")
    assert len(history.search("qqsecretzz")) == 1
    history.delete(talk.id)
    held = {file.name for file in folder.iterdir() if b"secretzz" in file.read_bytes()}
    assert held == set()
    assert len(history.search("other")) == 20
    history.close()
    assert intact(folder / "history.db")


def test_tags_are_added_taken_away_and_kept_in_order(history):
    talk = history.create_conversation()
    assert history.tag(talk.id, "work", "Ada", "work").tags == ("Ada", "work")
    assert history.tag(talk.id, "späť").tags == ("Ada", "späť", "work")
    assert history.untag(talk.id, "Ada", "never").tags == ("späť", "work")
    assert history.conversation(talk.id).tags == ("späť", "work")
    with pytest.raises(NotFound):
        history.tag("0" * 32, "x")


@pytest.mark.parametrize("tag", ["", "two words", "a,b", "x" * 51, "a\n", "\ud800"])
def test_a_tag_that_is_no_word_is_refused(history, tag):
    talk = history.create_conversation()
    with pytest.raises(InvalidRequest, match="one word"):
        history.tag(talk.id, "good", tag)
    assert history.conversation(talk.id).tags == ()


def test_asking_leaves_the_tags_as_they_are(history):
    _, talk = ask(history, history.create_conversation())
    history.tag(talk.id, "kept")
    _, talk = ask(history, talk)
    assert talk.tags == ("kept",)
