"""`%chat_config`: each setting, its value and where it came from; set one; ask for the key."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from getpass import getpass
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..config import ChatConfig, TypedKey, is_sendable, key_to_send, resolve, save_key, shown

if TYPE_CHECKING:
    from .magics import ChatMagics

__all__ = ["settings"]

WIDEST = 40
"""Characters of a column."""


def settings(magics: ChatMagics, line: str) -> None:
    """Shows all settings, one, or sets one.

    Raises:
        UsageError: there is no such setting, or its value does not make sense.
    """
    name, _, value = line.partition(" ")
    name, value = name.removeprefix("ChatMagics."), value.strip()
    if name and name not in ChatConfig.model_fields:
        raise UsageError(f"there is no setting {name!r}; %chat_config lists them")
    if name == "api_key":
        _ask_for_key(magics, value)
    elif value:
        magics.set_here(name, None if value == "default" else _value(name, value))
    magics.session.refresh()
    names = [name] if name else list(ChatConfig.model_fields)
    sys.stdout.write(_table([_row(magics, each) for each in names]))
    _, withheld = key_to_send(magics.session.config, magics.session.sources)
    policy = magics.session.config.policy
    for note in (withheld, policy and policy.summary):
        if note:
            sys.stdout.write(f"Note: {note}\n")


def _value(name: str, text: str) -> Any:
    if ChatConfig.model_fields[name].annotation in (str, str | None):
        return text.strip("\"'")
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text


def _row(magics: ChatMagics, name: str) -> tuple[str, str, str, str]:
    """A setting, its value, where it came from, and what it is."""
    config, sources = magics.session.config, magics.session.sources
    value = getattr(config, name)
    said = "not set" if value in (None, "") else shown(value)
    if name == "api_key" and value:
        said = "set"
    meaning = ChatConfig.model_fields[name].description or ""
    return name, said, sources.get(name, "default"), meaning


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """The rows with their columns one below the other; a long value moves its own row alone."""
    widths = [
        min(max(len(row[column]) for row in rows), WIDEST) for column in range(len(rows[0]) - 1)
    ]
    lines = (
        "  ".join(
            [*(f"{each:<{width}}" for each, width in zip(row[:-1], widths, strict=True)), row[-1]]
        )
        for row in rows
    )
    return "\n".join(lines) + "\n"


def _ask_for_key(magics: ChatMagics, value: str) -> None:
    if value == "default":
        magics.set_key(None)
        return
    if value:
        raise UsageError(
            "a key is never taken from the line, which stays in the notebook and in IPython's "
            "history: type %chat_config api_key alone, and the key where it asks. If this one is "
            "real, revoke it."
        )
    # Without the key that is set, which may be the unusable one that is to be replaced.
    config = resolve({"api_key": "asked-for-now"}, magics.settings_here())
    if config.base_url == "demo":
        raise UsageError(
            "the demo model takes no key: set base_url first, or reset it by "
            "%chat_config base_url default"
        )
    try:
        key = getpass(f"Key for {config.host}: ").strip()
    except (EOFError, RuntimeError, NotImplementedError):
        raise UsageError("nobody can be asked here: set OPENAI_API_KEY instead") from None
    if not key:
        raise UsageError("no key was typed: nothing is changed")
    if not is_sendable(key):
        raise UsageError("this is no key: it holds a space or a special character")
    magics.set_key(TypedKey(config.host, key))
    if config.keyring:
        save_key(config.host, key)
