"""Search: what is found, in which order, and that no input breaks it; in a file and a server."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chat_magics.errors import InvalidRequest
from chat_magics.history import History, search
from chat_magics.history.search_query import read_query
from chat_magics.history.search_snippet import snippet
from chat_magics.history.search_words import places, words
from tests.history_samples import ask, begun


def told(history, *talks):
    """One exchange for each pair of prompt and reply, in a conversation of its own; their ids."""
    return [
        ask(history, history.new_conversation(), prompt, text=reply)[0].id
        for prompt, reply in talks
    ]


def found(history, query, **filter):
    return list(history.search(query, **filter)["exchange"])


def test_all_words_have_to_be_there_in_the_prompt_or_the_reply(history):
    both, _ = told(history, ("a left question", "Join them."), ("only left", "nothing"))
    assert found(history, "join LEFT") == [both]
    assert found(history, "nowhere") == []


def test_a_phrase_is_words_next_to_each_other(history):
    joined, _ = told(history, ("q", "a left  JOIN here"), ("q", "join left, left of join"))
    assert found(history, '"left join"') == [joined]
    assert found(history, "left-join") == [joined]
    assert found(history, '"lef join"') == []


def test_a_star_finds_the_beginning_of_a_word_and_nothing_else_does(history):
    told(history, ("dataframes", "x"))
    assert len(found(history, "data*")) == len(found(history, '"dataf"*')) == 1
    assert found(history, "data") == []


def test_short_words_of_chinese_and_japanese_are_found(history):
    first, second = told(history, ("東京は日本の首都です", "はい"), ("本日は晴天", "ok"))
    assert found(history, "日本") == [first]
    assert set(found(history, "日")) == {first, second}
    assert found(history, "首都 日本") == [first]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Ein CAFÉ", "cafe"),
        ("cafe", "Cafe\u0301"),
        ("السَّلام", "السلام"),
        ("🦀🎉", "🎉"),
        ("हिन्दी", "हिन्दी"),
        ("한국어를 배워요", "한국어"),
        ("left_join(a)", "left_join"),
        ("NUL \x00here", "here"),
        ("Straße", "STRASSE"),
    ],
)
def test_accents_case_and_scripts_are_no_matter(history, text, query):
    assert found(history, query) == []
    assert found(history, query) == [] != told(history, (text, "x")) == found(history, query)


def test_the_text_as_typed_comes_first(history):
    c, plus = told(history, ("c c c c", "c"), ("I write C++ all day and every night", "ok"))
    assert found(history, "c++") == [plus, c]
    assert found(history, "c") == [c, plus]


def test_the_text_that_says_it_more_often_and_is_shorter_comes_first(history):
    rare = ("the join of the day " + "filler " * 50, "the the")
    once, often = told(history, rare, ("join and join", "a join"))
    assert found(history, "join") == [often, once]
    assert history.search("join")["score"].is_monotonic_decreasing


@pytest.mark.parametrize("query", ["*", "++", "", '""', "\x00", "\ud800", "-", "model:gpt", "a*"])
def test_a_query_without_a_word_is_refused(history, query):
    with pytest.raises(InvalidRequest) as refused:
        history.search(query)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "query", ["foo:bar", '"x', "-x", "NEAR(x", "x AND", "{x}: y", "'x'", "x\\", "x:ab*", "x & !y"]
)
def test_signs_of_a_query_language_are_only_text(history, query):
    told(history, (query, "reply"))
    assert len(found(history, query)) == 1
    assert found(history, "else " + query) == []


ODD = st.sampled_from([*"\"*:-()+^'\\&|!<>\x00\ud800日é🦀", "AND ", "model:", "role:", "since:"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("x" * 100_000)
@example("x " * 50_000)
@example('"' * 100_000)
@example("conversation:" + "é" * 300 + " x")
@given(st.lists(ODD | st.characters(), max_size=30).map("".join))
def test_no_input_does_anything_but_find_or_be_refused(history, query):
    with suppress(InvalidRequest):
        assert history.search(query).empty


def test_fields_narrow_and_so_do_keywords(history):
    (old,) = told(history, ("joins of old", "x"))
    answered = {"text": "joins", "model": "gpt-x"}
    new, talk = ask(history, history.create_conversation("left joins"), "new", **answered)
    assert found(history, "joins model:GPT") == [new.id] == found(history, "joins", model="gpt")
    assert found(history, 'joins conversation:"left joins"') == [new.id]
    assert found(history, f"joins conversation:{talk.id[:8]}") == [new.id]
    assert found(history, "joins status:complete since:2020") == [new.id, old]
    assert found(history, "joins until:2020") == found(history, "joins status:error") == []
    assert found(history, "joins role:user") == [old]
    assert found(history, "joins role:assistant") == [new.id]


def test_two_roles_are_refused_with_the_reason(history):
    with pytest.raises(InvalidRequest, match="one role only"):
        history.search("x role:user role:assistant")


@pytest.mark.parametrize(
    "query", ["x since:whenever", "x status:odd", "x role:system", "x conversation:none"]
)
def test_a_field_that_makes_no_sense_is_refused_in_one_line(history, query):
    with pytest.raises(InvalidRequest, match=r"^[^\n]+$"):
        history.search(query)


def test_a_row_tells_where_it_is_and_shows_it(history):
    reply = "Long ago. " * 50 + "Then a zebra\nwalked\x1b[31m in. " + "And so on. " * 50
    done, talk = ask(history, history.create_conversation("animals"), "Tell", text=reply)
    row = history.search("zebra").iloc[0]
    assert (row["rank"], row["title"], row["role"]) == (1, "animals", "assistant")
    assert (row["exchange"], row["conversation"]) == (done.id, talk.id)
    assert (row["created"].to_pydatetime(), row["model"]) == (done.created, "demo")
    assert "a zebra walked [31m in." in row["snippet"]
    assert row["snippet"].startswith("…")
    assert len(row["snippet"]) <= 162


def test_what_streams_is_found_when_it_ends(history):
    exchange, _ = begun(history, history.new_conversation(), "zebra")
    history.append_partial(exchange.id, "a giraffe")
    assert found(history, "zebra") == []
    history.finish(exchange.model_copy(update={"status": "stopped", "text": "a lion"}))
    assert found(history, "zebra lion") == [exchange.id]
    assert found(history, "giraffe") == []


def test_nobody_finds_what_is_another_owners(history, place):
    mine = told(history, ("zebra", "x"))
    other = History(place, owner="ada", on_warning=pytest.fail)
    theirs = told(other, ("zebra", "y"))
    assert (found(history, "zebra"), found(other, "zebra")) == (mine, theirs)
    other.close()


def test_many_that_end_before_a_search_are_all_found(history):
    ids = told(history, *[("zebra", "x")] * 70)
    assert sorted(found(history, "zebra", limit=100)) == sorted(ids)


def test_of_very_many_matches_the_newest_are_ranked_and_that_is_said(history, monkeypatch):
    monkeypatch.setattr(search, "RANKED", 3)
    ids = told(history, *[("zebra", "x")] * 4)
    frame = history.search("zebra", limit=3)
    assert sorted(frame["exchange"]) == sorted(ids[1:])
    assert "newest 3 matches" in frame.attrs["note"]
    assert history.search("zebra x", limit=1, exchanges=ids[:1]).attrs["note"] == ""
    with pytest.raises(InvalidRequest, match="limit"):
        history.search("zebra", limit=4)


def test_a_very_long_reply_is_found_by_its_last_word(history):
    (one,) = told(history, ("x", "the quick " * 40_000 + "zebra crossing"))
    assert found(history, '"zebra crossing"') == [one]


@given(st.text(st.characters() | st.sampled_from("がガｶﾞéßİ한ﷺ½\u200d\u0301 "), max_size=40))
def test_words_and_their_places_are_the_same(text):
    found = places(text)
    assert [place.word for place in found] == words(text)
    assert not set("".join(words(text))) & set(" \n\x00'\"\\*")


@given(st.text(max_size=400), st.sampled_from(["zebra", "ze*", '"a zebra"', "z+", "日本"]))
def test_a_snippet_is_one_short_line(text, query):
    shown = snippet(text + " a zebra z+日本 " + text, read_query(query).terms)
    assert len(shown) <= 162
    assert not set(shown) & set("\n\r\t\x1b\x00")
