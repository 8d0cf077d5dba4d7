"""What must not leave: keys, places of this machine, and whose history it is."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from chat_magics.export.transcript import Transcript
from chat_magics.history.attachment_info import AttachmentInfo
from chat_magics.history.exchange import ConversationRecord, Exchange

__all__ = ["MASK", "Cleaner"]

MASK = "•••"
"""What stands in the place of a secret."""

_SHORTEST_SECRET = 8
"""Shorter ones are what local servers are given (`ollama`, `EMPTY`); they are words of the text."""

_OURS = frozenset({"id", "conversation", "context", "supersedes", "path", "status", "api"})
"""Fields that hold ids and words of ours."""

_SAID = frozenset({"prompt", "sent", "system", "text", "reasoning", "name", "title", "tags"})
"""Fields that hold words of people and models: a path among them was said, and stays."""

_USER_OF_URL = re.compile(r"(?<=://)[^/\s@]+@")

_Value = TypeVar("_Value", Exchange, ConversationRecord)


class Cleaner:
    """Takes out of transcripts what must not leave, and counts the secrets among it.

    Args:
        secrets: values that must not be seen; those of less than 8 characters are left.

    Example:
        >>> cleaner = Cleaner(["sk-very-secret"])
        >>> cleaner.text("the key is sk-very-secret"), cleaner.found
        ('the key is •••', 1)
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self.found = 0
        usable = {secret.strip() for secret in secrets}
        longest_first = sorted(usable, key=len, reverse=True)
        self._secrets = tuple(each for each in longest_first if len(each) >= _SHORTEST_SECRET)
        self._places = _places()

    def transcript(self, transcript: Transcript) -> Transcript:
        """The same conversation without owner, origin, secrets and places of this machine."""
        record = self._cleaned(transcript.conversation)
        record = record.model_copy(update={"owner": "", "origin": ""})
        return Transcript(record, tuple(self._exchange(each) for each in transcript.exchanges))

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            if secret in text:
                self.found += text.count(secret)
                text = text.replace(secret, MASK)
        return text

    def _exchange(self, exchange: Exchange) -> Exchange:
        url = _USER_OF_URL.sub("", re.split("[?#]", exchange.base_url)[0])
        outgoing = {"owner": "", "base_url": url}
        return self._cleaned(exchange.model_copy(update=outgoing | self._files(exchange)))

    def _files(self, exchange: Exchange) -> dict[str, Any]:
        """The files without secrets in their names and texts; an image is left as it is."""
        if not exchange.attachments:
            return {}
        return {"attachments": tuple(self._file(info) for info in exchange.attachments)}

    def _file(self, info: AttachmentInfo) -> AttachmentInfo:
        content = info.content
        if content is not None and info.kind == "text":
            content = self.text(content.decode("utf-8", "surrogateescape")).encode(
                "utf-8", "surrogateescape"
            )
        size = info.size if content is None else len(content)
        update = {"name": self.text(info.name), "content": content, "size": size}
        return info.model_copy(update=update)

    def _cleaned(self, value: _Value) -> _Value:
        changed = {}
        for name, held in value:
            if name not in _OURS:
                clean = self._without(held, places=name not in _SAID)
                if clean != held:
                    changed[name] = clean
        return value.model_copy(update=changed) if changed else value

    def _without(self, held: Any, *, places: bool) -> Any:
        if isinstance(held, str):
            return self.text(self._without_places(held) if places else held)
        if isinstance(held, (tuple, list)):
            return type(held)(self._without(each, places=places) for each in held)
        if isinstance(held, dict):
            return {self.text(k): self._without(v, places=places) for k, v in held.items()}
        return held

    def _without_places(self, text: str) -> str:
        for pattern, short in self._places:
            text = pattern.sub(lambda _, short=short: short, text)  # type: ignore[misc]  # mypy on defaults
        return _USER_OF_URL.sub("", text)


def _places() -> list[tuple[re.Pattern[str], str]]:
    """The folders that tell whose machine it is, longest first, and what is written for each."""
    known = {tempfile.gettempdir(): "[temporary folder]", os.getcwd(): ".", str(Path.home()): "~"}
    known |= {os.path.realpath(place): short for place, short in known.items()}
    longest_first = sorted(known.items(), key=lambda item: len(item[0]), reverse=True)
    return [
        (re.compile(rf"{re.escape(place)}(?![\w-])"), short)
        for place, short in longest_first
        if len(Path(place).parts) > 1
    ]
