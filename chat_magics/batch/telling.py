"""What the log and a trace are told of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ChatError
from ..history import RowEnded
from ..messages import ChatRequest
from ..telemetry import RequestRecord, Telemetry, host_of
from ..tracing import exchange_span
from .asker import Answer, Job

if TYPE_CHECKING:
    from .work import Asks

__all__ = ["Traced", "row_record"]


class Traced:
    """Has each row asked within a span of its own.

    Args:
        asker: asks one.
        request: that each row makes.
        run: id of the run's conversation.
        telemetry: what redacts.
    """

    def __init__(self, asker: Asks, request: ChatRequest, run: str, telemetry: Telemetry) -> None:
        self._asker = asker
        self._request = request
        self._run = run
        self._telemetry = telemetry

    async def ask(self, job: Job) -> Answer:
        """As `Asker.ask`."""
        request = self._request
        with exchange_span(request.base_url, request.model, request.api) as span:
            if span is None:
                return await self._asker.ask(job)
            span.asks(request, self._run, stream=False)
            answer = await self._asker.ask(job)
            came, cached = answer.record.completion, answer.outcome.cached
            record = row_record(request, self._run, answer.record, answer.failure, cached=cached)
            sent = request.asking(job.prompt).messages
            span.ends(record, came.usage if came else None, sent, self._telemetry)
            return answer


def row_record(
    request: ChatRequest,
    run: str,
    ended: RowEnded,
    failure: ChatError | None,
    *,
    cached: bool = False,
) -> RequestRecord:
    """The record of a row that was asked.

    Args:
        request: that each row makes.
        run: id of the run's conversation.
        ended: what history keeps of the row.
        failure: what failed it.
        cached: the answer came from the cache.
    """
    came = ended.completion
    return RequestRecord(
        request=ended.id,
        conversation=run,
        surface="batch",
        owner=request.owner,
        model_asked=request.model,
        model=came.model if came else "",
        host=host_of(request.base_url),
        api=request.api,
        prompt_tokens=came.usage.prompt_tokens if came else None,
        completion_tokens=came.usage.completion_tokens if came else None,
        cost=ended.cost,
        latency=ended.latency,
        time_to_first_token=came.time_to_first_token if came else None,
        attempts=ended.attempts,
        cached=cached,
        status=ended.status,
        finish_reason=came.finish_reason if came else None,
        http_status=failure.status if failure else None,
        error_type=ended.error_type,
        error=ended.error,
        request_id=came.request_id if came else None,
        reply=came.text if came else None,
    )
