"""What a template makes of rows, and what it refuses before anything is sent."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from chat_magics.batch.template import Template, texts
from chat_magics.errors import InvalidRequest


def test_only_double_braces_are_places():
    text = '{"a": {"b": {}}} {x} {{ a }} }}{{ {{b}}{{'
    template = Template(text)
    assert template.columns == ("a", "b")
    made = template.prompts({"a": ["1", "{{b}}"], "b": ["2", "3"]})
    assert made == [
        '{"a": {"b": {}}} {x} 1 }}{{ 2{{',
        '{"a": {"b": {}}} {x} {{b}} }}{{ 3{{',
    ], "a value is not read as a template"


def test_a_column_may_stand_twice_and_hold_blanks():
    template = Template("{{a b}}, {{ a b }}")
    assert template.prompts({"a b": ["x", None]}) == ["x, x", None]


@pytest.mark.parametrize("text", ["", "no column", "{one}", "{{}}", "{{ }}", "{{{}}}"])
def test_a_prompt_without_a_column_is_refused(text):
    with pytest.raises(InvalidRequest, match="names no column"):
        Template(text)


def test_what_cannot_be_sent_is_refused():
    with pytest.raises(InvalidRequest, match="NUL"):
        Template("{{a}}\0")
    with pytest.raises(InvalidRequest, match="not int"):
        Template(3)  # type: ignore[arg-type]


def test_a_column_that_is_not_there_is_told_with_those_near_it():
    with pytest.raises(InvalidRequest, match=r"\{\{txt\}\}.*near it: text"):
        Template("{{txt}}").check(["text", "id"])
    with pytest.raises(InvalidRequest, match=r"there: a, b$"):
        Template("{{text}}").check(["a", "b"])
    with pytest.raises(InvalidRequest, match="no columns"):
        Template("{{text}}").check([])


def test_labels_that_are_no_text_are_named_by_what_they_look_like():
    assert Template("{{2024}}").check([2023, 2024]) == {"2024": 2024}
    with pytest.raises(InvalidRequest, match="2 columns are called so"):
        Template("{{1}}").check([1, "1"])
    with pytest.raises(InvalidRequest, match="2 columns are called so"):
        Template("{{a}}").check(["a", "a"])


def test_every_way_of_being_missing_is_missing():
    gone = [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")]
    assert texts(gone) == [None] * len(gone)
    for column in (
        pd.Series(["a", None], dtype="string"),
        pd.Series([1, None], dtype="Int64"),
        pd.Series(["a", np.nan], dtype=object),
        pd.Series([pd.Timestamp("2026-01-05"), pd.NaT]),
    ):
        first, second = texts(column.tolist())
        assert first is not None
        assert second is None


def test_values_are_written_as_a_reader_would():
    moment = pd.Timestamp("2026-01-05 10:00", tz="UTC")
    assert texts([moment, np.int64(3), np.str_("x"), "", {"a": None}, np.array([1, 2])]) == [
        "2026-01-05T10:00:00+00:00",
        "3",
        "x",
        "",
        '{"a": null}',
        "[1, 2]",
    ]
    odd = {date(2024, 1, 2): np.int64(3), (1, 2): np.bool_(True), np.int64(4): [np.float64(0.5)]}
    assert texts([odd]) == ['{"2024-01-02": 3, "[1, 2]": true, "4": [0.5]}']


def test_what_a_row_lacks_is_told():
    template = Template("{{a}} {{b}} {{c}}")
    values = {"a": ["1", None], "b": ["2", "2"], "c": [None, None]}
    assert template.missing(values, 0) == "c is missing"
    assert template.missing(values, 1) == "a and c are missing"
