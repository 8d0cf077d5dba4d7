"""What the demo model answers to a JSON schema: values of the right types, chosen by the prompt.

They say nothing of the prompt, for no model stands behind them; where there is text, it says so.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

__all__ = ["schema_of", "typed_answer"]

TEXT = "demo: no model stands behind this"
_FORMATS = {"date-time": "2026-01-05T10:00:00Z", "date": "2026-01-05"}
_DEEPEST = 12


def schema_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON schema that a body of chat completions or responses asks the reply to fit; or None.

    Example:
        >>> schema_of({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}})
        {}
    """
    wanted = body.get("response_format")
    if isinstance(wanted, dict):
        wanted = wanted.get("json_schema")
    else:
        text = body.get("text")
        wanted = text.get("format") if isinstance(text, dict) else None
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    return schema if isinstance(schema, dict) else None


def typed_answer(schema: Mapping[str, Any], prompt: str) -> str:
    """JSON that fits a schema; the same for the same prompt.

    Example:
        >>> typed_answer({"type": "object", "properties": {"urgent": {"type": "boolean"}}}, "Hi")
        '{"urgent": true}'
    """
    return json.dumps(_value(schema, schema, zlib.crc32(prompt.encode("utf-8", "replace")), 0))


def _value(node: Any, root: Mapping[str, Any], number: int, depth: int) -> Any:
    node = _resolved(node, root)
    if "const" in node:
        return node["const"]
    if node.get("enum"):
        return node["enum"][number % len(node["enum"])]
    for way in ("anyOf", "oneOf"):
        if node.get(way):
            return _value(node[way][0], root, number, depth + 1)
    kinds = node.get("type", "object")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object" and depth < _DEEPEST:
        fields = node.get("properties") or {}
        return {
            name: _value(inner, root, number // (place + 1), depth + 1)
            for place, (name, inner) in enumerate(fields.items())
        }
    if kind == "array":
        count = max(int(node.get("minItems", 1)), 1 if depth < _DEEPEST else 0)
        return [_value(node.get("items", {}), root, number, depth + 1)] * count
    return {
        "boolean": number % 2 == 0,
        "integer": max(number % 5 + 1, int(node.get("minimum", 0))),
        "number": max(number % 100 / 100, float(node.get("minimum", 0))),
        "string": _FORMATS.get(node.get("format", ""), TEXT),
    }.get(kind)


def _resolved(node: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = node.get("$ref", "") if isinstance(node, Mapping) else ""
    if not reference:
        return node if isinstance(node, Mapping) else {}
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
