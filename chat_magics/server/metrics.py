"""Metrics for Prometheus, gathered from all kernels: each writes a line of log for each request.

The format is Prometheus' text exposition format; the names follow its rules (base units, `_total`
for counters). Counting begins with the server; what the log held before belongs to the past.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ..log_file import LogFile
from ..redis_link import link_to
from .seats import Seats

__all__ = ["CONTENT_TYPE_LATEST", "LogTail", "Metrics"]

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)

MOST_MODELS = 100
"""Names of models that are told apart."""


class LogTail:
    """The records that are written into a log from now on.

    Args:
        directory: the folder of the log's parts.
    """

    def __init__(self, directory: Path) -> None:
        self._log = LogFile(directory)
        self._read = {part: part.stat().st_size for part in self._log.parts()}

    def records(self) -> Iterator[dict[str, Any]]:
        """Those since the last call; a line that is being written is left for the next."""
        for part in self._log.parts():
            try:
                with part.open("rb") as file:
                    file.seek(self._read.get(part, 0))
                    data = file.read()
            except FileNotFoundError:
                continue  # it was the oldest, and a kernel has removed it just now
            whole = data[: data.rfind(b"\n") + 1]
            self._read[part] = self._read.get(part, 0) + len(whole)
            for line in whole.splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # a line that a full disk cut
                if isinstance(record, dict):
                    yield record


class Metrics:
    """What `/metrics` tells.

    Args:
        logs: the folder of the log that this server and its kernels write.
        seats: the open pages.
        most: how many there may be.
        redis: the address of the Redis of each part that uses one.
    """

    def __init__(
        self, logs: Path, seats: Seats, most: int, redis: Mapping[str, str] | None = None
    ) -> None:
        self._tail = LogTail(logs)
        self._gathering = threading.Lock()
        self._models: set[str] = set()
        self.registry = CollectorRegistry()
        self.requests = self._counter("requests", "Prompts that ended", "model", "status", "cache")
        self.tokens = self._counter("tokens", "Tokens", "model", "direction")
        self.cost = self._counter("cost_dollars", "US dollars, as far as prices are known", "model")
        self.retries = self._counter("retries", "Requests sent again", "model")
        self.errors = self._counter("errors", "Prompts that failed", "type")
        self.latency = self._histogram("latency_seconds", "From the prompt to the end of the reply")
        self.first = self._histogram(
            "time_to_first_token_seconds", "From the prompt to the first token"
        )
        self.lag = self._histogram("loop_lag_seconds", "How late the server's event loop was")
        sessions = Gauge("chat_magics_sessions", "Open pages", registry=self.registry)
        sessions.set_function(lambda: len(seats))
        limit = Gauge("chat_magics_sessions_limit", "Pages at most", registry=self.registry)
        limit.set(most)
        running = Gauge("chat_magics_kernels", "Kernels, waiting ones too", registry=self.registry)
        running.set_function(seats.kernels)
        self.away = self._counter("redis_away", "Times that a process lost its Redis", "part")
        up = Gauge(
            "chat_magics_redis_up",
            "Whether this server can use it",
            ["part"],
            registry=self.registry,
        )
        for part, url in (redis or {}).items():
            self.away.labels(part)  # from 0 on, so that the first time is seen as a change
            up.labels(part).set_function(partial(_is_up, url))

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(f"chat_magics_{name}", help, labels, registry=self.registry)

    def _histogram(self, name: str, help: str) -> Histogram:
        return Histogram(f"chat_magics_{name}", help, registry=self.registry, buckets=SECONDS)

    def text(self) -> bytes:
        """All of them, in Prometheus' format."""
        self.gather()
        return generate_latest(self.registry)

    def gather(self) -> None:
        """Counts what was written into the log since the last time."""
        with self._gathering:  # two may ask at once, and each record counts once
            for record in self._tail.records():
                if record.get("event") in ("request", "failure"):
                    self._count(record)
                elif record.get("event") == "redis" and record.get("state") == "away":
                    self.away.labels(record.get("part")).inc()

    def _label(self, model: str) -> str:
        """The name of a model; who asks may have made it up, and each name is kept for ever."""
        if len(self._models) < MOST_MODELS:
            self._models.add(model)
        return model if model in self._models else "other"

    def _count(self, record: dict[str, Any]) -> None:
        model = self._label(record.get("model") or record.get("model_asked") or "unknown")
        cached = bool(record.get("cached"))
        status = record.get("status", "")
        self.requests.labels(model, status, "hit" if cached else "miss").inc()
        if record.get("error_type"):
            self.errors.labels(record["error_type"]).inc()
        if cached:
            return  # nothing was sent, and nothing spent
        for direction in ("prompt", "completion"):
            self.tokens.labels(model, direction).inc(record.get(f"{direction}_tokens") or 0)
        self.cost.labels(model).inc(record.get("cost") or 0)
        self.retries.labels(model).inc(max(0, (record.get("attempts") or 1) - 1))
        self.latency.observe(record.get("latency") or 0)
        if (first := record.get("time_to_first_token")) is not None:
            self.first.observe(first)


def _is_up(url: str) -> float:
    return float(link_to(url).trouble is None)
