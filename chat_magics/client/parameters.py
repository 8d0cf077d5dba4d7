"""What goes into a request's body, under which name, and what a server does not take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import ChatError
from ..messages import ChatRequest, Message

__all__ = ["Adaption", "wire_messages"]

_MAX_TOKENS = ("max_completion_tokens", "max_tokens")
_CODES = {"unsupported_parameter", "unknown_parameter", "unsupported_value", "extra_forbidden"}
_REFUSED = re.compile(
    r"not (?:supported|permitted|allowed)|(?:does|do) not support|unsupported"
    r"|(?:unknown|unrecognized|unexpected) (?:request )?(?:json )?"
    r"(?:parameter|(?:keyword )?argument|field|property|option|input|key|name)\b",
    re.IGNORECASE,
)
"""How servers say that they do not take a parameter at all."""
_OTHER_VALUES = re.compile(
    r"(?:supported|allowed|valid|possible|permitted|accepted) values|permitted:"
    r"|(?:expected|must be|should be) (?:one|any) of|unexpected value|unknown (?:value|variant)",
    re.IGNORECASE,
)
"""How they say that another value would do: that is for the person to choose."""


def wire_messages(request: ChatRequest) -> list[dict[str, Any]]:
    """The messages as the API takes them: with images in parts, else as plain text."""
    parts = _response_parts if request.api == "responses" else _chat_parts
    return [
        {"role": message.role, "content": parts(message) if message.images else message.content}
        for message in request.messages
    ]


def _chat_parts(message: Message) -> list[dict[str, Any]]:
    images = [{"type": "image_url", "image_url": {"url": each.url}} for each in message.images]
    return [{"type": "text", "text": message.content}, *images]


def _response_parts(message: Message) -> list[dict[str, Any]]:
    images = [
        {"type": "input_image", "image_url": each.url, "detail": "auto"} for each in message.images
    ]
    return [{"type": "input_text", "text": message.content}, *images]


def _format(shape: Any) -> Any:
    """A response_format of chat completions, as the Responses API takes it."""
    schema = shape.get("json_schema") if isinstance(shape, dict) else None
    return {"type": "json_schema", **schema} if isinstance(schema, dict) else shape


class Adaption:
    """What was learnt about one server and model: parameters to rename or to leave out.

    Args:
        neutral_name: how `max_tokens` is called here, until the server says otherwise.
    """

    def __init__(self, neutral_name: str) -> None:
        self._limit_name = neutral_name
        self._refused_names: set[str] = set()

    def body(self, request: ChatRequest) -> dict[str, Any]:
        """The JSON body, but for model and messages: only what was set, named as it is taken."""
        body: dict[str, Any] = dict(request.options)
        if request.api == "responses":
            body["store"] = False
            if shape := body.pop("response_format", None):
                body["text"] = {**body.get("text", {}), "format": _format(shape)}
            names = {"max_tokens": "max_output_tokens"}
        else:
            body["stream_options"] = {"include_usage": True}
            names = dict.fromkeys(("max_tokens", *self._refused_names), self._limit_name)
            names = {name: to for name, to in names.items() if name in _MAX_TOKENS}
        named = ((names.get(name, name), value) for name, value in body.items())
        return {name: value for name, value in named if name not in self._refused_names}

    def learn(self, error: ChatError, body: Mapping[str, Any]) -> str | None:
        """Takes in a refusal; what is done about it, or None where it is about something else."""
        if error.status not in (400, 422):
            return None
        name = self._named(error, body)
        if name is None or name == "store":
            return None
        self._refused_names.add(name)
        if name in _MAX_TOKENS:
            other = _MAX_TOKENS[1 - _MAX_TOKENS.index(name)]
            if other not in self._refused_names:
                self._limit_name = other
                return f"the server takes {other} instead of {name}"
        return f"the server does not take {name} for this model: sent without it"

    @staticmethod
    def _named(error: ChatError, body: Mapping[str, Any]) -> str | None:
        if not (error.code in _CODES or _REFUSED.search(error.message)):
            return None
        if _OTHER_VALUES.search(error.message):
            return None
        if error.param:
            top = error.param.split(".")[0].split("[")[0]
            return top if top in body else None
        named = [name for name in body if re.search(rf"\b{re.escape(name)}\b", error.message)]
        return named[0] if len(named) == 1 else None
