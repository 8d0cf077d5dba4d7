"""ExchangeSpan: a span of OpenTelemetry for each exchange, by the conventions for generative AI.

Spans are made by the API of OpenTelemetry, and it is never imported for them: where spans go is
said by somebody who has imported it. For who does not trace nothing is loaded, and nothing done.

Prompts, replies and who asked are in a span only where `log_content` is on.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..messages import ChatRequest, Message, Usage
from ..telemetry import RequestRecord, Telemetry

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["ExchangeSpan", "current_span", "exchange_span", "follow"]

_API = "opentelemetry.trace"

_PROVIDERS = {
    "api.anthropic.com": "anthropic",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "demo": "chat_magics.demo",
    "generativelanguage.googleapis.com": "gcp.gemini",
}
"""The names of the conventions; all other servers speak OpenAI's API, and `openai` says that."""

_OPTIONS = {
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_tokens": "gen_ai.request.max_tokens",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "reasoning_effort": "gen_ai.request.reasoning.level",
    "seed": "gen_ai.request.seed",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
}

_current: ContextVar[ExchangeSpan | None] = ContextVar("chat_magics_span", default=None)


class ExchangeSpan:
    """The span of one exchange; the current one of the task that asks, and of what it starts.

    Args:
        span: of OpenTelemetry.
    """

    def __init__(self, span: Span) -> None:
        self._span = span

    def asks(self, request: ChatRequest, conversation: str, *, stream: bool) -> None:
        """Tells what is sent.

        Args:
            request: the model and its options; the messages are not told here.
            conversation: its id.
            stream: the reply is asked for piece by piece.
        """
        self._model(request.model)
        self._set("gen_ai.conversation.id", conversation)
        self._set("gen_ai.request.stream", stream or None)
        for name, value in request.options.items():
            if name in _OPTIONS and isinstance(value, str | int | float):
                self._set(_OPTIONS[name], value)
        stop = request.options.get("stop")
        if stop:
            self._set("gen_ai.request.stop_sequences", [stop] if isinstance(stop, str) else stop)

    def retries(self, error: BaseException | None, wait: float | None, attempt: int) -> None:
        """An attempt failed, and another one follows.

        Args:
            error: what failed it; its kind is told, and not its words.
            wait: seconds until then.
            attempt: the number of the one that follows.
        """
        told = {"error.type": type(error).__name__, "chat_magics.attempt": attempt}
        self._event("chat_magics.retry", {**told, "chat_magics.wait": wait or 0.0})

    def restarts(self) -> None:
        """A new reply takes the place of what a broken stream had brought."""
        self._event("chat_magics.restart", {})

    def answered(self, id: str | None) -> None:
        """The server's id of the reply has come."""
        self._set("gen_ai.response.id", id)

    def ends(
        self,
        record: RequestRecord,
        usage: Usage | None,
        sent: Sequence[Message],
        telemetry: Telemetry,
    ) -> None:
        """Tells how it ended.

        Args:
            record: the record of the log for it.
            usage: its tokens; those of a cached reply were used before, and are not told.
            sent: the messages, told where `telemetry.log_content` is on.
            telemetry: what redacts.
        """
        if not self._span.is_recording():
            return
        self._model(record.model_asked)
        for name, value in _of_record(record).items():
            self._set(name, value)
        if usage is not None and not record.cached:
            for name, value in _of_usage(usage).items():
                self._set(name, value)
        if telemetry.log_content:
            self._content(record, sent, telemetry.redact)
        if record.error_type:
            self.fails(record.error_type, telemetry.redact(record.error or ""))

    def fails(self, kind: str, message: str = "") -> None:
        """Marks it as failed.

        Args:
            kind: the class of the error.
            message: one line about it, redacted.
        """
        from opentelemetry.trace import StatusCode

        self._set("error.type", kind)
        self._span.set_status(StatusCode.ERROR, message or None)

    def _content(
        self, record: RequestRecord, sent: Sequence[Message], redact: Callable[[str], str]
    ) -> None:
        self._set("user.id", record.owner)
        self._set("gen_ai.input.messages", redact(_as_json([_message(each) for each in sent])))
        if record.reply:
            parts = [{"type": "text", "content": record.reply}]
            reason = record.finish_reason or "error"
            said = {"role": "assistant", "parts": parts, "finish_reason": reason}
            self._set("gen_ai.output.messages", redact(_as_json([said])))

    def _model(self, model: str) -> None:
        self._set("gen_ai.request.model", model)
        if model and self._span.is_recording():
            self._span.update_name(f"chat {model}")

    def _set(self, name: str, value: Any) -> None:
        # After its end the API would warn about what comes late, such as a request that is stopped.
        if value not in (None, "") and self._span.is_recording():
            self._span.set_attribute(name, value)

    def _event(self, name: str, attributes: dict[str, Any]) -> None:
        if self._span.is_recording():
            self._span.add_event(name, attributes)


