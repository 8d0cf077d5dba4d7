"""Frames as a reader sees them: main columns, no signs for what is missing, words as words."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from chat_magics.frames import empty
from chat_magics.frames.schema import GROUPS, SCHEMA
from chat_magics.frames.shown import shown
from tests.plot_samples import days, models, stats


def messages(*contents: str, **more: Any) -> pd.DataFrame:
    rows = [{"role": "user", "content": text, **more} for text in contents]
    columns = {
        column.name: pd.Series([row.get(column.name) for row in rows], dtype=column.dtype)
        for column in SCHEMA["messages"]
    }
    return shown("messages", pd.DataFrame(columns))


def page(frame: Any) -> str:
    text: str = frame._repr_html_()
    return text


def test_what_is_missing_is_shown_as_nothing() -> None:
    frame = messages("a", "b")
    for text in (repr(frame), page(frame)):
        assert not any(sign in text for sign in ("NA", "NaT", "NaN", "None", "nan"))
    assert frame["cost"].isna().all()


def test_figures_are_shown_as_they_are() -> None:
    frame = messages("a", cost=0.25, completion_tokens=12, created=pd.Timestamp("2026-01-05", tz=0))
    for text in (repr(frame), page(frame)):
        assert all(each in text for each in ("0.25", "12", "2026-01-05 00:00"))
        assert "12.0" not in text


def test_prices_are_no_formulas_and_no_class_stands_twice() -> None:
    text = page(messages("$5 and then $6"))
    assert 'class="dataframe chat-magics-frame tex2jax_ignore mathjax_ignore"' in text


@pytest.mark.parametrize("kind", ["messages", "conversations", "search", "stats"])
def test_a_frame_without_rows_says_so_in_words(kind: Any) -> None:
    frame = shown(kind, empty(kind))
    assert repr(frame).startswith("No ")
    assert page(frame) == f"<p>{frame!r}</p>"
    assert len(frame.columns) == len(SCHEMA[kind])


@pytest.mark.parametrize("by", GROUPS)
def test_statistics_are_shown_with_their_group_and_main_columns(by: str) -> None:
    frame = days(1) if by == "day" else stats(by, ["some"])
    heading = repr(shown("stats", frame)).splitlines()[0].split()
    main = ["exchanges", "prompt_tokens", "completion_tokens", "cost", "latency_median", "errors"]
    assert heading == [by, *main]


def test_days_are_dates_and_conversations_have_titles() -> None:
    assert "2026-01-05 00" not in repr(shown("stats", days(1)))
    found = shown("stats", stats("conversation", ["id1", "id2"]), {"id1": "Why joins?"})
    assert "Why joins?" in repr(found)
    assert "id2" in page(found)
    assert list(found["conversation"]) == ["id1", "id2"]


def test_what_is_made_of_a_shown_frame_is_plain_and_whole() -> None:
    frame = shown("stats", models(3))
    assert type(frame[frame["exchanges"] > 0]) is pd.DataFrame
    assert frame.equals(models(3))
