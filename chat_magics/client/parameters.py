"""What goes into a request's body, under which name, and what a server does not take."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ..errors import ChatError, InvalidOption, InvalidRequest
from ..messages import ChatRequest

__all__ = ["Adaption", "check_options", "check_text"]

_OURS = {
    "messages": "the prompt",
    "input": "the prompt",
    "instructions": "--system",
    "model": "--model",
    "stream": "nothing, it always streams",
    "stream_options": "nothing, usage is always asked for",
    "store": "nothing, replies are kept here and never there",
    "api_key": "%chat_config api_key",
}
_RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2)}
_RANGES["frequency_penalty"] = _RANGES["presence_penalty"]
_MAX_TOKENS = ("max_completion_tokens", "max_tokens")
_REFUSED = re.compile(
    r"unsupported|unrecognized|unknown|not supported|not permitted|extra (?:inputs|fields)"
    r"|unexpected",
    re.IGNORECASE,
)


def check_text(text: str, what: str) -> None:
    """Refuses text that cannot travel or be stored: NUL, and half of a surrogate pair.

    Raises:
        InvalidRequest: it holds one; the message says which and where.
    """
    if (place := text.find("\0")) >= 0:
        raise InvalidRequest(f"{what} holds a NUL character at position {place}: remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"{what} holds half of a surrogate pair at position {error.start}: remove it"
        ) from None


def check_options(options: Mapping[str, Any]) -> None:
    """Refuses options that have their own place, or a value that no API takes.

    Raises:
        InvalidOption: the message says which option and what to use instead.
    """
    for name, value in options.items():
        if name in _OURS:
            raise InvalidOption(f"option {name} cannot be set: use {_OURS[name]}", param=name)
        if name == "n" and value != 1:
            raise InvalidOption("option n must be 1: a conversation has one reply", param=name)
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidOption(f"option {name} must be a finite number", param=name)
        low, high = _RANGES.get(name, (-math.inf, math.inf))
        if name in _RANGES and not (isinstance(value, int | float) and low <= value <= high):
            raise InvalidOption(f"option {name} must be a number from {low} to {high}", param=name)
    tokens = options.get("max_tokens")
    if tokens is not None and not (isinstance(tokens, int) and tokens > 0):
        raise InvalidOption("option max_tokens must be a whole number above 0", param="max_tokens")


class Adaption:
    """What was learnt about one server and model: parameters to rename or to leave out.

    Args:
        neutral_name: how `max_tokens` is called here, until the server says otherwise.
    """

    def __init__(self, neutral_name: str) -> None:
        self._renamed: dict[str, str | None] = {"max_tokens": neutral_name}

    def body(self, request: ChatRequest) -> dict[str, Any]:
        """The JSON body, but for model and messages: only what was set, named as it is taken."""
        body: dict[str, Any] = dict(request.options)
        if request.api == "responses":
            return self._applied({**body, "store": False}, {"max_tokens": "max_output_tokens"})
        return self._applied({**body, "stream_options": {"include_usage": True}}, {})

    def _applied(self, body: dict[str, Any], fixed: Mapping[str, str]) -> dict[str, Any]:
        names = {**self._renamed, **fixed}
        named = ((names.get(name, name), value) for name, value in body.items())
        return {name: value for name, value in named if name is not None}

    def learn(self, error: ChatError, body: Mapping[str, Any]) -> str | None:
        """Takes in a refusal; what is done about it, or None where it is about something else."""
        if error.status not in (400, 422):
            return None
        name = self._refused(error, body)
        if name is None or name in ("store", "messages"):
            return None
        if name in _MAX_TOKENS:
            other = _MAX_TOKENS[1 - _MAX_TOKENS.index(name)]
            if self._renamed.get("max_tokens") == name and not self._renamed.get("tried"):
                self._renamed.update(max_tokens=other, tried="tried")
                return f"the server takes {other} instead of {name}"
            self._renamed["max_tokens"] = None
            return "the server takes no limit of tokens: sent without it"
        self._renamed[name] = None
        return f"the server does not take {name} for this model: sent without it"

    @staticmethod
    def _refused(error: ChatError, body: Mapping[str, Any]) -> str | None:
        if not _REFUSED.search(f"{error.code} {error.message}"):
            return None
        if error.param:
            top = error.param.split(".")[0].split("[")[0]
            return top if top in body else None
        named = [name for name in body if re.search(rf"\b{re.escape(name)}\b", error.message)]
        return named[0] if len(named) == 1 else None
