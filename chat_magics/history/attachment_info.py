"""AttachmentInfo: a file that went with a prompt, as history knows and keeps it."""

from __future__ import annotations

import base64
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)
from typing_extensions import Self

from chat_magics.attachments import Attachment, Kind, clean_name, image_type
from chat_magics.errors import NotFound

__all__ = ["AttachmentInfo"]


def _from_base64(content: object) -> object:
    return base64.b64decode(content, validate=True) if isinstance(content, str) else content


def _to_base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


_FileBytes = Annotated[
    bytes | None, BeforeValidator(_from_base64), PlainSerializer(_to_base64, when_used="json")
]


class AttachmentInfo(BaseModel):
    """A file that went with a prompt, as history knows it.

    Args:
        name: without its folder, printable.
        mime: its type.
        kind: `text` (it stands in what was sent) or `image`.
        size: bytes.
        content: all of it; None where it was not read from history, or not kept.

    Example:
        >>> AttachmentInfo(name="a.csv", mime="text/csv", kind="text", size=3).content is None
        True
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, AfterValidator(clean_name)]
    mime: str
    kind: Kind
    size: int = Field(ge=0)
    content: _FileBytes = Field(None, repr=False)

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        # It may come from a file that somebody else wrote.
        if self.content is not None and len(self.content) != self.size:
            raise ValueError("a file has not the size that is told")
        is_image = self.content is not None and image_type(self.content) == self.mime
        if self.kind == "image" and self.content is not None and not is_image:
            raise ValueError("a file is not the image that is told")
        return self

    @classmethod
    def of(cls, file: Attachment) -> AttachmentInfo:
        """What is kept of a file: all."""
        return cls(
            name=file.name, mime=file.mime, kind=file.kind, size=file.size, content=file.content
        )

    def whole(self) -> Attachment:
        """The file, to be sent again.

        Raises:
            NotFound: its content is not here.
        """
        if self.content is None:
            raise NotFound(
                f"the file {self.name}, which went with an earlier prompt, is not in this history: "
                "ask alone, or in a new conversation"
            )
        return Attachment(self.name, self.mime, self.content)
