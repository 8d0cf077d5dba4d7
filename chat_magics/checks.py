"""What text and which options can be sent at all, whoever gives them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from .errors import InvalidOption, InvalidRequest

__all__ = ["check_options", "check_text", "storable"]

_OURS = {
    "messages": "use the prompt",
    "input": "use the prompt",
    "instructions": "use --system",
    "model": "use --model",
    "stream": "it always streams",
    "stream_options": "usage is always asked for",
    "store": "replies are kept here and never there",
    "api_key": "use %chat_config api_key",
}
_RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2)}
_RANGES["frequency_penalty"] = _RANGES["presence_penalty"]


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


def storable(text: str) -> str:
    """Text of a server that any database takes: half of a surrogate pair is a question mark.

    Example:
        >>> storable("req_\\udcff")
        'req_?'
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def check_options(options: Mapping[str, Any]) -> None:
    """Refuses options that have their own place, or a value that no API takes.

    Raises:
        InvalidOption: the message says which option and what to use instead.
    """
    for name, value in options.items():
        if name in _OURS:
            raise InvalidOption(f"option {name} cannot be set: {_OURS[name]}", param=name)
        if name == "n" and value != 1:
            raise InvalidOption("option n must be 1: a conversation has one reply", param=name)
        _check_json(name, value)
        low, high = _RANGES.get(name, (-math.inf, math.inf))
        if name in _RANGES and not (_is_number(value) and low <= value <= high):
            raise InvalidOption(f"option {name} must be a number from {low} to {high}", param=name)
    tokens = options.get("max_tokens")
    if tokens is not None and not (type(tokens) is int and tokens > 0):
        raise InvalidOption("option max_tokens must be a whole number above 0", param="max_tokens")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_json(name: str, value: Any) -> None:
    try:
        json.dumps([name, value], allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidOption(f"option {name!a} holds half of a surrogate pair") from None
    except (ValueError, TypeError, RecursionError):
        raise InvalidOption(
            f"option {name} must be JSON, with finite numbers", param=name
        ) from None
