"""A collector of OpenTelemetry: takes spans by OTLP over HTTP, and keeps them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from typing_extensions import Self

from tests.closing import Closing

__all__ = ["Collector", "Span"]


class Span(NamedTuple):
    """One span as it came: ids in hex, attributes by name, names of events, who sent it."""

    name: str
    trace: str
    parent: str
    attributes: dict[str, Any]
    events: list[str]
    service: str
    raw: bytes


class Collector(Closing):
    """Listens on a free port of 127.0.0.1, and speaks the protocol."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.refused: list[str] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told = self.headers.get("Content-Type"), self.path
                if told != ("application/x-protobuf", "/v1/traces"):
                    collector.refused.append(str(told))
                    self.send_error(415)
                    return
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(ExportTraceServiceRequest.FromString(body))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Prints nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stops it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, request: Any) -> None:
        """Keeps the spans of one request."""
        with self._changed:
            for resource in request.resource_spans:
                service = _values(resource.resource.attributes).get("service.name", "")
                for scope in resource.scope_spans:
                    self.spans += [_span(span, service) for span in scope.spans]
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool], timeout: float = 240.0) -> None:
        """Waits until something is true of what came."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout), [s.name for s in self.spans]


def _span(span: Any, service: str) -> Span:
    return Span(
        span.name,
        span.trace_id.hex(),
        span.parent_span_id.hex(),
        _values(span.attributes),
        [event.name for event in span.events],
        service,
        span.SerializeToString(),
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)
