"""Progress: one reply over all its attempts, and the Completion that comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..messages import ChatRequest, Completion, Usage
from ..tracing import current_span
from .events import Emit, Restarted, Text, Waiting

if TYPE_CHECKING:
    from .transport import Streamed

__all__ = ["Progress"]


class Progress:
    """What is known of one reply over all its attempts; text of a broken one is replaced.

    Args:
        emit: where the events go.
        on_request: called for each request that goes out.
        on_reasoning: called with thoughts as they come.
    """

    def __init__(
        self,
        emit: Emit,
        on_request: Callable[[], None] | None = None,
        on_reasoning: Callable[[str], None] | None = None,
    ) -> None:
        self._emit = emit
        self._on_request = on_request
        self._on_reasoning = on_reasoning
        self.attempts = 0
        self.notes: list[str] = []
        self.wasted: list[str] = []
        self.pieces: list[str] = []
        self.first_token: float | None = None
        self._started = time.monotonic()
        self._broke = ""

    def sending(self) -> None:
        """A request goes out."""
        self.attempts += 1
        if self._on_request:
            self._on_request()

    def text(self, text: str) -> None:
        """Text has come; the first after a break makes void what came before it."""
        self._make_void()
        if self.first_token is None:
            self.first_token = time.monotonic() - self._started
        self.pieces.append(text)
        self._emit(Text(text))

    def reasoning(self, text: str) -> None:
        """Thoughts have come."""
        if self._on_reasoning:
            self._on_reasoning(text)

    def _make_void(self) -> None:
        if self._broke:
            discarded, self.pieces = "".join(self.pieces), []
            self.wasted.append(discarded)
            self._emit(Restarted(self._broke, discarded))
            self.notes.append("asked again: the stream broke in the middle")
            if span := current_span():
                span.restarts()
            self._broke = ""

    def failed(self, reason: str, wait: float | None, attempt: int, attempts: int) -> None:
        """An attempt failed and another follows after a wait of so many seconds."""
        if self.pieces:
            self._broke = reason
        self._emit(Waiting(reason, wait, attempt, attempts))

    async def completion(self, request: ChatRequest, streamed: Streamed) -> Completion:
        """The whole answer, with an estimate where the server told no usage."""
        self._make_void()  # also where the new reply is empty
        decoder, text = streamed.decoder, "".join(self.pieces)
        if span := current_span():
            span.answered(decoder.id)
        notes = [*self.notes, *decoder.notes]
        if decoder.finish_reason is None:
            notes.append("the stream ended without finish_reason: the reply may be cut")
        usage, wasted = decoder.usage, None
        if usage and not usage.total_tokens:
            usage = None  # some servers fill in zeros where they did not count
        if usage is None or self.wasted:
            from ..pricing import estimates  # prices load after the first text

            guessed = await asyncio.to_thread(estimates, request.messages, [text, *self.wasted])
            usage = usage or guessed[0]
            wasted = sum(guessed[1:], Usage()) if self.wasted else None
        return Completion(
            text=text,
            model=decoder.model or request.model,
            finish_reason=decoder.finish_reason,
            usage=usage,
            reasoning="".join(decoder.reasoning),
            request_id=streamed.request_id,
            time_to_first_token=self.first_token,
            attempts=self.attempts,
            wasted=wasted,
            notes=tuple(dict.fromkeys(notes)),
        )
