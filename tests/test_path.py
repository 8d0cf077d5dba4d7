"""Where an exchange stands in the path: rules one by one, then against a model of a notebook."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_magics.conversation.path import Cell, find_place, messages_of, stale
from chat_magics.errors import NotFound
from chat_magics.history import Exchange
from chat_magics.messages import Message


class Talk:
    """A path that grows as a conversation's does; ids are the prompts."""

    def __init__(self) -> None:
        self.path: tuple[str, ...] = ()
        self.exchanges: dict[str, Exchange] = {}

    def ask(
        self,
        prompt: str,
        cell: tuple[str, str] | None = None,
        *,
        replaces: str | None = None,
        cut: bool = False,
        alone: bool = False,
        text: str = "answer",
    ) -> Exchange:
        asking = Cell(*cell) if cell else None
        place = find_place(
            self.path, self.exchanges, cell=asking, replaces=replaces, cut=cut, alone=alone
        )
        _, context = messages_of(
            place.before, self.exchanges, None, Message(role="user", content=prompt), {}
        )
        self.exchanges[prompt] = Exchange(
            id=prompt,
            conversation="c",
            prompt=prompt,
            sent=prompt,
            base_url="demo",
            model_asked="demo",
            text=text,
            context=context,
            cell=cell[0] if cell else None,
            execution=cell[1] if cell else None,
            supersedes=place.supersedes,
        )
        self.path = place.with_exchange(prompt)
        return self.exchanges[prompt]

    @property
    def shown(self) -> str:
        return " ".join(self.path)


@pytest.fixture
def talk() -> Talk:
    """Three cells were run, one after the other."""
    talk = Talk()
    for name in "abc":
        talk.ask(name, cell=(name, "1"))
    return talk


def test_an_ask_goes_to_the_end_and_is_sent_with_all_before(talk: Talk):
    assert talk.shown == "a b c"
    assert talk.exchanges["c"].context == ("a", "b")


def test_without_a_cell_every_ask_appends(talk: Talk):
    talk.ask("d")
    talk.ask("e")
    assert talk.shown == "a b c d e"


def test_a_re_run_cell_takes_its_turns_place_and_is_sent_with_what_stands_before(talk: Talk):
    again = talk.ask("b2", cell=("b", "2"))
    assert talk.shown == "a b2 c"
    assert again.context == ("a",)
    assert again.supersedes == "b"


def test_asks_of_one_execution_follow_each_other(talk: Talk):
    for turn in ("l1", "l2", "l3"):
        talk.ask(turn, cell=("loop", "1"))
    assert talk.shown == "a b c l1 l2 l3"
    assert talk.exchanges["l3"].context[-2:] == ("l1", "l2")


def test_a_re_run_loop_takes_the_place_of_all_its_turns(talk: Talk):
    for turn in ("l1", "l2", "l3"):
        talk.ask(turn, cell=("b", "2"))
    assert talk.shown == "a l1 l2 l3 c"
    first = talk.ask("m1", cell=("b", "3"))
    second = talk.ask("m2", cell=("b", "3"))
    assert talk.shown == "a m1 m2 c"
    assert (first.supersedes, second.supersedes) == ("l1", None)
    assert second.context == ("a", "m1")


def test_regenerate_replaces_in_place_and_keeps_what_follows(talk: Talk):
    place = find_place(talk.path, talk.exchanges, replaces="b")
    assert place.with_exchange("b2") == ("a", "b2", "c")
    assert (place.supersedes, place.at_once) == ("b", False)


def test_edit_cuts_what_follows(talk: Talk):
    talk.ask("b2", replaces="b", cut=True)
    assert talk.shown == "a b2"


def test_a_regenerated_cell_is_still_that_cells_turn(talk: Talk):
    talk.ask("b2", cell=("b", "1"), replaces="b")
    talk.ask("b3", cell=("b", "2"))
    assert talk.shown == "a b3 c"


def test_a_second_regenerate_that_waited_replaces_the_first_ones_answer(talk: Talk):
    talk.ask("b2", replaces="b")
    talk.ask("b3", replaces="b")
    talk.ask("b4", replaces="b2")
    assert talk.shown == "a b4 c"
    assert talk.exchanges["b3"].supersedes == "b2"


def test_what_left_the_path_cannot_be_asked_again(talk: Talk):
    talk.ask("a2", replaces="a", cut=True)
    with pytest.raises(NotFound, match="has left the conversation"):
        talk.ask("c2", replaces="c")


def test_alone_has_no_context_and_is_none(talk: Talk):
    assert talk.ask("alone", cell=("d", "1"), alone=True).context == ()
    assert talk.ask("e", cell=("e", "1")).context == ("a", "b", "c")
    assert talk.shown == "a b c e"


def test_a_cell_that_is_re_run_alone_leaves_the_context(talk: Talk):
    talk.ask("b2", cell=("b", "2"), alone=True)
    assert talk.shown == "a c"


def test_what_was_not_answered_is_no_context(talk: Talk):
    talk.ask("failed", cell=("d", "1"), text="")
    assert talk.ask("e", cell=("e", "1")).context == ("a", "b", "c")
    assert talk.shown == "a b c failed e"


def test_replies_to_an_older_version_are_stale(talk: Talk):
    assert stale(talk.path, talk.exchanges) == frozenset()
    talk.ask("b2", cell=("b", "2"))
    assert stale(talk.path, talk.exchanges) == {"c"}
    talk.ask("c2", cell=("c", "2"))
    assert stale(talk.path, talk.exchanges) == frozenset()


def test_messages_hold_system_first_then_each_turn_then_the_prompt(talk: Talk):
    messages, context = messages_of(
        talk.path, talk.exchanges, "Be brief", Message(role="user", content="d"), {}
    )
    assert [m.role for m in messages] == ["system", *["user", "assistant"] * 3, "user"]
    assert [m.content for m in messages if m.role == "user"] == ["a", "b", "c", "d"]
    assert context == ("a", "b", "c")


RUNS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 3), st.booleans()), max_size=15)


@given(RUNS)
def test_the_context_is_what_the_reader_sees(runs: list[tuple[str, int, bool]]):
    """The model: a notebook's cells in the order of their first run, each with its latest turns."""
    talk = Talk()
    notebook: dict[str, list[str]] = {}
    for number, (cell, asks, alone) in enumerate(runs):
        if alone:
            notebook.pop(cell, None)
            talk.ask(f"{number}", cell=(cell, str(number)), alone=True)
            continue
        notebook[cell] = []
        above = list(notebook)[: list(notebook).index(cell) + 1]
        for ask in range(asks):
            prompt = f"{number}.{ask}"
            exchange = talk.ask(prompt, cell=(cell, str(number)))
            assert list(exchange.context) == [turn for c in above for turn in notebook[c]]
            notebook[cell].append(prompt)
        assert list(talk.path) == [turn for turns in notebook.values() for turn in turns]
