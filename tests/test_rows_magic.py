"""`%%chat_rows`: the same as `ask`, with the template as the cell."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError

from tests.chat_server import Status
from tests.rows_samples import answering


@pytest.fixture
def rows(shell):
    shell.ip.user_ns["df"] = pd.DataFrame({"text": ["a", "bb"]})

    def run(line, cell="Classify: {{text}}\n"):
        return shell.ip.run_cell_magic("chat_rows", line, cell)

    return run


def test_a_cell_is_asked_of_every_row(server, shell, rows):
    server.default = answering(lambda text: f'{{"answer": {len(text)}}}')
    assert rows("df -o out --into int --name length --concurrency 2") is None
    assert list(shell.ip.user_ns["out"]["length"]) == [1, 2]
    assert server.bodies[0]["messages"][-1]["content"] in ("Classify: a", "Classify: bb")


def test_without_a_variable_the_frame_is_the_value(rows):
    assert list(rows("df")["status"]) == ["complete"] * 2


def test_a_plan_is_shown(server, rows, capsys):
    rows("df --dry-run")
    assert "2 rows: 2 distinct prompts" in capsys.readouterr().out
    assert not server.posts


def test_what_failed_is_asked_again(server, shell, rows):
    server.default = answering(lambda text: Status(400) if text == "a" else text)
    rows("df -o out")
    server.default = answering(str.upper)
    rows("df -o out --retry out")
    assert list(shell.ip.user_ns["out"]["answer"]) == ["A", "bb"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nothing", "no variable nothing"),
        ("", "required: frame"),
        ("df --into Nonsense", "no such variable"),
        ("df -o 1x", "name of a variable"),
        ("df --retry df --refresh", "neither --refresh"),
        ("df --max-cost 1", "price of test-model is unknown"),
    ],
)
def test_a_wrong_line_is_told_in_one_line(server, rows, line, words):
    with pytest.raises(UsageError, match=words):
        rows(line)
    assert not server.posts


@pytest.fixture
def tab(shell, rows):
    """What Tab offers at the end of these lines of a cell, as they may be then."""

    @dataclass
    class Answer:
        late: bool

    shell.ip.user_ns |= {"Answer": Answer, "schema": {"type": "object"}, "number": 3}
    shell.ip.user_ns["texts"] = pd.Series(["a"])

    def offered(code, after=""):
        with provisionalcompleter():
            found = list(shell.ip.Completer.completions(code + after, len(code)))
        return [code[: each.start] + each.text for each in found]

    return offered


def test_tab_offers_frames_options_types_and_models(tab, shell, server):
    shell.run("%chat_models")
    asked = len(server.requests)
    for typed, words in {
        "d": ["df"],
        "te": ["texts"],
        "df --ma": ["--max-cost"],
        "df --into A": ["Answer"],
        "df --into s": ["schema", "str"],
        "df --engine o": ["openai-batch"],
        "df --retry d": ["df"],
        "df -m te": ["test-model"],
    }.items():
        begun = f"%%chat_rows {typed.rpartition(' ')[0]}".rstrip()
        offered = tab(f"%%chat_rows {typed}", "\nClassify: {{text}}")
        assert offered == [f"{begun} {word}" for word in words], typed
    assert len(server.requests) == asked


def test_tab_offers_the_columns_in_the_template(tab):
    cell = "%%chat_rows df -o out\n"
    for typed, after, offered in [
        ("Classify: {{te", "", "Classify: {{text}}"),
        ("Classify: {{te", "}}", "Classify: {{text"),
        ("One\n{{ ", "", "One\n{{ text}}"),
    ]:
        assert tab(cell + typed, after) == [cell + offered]
    assert tab("%%chat_rows texts\n{{") == ["%%chat_rows texts\n{{value}}"]
    assert not any("text" in each for each in tab(f"{cell}no braces te"))


def test_the_figures_of_the_frame_of_a_run_are_those_of_the_run(server, shell, rows):
    rows("df -o out")
    rows("df -o again")
    figures = shell.ip.run_line_magic("chat_stats", "out --by status")
    assert figures["exchanges"].tolist() == [2]
    with pytest.raises(UsageError, match="no run is noted"):
        shell.ip.run_line_magic("chat_stats", "again")