def current_span() -> ExchangeSpan | None:
    """The span of the exchange that the current task works for; None where nobody traces."""
    return _current.get()


@contextmanager
def exchange_span(base_url: str, model: str | None, api: str) -> Iterator[ExchangeSpan | None]:
    """Within it, one exchange is asked; spans that are begun meanwhile lie in its span.

    Args:
        base_url: of the server.
        model: the model to be asked; None where the server is to be asked for it first.
        api: `chat` or `responses`.

    Yields:
        its span, in the span that is the current one; None where nobody traces.

    Example:
        >>> with exchange_span("demo", "demo", "chat") as span:
        ...     span is None or isinstance(span, ExchangeSpan)
        True
    """
    trace = _loaded_api()
    if trace is None:
        yield None
        return
    version = getattr(sys.modules["chat_magics"], "__version__", None)
    span = trace.get_tracer("chat_magics", version).start_span(
        f"chat {model}" if model else "chat",
        kind=trace.SpanKind.CLIENT,
        attributes=_at_first(base_url, model, api),
    )
    exchange = ExchangeSpan(span)
    with trace.use_span(
        span, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        token = _current.set(exchange)
        try:
            yield exchange
        except asyncio.CancelledError:
            raise  # stopped, which is no failure
        except BaseException as error:
            exchange.fails(type(error).__name__)
            raise
        finally:
            _current.reset(token)


def follow(headers: Mapping[str, str]) -> None:
    """Puts what the current task asks into the trace that a caller names in its request.

    Args:
        headers: of the request; `traceparent` names the caller's span.

    Example:
        >>> follow({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    """
    trace = _loaded_api()
    if trace is None or trace.get_current_span().get_span_context().is_valid:
        return
    from opentelemetry import context, propagate

    context.attach(propagate.extract(headers))


def _loaded_api() -> Any:
    """The API where something else has loaded it, and None where nothing has.

    One that another thread is loading at this moment is waited for.
    """
    return import_module(_API) if _API in sys.modules else None


def _at_first(base_url: str, model: str | None, api: str) -> dict[str, str | int]:
    """What samplers may decide by."""
    parts = urlsplit(base_url)
    host = parts.hostname or base_url
    azure = host.endswith(".openai.azure.com")
    provider = "azure.ai.openai" if azure else _PROVIDERS.get(host, "openai")
    found: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
    }
    if model:
        found["gen_ai.request.model"] = model
    if parts.hostname:
        found["server.address"] = parts.hostname
        found["server.port"] = parts.port or {"http": 80}.get(parts.scheme, 443)
    if provider == "openai":
        found["openai.api.type"] = "responses" if api == "responses" else "chat_completions"
    return found


def _of_record(record: RequestRecord) -> dict[str, Any]:
    reason = record.finish_reason or ("error" if record.attempts else None)
    return {
        "gen_ai.conversation.id": record.conversation,
        "gen_ai.response.model": record.model,
        "gen_ai.response.finish_reasons": [reason] if reason else None,
        "gen_ai.response.time_to_first_chunk": record.time_to_first_token,
        "chat_magics.exchange": record.request,
        "chat_magics.surface": record.surface,
        "chat_magics.status": record.status,
        "chat_magics.attempts": record.attempts,
        "chat_magics.cached": record.cached,
        "chat_magics.cost": record.cost,
    }


def _of_usage(usage: Usage) -> dict[str, Any]:
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens or None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens or None,
        "chat_magics.usage.estimated": usage.estimated or None,
    }


def _message(message: Message) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "text", "content": message.content}]
    # An image may have megabytes, and a span has some kilobytes: its size is told.
    parts += [
        {"type": "image", "mime_type": image.mime, "bytes": image.size} for image in message.images
    ]
    return {"role": message.role, "parts": parts}


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
