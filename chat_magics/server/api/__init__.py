"""The API for programs: the same client, limits and history as the pages.

`schema` holds what goes in and out, `base` what all handlers share; `queries`, `sessions` and
`states` are the handlers, `openapi` describes them.
"""

from typing import Any

from jupyter_server.utils import url_path_join

from .base import UnknownHandler
from .openapi import OpenApiHandler, description
from .queries import BatchQueryHandler, QueryHandler
from .sessions import AllSessionsHandler, EndHandler, SessionHandler, SessionsHandler
from .states import HealthHandler, MetricsHandler, ModelsHandler, ReadinessHandler

__all__ = ["description", "handlers", "unknown"]


def handlers() -> list[tuple[str, Any]]:
    """Paths below the app's own, and who answers there."""
    return [
        ("/healthz", HealthHandler),
        ("/readyz", ReadinessHandler),
        ("/metrics", MetricsHandler),
        ("/api/models", ModelsHandler),
        ("/api/query", QueryHandler),
        ("/api/batch-query", BatchQueryHandler),
        ("/api/sessions", SessionsHandler),
        ("/api/sessions/([0-9a-f]{32})", SessionHandler),
        ("/api/admin/sessions", AllSessionsHandler),
        ("/api/admin/sessions/([0-9a-f-]{36})", EndHandler),
        ("/api/openapi.json", OpenApiHandler),
    ]


def unknown(base: str) -> tuple[str, Any]:
    """What answers at every other path of the API, below Voilà's own and before the page.

    Args:
        base: path of the app.
    """
    return (url_path_join(base, "/api(?:/.*)?"), UnknownHandler)
