"""The way of spans to a collector, for processes in which no person can say where they go.

A kernel of the app, or of a course, runs no code of who looks after it. So the setting `traces`
has us do what a program does at its start: set up the SDK by the variables of its standard.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

__all__ = ["provide"]

_SERVICE = "chat-magics"

_providing = threading.Lock()


def provide(on_fault: Callable[[str], object]) -> None:
    """Sends spans to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names, by OTLP over HTTP.

    Where the program has said already where spans go, that stays.

    Args:
        on_fault: told one line where the SDK is not installed, or a collector takes nothing.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        on_fault("traces is on, but its SDK is not installed: pip install 'chat-magics[traces]'")
        return
    with _providing:
        if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            return
        named = Resource.create()
        if str(named.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            named = named.merge(Resource({SERVICE_NAME: _SERVICE}))
        _hear(on_fault)
        provider = TracerProvider(resource=named)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)


class _Faults(logging.Handler):
    """Hands on what the SDK says, which else would be printed below some cell."""

    def __init__(self, on_fault: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self._on_fault = on_fault

    def emit(self, record: logging.LogRecord) -> None:
        """Tells one line, without a traceback."""
        self._on_fault("traces: " + " ".join(record.getMessage().split()))


def _hear(on_fault: Callable[[str], object]) -> None:
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(_Faults(on_fault))
    logger.propagate = False
