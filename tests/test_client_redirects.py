"""Redirects: followed on the same server only; another one is sent nothing and named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat_magics.client import ChatClient
from chat_magics.client.redirects import hooks
from chat_magics.errors import BadResponse
from tests.asking import asking, request_to
from tests.chat_server import ChatServer, Reply, Status


@pytest.fixture(params=["aiohttp", "httpx"])
def client(server: ChatServer, request: pytest.FixtureRequest) -> Iterator[ChatClient]:
    """A client of the tests' server, by either transport."""
    with asking(server.url, transport=request.param) as client:
        yield client


def to(place: str, code: int = 307) -> Status:
    """A redirect."""
    return Status(code, "", headers={"location": place})


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_to_another_server_is_not_followed(
    server: ChatServer, client: ChatClient, code: int
) -> None:
    with ChatServer() as other:
        server.script(to(f"{other.url}/chat/completions", code))
        with pytest.raises(BadResponse) as refused:
            client.complete(request_to(client))
        assert other.connections == 0
    here, there = (s.url.removesuffix("/v1") for s in (server, other))
    assert str(refused.value) == (
        f"{here} redirects to {there}, which was sent nothing: set base_url to it if you trust it"
    )
    assert len(server.posts) == 1


def test_the_list_of_models_is_not_asked_of_another_server_either(
    server: ChatServer, client: ChatClient
) -> None:
    with ChatServer() as other:
        server.models_answer = to(f"{other.url}/models")
        with pytest.raises(BadResponse, match="set base_url to it if you trust it"):
            client.loop.run(client.models())
        assert other.connections == 0


def test_a_redirect_on_the_same_server_is_followed_with_the_prompt(
    server: ChatServer, client: ChatClient
) -> None:
    server.script(to("/v1/chat/completions"), Reply("here"))
    assert client.complete(request_to(client)).text == "here"
    assert server.bodies[0] == server.bodies[1]


def test_a_redirect_that_would_lose_the_prompt_is_told(
    server: ChatServer, client: ChatClient
) -> None:
    server.script(to("/v2/chat/completions", 301))
    with pytest.raises(BadResponse, match=r"/v2/chat/completions, which loses the prompt: set"):
        client.complete(request_to(client))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("own", "target", "followed"),
    [
        ("http://host/v1", "https://host/v1/", True),
        ("https://host/v1", "https://HOST:443/other", True),
        ("https://host/v1", "http://host/v1", False),
        ("http://host:8000/v1", "http://host:9000/v1", False),
        ("http://host/v1", "https://host:8443/v1", False),
        ("https://host/v1", "https://host.evil.example/v1", False),
        ("https://bücher.example/v1", "https://xn--bcher-kva.example/v1", True),
    ],
)
def test_the_same_server_is_the_same_host_and_port_or_its_https(
    own: str, target: str, followed: bool
) -> None:
    httpx = pytest.importorskip("httpx2")
    (before,) = hooks(httpx.URL(own))["request"]
    sending = before(httpx.Request("POST", target))
    try:
        sending.send(None)
    except StopIteration:
        assert followed
    except BadResponse:
        assert not followed
