"""JSON schemas: what a reference names, which answers have fields, which fields may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InvalidRequest

__all__ = ["check_references", "is_record", "resolved", "takes_null", "without_nulls"]


def resolved(node: Any, root: Mapping[str, Any]) -> Any:
    """The schema that a `$ref` names, other keywords beside it kept; one without stays as it is.

    Raises:
        InvalidRequest: it names nothing, or something outside of the schema.

    Example:
        >>> root = {"$defs": {"Age": {"type": "integer"}}}
        >>> resolved({"$ref": "#/$defs/Age", "description": "in years"}, root)
        {'type': 'integer', 'description': 'in years'}
    """
    seen = set()
    while isinstance(node, Mapping) and "$ref" in node:
        reference = node["$ref"]
        if reference in seen:
            raise InvalidRequest(f"into: $ref {reference!r} of the JSON schema names itself")
        seen.add(reference)
        beside = {name: value for name, value in node.items() if name != "$ref"}
        target = _named(reference, root)
        node = {**target, **beside} if isinstance(target, Mapping) else target
    return node


def _named(reference: Any, root: Mapping[str, Any]) -> Any:
    text = str(reference)
    found: Any = root
    for part in text[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, Mapping) and name in found:
            found = found[name]
        else:
            found = None
    if not text.startswith("#") or text[1:2] not in ("", "/") or found is None:
        raise InvalidRequest(
            f"into: $ref {text!r} names nothing within the JSON schema: put all of it into one"
        )
    return found


def check_references(schema: Mapping[str, Any]) -> None:
    """Refuses a schema that refers to what is not in it; nothing is ever fetched.

    Raises:
        InvalidRequest: the message names the reference.
    """
    for node in _nodes(schema):
        if "$ref" in node and isinstance(node["$ref"], str):
            resolved(node, schema)


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    for inner in value.values() if isinstance(value, Mapping) else value:
        if isinstance(inner, Mapping | list):
            yield from _nodes(inner)


def is_record(schema: Mapping[str, Any]) -> bool:
    """Whether an answer is an object of named fields, each of which becomes a column.

    Example:
        >>> is_record({"type": "object", "properties": {"age": {"type": "integer"}}})
        True
        >>> is_record({"type": "array", "items": {"type": "string"}})
        False
    """
    node = resolved(schema, schema)
    return node.get("type", "object") == "object" and bool(node.get("properties"))


def takes_null(node: Mapping[str, Any]) -> bool:
    """Whether null is among the answers; a reference is not looked into.

    Example:
        >>> takes_null({"anyOf": [{"type": "string"}, {"type": "null"}]})
        True
    """
    kinds = node.get("type")
    allowed = "null" in (kinds if isinstance(kinds, list) else [kinds])
    if "enum" in node or "const" in node:
        return allowed and None in node.get("enum", [node.get("const")])
    return allowed or any(takes_null(each) for each in node.get("anyOf", ()))


def without_nulls(value: Any, node: Any, root: Mapping[str, Any]) -> Any:
    """The answer without the nulls that stand for fields which the schema lets away.

    Strict mode knows no field that may be missing: there each such field may be null instead.

    Args:
        value: as the model sent it.
        node: the schema of the value, within `root`.
        root: the schema as it was given.

    Example:
        >>> schema = {"type": "object", "properties": {"name": {"type": "string"}}}
        >>> without_nulls({"name": None}, schema, schema)
        {}
    """
    node = resolved(node, root)
    if not isinstance(node, Mapping):
        return value
    if isinstance(value, list):
        return [without_nulls(each, node.get("items"), root) for each in value]
    if not isinstance(value, dict):
        return value
    for way in ("anyOf", "oneOf", "allOf"):
        ways = [resolved(each, root) for each in node.get(way, ())]
        objects = [each for each in ways if isinstance(each, Mapping) and "properties" in each]
        if len(objects) == 1:
            return without_nulls(value, objects[0], root)
    fields, required = node.get("properties", {}), node.get("required", ())
    return {
        name: without_nulls(inner, fields.get(name), root)
        for name, inner in value.items()
        if inner is not None or name in required or not _is_optional(name, fields, root)
    }


def _is_optional(name: str, fields: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Whether null can only mean that the field is left out."""
    node = resolved(fields.get(name), root)
    if not isinstance(node, Mapping):
        return False
    ways = [resolved(each, root) for way in ("anyOf", "oneOf") for each in node.get(way, ())]
    untyped = not {"type", "enum", "const", *("anyOf", "oneOf", "allOf")} & set(node)
    return not untyped and not any(takes_null(each) for each in [node, *ways])
