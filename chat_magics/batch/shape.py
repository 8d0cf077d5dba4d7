"""Shape: what the answers are to be: how a model is asked for it, how replies become columns."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AnswerUnfit, InvalidRequest
from .columns import Plain, ValueType, native, series, value_type
from .reading import Check, by_pydantic, by_schema, candidates, one_line
from .schemas import check_references, is_record, resolved, without_nulls
from .strict import WRAPPER, sent_schema

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Shape"]

_VERSION = 1
"""Part of every identity: raise it when replies are read in another way."""
_TEXT = {"type": "string"}
_KEYWORDS = {"type", "properties", "items", "prefixItems", "enum", "const", "$ref"}
_KEYWORDS |= {"anyOf", "oneOf", "allOf", "not", "if"}
"""Of which a schema that says anything has one."""


@dataclass(frozen=True)
class Shape:
    """The shape of the answers; made by `Shape.of`.

    Args:
        options: what a request has to carry, in the words of chat completions; nothing for text.
        identity: hexadecimal; the same for the same question, whatever the columns are called.
        instruction: what tells a model of the shape whose server does not; nothing for text.
        record: each field of the answer is a column, and not the answer as a whole.

    Example:
        >>> from typing import Literal
        >>> shape = Shape.of(Literal["low", "high"], "risk")
        >>> shape.options["response_format"]["json_schema"]["schema"]["properties"]
        {'answer': {'enum': ['low', 'high'], 'type': 'string'}}
        >>> [shape.read('{"answer": "low"}'), shape.read("high")]
        ['low', 'high']
        >>> shape.frame(["low", None])["risk"].cat.categories.tolist()
        ['low', 'high']
    """

    options: dict[str, Any]
    identity: str
    instruction: str
    record: bool
    _types: Mapping[str, ValueType]
    _check: Check | None = field(repr=False)
    _schema: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, into: Any = None, name: str = "answer") -> Shape:
        """The shape that a person named.

        Args:
            into: a pydantic model, a dataclass or TypedDict, a Python type such as `int`, `bool`,
                `Literal[...]`, an Enum, `list[...]` or `datetime`, a JSON schema as a dict or as
                the path of its file; None or `str` for the text as it is.
            name: of the column, where the answer is one value.

        Raises:
            InvalidRequest: `into` is nothing of these, or a JSON schema that does not hold.
        """
        if into is None or into is str:
            return _text(name)
        if isinstance(into, os.PathLike):
            into = _loaded(Path(into))
        if isinstance(into, Mapping):
            return _of_schema(into, name)
        return _of_type(into, name)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that the answers become."""
        return tuple(self._types)

    def read(self, text: str) -> Any:
        """The answer that a reply holds, in values that JSON knows: what is kept, and framed later.

        Args:
            text: the reply: JSON, in a fenced code block or not; models that were not held to it
                may say a scalar alone.

        Raises:
            AnswerUnfit: it is no such answer; the message is fit to be told to the model.
        """
        if self._check is None:
            return text
        first: AnswerUnfit | None = None
        for value in candidates(text, None if self.record else WRAPPER):
            try:
                return self._kept(self._check(without_nulls(value, self._schema, self._schema)))
            except AnswerUnfit as problem:
                first = first or problem
        assert first is not None
        raise first

    def _kept(self, value: Any) -> Any:
        """The value, where JSON, a database and the columns can hold it."""
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
            for column, type in self._types.items():
                native(value.get(column) if self.record else value, type)
        except (ValueError, OverflowError, RecursionError) as problem:
            raise AnswerUnfit(f"the reply does not fit: {one_line(problem)}") from None
        return value

    def frame(
        self, values: Sequence[Any], index: pd.Index[Any] | None = None
    ) -> dict[str, pd.Series[Any]]:
        """The answers as columns of the right dtypes, the same for no rows at all.

        Whole numbers are `Int64`, numbers `Float64`, truth `boolean`, text `string`, choices
        `category` with all that can be chosen, moments `datetime64[us, UTC]`, dates
        `datetime64[us]`, nested models and lists Arrow structs and lists (Python objects where
        pyarrow is not installed); what has no one type, such as a union, is Python objects.

        Args:
            values: what `read` gave, row by row; None for a row without an answer.
            index: of the rows; None numbers them.
        """
        if not self.record:
            ((name, type),) = self._types.items()
            return {name: series(name, values, type, index)}
        return {
            name: series(name, [None if v is None else v.get(name) for v in values], type, index)
            for name, type in self._types.items()
        }


