"""People who ask the app over HTTP: behind a proxy that names each, at an address of their own."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.app_server import Answered, AppServer
from tests.chat_server import ChatServer
from tests.talks import CANARY

__all__ = ["App", "Person", "app_on", "asked_by", "events", "failure", "log_records"]


class App(NamedTuple):
    """A running app and its model server."""

    server: AppServer
    model: ChatServer

    def person(self, name: str, address: str = "") -> Person:
        """Somebody whom nobody else's limits touch."""
        return Person(self.server, name, address or f"client-of-{name}")


class Person:
    """Somebody who asks.

    Args:
        app: whom.
        name: as the proxy says it.
        address: the same.
    """

    def __init__(self, app: AppServer, name: str, address: str) -> None:
        self.app = app
        self.name = name
        self.headers = {"X_Forwarded_User": name, "X_Forwarded_For": address}

    def query(self, prompt: str, **more: Any) -> Answered:
        """Asks one prompt."""
        return self.post("api/query", {"prompt": prompt, **more})

    def stream(self, prompt: str, **more: Any) -> list[tuple[str, Any]]:
        """Asks one prompt; the events of its stream."""
        return events(self.query(prompt, stream=True, **more))

    def batch(self, *prompts: str) -> list[Any]:
        """Asks many prompts; the items of the answer."""
        items: list[Any] = self.post("api/batch-query", {"prompts": prompts}).json["answers"]
        return items

    def post(self, path: str, body: Any, **headers: str) -> Answered:
        """Sends something."""
        return self.app.post(path, body, **{**self.headers, **headers})

    def get(self, path: str, **headers: str) -> Answered:
        """Looks at something."""
        return self.app.get(path, **{**self.headers, **headers})

    def delete(self, path: str) -> Answered:
        """Ends something."""
        return self.app.ask("DELETE", path, **self.headers)

    def in_the_background(self, prompt: str) -> threading.Thread:
        """Asks while the test goes on."""
        thread = threading.Thread(target=self.query, args=(prompt,))
        thread.start()
        return thread

    def leave_after_sending(self, path: str, body: Any) -> http.client.HTTPConnection:
        """A request whose connection the test closes by itself."""
        connection = http.client.HTTPConnection(urlsplit(self.app.url).netloc, timeout=240)
        told = {name.replace("_", "-"): value for name, value in self.headers.items()}
        headers = {"Content-Type": "application/json", **told}
        connection.request("POST", f"/{path}", json.dumps(body), headers)
        return connection


@contextmanager
def app_on(folder: Path, *arguments: str, **environment: str) -> Iterator[App]:
    """An app on a model server of its own, with a key that must never be seen again."""
    with ChatServer() as model:
        told = {
            "CHAT_MAGICS_BASE_URL": model.url,
            "CHAT_MAGICS_API_KEY": CANARY,
            "CHAT_MAGICS_MODEL": "test-model",
            **environment,
        }
        with AppServer(folder, "--preheated", "0", *arguments, **told) as server:
            yield App(server, model)
            model.release()
    assert model.violations == []


def events(answered: Answered) -> list[tuple[str, Any]]:
    """The server-sent events of an answer."""
    assert answered.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    found = []
    for event in answered.body.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        assert name.startswith("event: ")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def failure(answered: Answered) -> Any:
    """A refusal, which is JSON and one line, and says its own status."""
    assert answered.headers["Content-Type"] == "application/json; charset=utf-8", answered
    told = answered.json
    assert set(told) == {"error", "type", "status", "request_id", "retry_after"}
    assert told["status"] == answered.status
    assert told["error"]
    assert "\n" not in told["error"]
    return told


def asked_by(app: App, prompt: str) -> int:
    """How often the model server was asked a prompt."""
    return sum(request.last == prompt for request in app.model.posts)


def log_records(server: AppServer) -> list[Any]:
    """The lines of the log in the app's home."""
    parts = sorted((server.home / "logs").glob("*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]
