"""chat_magics.measures: the figures of a text, and as columns of a frame."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_magics.errors import ConfigError, InvalidRequest
from chat_magics.history import History
from chat_magics.measures import MEASURES, measure, with_measures
from chat_magics.measures.language import language_of
from chat_magics.measures.prose import parts_of
from chat_magics.measures.sentiment import sentences, sentiment_of
from chat_magics.measures.stop_words import STOP_WORDS
from tests.history_samples import ask

ROOT = Path(__file__).parents[1]
REPLY = """The parser is *slow*, because it reads the whole file.

```python
def terrible_horrible(awful):  # das ist ein Kommentar
    return awful
```

Read the file line by line instead. The parser is fast then.
"""


@pytest.fixture
def history() -> Iterator[History]:
    opened = History("sqlite://", on_warning=pytest.fail)
    yield opened
    opened.close()


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where `chat-magics[analysis]` is not installed: the import itself fails."""
    for package in ("py3langid", "vaderSentiment", "vaderSentiment.vaderSentiment"):
        monkeypatch.setitem(sys.modules, package, None)


# Text and code


def test_code_is_neither_words_nor_mood_nor_topic() -> None:
    measures = measure(REPLY)
    assert measures.characters == len(REPLY)
    assert measures.words == 22
    assert measures.sentiment == 0
    assert "parser" in measures.key_phrases
    assert not any("awful" in phrase for phrase in measures.key_phrases)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0),
        ("no code", 0),
        ("`inline` is none", 0),
        ("```\nall\n```", 1),
        ("```\nstill open", 1),
        ("half..\n\n~~~\n~~~\n", 0.5),
        ("- list\n\n  ```\n  a\n  ```", 15 / 23),
        ("    indented", 1),
        ("four\r\n\r\n```\r\n```\r\n", 8 / 14),
    ],
)
def test_the_share_of_code_counts_fences_and_line_ends_once(text: str, share: float) -> None:
    assert measure(text).code_share == pytest.approx(share)


@given(st.text(st.sampled_from("`~ a\n\t>-1.\r\u2028今"), max_size=80))
@settings(max_examples=150)
def test_prose_and_code_are_all_of_the_text(text: str) -> None:
    parts = parts_of(text)
    whole = text.replace("\r\n", "\n")
    assert len(parts.prose) + parts.code_characters == len(whole)
    assert 0 <= measure(text).code_share <= 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("- * --- 🎉 |", 0),
        ("a well-known fact, isn't it?", 5),
        ("हिन्दी में लिखो", 3),
        ("오늘 날씨", 2),
        ("今日はgood。", 4),
        ("# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |", 5),
    ],
)
def test_words_are_counted_in_every_script(text: str, words: int) -> None:
    assert measure(text).words == words


def test_code_is_read_at_the_same_pace() -> None:
    assert measure("word " * 238).reading_time == pytest.approx(60)
    assert measure("word\n```\n" + "word " * 237 + "\n```").reading_time == pytest.approx(60)


# Language and mood


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Why is the sky blue?", "en"),
        ("Warum ist der Himmel blau?", "de"),
        ("这是什么意思", "zh"),
        ("Why is the sky blue?\n```\nwarum ist der Himmel blau und nicht rot\n```", "en"),
        ("ok", None),
        ("", None),
        ("12345 67890 12345 67890", None),
        ("🎉" * 30, None),
    ],
)
def test_a_language_is_named_where_it_is_certain(text: str, language: str | None) -> None:
    assert measure(text).language == language


def test_only_english_has_a_mood() -> None:
    assert (measure("This is great, I love it.").sentiment or 0) > 0.5
    assert (measure("This is terrible, I hate it.").sentiment or 0) < -0.5
    assert measure("Die Tür ist zu, und das ist gut.").sentiment is None
    assert measure("gut").sentiment is None


def test_a_long_text_is_no_more_extreme_than_its_sentences() -> None:
    assert sentiment_of("I like it. " * 200) == pytest.approx(sentiment_of("I like it."))


def test_vader_never_gets_a_text_that_it_would_take_minutes_for() -> None:
    pieces = list(sentences("but nice " * 25_000))
    assert max(len(piece.split()) for piece in pieces) == 50
    assert sum(len(piece.split()) for piece in pieces) == 50_000


def test_without_the_extra_only_mood_and_language_are_missing(without_extra: None) -> None:
    measures = measure("a measure that is not cached: kumquat")
    assert (measures.words, measures.key_phrases) == (7, ("measure", "cached"))
    for name in ("language", "sentiment"):
        with pytest.raises(ConfigError, match=r"pip install 'chat-magics\[analysis\]'$"):
            getattr(measures, name)


