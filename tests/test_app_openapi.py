"""The description of the API is what the API does, tried with what nobody would think of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.app_people import App, app_on
from tests.chat_server import Reply

OPERATIONS = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/models"),
    ("POST", "/api/query"),
    ("POST", "/api/batch-query"),
    ("GET", "/api/sessions"),
    ("GET", "/api/sessions/{id}"),
    ("DELETE", "/api/sessions/{id}"),
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app, which asks its own model server without limits."""
    limits = {
        f"CHAT_MAGICS_{name}": "1000000"
        for name in ("REQUESTS_PER_MINUTE", "REQUESTS_PER_MINUTE_PER_ADDRESS")
    }
    with app_on(tmp_path_factory.mktemp("app"), **limits) as running:
        running.model.default = Reply("Yes.")
        yield running
        running.model.violations.clear()  # of options that people may make up, and it refuses


@pytest.fixture(scope="module")
def described(app: App) -> Any:
    """What the running app says of itself."""
    return schemathesis.openapi.from_url(f"{app.server.url}api/openapi.json")


def test_every_path_is_described(described: Any) -> None:
    found = {(each.ok().method.upper(), each.ok().path) for each in described.get_all_operations()}
    assert found == OPERATIONS


def test_a_stream_is_as_described(described: Any) -> None:
    body = {"prompt": "Stream", "stream": True}
    case = described["/api/query"]["POST"].Case(body=body, media_type="application/json")
    assert case.call_and_validate(checks=CHECKS).headers["content-type"][0].startswith("text/event")


@pytest.mark.parametrize(("method", "path"), sorted(OPERATIONS))
def test_what_is_described_is_what_happens(described: Any, method: str, path: str) -> None:
    cases = described[path][method].as_strategy() | described[path][method].as_strategy(
        generation_mode=schemathesis.GenerationMode.NEGATIVE
    )

    @seed(20)
    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def tried(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    tried()
