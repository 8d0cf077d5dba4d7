"""A turn's row of history, as it begins and as it ends, and its line in the log."""

from __future__ import annotations

from typing import Any

from ..errors import ChatError
from ..history import AttachmentInfo, Exchange, Status
from ..history.exchange import now
from ..messages import ChatRequest, Completion, Usage
from ..telemetry import RequestRecord, host_of
from .ask import Ask

__all__ = ["begun", "ended", "log_record"]

_TOLD = (
    "text",
    "model",
    "finish_reason",
    "usage",
    "reasoning",
    "wasted",
    "time_to_first_token",
    "cached",
    "stored_at",
    "notes",
)
"""What a Completion tells and an Exchange keeps under the same name."""


def begun(
    id: str,
    conversation: str,
    ask: Ask,
    request: ChatRequest,
    context: tuple[str, ...],
    supersedes: str | None,
) -> Exchange:
    """The exchange as it is stored before it is sent.

    Args:
        id: of the exchange.
        conversation: id of the conversation.
        ask: what was asked.
        request: what is sent for it.
        context: ids of the exchanges that it is sent with.
        supersedes: the exchange whose place it takes.
    """
    system = request.messages[0].content if request.messages[0].role == "system" else None
    return Exchange(
        id=id,
        conversation=conversation,
        owner=request.owner,
        prompt=ask.prompt,
        sent=request.messages[-1].content,
        system=system,
        context=context,
        base_url=request.base_url,
        api=request.api,
        model_asked=request.model,
        options=request.options,
        surface=ask.surface,
        cell=ask.cell.id if ask.cell else None,
        execution=ask.cell.execution if ask.cell else None,
        supersedes=supersedes,
        attachments=tuple(AttachmentInfo.of(file) for file in ask.attachments),
    )


def ended(
    exchange: Exchange,
    completion: Completion | None,
    status: Status,
    error: ChatError | None,
    *,
    attempts: int,
    latency: float,
) -> Exchange:
    """The exchange as it stays for good.

    Args:
        exchange: as it was begun.
        completion: what came, whole or in part; None where nothing did.
        status: how it ended.
        error: what ended it, where it failed.
        attempts: HTTP requests made.
        latency: seconds from its beginning to its end.
    """
    final: dict[str, Any] = {"status": status, "ended": now()}
    final |= {"attempts": attempts, "latency": latency}
    if error is not None:
        final |= {
            "error_type": type(error).__name__,
            "error": error.message,
            "request_id": error.request_id,
        }
    if completion is not None:
        final |= {name: getattr(completion, name) for name in _TOLD}
        final["request_id"] = completion.request_id or final.get("request_id")
        final |= _money(exchange, completion)
    elif not attempts:
        final["cost"] = 0.0  # it was stopped or refused before anything was sent
    return exchange.model_copy(update=final)


def _money(exchange: Exchange, completion: Completion) -> dict[str, float | None]:
    from ..pricing import price  # prices load after the first text

    model = completion.model
    cost = price(model, completion.usage, exchange.base_url)
    if cost is None and model != exchange.model_asked:
        cost = price(exchange.model_asked, completion.usage, exchange.base_url)
        model = exchange.model_asked
    if completion.cached:
        return {"cost": 0.0, "saved": cost}
    if cost is not None and completion.wasted:
        cost += price(model, completion.wasted, exchange.base_url) or 0.0
    return {"cost": cost, "saved": None}


def log_record(exchange: Exchange, sent_chars: int, error: ChatError | None) -> RequestRecord:
    """The line of the log for a finished exchange.

    Args:
        exchange: finished.
        sent_chars: characters of all messages that were sent.
        error: what ended it, for the HTTP status it stands for.
    """
    usage = exchange.usage or Usage()
    return RequestRecord(
        request=exchange.id,
        conversation=exchange.conversation,
        surface=exchange.surface,
        owner=exchange.owner,
        model_asked=exchange.model_asked,
        model=exchange.model or "",
        host=host_of(exchange.base_url),
        api=exchange.api,
        prompt_chars=sent_chars,
        prompt_tokens=usage.prompt_tokens if exchange.usage else None,
        completion_tokens=usage.completion_tokens if exchange.usage else None,
        cost=exchange.cost,
        latency=exchange.latency or 0.0,
        time_to_first_token=exchange.time_to_first_token,
        attempts=exchange.attempts,
        cached=exchange.cached,
        status=exchange.status,
        finish_reason=exchange.finish_reason,
        http_status=error.status if error else None,
        error_type=exchange.error_type,
        error=exchange.error,
        request_id=exchange.request_id,
        prompt=exchange.sent,
        reply=exchange.text,
    )
