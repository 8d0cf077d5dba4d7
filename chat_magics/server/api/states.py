"""Whether the server lives, whether it can serve, what it counts, and which models there are."""

from __future__ import annotations

import asyncio

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado.web import HTTPError, RequestHandler

from ...client import ChatClient
from ...errors import ChatError
from ..entrance import Entrance
from ..metrics import CONTENT_TYPE_LATEST
from .base import ApiHandler, signed_in
from .schema import Health, Models, Readiness, as_json

__all__ = ["HealthHandler", "MetricsHandler", "ModelsHandler", "Probe", "ReadinessHandler"]


class Probe(RequestHandler):
    """What a probe of an orchestrator asks: no login, no kernel, no cookie."""

    @property
    def entrance(self) -> Entrance:
        found: Entrance = self.settings["chat_magics"]
        return found

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")


class HealthHandler(Probe):
    """`GET /healthz`: alive."""

    @allow_unauthenticated
    def get(self) -> None:
        seats = self.entrance.seats
        self.finish(as_json(Health(kernels=seats.kernels(), sessions=len(seats))))

    head = get


class ReadinessHandler(Probe):
    """`GET /readyz`: 200 where a prompt can be answered, else 503; each part with its state."""

    @allow_unauthenticated
    async def get(self) -> None:
        if self.entrance.ending:  # at once: whoever sends people here is to send them elsewhere
            ready, parts = False, {"server": "is ending"}
        else:
            ready, parts = await self.entrance.readiness.state()
        self.set_status(200 if ready else 503)
        self.finish(as_json(Readiness(status="ready" if ready else "not ready", parts=parts)))


class MetricsHandler(Probe):
    """`GET /metrics`: for Prometheus; names, counts and sums, of nobody in particular."""

    @allow_unauthenticated
    async def get(self) -> None:
        if not self.entrance.may_measure(self.request):
            raise HTTPError(403)
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        metrics = self.entrance.metrics
        self.finish(await asyncio.get_running_loop().run_in_executor(None, metrics.text))


class ModelsHandler(ApiHandler):
    """`GET /api/models`: what the model server lists."""

    @signed_in
    async def get(self) -> None:
        client = self.entrance.people.client
        models, listed = await self.off_loop(lambda: _models(client, self.owner))
        likely, _ = client.likely_model(self.owner)
        self.give(Models(models=models, default=likely, listed=listed))


def _models(client: ChatClient, owner: str) -> tuple[list[str], bool]:
    try:
        return client.loop.run(client.models(owner=owner)), True
    except ChatError:
        return client.known_models(owner), False