def _text(name: str) -> Shape:
    identity = _identity({"text": True})
    return Shape({}, identity, "", False, {name: Plain("string")}, None, _TEXT)


def _of_type(into: Any, name: str) -> Shape:
    from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter
    from pydantic_core import SchemaError

    if isinstance(into, str) or inspect.isroutine(into) or _is_instance(into):
        raise _unknown(into, "")
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(into)
        asked = adapter.json_schema(mode="validation")
        kept = adapter.json_schema(mode="serialization", by_alias=False)
    except (PydanticSchemaGenerationError, TypeError):
        raise _unknown(into, "") from None
    except (PydanticUserError, NameError, SchemaError) as problem:
        raise _unknown(into, one_line(str(problem).split("\n\nFor further")[0])) from None
    return _made(asked, kept, by_pydantic(adapter), name)


def _is_instance(into: Any) -> bool:
    """Whether it is one of a model's values, where the model itself is wanted."""
    model = is_dataclass(into) or hasattr(type(into), "model_fields")
    return model and not isinstance(into, type)


def _of_schema(into: Mapping[str, Any], name: str) -> Shape:
    schema = _bare(into)
    if not _KEYWORDS & set(schema):
        raise InvalidRequest(
            "into is a mapping, and no JSON schema: for fields give a pydantic model, or "
            '{"type": "object", "properties": {...}}'
        )
    try:
        json.dumps(schema)
    except (TypeError, ValueError) as problem:
        raise InvalidRequest(f"into is no JSON schema: {problem}") from None
    check = by_schema(schema)
    check_references(schema)
    return _made(schema, schema, check, name)


def _bare(into: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself, where it came in the wrapping of the API."""
    if into.get("type") == "json_schema":
        into = into.get("json_schema", into)
    wrapping = "schema" in into and not {"type", "properties", "anyOf", "$ref"} & set(into)
    return into["schema"] if wrapping else into


def _made(asked: Mapping[str, Any], kept: Mapping[str, Any], check: Check, name: str) -> Shape:
    """A shape.

    Args:
        asked: the schema of what a model may answer.
        kept: the schema of the values that `check` gives.
        check: of an answer.
        name: of the column, where the answer is one value.
    """
    record = is_record(kept)
    fields = resolved(kept, kept)["properties"] if record else {name: kept}
    sent, strict = sent_schema(asked)
    title = str(asked.get("title") or resolved(asked, asked).get("title") or WRAPPER)
    called = re.sub("[^a-zA-Z0-9_-]+", "_", title if record else WRAPPER)[:64]
    wire = {"name": called, "strict": strict, "schema": sent}
    text = json.dumps(sent, ensure_ascii=False, separators=(",", ":"))
    return Shape(
        {"response_format": {"type": "json_schema", "json_schema": wire}},
        _identity({"asked": asked, "kept": kept, "sent": sent}),
        f"Answer with JSON alone, an object that fits this JSON schema: {text}",
        record,
        {column: value_type(node, kept) for column, node in fields.items()},
        check,
        asked,
    )


def _identity(parts: Mapping[str, Any]) -> str:
    text = json.dumps({"version": _VERSION, **parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _loaded(path: Path) -> Any:
    try:
        schema = json.loads(path.expanduser().read_text(encoding="utf-8-sig"))
    except OSError as problem:
        raise InvalidRequest(f"into: {path} cannot be read: {problem.strerror}") from None
    except (ValueError, RecursionError) as problem:
        raise InvalidRequest(f"into: {path} is no JSON: {one_line(problem)}") from None
    if not isinstance(schema, dict):
        raise InvalidRequest(f"into: {path} holds no JSON schema: it must be an object")
    return schema


def _unknown(into: Any, why: str) -> InvalidRequest:
    what = one_line(getattr(into, "__name__", None) or repr(into))
    return InvalidRequest(
        f"into: {what} is nothing that answers can be{f' ({why})' if why else ''}: give a pydantic "
        "model, a dataclass, a JSON schema, or a type such as int, bool, Literal[...] or list[str]"
    )
