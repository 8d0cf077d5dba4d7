"""The line of `%chat` and `%%chat`, parsed: options first, then the prompt as it stands."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, NoReturn

from IPython.core.error import UsageError

__all__ = [
    "FORMATS",
    "NOT_AGAIN",
    "OPTIONS",
    "ChatOptions",
    "at_cursor",
    "meaning",
    "parse_cell",
    "parse_line",
    "quoted",
]

FORMATS = ("markdown", "text", "code", "json")

OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "model": (("-m", "--model"), {"metavar": "NAME", "help": "the model to ask"}),
    "system": (("-s", "--system"), {"metavar": "TEXT", "help": "the system prompt"}),
    "temperature": (("-t", "--temperature"), {"type": float, "metavar": "0..2"}),
    "max_tokens": (("--max-tokens",), {"type": int, "metavar": "N", "help": "longest reply"}),
    "option": (
        ("--option",),
        {"action": "append", "default": [], "metavar": "KEY=VALUE", "help": "any other API option"},
    ),
    "attach": (
        ("--attach",),
        {
            "action": "append",
            "default": [],
            "metavar": "FILE",
            "help": "a text file or an image that goes with the prompt; as often as needed",
        },
    ),
    "conversation": (
        ("-c", "--conversation"),
        {"metavar": "NAME", "help": "ask in this conversation; made where there is none"},
    ),
    "new": (("--new",), {"action": "store_true", "help": "start a new conversation"}),
    "alone": (("--alone",), {"action": "store_true", "help": "send no context"}),
    "refresh": (("--refresh",), {"action": "store_true", "help": "ask past the cache"}),
    "no_cache": (("--no-cache",), {"action": "store_true", "help": "neither read nor write it"}),
    "out": (("-o", "--out"), {"metavar": "NAME", "help": "variable for the reply"}),
    "format": (("-f", "--format"), {"choices": FORMATS, "default": "markdown"}),
    "quiet": (("-q", "--quiet"), {"action": "store_true", "help": "show nothing"}),
    "dry_run": (
        ("--dry-run",),
        {"action": "store_true", "help": "show what would be sent, and its price; send nothing"},
    ),
}
"""Name → flags and argparse's arguments; the one list of options, for parsing and completing."""

NOT_AGAIN = ("dry_run", "alone", "refresh", "no_cache", "new", "attach")
"""Options that make no sense for asking again."""

_WORD = re.compile(r"""\s*((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+)""")


@dataclass(frozen=True)
class ChatOptions:
    """What was asked for on the line."""

    prompt: str
    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    attach: tuple[str, ...] = ()
    conversation: str | None = None
    new: bool = False
    alone: bool = False
    refresh: bool = False
    no_cache: bool = False
    out: str | None = None
    format: str = "markdown"
    quiet: bool = False
    dry_run: bool = False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; %%chat? lists the options")

    def parse_words(self, words: list[str], *, prompt_follows: bool) -> dict[str, Any]:
        """The options in these words, by name."""
        parsed, strange = self.parse_known_args(words)
        if strange and prompt_follows:
            raise UsageError(
                f"there is no option {strange[0]}: %%chat? lists them; "
                f"a prompt that begins with - goes after --: %chat -- {strange[0]} ..."
            )
        if strange:
            self.error(f"there is no option {strange[0]}")
        return vars(parsed)


def _parser() -> _Parser:
    parser = _Parser(prog="%%chat", add_help=False, allow_abbrev=False)
    for name, (flags, arguments) in OPTIONS.items():
        parser.add_argument(*flags, dest=name, **arguments)
    return parser


def parse_cell(line: str, cell: str) -> ChatOptions:
    """The options of a `%%chat` line, and the cell as the prompt.

    Raises:
        UsageError: an option is unknown or lacks its value, or the line holds anything else.
    """
    words, rest = _leading_options(line)
    options = _options(words, cell.removesuffix("\n"), prompt_follows=False)
    if rest:
        raise UsageError(
            f"unexpected {rest.split()[0]!r} on the %%chat line: the prompt goes below it"
        )
    return options


