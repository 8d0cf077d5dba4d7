"""`%%chat_rows`: the same as `ask`, with the template as the cell."""

from __future__ import annotations

import pandas as pd
import pytest
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