def test_a_figure_is_computed_when_it_is_asked_for_and_once() -> None:
    measures = measure("Hello there")
    assert set(vars(measures)) == {"text"}
    assert measures.key_phrases is measures.key_phrases
    with pytest.raises(AttributeError):
        measures.text = "other"  # type: ignore[misc]


# Key phrases


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("How do I merge data frames on a common key?", "merge data frames"),
        (
            "Wie wird die automatische Sicherung der Datenbank eingerichtet?",
            "automatische Sicherung",
        ),
        ("Le certificat du serveur est expiré, et le certificat est refusé.", "certificat"),
        ("¿Por qué la base de datos es lenta? La base de datos no tiene índice.", "base"),
        ("What is gpt-4o-mini, and what are C++ templates?", "gpt-4o-mini"),
    ],
)
def test_key_phrases_are_what_stands_between_stop_words(text: str, phrase: str) -> None:
    assert phrase in measure(text).key_phrases


def test_key_phrases_are_few_and_no_parts_of_each_other() -> None:
    text = "\n".join(f"- topic{n} alpha{n} beta{n}\n- topic{n} alpha{n}" for n in range(20))
    phrases = measure(text).key_phrases
    assert len(phrases) == 5
    assert all(len(phrase.split()) == 3 for phrase in phrases)


@pytest.mark.parametrize(
    "text", ["", "the of and", "今日は天気がいいです", "12 34", "a" * 50, "-!?"]
)
def test_some_texts_have_no_key_phrases(text: str) -> None:
    assert measure(text).key_phrases == ()


def test_neither_addresses_nor_tex_are_phrases() -> None:
    assert measure(r"Compute \frac for https://example.org/secret/path").key_phrases == ("Compute",)


def test_stop_words_are_in_lower_case_with_a_plain_apostrophe() -> None:
    words = set().union(*STOP_WORDS.values())
    assert [word for word in words if word != word.lower().replace("’", "'")] == []


# Frames


def test_measures_are_columns_with_the_dtypes_promised(history: History) -> None:
    ask(history, history.new_conversation(), "Why is the sky blue?", text=REPLY)
    plain = history.messages()
    frame = with_measures(plain)
    assert {name: str(frame[name].dtype) for name in MEASURES} == {
        name: column.dtype for name, column in MEASURES.items()
    }
    assert list(frame["words"]) == [5, 22]
    assert frame["key_phrases"][0] == "sky blue"
    assert not set(MEASURES) & set(plain)


def test_an_empty_frame_gets_the_same_columns(history: History) -> None:
    empty = with_measures(history.messages())
    ask(history, history.new_conversation())
    assert list(empty.dtypes.items()) == list(with_measures(history.messages()).dtypes.items())


def test_a_missing_text_has_missing_measures_and_rows_keep_their_index() -> None:
    texts = pd.Series([None, "Hello there"], index=[7, 3], dtype="string")
    frame = with_measures(pd.DataFrame({"content": texts}), ["words", "language", "code_share"])
    assert frame.columns.tolist() == ["content", "words", "language", "code_share"]
    assert frame.loc[7, ["words", "language", "code_share"]].isna().all()
    assert frame.loc[3, "words"] == 2


def test_names_can_be_chosen_and_taken_again(without_extra: None) -> None:
    frame = with_measures(pd.DataFrame({"content": ["Hello"]}), "words")
    assert with_measures(frame, ["words"]).columns.tolist() == ["content", "words"]


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"no measure 'mood'\. There are characters, words"):
        with_measures(pd.DataFrame({"content": []}), ["mood"])
    with pytest.raises(InvalidRequest, match="column content"):
        with_measures(pd.DataFrame({"text": ["Hello"]}))


def test_importing_loads_neither_pandas_nor_the_extra() -> None:
    code = "import sys, chat_magics.measures; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).split()
    assert {"pandas", "numpy", "py3langid", "vaderSentiment"} & set(loaded) == set()


def test_the_page_names_each_column_with_its_dtype() -> None:
    page = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE)
    assert rows == [(name, column.dtype) for name, column in MEASURES.items()]


def test_a_language_is_looked_for_in_the_beginning_only() -> None:
    german = "Warum ist der Himmel blau? "
    assert language_of(german * 800 + "Why is the sky blue? " * 5000) == "de"
