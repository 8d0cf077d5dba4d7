"""Traces of OpenTelemetry: a span for each exchange, and the way to a collector for the app."""

from .provider import provide
from .span import ExchangeSpan, current_span, exchange_span, follow

__all__ = ["ExchangeSpan", "current_span", "exchange_span", "follow", "provide"]
