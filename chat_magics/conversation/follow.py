"""Events of a reply as text for who can only append, such as a loop over its pieces."""

from __future__ import annotations

from ..client.events import Event, Restarted, Text
from ..errors import StreamRestarted

__all__ = ["Follow"]

_DIFFERS = "the reply was asked again and differs: str(reply) is whole"


class Follow:
    """Turns events into text for who only appends: text after a restart must go on with it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._again: str | None = None

    def take(self, events: list[Event]) -> str:
        """The text to append for these events.

        Raises:
            StreamRestarted: the new text departs from what was given before.
        """
        text = "".join(event.text for event in self._after_restart(events))
        if self._again is None:
            self._pieces.append(text)
            return text
        self._again += text
        given = "".join(self._pieces)
        shorter = min(len(self._again), len(given))
        if self._again[:shorter] != given[:shorter]:
            raise StreamRestarted(_DIFFERS)
        if len(self._again) <= len(given):
            return ""
        fresh = self._again[shorter:]
        self._pieces, self._again = [self._again], None
        return fresh

    def end(self) -> None:
        """Nothing more comes.

        Raises:
            StreamRestarted: the new text is shorter than what was given before.
        """
        if self._again is not None and self._again != "".join(self._pieces):
            raise StreamRestarted(_DIFFERS)

    def _after_restart(self, events: list[Event]) -> list[Text]:
        texts: list[Text] = []
        for event in events:
            if isinstance(event, Text):
                texts.append(event)
            elif isinstance(event, Restarted):
                texts, self._again = [], ""
        return texts
