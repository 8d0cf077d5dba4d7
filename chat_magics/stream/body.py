"""The bytes of one answer: which kind of body they are, and its lines.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from ..errors import BadResponse

__all__ = ["Body"]

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_KINDS = {b"{": "json", b"[": "json", b"<": "html"}
_LONGEST_MIB = 32


class Body:
    """Takes the bytes as they come; holds only what cannot be read before more has come.

    Example:
        >>> body = Body()
        >>> body.lines(b"data: 1\\ndata"), body.kind
        ([b'data: 1'], 'sse')
        >>> body.lines(b": 2\\n"), body.rest()
        ([b'data: 2'], b'')
    """

    def __init__(self) -> None:
        self.kind = ""
        """`sse`, `json` or `html`; empty until its first character has come."""
        self._held: list[bytes] = []
        self._size = 0

    def lines(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete; of what is no server-sent stream there are none.

        Raises:
            BadResponse: a body of JSON, or one line, is longer than any reply.
        """
        if not self.kind:
            data = self._begin(data)
        if self.kind == "sse":
            return self._split(data)
        if self.kind == "json":
            self._hold(data)
        return []

    def rest(self) -> bytes:
        """What no line had the end of, or the JSON; it is held no longer. Of HTML nothing is."""
        held, self._held, self._size = self._held, [], 0
        return b"".join(held)

    def _begin(self, data: bytes) -> bytes:
        """The bytes from the first character on, by which the kind is known."""
        start = (self.rest() + data).lstrip(_SPACE)
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._hold(start)
            return b""
        start = start.removeprefix(_BOM).lstrip(_SPACE)
        if start:
            self.kind = _KINDS.get(start[:1], "sse")
        return start

    def _split(self, data: bytes) -> list[bytes]:
        after_return = self._held and self._held[-1].endswith(b"\r")
        if not after_return and b"\n" not in data and b"\r" not in data:
            if data:
                self._hold(data)
            return []
        buffer = self.rest() + data if self._held else data
        if b"\r" in buffer:
            # A return at the end may be the first half of a line end.
            held = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n")
            buffer = buffer.replace(b"\r", b"\n") + held
        lines = buffer.split(b"\n")
        if rest := lines.pop():
            self._hold(rest)
        return lines

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._size > _LONGEST_MIB * 2**20:
            raise BadResponse(f"the server sent over {_LONGEST_MIB} MiB that are no chat stream")