def parse_line(line: str) -> ChatOptions:
    """The options at the start of a `%chat` line, and what follows as the prompt, unchanged.

    Raises:
        UsageError: an option is unknown or lacks its value.
    """
    return _options(*_leading_options(line), prompt_follows=True)


def _options(words: list[str], prompt: str, *, prompt_follows: bool) -> ChatOptions:
    parsed = _parser().parse_words(words, prompt_follows=prompt_follows)
    parsed["attach"] = tuple(parsed["attach"])
    parsed["options"] = dict(_key_value(text) for text in parsed.pop("option"))
    out = parsed["out"]
    if out is not None and (not out.isidentifier() or iskeyword(out)):
        raise UsageError(f"--out needs the name of a variable, not {parsed['out']!r}")
    if parsed["new"] and parsed["conversation"]:
        raise UsageError("--new and --conversation exclude each other: %chat_new NAME makes one")
    return ChatOptions(prompt=prompt, **parsed)


def _leading_options(line: str) -> tuple[list[str], str]:
    """The words of the options at the start, and the untouched rest of the line."""
    takes_value = {
        flag: arguments.get("action") != "store_true"
        for flags, arguments in OPTIONS.values()
        for flag in flags
    }
    words: list[str] = []
    at, value_due = 0, False
    while match := _WORD.match(line, at):
        word = _unquoted(match[1])
        if not value_due and (match[1] == "--" or not match[1].startswith("-")):
            at = match.end() if match[1] == "--" else at
            break
        quoted_dash = word != match[1] and word.startswith("-") and word != "--"
        if value_due and quoted_dash:
            words[-1] += f"={word}"  # else argparse would take it for an option
        else:
            words.append(word)
        at = match.end()
        value_due = not value_due and takes_value.get(word, False)
    rest = line[at:].strip()
    if rest[:1] in ("'", '"') and value_due:
        raise UsageError(f"a quote is not closed: {rest}")
    return words, rest


def at_cursor(line: str) -> tuple[list[str], str]:
    """The words before the one that is being written, and that one; each as it stands.

    Example:
        >>> at_cursor("-m 'a b' -c \\"left j")
        (['-m', "'a b'", '-c'], '"left j')
    """
    words: list[str] = []
    at = 0
    while (match := _WORD.match(line, at)) and line[match.end() : match.end() + 1].isspace():
        words.append(match[1])
        at = match.end()
    return words, line[at:].lstrip()


def meaning(word: str) -> str:
    """What a word means that is being written: without its quotes, closed or not.

    Example:
        >>> meaning('"left j'), meaning("'it"), meaning("joins")
        ('left j', 'it', 'joins')
    """
    closed = (word + end for end in ("", '"', "'") if _WORD.fullmatch(word + end))
    return _unquoted(next(closed, word))


def quoted(value: str, quote: str = "") -> str:
    """A value as one word of the line, in quotes where it needs them.

    Args:
        value: any text on one line.
        quote: the quote to use, where the value allows it; empty for none unless it needs one.

    Example:
        >>> quoted("joins"), quoted("left joins"), quoted("left joins", "'")
        ('joins', '"left joins"', "'left joins'")
    """
    if quote == "'" and "'" not in value:
        return f"'{value}'"
    if not quote and re.fullmatch(r"""[^\s"'\\-][^\s"'\\]*""", value):
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _unquoted(word: str) -> str:
    pieces = re.findall(r""""((?:\\.|[^"\\])*)"|'([^']*)'|(\\.|[^\s"'\\]+)""", word)
    plain = (re.sub(r"\\(.)", r"\1", a or c) if a or c else b for a, b, c in pieces)
    return "".join(plain)


def _key_value(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--option needs KEY=VALUE, not {text!r}")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value
