"""Framing: how messages of a kernel's websocket begin, looked at before they are taken apart.

Jupyter Server and Voilà believe the number of parts that a message begins with: eight bytes from
any visitor would keep the whole server busy for years, or have it ask for gigabytes.
"""

from __future__ import annotations

__all__ = ["V1", "is_framed"]

V1 = "v1.kernel.websocket.jupyter.org"
"""The protocol that pages speak; the older one has no name."""

MOST_PARTS = 1_000
"""A message has seven parts, and one more for each buffer."""


def is_framed(message: bytes | str, protocol: str | None) -> bool:
    """True where a message holds as many places of parts as it says.

    Args:
        message: as it came by the websocket.
        protocol: that the websocket speaks.

    Example:
        >>> is_framed(bytes([255] * 8), V1), is_framed('{"header": {}}', None)
        (False, True)
    """
    if isinstance(message, str):
        return protocol != V1  # JSON, and only the older protocol has that
    width = 8 if protocol == V1 else 4
    parts = int.from_bytes(message[:width], "little" if protocol == V1 else "big")
    return 0 < parts <= MOST_PARTS and width * (parts + 1) <= len(message)
