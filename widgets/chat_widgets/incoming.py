"""What the view sends, checked: any visitor of a served page can send any message.

Nothing here is trusted: a message is of a known type, with fields of the right kind and size, or
it is refused with one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from chat_magics import ChatError

__all__ = [
    "Ask",
    "AttachmentName",
    "Check",
    "Docked",
    "Edit",
    "Incoming",
    "Regenerate",
    "Retry",
    "ShowSent",
    "Stop",
    "Version",
    "Wake",
    "parse",
]

LONGEST_TEXT = 2_000_000
"""Characters of a message's text; what a prompt may have is a setting, and far less."""

MOST_ATTACHMENTS = 10

Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=True)


class AttachmentName(_Message):
    """What a file is called, and of which kind the browser takes it to be."""

    name: str = Field(min_length=1, max_length=255)
    mime: str = Field(max_length=127)


class Ask(_Message):
    """A prompt; the files' bytes come beside it, in the same order."""

    type: Literal["ask"]
    text: Text
    attachments: list[AttachmentName] = Field(default_factory=list, max_length=MOST_ATTACHMENTS)


class Wake(_Message):
    """Something is typed: a prompt is about to come."""

    type: Literal["wake"]


class Stop(_Message):
    """Stop what streams."""

    type: Literal["stop"]


class Check(_Message):
    """Nothing was heard of this reply for a while; `units` of its HTML have arrived."""

    type: Literal["check"]
    id: Id
    units: int = Field(ge=0, le=2**53)


class Regenerate(_Message):
    """Ask the same again, past the cache."""

    type: Literal["regenerate"]
    id: Id


class Retry(_Message):
    """Ask again what failed."""

    type: Literal["retry"]
    id: Id


class Edit(_Message):
    """Ask a changed prompt in the place of an earlier one."""

    type: Literal["edit"]
    id: Id
    text: Text


class Version(_Message):
    """Bring back the version before, or the one after."""

    type: Literal["version"]
    id: Id
    step: Literal[-1, 1]


class ShowSent(_Message):
    """What exactly was sent?"""

    type: Literal["show_sent"]
    id: Id


class Docked(_Message):
    """The view was moved to a dock, or could not be."""

    type: Literal["docked"]
    done: bool


Incoming = Check | Wake | Ask | Stop | Regenerate | Retry | Edit | Version | ShowSent | Docked

_ANY: TypeAdapter[Incoming] = TypeAdapter(Annotated[Incoming, Field(discriminator="type")])


def parse(content: Any, buffers: Sequence[Any] = ()) -> Incoming:
    """The message in what arrived.

    Args:
        content: as it came by the comm.
        buffers: the bytes beside it: one for each attachment of an `Ask`, none else.

    Raises:
        ChatError: it is none of ours; the message does not repeat what was sent.

    Example:
        >>> parse({"type": "stop"})
        Stop(type='stop')
    """
    try:
        message = _ANY.validate_python(dict(content) if isinstance(content, Mapping) else content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "type"
        raise ChatError(f"the page sent what the panel cannot use ({where}): reload it") from None
    files = len(message.attachments) if isinstance(message, Ask) else 0
    if files != len(buffers):
        raise ChatError("the page sent what the panel cannot use (files): reload it")
    return message
