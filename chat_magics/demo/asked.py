"""A request's JSON → what the demo model needs of it, or a refusal in OpenAI's words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..messages import Image, Message, Role
from .typed import schema_of

__all__ = ["MODELS", "Asked", "Refused", "read_chat", "read_responses"]

MODELS: Mapping[str, float | None] = {"demo": None, "demo-slow": 5.0}
"""The models, and their tokens a second where the server's own speed does not hold."""

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}

_IMAGES = ("image_url", "input_image")
"""What a part of a message with an image is called, by the API."""


class Refused(Exception):
    """A request that is answered with an error; never leaves the demo server."""

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status

    @classmethod
    def no_such_model(cls, name: str) -> Refused:
        """The refusal that names the models which are there."""
        known = ", ".join(f"`{model}`" for model in MODELS)
        message = f"The model `{name}` is not here; those that are: {known}."
        return cls(message, param="model", code="model_not_found", status=404)

    @property
    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        kind = "invalid_request_error"
        if self.status == 429:
            kind = "requests"
        elif self.status >= 500:
            kind = "server_error"
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}


@dataclass(frozen=True)
class Asked:
    """What is asked of the demo model.

    Args:
        model: one of MODELS.
        messages: at least one.
        stream: as server-sent events, or as one body.
        include_usage: a stream ends with a chunk of usage.
        max_tokens: the reply is cut after so many; None for no limit.
        schema: a JSON schema that the reply is to fit; None for text.
    """

    model: str
    messages: tuple[Message, ...]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    schema: dict[str, Any] | None = None


def read_chat(raw: bytes) -> Asked:
    """The body of POST /v1/chat/completions.

    Raises:
        Refused: it cannot be answered.
    """
    body = _object(raw)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("'messages' must be a list of at least one message.", param="messages")
    options = body.get("stream_options") or {}
    return Asked(
        model=_model(body),
        messages=tuple(_message(item, f"messages[{n}]") for n, item in enumerate(messages)),
        stream=_flag(body, "stream"),
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        max_tokens=_limit(body, "max_completion_tokens", "max_tokens"),
        schema=schema_of(body),
    )


def read_responses(raw: bytes) -> Asked:
    """The body of POST /v1/responses; `instructions` count as a system message.

    Raises:
        Refused: it cannot be answered.
    """
    body = _object(raw)
    given, instructions = body.get("input"), body.get("instructions")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise Refused("'input' must be a text or a list of messages.", param="input")
    system = [{"role": "system", "content": instructions}] if instructions else []
    return Asked(
        model=_model(body),
        messages=tuple(_message(item, f"input[{n}]") for n, item in enumerate([*system, *given])),
        stream=_flag(body, "stream"),
        include_usage=True,
        max_tokens=_limit(body, "max_output_tokens"),
        schema=schema_of(body),
    )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refused("The body of the request is not JSON.") from None
    if not isinstance(body, dict):
        raise Refused("The body of the request is not a JSON object.")
    return body


def _model(body: dict[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str):
        raise Refused("You must name a model.", param="model", code="missing_required_parameter")
    if model not in MODELS:
        raise Refused.no_such_model(model)
    return model


def _message(item: Any, place: str) -> Message:
    if not isinstance(item, dict) or item.get("role") not in _ROLES:
        known = ", ".join(_ROLES)
        raise Refused(f"'{place}' must have a role; one of: {known}.", param=f"{place}.role")
    content = item.get("content")
    images: tuple[Image, ...] = ()
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        images = tuple(_image(part, place) for part in parts if part.get("type") in _IMAGES)
        content = "".join(str(part.get("text", "")) for part in parts)
    if not isinstance(content, str):
        raise Refused(f"'{place}' must have a text as its content.", param=f"{place}.content")
    return Message(role=_ROLES[item["role"]], content=content, images=images)


def _image(part: dict[str, Any], place: str) -> Image:
    url = part.get("image_url")
    url = url.get("url") if isinstance(url, dict) else url
    head, _, data = str(url).partition(";base64,")
    if not head.startswith("data:image/") or not data:
        raise Refused(
            f"'{place}' must have its images as data:image/...;base64, URLs.",
            param=f"{place}.content",
        )
    return Image(mime=head.removeprefix("data:"), base64=data)


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise Refused(f"'{name}' must be true or false.", param=name, code="invalid_type")
    return bool(value)


def _limit(body: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise Refused(f"'{name}' must be a whole number of 1 or more.", param=name)
        return value
    return None
