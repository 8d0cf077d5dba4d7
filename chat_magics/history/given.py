"""What people give to the methods of History: checked where it comes in, with one line each."""

from __future__ import annotations

import operator
import reprlib

from chat_magics.errors import InvalidRequest

__all__ = ["number_given", "text_given"]


def text_given(field: str, value: object) -> str:
    """The text that was given.

    Args:
        field: what it was given for, as an error is to call it.
        value: what was given.

    Raises:
        InvalidRequest: it is no text, or one that no file and no database holds.

    Example:
        >>> text_given("model", 3)
        Traceback (most recent call last):
        chat_magics.errors.InvalidRequest: model is a text, and not 3
    """
    if not isinstance(value, str):
        raise InvalidRequest(f"{field} is a text, and not {_in_a_line(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{field} holds half of a character: {_in_a_line(value)}") from None
    return value


def number_given(field: str, value: object, of: str, most: int | None = None) -> int:
    """The whole number that was given, 1 or more.

    Args:
        field: what it was given for, as an error is to call it.
        value: what was given.
        of: what it counts.
        most: the largest one; None where there is none.

    Raises:
        InvalidRequest: it is no such number.

    Example:
        >>> number_given("limit", 50, of="rows", most=1_000)
        50
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # which is what is tried
    except TypeError:
        number = 0
    if number < 1 or (most is not None and number > most):
        range_ = "1 or more" if most is None else f"1 to {most:,}"
        raise InvalidRequest(f"{field} is a number of {of}, {range_}, and not {_in_a_line(value)}")
    return number


def _in_a_line(value: object) -> str:
    return " ".join(reprlib.repr(value).split())
