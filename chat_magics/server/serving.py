"""Serving: from settings to a running server, with what its kernels are told."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from ..attachments import ACCEPTED
from ..client import ChatClient
from ..config import ChatConfig, Sourced, resolve_sourced
from ..errors import ChatError
from ..tracing import provide
from .settings import ServeSettings

__all__ = ["COLLECTOR", "DEFAULTS", "serve"]

DEFAULTS = {
    "REQUESTS_PER_MINUTE": "20",
    "REQUESTS_PER_MINUTE_PER_ADDRESS": "60",
    "ANSWERS_AT_ONCE": "1",
}
"""Settings of the chat that a served app has where nobody set them: its visitors share a key."""


COLLECTOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Who names a collector for the app wants its traces there."""


def serve(settings: ServeSettings, on_ready: Callable[[str], None] | None = None) -> None:
    """As `chat_magics.server.serve`."""
    for package in ("voila", "prometheus_client"):
        if find_spec(package) is None:
            raise ChatError(f"{package} is not installed: pip install 'chat-magics[app]'")
    with _without_iris():
        from .application import ChatVoila, notebook_path, voila_config

    chat = _for_kernels(settings)
    logger = _log_into(chat.home)
    if chat.traces:
        provide(logger.warning)
    notebook = notebook_path()
    if not notebook.is_file():
        raise ChatError(f"the app's notebook is missing: {notebook}")
    app = ChatVoila(serving=settings, chat=chat, config=voila_config(settings))
    app.base_url = settings.base_url
    app.notebook_path = str(notebook)
    app.open_browser = False
    app.log_level = logging.ERROR  # each of our requests has its line in the log
    if on_ready is not None:
        app.on_ready = on_ready
    app.initialize([])
    app.start()


@contextmanager
def _without_iris() -> Iterator[None]:
    """Has jsonschema, which Jupyter's events need, load without its check of the format `iri`.

    Its grammar is compiled at import, for seconds, and no event of Jupyter has an IRI.
    """
    grammar = "rfc3987_syntax"
    if grammar in sys.modules:
        yield
        return
    sys.modules[grammar] = cast(Any, None)  # as if it were not installed
    try:
        yield
    finally:
        del sys.modules[grammar]


def _for_kernels(settings: ServeSettings) -> ChatConfig:
    """Writes into the environment, which kernels inherit, what they are to know."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(f"CHAT_MAGICS_{name}", value)
    if any(name in os.environ for name in COLLECTOR):
        os.environ.setdefault("CHAT_MAGICS_TRACES", "1")
    os.environ["CHAT_MAGICS_WARM_UP"] = "0"
    # Else the C library keeps a heap for each thread: of a kernel's many, most are idle.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    os.environ["CHAT_MAGICS_SERVE_FOLDER"] = str(Path.cwd())
    os.environ["CHAT_MAGICS_SERVE_OWN_KEY"] = str(int(settings.own_key))
    # What signs and admits is the server's alone.
    for secret in ("TOKEN", "COOKIE_SECRET"):
        os.environ.pop(f"CHAT_MAGICS_SERVE_{secret}", None)
        os.environ.pop(f"CHAT_MAGICS_SERVE_{secret}_FILE", None)
    config, sources = resolve_sourced()
    os.environ["CHAT_MAGICS_SERVE_FRONT"] = json.dumps(_front(config, sources))
    return config


def _front(config: ChatConfig, sources: Sourced) -> dict[str, object]:
    """What a page shows and knows before its kernel has read a setting."""
    client = ChatClient(config, sources)
    likely, _is_guess = client.likely_model()
    client.close()
    return {
        "model": likely,
        "limit": config.max_prompt_chars,
        "accept": list(ACCEPTED),
        "max_bytes": config.file_limits._asdict(),
    }


def _log_into(home: Path) -> logging.Logger:
    """Structured lines of the server into the log that its kernels write too."""
    from .server_log import LogHandler

    logger = logging.getLogger("chat_magics.server")
    logger.setLevel(logging.INFO)
    logger.addHandler(LogHandler(home / "logs"))
    logger.propagate = False
    return logger
