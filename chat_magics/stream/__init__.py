"""Bytes of a server-sent stream → checked text. Knows the two APIs' chunks; knows no network.

The bytes are read here and not by the openai package because its chunk objects cost some ten times
as much, and because it passes over in silence what must be noticed: an HTML page or a JSON error
with status 200, an error object in mid-stream, an end without `finish_reason`.
"""

from .apis import ChatDecoder, ResponsesDecoder
from .decoder import Decoder

__all__ = ["ChatDecoder", "Decoder", "ResponsesDecoder"]
