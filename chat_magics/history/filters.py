"""Filter: which exchanges are meant, as fields that a person can write and clauses of SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timezone
from typing import Any, get_args

from sqlalchemy import ColumnElement, bindparam, or_
from typing_extensions import TypedDict

from chat_magics.errors import InvalidRequest
from chat_magics.history.exchange import Status, Surface
from chat_magics.history.expressions import answering_model, owned_by
from chat_magics.history.given import text_given
from chat_magics.history.schema import exchanges as table

__all__ = ["ALL_OWNERS", "Filter", "FilterFields", "Moment", "moment_of"]

ALL_OWNERS = "*"

VALUES_BESIDE = 1_000
"""Values that are handed over beside the statement; more are written into it."""

Moment = datetime | date | str


class FilterFields(TypedDict, total=False):
    """The fields of Filter, as the keywords of a method that reads."""

    conversation: str | Sequence[str] | None
    exchanges: Sequence[str] | None
    since: Moment | None
    until: Moment | None
    model: str | None
    owner: str | None
    status: str | None
    surface: str | None
    text: str | None


@dataclass(frozen=True)
class Filter:
    """Which exchanges are meant; each field narrows it, none: all of the own owner.

    Args:
        conversation: id of a conversation, or several.
        exchanges: ids of exchanges; a frame has them in this order.
        since: asked at or after this moment: `2026`, `2026-01`, `2026-01-05`, an ISO date and
            time, a date or a datetime. UTC where no zone is given.
        until: asked before this moment, written likewise.
        model: a part of the name of the model that answered, or where none did, was asked; upper
            and lower case are one.
        owner: None for the own, `*` for all, else that one.
        status: how the exchange ended.
        surface: where it was asked.
        text: a part of the prompt or the reply; upper and lower case are one.

    Raises:
        InvalidRequest: a field has a value that makes no sense.

    Example:
        >>> len(Filter(model="gpt", since="2026-01").where(own=""))
        3
        >>> Filter(status="done")
        Traceback (most recent call last):
        chat_magics.errors.InvalidRequest: No status 'done': choose streaming, complete, ...
    """

    conversation: str | Sequence[str] | None = None
    exchanges: Sequence[str] | None = None
    since: Moment | None = None
    until: Moment | None = None
    model: str | None = None
    owner: str | None = None
    status: str | None = None
    surface: str | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        for field in ("model", "owner", "status", "surface", "text"):
            if (value := getattr(self, field)) is not None:
                text_given(field, value)
        _check_choice("status", self.status, get_args(Status))
        _check_choice("surface", self.surface, get_args(Surface))
        moment_of("since", self.since)
        moment_of("until", self.until)
        for field in ("conversation", "exchanges"):
            # Kept as a tuple: what was given may be gone once it was gone through.
            object.__setattr__(self, field, _ids(field, getattr(self, field)))

    @classmethod
    def of(cls, given: FilterFields) -> Filter:
        """The filter of these keywords.

        Raises:
            InvalidRequest: a keyword or its value makes no sense.

        Example:
            >>> Filter.of({"model": "gpt"}).model
            'gpt'
        """
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise InvalidRequest(f"No filter {name!r}: choose {', '.join(known)}")
        return cls(**given)

    @property
    def of_exchanges(self) -> bool:
        """True where it looks at more of an exchange than its owner and its conversation."""
        about = ("exchanges", "since", "until", "model", "status", "surface", "text")
        return any(getattr(self, field) is not None for field in about)

    def where(self, own: str) -> list[ColumnElement[bool]]:
        """The clauses, all of which an exchange has to meet.

        Args:
            own: the owner that is meant where none is named.
        """
        clauses: list[ColumnElement[bool]] = []
        if self.owner != ALL_OWNERS:
            owner = own if self.owner is None else self.owner
            narrow = self.exchanges is not None or len(self.conversation or ()) > 1
            clauses.append(owned_by(table.c.owner, owner) if narrow else table.c.owner == owner)
        for column, ids in (
            (table.c.conversation, self.conversation),
            (table.c.id, self.exchanges),
        ):
            if ids is not None:
                clauses.append(_among(column, ids))
        since, until = moment_of("since", self.since), moment_of("until", self.until)
        if since is not None:
            clauses.append(table.c.created >= since)
        if until is not None:
            clauses.append(table.c.created < until)
        for column, value in ((table.c.status, self.status), (table.c.surface, self.surface)):
            if value is not None:
                clauses.append(column == value)
        if self.model is not None:
            clauses.append(_holds(answering_model(), self.model))
        if self.text is not None:
            clauses.append(or_(_holds(table.c.prompt, self.text), _holds(table.c.text, self.text)))
        return clauses


def moment_of(field: str, value: Moment | None) -> datetime | None:
    """The moment that a person wrote, aware, in UTC.

    Args:
        field: what it was given for, as an error is to call it.
        value: a datetime, a date, or either as text; of a text the month and day may be left out.

    Raises:
        InvalidRequest: it cannot be read.

    Example:
        >>> moment_of("since", "2026-03").isoformat()
        '2026-03-01T00:00:00+00:00'
    """
    if value is None:
        return None
    try:
        found = _written(value) if isinstance(value, str) else value
        if not isinstance(found, datetime):
            found = datetime(found.year, found.month, found.day)  # noqa: DTZ001 - UTC follows
        if found.tzinfo is None:
            found = found.replace(tzinfo=timezone.utc)
        return found.astimezone(timezone.utc)
    except (ValueError, OverflowError, AttributeError, TypeError):
        raise InvalidRequest(
            f"{field} {value!r} is no moment: write 2026, 2026-01, 2026-01-05 or "
            "2026-01-05T14:30, in UTC where no zone is given"
        ) from None


_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


def _written(text: str) -> datetime:
    text = text.strip()
    day = _DAY.fullmatch(text)
    if day:
        year, month, number = (int(part or 1) for part in day.groups())
        return datetime(year, month, number, tzinfo=timezone.utc)
    # Python 3.10 does not read the Z.
    return datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))


def _check_choice(field: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        raise InvalidRequest(f"No {field} {value!r}: choose {', '.join(known)}")


def _ids(field: str, value: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Each id once, in the order given."""
    if value is None:
        return None
    if isinstance(value, str):
        value = (value,)
    found = list(value) if isinstance(value, Iterable) else [None]
    if not all(isinstance(id, str) and "\x00" not in id for id in found):
        raise InvalidRequest(f"{field} takes ids, as the frames have them: one or a list of them")
    text_given(field, "".join(found))
    return tuple(dict.fromkeys(found))


def _among(column: Any, ids: Sequence[str]) -> ColumnElement[bool]:
    # SQLite takes 32,766 values beside a statement; within it, any number.
    within = len(ids) > VALUES_BESIDE
    values: Any = bindparam(None, list(ids), expanding=True, literal_execute=within)
    found: ColumnElement[bool] = column.in_(values)
    return found


def _holds(column: Any, part: str) -> ColumnElement[bool]:
    """The column holds this part, upper and lower case being one."""
    found: ColumnElement[bool]
    if all(char.isascii() or len(_cases(char)) == 1 for char in part):
        found = column.icontains(part, autoescape=True)
    else:
        # SQLite, and PostgreSQL in some locales, know the cases of ASCII letters only.
        found = column.regexp_match("".join(map(_either_case, part)))
    return found


def _cases(char: str) -> list[str]:
    """The character in lower and upper case, where that is one character."""
    cases = {char, char.lower(), char.upper(), char.title()}
    return sorted(case for case in cases if len(case) == 1)


def _either_case(char: str) -> str:
    cases = _cases(char)
    if len(cases) > 1:
        return f"[{''.join(cases)}]"
    return f"\\{char}" if char.isascii() and char.isprintable() and not char.isalnum() else char
