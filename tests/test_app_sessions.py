"""The sessions of people who ask by the API: how many stay open, and which."""

from __future__ import annotations

import pytest

from chat_magics.server import people as module
from chat_magics.server.people import People


def test_sessions_are_closed_where_there_are_many_but_none_that_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_MAGICS_BASE_URL", "demo")
    monkeypatch.setattr(module, "MOST_IN_FILES", 3)
    people = People()
    given = []
    with people.session("ada") as ada:
        for number in range(5):
            with people.session(f"owner {number}") as session:
                given.append(session)
        assert [each.closed for each in given] == [True, True, True, False, False]
        assert not ada.closed
    with people.session("ada") as again:
        assert again is ada
    for name in ("grace", "joan", "mary"):
        with people.session(name):
            pass
    assert ada.closed
    people.close()
    assert all(each.closed for each in given)
