"""The tree of errors: as drawn, with its HTTP status, and fit to travel between processes."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from chat_magics import errors
from chat_magics.errors import ChatError, RateLimited

TREE = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ChatError)
]


def drawn() -> list[tuple[str, str, int]]:
    """Name, parent and status of each line of the picture at the top of the module."""
    rows: list[tuple[str, str, int]] = []
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        if found := re.fullmatch(r"    ([│├└─ ]*)(\w+) +(\d{3})\b.*", line):
            depth = len(found[1]) // 4
            above[depth] = found[2]
            rows.append((found[2], above[depth - 1] if depth else "Exception", int(found[3])))
    return rows


def test_the_picture_of_the_tree_is_the_tree() -> None:
    classes = [(kind.__name__, kind.__base__.__name__, kind.status) for kind in TREE]  # type: ignore[union-attr]
    assert sorted(drawn()) == sorted(classes)
    assert len(classes) == 22


@pytest.mark.parametrize("kind", TREE)
def test_an_error_travels_between_processes_with_all_that_it_knows(kind: type[ChatError]) -> None:
    error = kind(
        "what happened: what to do",
        code="c",
        param="p",
        request_id="req_1",
        retry_after=1.5,
        transient=True,
    )
    for there in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(there) is kind
        assert vars(there) == vars(error)
        assert there.args == error.args == ("what happened: what to do",)


def test_an_error_reads_as_its_message_also_when_it_was_restated() -> None:
    error = RateLimited("one", retry_after=3)
    error.restate("two")
    there = pickle.loads(pickle.dumps(error))
    assert str(error) == str(there) == there.message == "two"
    assert there.retry_after == 3


def test_an_error_knows_nothing_that_it_was_not_told() -> None:
    assert vars(ChatError("m")) == {
        "message": "m",
        "code": None,
        "param": None,
        "request_id": None,
        "retry_after": None,
        "transient": False,
        "command": "",
    }


def test_every_error_says_what_it_means() -> None:
    assert all(kind.__doc__ for kind in TREE)
    assert {kind.__name__ for kind in TREE} | {"StreamRestarted"} == set(errors.__all__)
