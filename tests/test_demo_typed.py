"""The demo model answers to a schema: with values that fit, and that say nothing."""

from __future__ import annotations

from datetime import date
from typing import Literal

import pandas as pd
import pytest
from pydantic import BaseModel

from chat_magics import Session
from chat_magics.batch import ask


class Part(BaseModel):
    name: str
    price: float | None


class Complaint(BaseModel):
    kind: Literal["late", "broken"]
    since: date
    parts: list[Part]


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("into", [bool, int, list[float], Literal["a", "b"], Complaint])
def test_what_it_answers_fits(api, into):
    session = Session({"base_url": "demo", "api": api, "history": "sqlite://"})
    try:
        frame = pd.DataFrame({"text": ["x", "y", "z"]})
        out = ask(frame, "About {{text}}", into, session=session, progress=False)
    finally:
        session.close()
    assert list(out["status"]) == ["complete"] * 3
    assert list(out["attempts"]) == [1] * 3
