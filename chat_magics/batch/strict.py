"""A JSON schema as the API takes it: in strict mode where it allows that, an object at the root."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .schemas import is_record, resolved, takes_null

__all__ = ["WRAPPER", "sent_schema"]

WRAPPER = "answer"
"""The one property of the object that a scalar or a list travels in."""

_DEFINITIONS = ("$defs", "definitions")
_KEPT = {
    *("type", "description", "enum", "const", "format", "pattern", "multipleOf"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"),
}
"""Keywords that strict mode takes as they are."""
_TOLD = {"minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties", "examples"}
"""Keywords that it refuses; the model reads them in the description, and the reply is checked."""
_IDLE = {"title", "default", "deprecated", "readOnly", "writeOnly", "discriminator"}
_IDLE |= {"$schema", "$id", "$comment", "$anchor", "id"}
"""Keywords that ask nothing of an answer."""
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_MOST_PROPERTIES, _MOST_VALUES, _DEEPEST = 5000, 1000, 10
"""Limits of strict mode: properties and enum values in all, objects within objects."""


def sent_schema(schema: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema as it is sent, and whether strict mode takes it.

    Where strict mode does not, the schema is sent as it was given, as advice to the model.

    Args:
        schema: of an answer; anything but an object of named fields is wrapped in one.

    Example:
        >>> schema, strict = sent_schema({"type": "integer", "title": "Age"})
        >>> schema["properties"], schema["additionalProperties"], strict
        ({'answer': {'type': 'integer'}}, False, True)
    """
    whole = _unwrapped(schema) if is_record(schema) else _wrapped(schema)
    try:
        return _Strict().root(whole), True
    except _NotStrictError:
        return whole, False


def _unwrapped(schema: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return dict(schema)
    return {**resolved(schema, schema), **_definitions(schema)}  # the root must be an object itself


def _wrapped(schema: Mapping[str, Any]) -> dict[str, Any]:
    inner = {name: value for name, value in schema.items() if name not in _DEFINITIONS}
    return {
        "type": "object",
        "properties": {WRAPPER: _moved(inner)},
        "required": [WRAPPER],
        "additionalProperties": False,
        **{name: _moved(value) for name, value in _definitions(schema).items()},
    }


def _definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: schema[name] for name in _DEFINITIONS if name in schema}


def _moved(value: Any) -> Any:
    """With references that hold where the schema is a property; definitions stay at the root."""
    if isinstance(value, list):
        return [_moved(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    moved = {name: _moved(inner) for name, inner in value.items()}
    reference = value.get("$ref")
    if isinstance(reference, str) and not reference.startswith(("#/$defs/", "#/definitions/")):
        moved["$ref"] = f"#/properties/{WRAPPER}{reference[1:]}"
    return moved


class _NotStrictError(Exception):
    """Strict mode does not take this schema."""


class _Strict:
    """A schema on its way to what strict mode takes; counts what is limited there."""

    def __init__(self) -> None:
        self._properties = 0
        self._values = 0

    def root(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        converted = self._node({k: v for k, v in schema.items() if k not in _DEFINITIONS}, 1)
        for name, definitions in _definitions(schema).items():
            converted[name] = {each: self._node(node, 1) for each, node in definitions.items()}
        return converted

    def _node(self, node: Any, depth: int) -> dict[str, Any]:
        if not isinstance(node, Mapping) or depth > _DEEPEST:
            raise _NotStrictError
        if "$ref" in node:
            return _described({"$ref": node["$ref"]}, node)
        if isinstance(node.get("allOf"), list) and len(node["allOf"]) == 1:
            beside = {name: value for name, value in node.items() if name != "allOf"}
            return self._node({**node["allOf"][0], **beside}, depth)
        strict: dict[str, Any] = {}
        told = []
        for name, value in node.items():
            if name in _KEPT and not (name == "format" and value not in _FORMATS):
                strict[name] = value
            elif name in _TOLD or name == "format":
                told.append(f"{name}: {json.dumps(value, ensure_ascii=False)}")
            elif name not in _IDLE:
                self._inner(name, value, node, strict, depth)
        self._check(strict)
        if told:
            strict["description"] = " ".join([*_text(strict), f"({', '.join(told)})"])
        return strict

    def _inner(
        self, name: str, value: Any, node: Mapping[str, Any], strict: dict[str, Any], depth: int
    ) -> None:
        if name == "items":
            strict["items"] = self._node(value, depth)
        elif name in ("anyOf", "oneOf") and isinstance(value, list):
            strict["anyOf"] = [self._node(each, depth) for each in value]
        elif name == "properties":
            self._properties += len(value)
            strict["properties"] = {
                each: self._property(inner, each in node.get("required", ()), depth + 1)
                for each, inner in value.items()
            }
        elif not (name == "required" or (name == "additionalProperties" and value is False)):
            raise _NotStrictError

    def _property(self, node: Any, required: bool, depth: int) -> dict[str, Any]:
        strict = self._node(node, depth)
        return strict if required or takes_null(strict) else {"anyOf": [strict, {"type": "null"}]}

    def _check(self, strict: dict[str, Any]) -> None:
        kinds = strict.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if "object" in kinds:
            strict.setdefault("properties", {})
        if "properties" in strict:
            strict["required"] = list(strict["properties"])
            strict["additionalProperties"] = False
        elif "array" in kinds and "items" not in strict:
            raise _NotStrictError
        values = [strict["const"]] if "const" in strict else strict.get("enum", ())
        self._values += len(values)
        if values and "type" not in strict:
            strict["type"] = _types(values)
        if not {"type", "anyOf"} & set(strict):
            raise _NotStrictError  # anything at all
        if self._properties > _MOST_PROPERTIES or self._values > _MOST_VALUES:
            raise _NotStrictError


def _described(reference: dict[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """A reference may have nothing beside it, but what it stands in may have a description."""
    if set(node) - _IDLE - {"$ref", "description"}:
        raise _NotStrictError
    text = node.get("description")
    return {"anyOf": [reference], "description": text} if text else reference


def _text(strict: Mapping[str, Any]) -> list[str]:
    return [strict["description"]] if strict.get("description") else []


def _types(values: Any) -> str | list[str]:
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    found = list(dict.fromkeys(kinds.get(type(value), "object") for value in values))
    return found[0] if len(found) == 1 else found
