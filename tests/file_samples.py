"""Small files for the tests of attachments: true images, and what only looks like one."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

__all__ = ["GIF", "JPEG", "PNG", "WEBP", "data_url", "files_in"]


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def _png() -> bytes:
    """One red dot."""
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    dot = zlib.compress(b"\x00\xff\x00\x00")
    parts = _chunk(b"IHDR", head) + _chunk(b"IDAT", dot) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


PNG = _png()
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(20) + b"\xff\xd9"
WEBP = base64.b64decode("UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAgA0JaQAA3AA/vuUAAA=")


def data_url(image: bytes, mime: str = "image/png") -> str:
    """The image as the APIs take it."""
    return f"data:{mime};base64,{base64.b64encode(image).decode()}"


def files_in(folder: Path) -> list[Path]:
    """A table and a picture."""
    table, picture = folder / "sales.csv", folder / "dot.png"
    table.write_bytes(b"month,sum\n1,20\n")
    picture.write_bytes(PNG)
    return [table, picture]
