"""`%chat_config`: each setting, its value and where it came from; set one; ask for the key."""

from __future__ import annotations

import json
import re
import sys
from getpass import getpass
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..config import ChatConfig, is_sendable, key_to_send, resolve, save_key

if TYPE_CHECKING:
    from .magics import ChatMagics

__all__ = ["settings"]

_PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*@")


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
    sys.stdout.write("\n".join(_line(magics, each) for each in names) + "\n")
    _, withheld = key_to_send(magics.session.config, magics.session.sources)
    if withheld:
        sys.stdout.write(f"Note: {withheld}\n")


def _value(name: str, text: str) -> Any:
    if ChatConfig.model_fields[name].annotation in (str, str | None):
        return text.strip("\"'")
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text


def _line(magics: ChatMagics, name: str) -> str:
    config, sources = magics.session.config, magics.session.sources
    value = getattr(config, name)
    if name == "api_key":
        shown = "set" if value else "not set"
    else:
        shown = "not set" if value is None else _PASSWORD.sub(r"\1***@", str(value))
    source = sources.get(name, "default")
    return f"{name:<25} {shown:<28} {source:<12} {ChatConfig.model_fields[name].description}"


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
    try:
        key = getpass(f"Key for {config.host}: ").strip()
    except (EOFError, RuntimeError, NotImplementedError):
        raise UsageError("nobody can be asked here: set OPENAI_API_KEY instead") from None
    if not key:
        raise UsageError("no key was typed: nothing is changed")
    if not is_sendable(key):
        raise UsageError("this is no key: it holds a space or a special character")
    magics.set_key(key)
    if not config.at_openai:
        magics.base_url = config.base_url  # set together: a key typed for a host is for that host
    if config.keyring:
        save_key(config.host, key)
