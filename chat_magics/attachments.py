"""Files that go with a prompt: which are taken, by what is in them, and how text is sent."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from .errors import InvalidRequest, NotFound
from .messages import Image

__all__ = [
    "ACCEPTED",
    "IMAGE_TYPES",
    "MOST_FILES",
    "Attachment",
    "Kind",
    "Limits",
    "clean_name",
    "image_type",
    "of_bytes",
    "read",
    "readable_size",
    "with_files",
]

Kind = Literal["text", "image"]

MOST_FILES = 10
"""Files of one prompt."""

LONGEST_NAME = 100

IMAGE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""The images that models take, by the ending of a name."""

_TEXT_TYPES = {
    ".c": "text/x-c",
    ".cfg": "text/plain",
    ".cpp": "text/x-c++",
    ".css": "text/css",
    ".csv": "text/csv",
    ".go": "text/x-go",
    ".html": "text/html",
    ".ini": "text/plain",
    ".ipynb": "application/x-ipynb+json",
    ".java": "text/x-java",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".py": "text/x-python",
    ".r": "text/x-r",
    ".rs": "text/x-rust",
    ".rst": "text/x-rst",
    ".sh": "text/x-sh",
    ".sql": "text/x-sql",
    ".svg": "image/svg+xml",
    ".tex": "text/x-tex",
    ".toml": "application/toml",
    ".ts": "text/x-typescript",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
"""Other endings are taken as well, where the file is text; these are offered in a file chooser."""

ACCEPTED = (*sorted(set(IMAGE_TYPES.values())), "text/*", *sorted(_TEXT_TYPES))
"""What a file chooser offers, as the attribute `accept` of HTML has it."""

# Tab, line ends, form feed, backspace and escape stand in logs; the others in no text.
_BINARY = re.compile("[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")


class Limits(NamedTuple):
    """How large a file may be, in bytes, by its kind."""

    text: int = 256_000
    image: int = 8_000_000


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a prompt; made by `read` or `of_bytes`, which check it.

    Args:
        name: without its folder, printable.
        mime: of an image, what its bytes say; of text, by the ending of its name.
        content: all of it.

    Example:
        >>> table = of_bytes("a.csv", b"x,y")
        >>> table.kind, table.mime, table.size
        ('text', 'text/csv', 3)
    """

    name: str
    mime: str
    content: bytes = field(repr=False)

    @property
    def kind(self) -> Kind:
        """`image` or `text`; SVG is text."""
        return "image" if self.mime in IMAGE_TYPES.values() else "text"

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def image(self) -> Image:
        """As a message holds it."""
        return Image(mime=self.mime, base64=base64.b64encode(self.content).decode())


def read(path: str | os.PathLike[str], limits: Limits = Limits()) -> Attachment:  # noqa: B008 - frozen
    """The file at this path, checked.

    Args:
        path: `~` is the home of the person.
        limits: how large it may be.

    Raises:
        NotFound: there is no such file.
        InvalidRequest: it is empty, too large, or neither text nor an image; or cannot be read.
    """
    shown = repr(os.fspath(path))
    try:
        place = Path(path).expanduser()
        # Not a folder, nor a device or a pipe, which may have no end.
        if not place.is_file():
            raise NotFound(f"there is no file {shown} to attach")
        with place.open("rb") as file:
            content = file.read(max(limits) + 1)
            size = max(len(content), os.fstat(file.fileno()).st_size)
    except (OSError, ValueError, RuntimeError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise InvalidRequest(f"{shown} cannot be attached: {why}") from None
    return _checked(place.name, "", content, size, limits)


def of_bytes(
    name: str,
    content: bytes,
    mime: str = "",
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Attachment:
    """A file whose bytes are at hand, checked.

    Args:
        name: a folder before it is left out.
        content: all of it.
        mime: what it is said to be; not believed.
        limits: how large it may be.

    Raises:
        InvalidRequest: it is empty, too large, or neither text nor an image.
    """
    return _checked(name, mime, content, len(content), limits)


def _checked(name: str, mime: str, content: bytes, size: int, limits: Limits) -> Attachment:
    name = clean_name(name)
    if not content:
        raise InvalidRequest(f"{name} is empty: there is nothing to attach")
    found = image_type(content)
    if found:
        _check_size(name, size, limits.image, "an image", f"max_image_mb {-(-size // 1_000_000)}")
        return Attachment(name, found, content)
    ending = os.path.splitext(name)[1].lower()
    if ending in IMAGE_TYPES or (mime.startswith("image/") and "svg" not in mime):
        raise InvalidRequest(
            f"{name} is no image that models take (PNG, JPEG, GIF, WebP): convert it"
        )
    _check_size(name, size, limits.text, "a text file", f"max_attachment_kb {-(-size // 1000)}")
    if not _is_text(content):
        raise InvalidRequest(
            f"{name} is neither an image nor text in UTF-8: attach what you need of it as text"
        )
    return Attachment(name, _TEXT_TYPES.get(ending, "text/plain"), content)


def _check_size(name: str, size: int, most: int, what: str, setting: str) -> None:
    if size > most:
        raise InvalidRequest(
            f"{name} has {size:,} bytes, and {what} may have {most:,}: "
            f"make it smaller, or raise {setting.split()[0]}",
            command=f"%chat_config {setting}",
        )


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return not (_BINARY.search(text) or text.startswith("%PDF-"))


def image_type(content: bytes) -> str | None:
    """The type of an image by its first bytes; None where it is none that models take.

    Example:
        >>> image_type(b"GIF89a..."), image_type(b"<svg/>")
        ('image/gif', None)
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def clean_name(name: str) -> str:
    """The name of a file without its folder, on one line, printable, of at most 100 characters.

    Example:
        >>> clean_name("C:\\\\data\\\\a\\tb.csv"), clean_name("../"), clean_name("`x`.py")
        ('a b.csv', 'file', 'x.py')
    """
    last = re.split(r"[/\\]", name)[-1].replace("`", "")
    kept = "".join(c if c.isprintable() else " " * c.isspace() for c in last).strip()
    stem, ending = os.path.splitext(kept)
    return (stem[: max(1, LONGEST_NAME - len(ending))] + ending)[:LONGEST_NAME] or "file"


def with_files(prompt: str, files: Iterable[Attachment]) -> str:
    """The prompt with the texts of files below it, each in a fence that it cannot close.

    Example:
        >>> print(with_files("Sum it up", [of_bytes("a.csv", b"x,y")]))
        Sum it up
        <BLANKLINE>
        File a.csv:
        ```csv
        x,y
        ```
    """
    parts = [prompt]
    for file in files:
        if file.kind == "text":
            text = file.content.decode("utf-8-sig", "replace")  # by hand, it may not be checked
            longest = max(map(len, re.findall("`+", text)), default=0)
            fence = "`" * max(3, longest + 1)
            language = re.sub(r"\W", "", os.path.splitext(file.name)[1])
            end = "" if text.endswith("\n") else "\n"
            parts.append(f"File {file.name}:\n{fence}{language}\n{text}{end}{fence}")
    return "\n\n".join(parts)


def readable_size(size: int) -> str:
    """Bytes for a person's eye.

    Example:
        >>> [readable_size(size) for size in (512, 256_000, 3_140_000)]
        ['512 B', '256 kB', '3.1 MB']
    """
    if size < 1_000:
        return f"{size} B"
    return f"{size / 1_000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
