"""Tab on a line of ours: options, models, conversations, settings and their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from IPython.core.completer import SimpleCompletion, context_matcher

from ..errors import ChatError
from .lines import LINES
from .options import FORMATS, NOT_AGAIN, OPTIONS, at_cursor, meaning, quoted
from .rows_tab import columns_at, for_row_option, frames

if TYPE_CHECKING:
    from .magics import ChatMagics

__all__ = ["completions", "matcher_for"]

_COMMAND = re.compile(r"^\s*(%%?)(chat\w*)\s+")
_ROWS = re.compile(r"^\s*%%chat_rows\s+")
_ONLY = {"chat_cache": "--clear", "chat_doctor": "--ask"}
_QUOTES = ('"', "'")


def matcher_for(magics: ChatMagics) -> Any:
    """A matcher for `IPCompleter.custom_matchers`.

    The older hook, `complete_command`, cannot keep Jedi's Python names out of the list.
    """

    @context_matcher(identifier="chat_magics")  # type: ignore[untyped-decorator] # IPython's
    def matcher(context: Any) -> dict[str, Any]:
        before = context.text_until_cursor
        after = context.line_with_cursor[len(before) :]
        first, _, template = context.full_text.partition("\n")
        rows = _ROWS.match(first) if template and context.cursor_line else None
        if rows is not None:
            words, typed = columns_at(_variables(magics), first[rows.end() :], before, after)
        else:
            words, typed = completions(magics, before, after)
        return {
            "completions": [SimpleCompletion(text=word, type="magic") for word in words],
            "matched_fragment": typed,
            "ordered": True,
            "suppress": bool(words),
        }

    return matcher


def completions(magics: ChatMagics, line: str, after: str = "") -> tuple[list[str], str]:
    """What may stand in the place of the end of a line of ours, and that end; asks no server.

    Args:
        magics: whose session knows the models and the conversations.
        line: up to the cursor.
        after: behind the cursor, where an editor may have put the closing quote already.
    """
    match = _COMMAND.match(line)
    if match is None:
        return [], ""
    sign, command, rest = match[1], match[2], line[match.end() :]
    try:
        words, typed = _offered(magics, command, rest, prompt_follows=sign == "%")
    except ChatError:  # such as a bad setting: told where a question is asked, not at Tab
        return [], at_cursor(rest)[1]
    if after[:1] in _QUOTES and typed[:1] == after[:1]:
        words = [word.removesuffix(after[:1]) for word in words]
    return words, typed


def _offered(
    magics: ChatMagics, command: str, rest: str, *, prompt_follows: bool
) -> tuple[list[str], str]:
    if command == "chat_open":
        return _names(magics, rest), rest
    if command == "chat_config":
        name, blank, value = rest.partition(" ")
        typed = value.lstrip() if blank else name
        words = _values(magics, name) if blank else _settings(magics)
    elif command in _ONLY:
        words, typed = [_ONLY[command]], rest
    else:
        before, typed = at_cursor(rest)
        if command == "chat":
            return _options(magics, before, typed, prompt_follows=prompt_follows), typed
        if command == "chat_regenerate":
            return _options(magics, before, typed, without=NOT_AGAIN), typed
        return _of_line(magics, command, before, typed), typed
    return [word for word in words if word.startswith(typed)], typed


def _of_line(magics: ChatMagics, command: str, before: Sequence[str], typed: str) -> list[str]:
    """Options of a magic over what is stored, the value of one, or conversations."""
    if command not in LINES:
        return []
    line = LINES[command]()
    last = before[-1] if before else ""
    offered = line.values(last)
    if last in ("-c", "--conversation"):
        return _for_option(magics, "conversation", typed)
    if last in ("-m", "--model"):
        return _for_option(magics, "model", typed)
    if command == "chat_rows":
        offered = _of_rows(magics, before, typed, offered)
    words = line.flags() if offered is None else offered
    found = [word for word in words if word.startswith(typed)]
    if offered is None and command in ("chat_history", "chat_stats") and typed[:1] != "-":
        found += _for_option(magics, "conversation", typed)
    return found


def _variables(magics: ChatMagics) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(magics.shell, "user_ns", {})
    return found


def _of_rows(
    magics: ChatMagics, before: Sequence[str], typed: str, offered: Sequence[str] | None
) -> Sequence[str] | None:
    """Values that the kernel's variables give; the frame itself comes first on the line."""
    variables = _variables(magics)
    if not before:
        return None if typed[:1] == "-" else frames(variables)
    found = for_row_option(variables, before[-1])
    return offered if found is None else found


def _options(
    magics: ChatMagics,
    before: Sequence[str],
    typed: str,
    *,
    prompt_follows: bool = False,
    without: Sequence[str] = (),
) -> list[str]:
    """What may stand behind these words of a line of options; nothing once the prompt began."""
    due: str | None = None
    for word in before:
        if due is not None:
            due = None
        elif word == "--" or (prompt_follows and not word.startswith("-")):
            return []
        else:
            due = _takes_value(word)
    if due is not None:
        return _for_option(magics, due, typed)
    flag, equals, value = typed.partition("=")
    if equals:
        name = _takes_value(flag)
        return [f"{flag}={word}" for word in _for_option(magics, name, value)] if name else []
    known = (flags for name, (flags, _) in OPTIONS.items() if name not in without)
    flags = [flag for each in known for flag in each if flag.startswith("--")]
    return [flag for flag in flags if flag.startswith(typed)]


def _takes_value(word: str) -> str | None:
    """The option of this flag, where it takes a value."""
    for name, (flags, arguments) in OPTIONS.items():
        if word in flags and arguments.get("action") != "store_true":
            return name
    return None


def _for_option(magics: ChatMagics, option: str, typed: str) -> list[str]:
    """Values of an option that begin as `typed` means, written as `typed` begins."""
    values: Sequence[str] = ()
    if option == "model":
        values = magics.session.client.known_models()
    elif option == "conversation":
        values = _conversations(magics)
    elif option == "format":
        values = FORMATS
    begun, quote = meaning(typed), typed[:1] if typed[:1] in _QUOTES else ""
    return [quoted(value, quote) for value in values if value.startswith(begun)]


def _names(magics: ChatMagics, typed: str) -> list[str]:
    """Conversations for `%chat_open`, which takes the whole line, in quotes or not."""
    quote = typed[:1] if typed[:1] in _QUOTES else ""
    begun = typed.removeprefix(quote)
    names = [name for name in _conversations(magics) if name.startswith(begun)]
    return [f"{quote or _needed(name)}{name}{quote or _needed(name)}" for name in names]


def _needed(name: str) -> str:
    """A quote around a name that would lose its own; else nothing."""
    return '"' if name[0] in _QUOTES and name[0] == name[-1] else ""


def _conversations(magics: ChatMagics) -> list[str]:
    records = magics.session.history.load_conversations(limit=50)
    return [record.name or record.id[:8] for record in records]


def _settings(magics: ChatMagics) -> list[str]:
    return sorted([*magics.trait_names(config=True), "api_key"])


def _values(magics: ChatMagics, name: str) -> list[str]:
    """What a setting can be set to, as far as that can be listed."""
    from ..config import ChatConfig  # pydantic, at the first Tab

    field = ChatConfig.model_fields.get(name.removeprefix("ChatMagics."))
    if field is None:
        return []
    values: Sequence[str] = ()
    if bool in (field.annotation, *get_args(field.annotation)):
        values = ("true", "false")
    elif get_origin(field.annotation) is Literal:
        values = get_args(field.annotation)
    elif name == "model":
        values = magics.session.client.known_models()
    return [*values, "default"]
