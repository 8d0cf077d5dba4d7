"""What goes over the wire, exactly: only what was set, to whom it may go; bad input never does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from chat_magics.client import ChatClient
from chat_magics.client.parameters import Adaption
from chat_magics.errors import AuthenticationFailed, ChatError, InvalidOption, InvalidRequest
from tests.asking import KEY, asking, request_to
from tests.chat_server import ChatServer, Reply, Status

HELLO = [{"role": "user", "content": "Hello"}]
BARE = {
    "model": "m",
    "messages": HELLO,
    "stream": True,
    "stream_options": {"include_usage": True},
}


@pytest.fixture(params=["aiohttp", "httpx"])
def client(server: ChatServer, request: pytest.FixtureRequest) -> Iterator[ChatClient]:
    with asking(server.url, transport=request.param) as client:
        yield client


def refusing(name: str, message: str = "", code: str | None = "unsupported_parameter") -> Status:
    said = message or f"Unsupported parameter: '{name}' is not supported with this model."
    kind = "invalid_request_error"
    return Status(400, {"error": {"message": said, "type": kind, "param": name, "code": code}})


def test_only_what_was_set_is_sent(server: ChatServer, client: ChatClient) -> None:
    client.complete(request_to(client))
    client.complete(request_to(client, options={"temperature": 0.5, "seed": 7, "stop": ["x"]}))
    assert server.bodies == [BARE, {**BARE, "temperature": 0.5, "seed": 7, "stop": ["x"]}]


def test_the_responses_api_is_never_told_to_store(server: ChatServer, client: ChatClient) -> None:
    options: dict[str, Any] = {"max_tokens": 50, "temperature": 1}
    client.complete(request_to(client, api="responses", options=options))
    assert server.bodies == [
        {
            "model": "m",
            "input": HELLO,
            "stream": True,
            "store": False,
            "max_output_tokens": 50,
            "temperature": 1,
        }
    ]
    assert server.posts[0].path == "/v1/responses"


def test_the_shape_of_an_answer_is_asked_for_in_the_words_of_each_api(
    server: ChatServer, client: ChatClient
) -> None:
    schema = {"name": "n", "strict": True, "schema": {"type": "object", "properties": {}}}
    shape = {"type": "json_schema", "json_schema": schema}
    for api in ("chat", "responses"):
        options = {"response_format": shape}
        client.complete(request_to(client, api=api, options=options, model="a"))
    chat, responses = server.bodies
    assert chat["response_format"] == shape
    assert responses["text"] == {"format": {"type": "json_schema", **schema}}
    assert "response_format" not in responses
    plain = {"response_format": {"type": "json_object"}, "text": {"verbosity": "low"}}
    client.complete(request_to(client, api="responses", options=plain, model="a"))
    assert server.bodies[-1]["text"] == {"verbosity": "low", "format": {"type": "json_object"}}


def test_the_limit_of_tokens_is_renamed_once_and_the_name_is_kept(
    server: ChatServer, client: ChatClient
) -> None:
    server.script(refusing("max_tokens"))
    answers = [client.complete(request_to(client, options={"max_tokens": 9})) for _ in range(2)]
    name = "max_completion_tokens"
    sent = [{k: v for k, v in body.items() if "tokens" in k} for body in server.bodies]
    assert sent == [{"max_tokens": 9}, {name: 9}, {name: 9}]
    assert answers[0].notes == (f"the server takes {name} instead of max_tokens",)
    assert (answers[0].attempts, answers[1].attempts, answers[1].notes) == (2, 1, ())


@pytest.mark.parametrize("named", ["max_tokens", "max_completion_tokens"])
def test_a_server_that_takes_no_limit_gets_none(
    server: ChatServer, client: ChatClient, named: str
) -> None:
    other = {"max_tokens": "max_completion_tokens"}.get(named, "max_tokens")
    server.script(refusing(named), refusing(other))
    answer = client.complete(request_to(client, options={named: 9}))
    assert server.bodies[2] == BARE
    assert answer.notes[1] == f"the server does not take {other} for this model: sent without it"


def test_a_limit_that_the_responses_api_refuses_is_left_out(
    server: ChatServer, client: ChatClient
) -> None:
    server.script(refusing("max_output_tokens"))
    client.complete(request_to(client, api="responses", options={"max_tokens": 9}))
    assert ["max_output_tokens" in body for body in server.bodies] == [True, False]


@pytest.mark.parametrize("param", ["temperature", None])
def test_a_parameter_that_is_refused_is_left_out_and_noted(
    server: ChatServer, client: ChatClient, param: str | None
) -> None:
    error = {"message": "Unsupported value: temperature", "param": param}
    server.script(Status(400, {"error": error}))
    options = {"temperature": 0.1, "seed": 7}
    answers = [client.complete(request_to(client, options=options)) for _ in range(2)]
    assert server.bodies[1:] == [{**BARE, "seed": 7}] * 2
    note = "the server does not take temperature for this model: sent without it"
    assert [answer.notes for answer in answers] == [(note,), ()]


@pytest.mark.parametrize(
    "said",
    [
        "Unknown parameter: 'seed'.",
        "Unrecognized request argument supplied: seed",
        "create() got an unexpected keyword argument 'seed'",
        "Additional properties are not allowed ('seed' was unexpected)",
        'Invalid JSON payload received. Unknown name "seed": Cannot find field.',
        "body.seed: Extra inputs are not permitted",
        "unknown field `seed`",
        "Unsupported value: 'seed' does not support 7 with this model. Only the default is.",
        "seed is not supported by this server",
    ],
)
def test_in_whatever_words_a_parameter_is_refused_it_is_left_out(
    server: ChatServer, client: ChatClient, said: str
) -> None:
    server.script(Status(400, {"error": {"message": said}}))
    answer = client.complete(request_to(client, options={"seed": 7, "temperature": 1}))
    assert answer.notes == ("the server does not take seed for this model: sent without it",)
    assert server.bodies[1] == {**BARE, "temperature": 1}


def test_what_one_model_refuses_another_is_still_sent(
    server: ChatServer, client: ChatClient
) -> None:
    server.script(refusing("temperature"))
    for model in ("m", "other", "m"):
        client.complete(request_to(client, model=model, options={"temperature": 1}))
    assert ["temperature" in body for body in server.bodies] == [True, False, True, False]


@pytest.mark.parametrize(
    "refusal",
    [
        refusing("temperature", "temperature is too hot", None),
        refusing("messages", "Unknown role"),
        refusing("model", "Unsupported model"),
        refusing("seed"),
        Status(400, {"error": {"message": "temperature and top_p are not supported together"}}),
        Status(403, {"error": {"message": "Unsupported parameter", "param": "temperature"}}),
        Status(400, {"error": {"message": "Unsupported parameter", "param": ["temperature"]}}),
        refusing("temperature", "temperature: unexpected value; permitted: 0, 1", None),
        refusing("temperature", "Unexpected type for temperature: str", None),
        refusing("temperature", "temperature: unknown variant `1`, expected `0`", None),
        refusing("temperature", "Unsupported value: 1. Supported values are: 0, 0.5"),
    ],
)
def test_a_refusal_of_something_else_is_told_and_nothing_is_left_out(
    server: ChatServer, client: ChatClient, refusal: Status
) -> None:
    server.script(refusal)
    with pytest.raises(ChatError):
        client.complete(request_to(client, options={"temperature": 1, "top_p": 1}))
    assert len(server.posts) == 1
    client.complete(request_to(client, options={"temperature": 1}))
    assert server.bodies[1] == {**BARE, "temperature": 1}


@pytest.mark.parametrize(
    ("host", "name"),
    [("api.openai.com", "max_completion_tokens"), ("x.openai.azure.com", "max_completion_tokens")],
)
def test_openai_is_sent_the_name_that_it_takes(host: str, name: str) -> None:
    with asking(f"https://{host}/v1") as client:
        request = request_to(client, options={"max_tokens": 9})
        body = client._adaption(request, client.config).body(request)
        assert body == {name: 9, "stream_options": {"include_usage": True}}
    assert Adaption("max_tokens").body(request)["max_tokens"] == 9


def test_what_the_environment_holds_for_openai_does_not_reach_another_host(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-canary")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-canary")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-canary-admin")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-One: canary\n  x-two :canary")
    with asking(server.url, api_key=None) as client:
        client.complete(request_to(client))
        client.loop.run(client.models())
    assert len(server.requests) == 2
    for request in server.requests:
        assert "canary" not in repr(request.headers)
        assert not {"authorization", "x-one", "x-two"} & set(request.headers)


def test_headers_of_the_environment_go_to_a_url_of_the_environment_and_leave_the_key(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-One: mine\nauthorization: Bearer canary")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with asking(None, api_key=None, transport="httpx") as client:
        client.complete(request_to(client))
        client.loop.run(client.models())
    for request in server.requests:
        assert request.headers["x-one"] == "mine"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert "Bearer canary" not in request.headers.values()


@pytest.mark.parametrize("name", ["Authorization", "authorization", " AUTHORIZATION "])
def test_an_authorization_of_the_environment_neither_leaks_nor_displaces_the_key(
    server: ChatServer, client: ChatClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"{name}: Bearer canary\nX-One: canary")
    client.complete(request_to(client))
    with asking(server.url, api_key=None) as keyless:
        keyless.complete(request_to(keyless))
    assert server.posts[0].headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in server.posts[1].headers
    assert not any("x-one" in request.headers for request in server.posts)


def test_a_key_of_the_environment_stays_here_where_the_url_is_from_elsewhere(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.script(Reply(), Status(401))
    why = (
        r"^127.0.0.1 wants a key, but the key \(environment\) is not sent to 127.0.0.1 \(argument\)"
    )
    with asking(server.url, api_key=None) as client:
        client.complete(request_to(client))
        with pytest.raises(AuthenticationFailed, match=why):
            client.complete(request_to(client))
    assert [KEY in repr(request.headers) for request in server.requests] == [False, False]


def test_a_key_and_a_url_of_one_place_go_together(server: ChatServer, client: ChatClient) -> None:
    client.complete(request_to(client))
    assert server.posts[0].headers["authorization"] == f"Bearer {KEY}"
    assert "openai-organization" not in server.posts[0].headers


def test_an_organisation_that_is_set_goes_where_the_key_goes(server: ChatServer) -> None:
    with asking(server.url, organization="org", project="proj") as client:
        client.complete(request_to(client))
    headers = server.posts[0].headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org", "proj")


def test_an_organisation_of_the_environment_stays_here_where_key_and_url_are_from_elsewhere(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-canary")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-canary")
    with asking(server.url) as client:
        client.complete(request_to(client))
    assert server.posts[0].headers["authorization"] == f"Bearer {KEY}"
    assert "canary" not in repr(server.posts[0].headers).replace(KEY, "")


def test_a_short_key_leaves_the_words_of_an_error_whole(server: ChatServer) -> None:
    server.script(Status(400, {"error": {"message": f"the text extends {KEY}"}}))
    refused = pytest.raises(InvalidRequest, match=r"the text extends \*\*\*$")
    with asking(server.url, api_key="x") as client, refused:
        client.complete(request_to(client))


def test_an_error_can_be_stored_whatever_it_holds(server: ChatServer) -> None:
    server.script(Status(400, {"error": {"message": "half \ud83d", "code": "a\ud83d"}}))
    refused = pytest.raises(InvalidRequest, match=r"half \?$")
    with asking(server.url) as client, refused as caught:
        client.complete(request_to(client))
    assert caught.value.code == "a?"


def test_openai_is_not_asked_without_a_key() -> None:
    refused = pytest.raises(AuthenticationFailed, match=r"no key: set .* base_url to demo")
    with asking("https://api.openai.com/v1", api_key=None) as client, refused:
        client.complete(request_to(client))


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
def test_a_proxy_of_the_environment_does_not_swallow_loopback(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    with ChatServer() as proxy:
        address = proxy.url.removesuffix("/v1")
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, address)
        with asking(server.url, transport=transport) as client:
            assert client.complete(request_to(client)).text == Reply().whole
        assert (proxy.connections, len(server.posts)) == (0, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\0b", "the user message holds a NUL character at position 1: remove it"),
        ("ab\ud83d", "the user message holds half of a surrogate pair at position 2: remove it"),
    ],
)
def test_text_that_cannot_travel_is_not_sent(
    server: ChatServer, client: ChatClient, text: str, said: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.complete(request_to(client, text))
    assert (str(caught.value), server.requests) == (said, [])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 2}, "n must be 1"),
        ({"temperature": 2.1}, "temperature must be a number from 0 to 2"),
        ({"temperature": "hot"}, "temperature must be a number from 0 to 2"),
        ({"temperature": True}, "temperature must be a number from 0 to 2"),
        ({"temperature": math.nan}, "temperature must be JSON, with finite numbers"),
        ({"seed": math.inf}, "seed must be JSON, with finite numbers"),
        ({"logit_bias": {"5": [math.nan]}}, "logit_bias must be JSON, with finite numbers"),
        ({"stop": ["\ud83d"]}, "'stop' holds half of a surrogate pair"),
        ({"\ud83d": 1}, r"'\ud83d' holds half of a surrogate pair"),
        ({"top_p": -0.1}, "top_p must be a number from 0 to 1"),
        ({"presence_penalty": 3}, "presence_penalty must be a number from -2 to 2"),
        ({"frequency_penalty": -3}, "frequency_penalty must be a number from -2 to 2"),
        ({"max_tokens": 0}, "max_tokens must be a whole number above 0"),
        ({"max_tokens": 1.5}, "max_tokens must be a whole number above 0"),
        ({"max_tokens": True}, "max_tokens must be a whole number above 0"),
        ({"messages": []}, "messages cannot be set: use the prompt"),
        ({"model": "other"}, "model cannot be set: use --model"),
        ({"stream": False}, "stream cannot be set: it always streams"),
        ({"store": True}, "store cannot be set"),
        ({"stream_options": {}}, "stream_options cannot be set"),
    ],
)
def test_an_option_that_no_api_takes_is_not_sent(
    server: ChatServer, client: ChatClient, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidOption) as caught:
        client.complete(request_to(client, options=options))
    assert str(caught.value).startswith(f"option {said}")
    assert server.requests == []


def test_a_model_name_that_cannot_travel_is_not_sent(
    server: ChatServer, client: ChatClient
) -> None:
    with pytest.raises(InvalidRequest, match="the model name holds half of a surrogate pair"):
        client.complete(request_to(client, model="m\ud83d"))
    assert server.requests == []
