"""Replies as values: what holds JSON, and whether it is what was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

from ..errors import AnswerUnfit, InvalidRequest

__all__ = ["Check", "by_pydantic", "by_schema", "candidates", "one_line"]

Check: TypeAlias = Callable[[Any], Any]
"""Takes a value as JSON has it, gives it as it is kept, or raises AnswerUnfit."""

_FENCED = re.compile(r"(?ms)^[ \t]*(`{3,})[\w-]*[ \t]*\n(.*?)\n?[ \t]*\1[ \t]*$")
_LONGEST = 300
"""Characters of a reason; it is told to a model, and stands in a cell of a frame."""
_MOST_FAULTS = 3


def candidates(text: str, wrapper: str | None) -> Iterator[Any]:
    """The values that a reply may stand for, likeliest first.

    Args:
        text: JSON, in a fenced code block or not.
        wrapper: the property that a scalar or a list was asked to travel in; models that were not
            held to it say the value alone, and its text without quotes.

    Raises:
        AnswerUnfit: the reply holds no JSON.

    Example:
        >>> next(candidates('```json\\n{"answer": 3}\\n```', "answer"))
        3
        >>> list(candidates("Yes", "answer"))
        ['Yes']
    """
    fenced = _FENCED.findall(text)
    inner = (fenced[0][1] if len(fenced) == 1 else text).strip()
    # What begins like JSON and is none was cut or is broken, and is no text that was meant.
    alone = wrapper is not None and inner[:1] not in ("", "{", "[", '"')
    try:
        value = _parsed(text, inner)
    except (ValueError, RecursionError) as problem:
        if not alone:
            raise AnswerUnfit(f"the reply is not JSON: {one_line(problem)}") from None
        yield inner
        return
    if wrapper is not None and isinstance(value, dict) and set(value) == {wrapper}:
        yield value[wrapper]
    yield value
    if alone:
        yield inner


def _parsed(*texts: str) -> Any:
    """The first of these that is JSON; one after the other, since a string may hold a fence."""
    for text in texts[:-1]:
        try:
            return json.loads(text, parse_constant=_refused)
        except (ValueError, RecursionError):
            continue
    return json.loads(texts[-1], parse_constant=_refused)


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def by_pydantic(adapter: Any) -> Check:
    """Checks by a pydantic TypeAdapter, which also turns text into numbers where that is sure."""
    from pydantic import ValidationError

    def check(value: Any) -> Any:
        try:
            kept = adapter.validate_json(_text(value))
        except ValidationError as problem:
            listed = problem.errors(include_url=False, include_context=False, include_input=False)
            faults = [(_path(each["loc"]), each["msg"]) for each in listed]
            raise _unfit(faults) from None
        return adapter.dump_python(kept, mode="json")

    return check


def by_schema(schema: Mapping[str, Any]) -> Check:
    """Checks by a JSON schema; the reference of a schema to elsewhere is never fetched.

    Raises:
        InvalidRequest: it is no JSON schema, or jsonschema is not installed.
    """
    try:
        from jsonschema import FormatChecker, SchemaError, validators
        from referencing import Registry
    except ImportError:
        raise InvalidRequest(
            "a JSON schema needs jsonschema: pip install 'chat-magics[rows]'"
        ) from None
    kind = validators.validator_for(schema, default=validators.validator_for({}))
    try:
        kind.check_schema(schema)
    except SchemaError as problem:
        where = _path(tuple(problem.path)) or "its root"
        raise InvalidRequest(
            f"into is no JSON schema: at {where}, {one_line(problem.message)}"
        ) from None
    formats = FormatChecker(formats=())
    for name, reader in _formats().items():
        formats.checks(name, raises=ValueError)(reader)
    validator = kind(schema, registry=Registry(), format_checker=formats)

    def check(value: Any) -> Any:
        faults = [
            (_path(tuple(each.absolute_path)), each.message)
            for each in islice(validator.iter_errors(value), _MOST_FAULTS + 1)
        ]
        if faults:
            raise _unfit(faults)
        return value

    return check


def _formats() -> dict[str, Callable[[object], bool]]:
    """The formats that become a dtype; of others a model's word is taken."""
    from .columns import Plain, native

    def checked(kind: Any) -> Callable[[object], bool]:
        return lambda value: not isinstance(value, str) or native(value, Plain(kind)) is not None

    return {"date-time": checked("moment"), "date": checked("date")}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _path(places: tuple[Any, ...]) -> str:
    return ".".join(str(place) for place in places)


def _unfit(faults: list[tuple[str, str]]) -> AnswerUnfit:
    told = [f"{place}: {reason}" if place else reason for place, reason in faults[:_MOST_FAULTS]]
    more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
    return AnswerUnfit(f"the reply does not fit: {one_line('; '.join(told + more))}")


def one_line(reason: object) -> str:
    """A reason in one line, and not longer than is read.

    Example:
        >>> one_line("no\\nway")
        'no way'
    """
    text = " ".join(str(reason).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
