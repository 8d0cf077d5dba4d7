"""Ask: what a surface asks for, before its place in the conversation is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..attachments import MOST_FILES, Attachment
from ..checks import check_options, check_text
from ..errors import InvalidOption, InvalidRequest, PromptTooLong
from ..history import Surface
from .path import Cell

__all__ = ["Ask", "api_options"]


@dataclass(frozen=True)
class Ask:
    """What was asked, before its place in the conversation is known.

    Args:
        prompt: as typed.
        model: None for the configured one.
        system: None for the configured one.
        options: options of the API over the configured ones.
        alone: sent without context, and not part of the context of what follows.
        refresh: ask the server even where the cache has an answer.
        use_cache: False neither reads nor writes the cache.
        surface: where it was asked.
        cell: the asking cell, where there is one.
        replaces: the exchange that it regenerates or edits.
        cut: it edits: what follows `replaces` leaves the path.
        exact: `options` are all there is: those of the settings are not added.
        attachments: files that go with the prompt.
    """

    prompt: str
    model: str | None = None
    system: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False
    refresh: bool = False
    use_cache: bool = True
    surface: Surface = "python"
    cell: Cell | None = None
    replaces: str | None = None
    cut: bool = False
    exact: bool = False
    attachments: tuple[Attachment, ...] = ()

    def check(self, longest: int) -> None:
        """Refuses what cannot be sent, before anything is.

        Args:
            longest: characters that a prompt may have.

        Raises:
            PromptTooLong: the message says how long it is and which setting limits it.
            InvalidRequest: it is empty, or holds NUL or half of a surrogate pair.
            InvalidOption: an option has its own place, or is out of range.
        """
        for name in ("prompt", "model", "system"):
            given = getattr(self, name)
            if not (isinstance(given, str) or (given is None and name != "prompt")):
                raise InvalidRequest(f"{name} must be text, not {type(given).__name__}")
        length = len(self.prompt)
        if not self.prompt.strip():
            raise InvalidRequest("the prompt is empty: write what you want to ask")
        if length > longest:
            raise PromptTooLong(
                f"the prompt has {length:,} characters and max_prompt_chars is {longest:,}: "
                f"shorten it, or raise that setting",
                command=f"%chat_config max_prompt_chars {length}",
            )
        check_text(self.prompt, "the prompt")
        if len(self.attachments) > MOST_FILES:
            raise InvalidRequest(
                f"{len(self.attachments)} files are attached, and {MOST_FILES} can be: attach fewer"
            )
        if self.model is not None and not self.model.strip():
            raise InvalidRequest("the model's name is empty: leave it out, or name one")
        check_text(self.model or "", "the model name")
        check_text(self.system or "", "the system prompt")
        check_options(self.options)


def api_options(options: Mapping[str, Any] | None, **named: Any) -> dict[str, Any]:
    """Options of the API, over which those stand that have a name of their own and were set.

    Raises:
        InvalidOption: they are no mapping of names to values.

    Example:
        >>> api_options({"seed": 7, "max_tokens": 5}, temperature=None, max_tokens=9)
        {'seed': 7, 'max_tokens': 9}
    """
    if options is not None and not (
        isinstance(options, Mapping) and all(isinstance(name, str) for name in options)
    ):
        raise InvalidOption("options is a mapping of names to values, such as {'seed': 7}")
    return {**(options or {}), **{name: v for name, v in named.items() if v is not None}}
