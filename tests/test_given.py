"""What is given to public methods and makes no sense: refused in one line that says what does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chat_magics import plots
from chat_magics.errors import InvalidRequest
from chat_magics.export import export, load, read_csv, write_parquet
from chat_magics.history import History
from chat_magics.measures import with_measures
from tests.export_samples import talk

WRONG: Any = None
HALF = "\ud800"


@pytest.fixture
def history() -> Iterator[History]:
    opened = History("sqlite://", on_warning=pytest.fail)
    yield opened
    opened.close()


def refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_search_is_a_text_and_its_limit_a_number(history: History) -> None:
    refused(lambda: history.search(WRONG), "is a text, and not None")
    for limit in (0, 1_001, 1.5, "x", None):
        refused(lambda limit=limit: history.search("x", limit=limit), "1 to 1,000, and not")
    refused(lambda: history.conversations(limit=1.5), "limit is a number")  # type: ignore[arg-type]
    refused(lambda: list(history.walk(at_once=WRONG)), "at_once is a number")


@pytest.mark.parametrize("field", ["text", "model", "owner", "conversation", "exchanges"])
def test_half_of_a_character_is_in_no_history(history: History, field: str) -> None:
    refused(lambda: history.messages(**{field: HALF}), f"{field} holds half of a character")


def test_what_is_given_is_told_in_one_line(history: History) -> None:
    refused(lambda: history.search(history.messages()), "is a text, and not")  # type: ignore[arg-type]


def test_names_titles_and_tags_are_texts(history: History) -> None:
    id = history.create_conversation("joins").id
    refused(lambda: history.tag(id, 3), "A tag is one word")  # type: ignore[arg-type]
    for change in (history.rename, history.set_title):
        for value in (3, HALF):
            refused(lambda change=change, value=value: change(id, value), "is a text|half of a")
    refused(lambda: history.create_conversation(3), "a name is a text")  # type: ignore[arg-type]
    refused(lambda: history.conversation(WRONG), "is a text")
    refused(lambda: history.stats(by=["model"]), "choose model")  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [None, 3, b"talk.md"])
def test_a_file_is_named_by_a_path(path: Any) -> None:
    plot = plots.over_time(History("sqlite://", on_warning=pytest.fail).stats(by="day"))
    for use in (lambda p: export([], p), load, read_csv, lambda p: write_parquet([], p), plot.save):
        refused(lambda use=use: use(path), "named by a path, and not by")


def test_an_export_is_of_transcripts_in_a_format_with_prompts_of_two_kinds() -> None:
    refused(lambda: export(WRONG, "talk.md"), "takes a list of transcripts")
    refused(lambda: export([talk()], "talk.md", format=3), "unknown format 3")  # type: ignore[arg-type]
    refused(lambda: export([talk()], "talk.ipynb", prompts="zz"), "cells or as markdown")  # type: ignore[arg-type]
    refused(lambda: write_parquet(WRONG, "talk.parquet"), "takes a list of frames")


def test_measures_and_plots_are_of_frames() -> None:
    refused(lambda: with_measures(WRONG), "give history.messages()")
    for draw in (plots.by_group, plots.latency, plots.over_time, plots.hit_rate):
        refused(lambda draw=draw: draw(WRONG), "made of a frame")
