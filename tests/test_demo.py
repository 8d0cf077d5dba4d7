"""The demo model: an honest OpenAI-compatible server, read by the official client."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import APIConnectionError, APIStatusError, NotFoundError, OpenAI, __version__

from chat_magics.demo import DemoServer
from chat_magics.demo.replies import OPENING, answer, tokens
from chat_magics.errors import ConfigError
from chat_magics.messages import Message

# openai 2 hands on what its HTTP package raises in the middle of a stream.
HTTP = import_module("httpx" if __version__.startswith("2.") else "httpx2")
BROKEN = (APIConnectionError, HTTP.RemoteProtocolError)
TOPICS = ["code please", "a table", "some math", "join two frames", "a long answer", "hello"]


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoServer]:
    server = DemoServer()
    server.start(speed=1e6)
    yield server
    server.stop()


@pytest.fixture
def openai(demo: DemoServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=demo.url, api_key="none", max_retries=0) as client:
        yield client


def said(prompt: str) -> list[Any]:
    return [{"role": "user", "content": prompt}]


def reply(prompt: str) -> str:
    return answer([Message(role="user", content=prompt)])


def test_a_streamed_and_a_whole_reply_are_the_same(openai: OpenAI) -> None:
    whole = openai.chat.completions.create(model="demo", messages=said("hello"))
    chunks = list(
        openai.chat.completions.create(
            model="demo",
            messages=said("hello"),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content == reply("hello")
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage
    assert whole.usage is not None
    assert whole.usage.completion_tokens == len(tokens(text))


def test_usage_is_streamed_only_when_asked_for(openai: OpenAI) -> None:
    stream = openai.chat.completions.create(model="demo", messages=said("hi"), stream=True)
    assert all(chunk.usage is None and chunk.choices for chunk in stream)


def test_the_responses_api_says_the_same(openai: OpenAI) -> None:
    whole = openai.responses.create(model="demo", input="hello", store=False)
    events = list(openai.responses.create(model="demo", input="hello", stream=True))
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert deltas == whole.output_text == reply("hello")
    assert [e.sequence_number for e in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.usage == whole.usage


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_token_limit_cuts_the_reply(openai: OpenAI, name: str) -> None:
    limit: Any = {name: 5}
    cut = openai.chat.completions.create(model="demo", messages=said("hello"), **limit)
    assert cut.choices[0].finish_reason == "length"
    assert cut.choices[0].message.content == "".join(tokens(reply("hello"))[:5])


def test_a_token_limit_makes_a_response_incomplete(openai: OpenAI) -> None:
    cut = openai.responses.create(model="demo", input="hello", max_output_tokens=20)
    assert cut.status == "incomplete"
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"


def test_models_are_listed_and_a_wrong_one_is_told_which_there_are(openai: OpenAI) -> None:
    assert [model.id for model in openai.models.list()] == ["demo", "demo-slow"]
    assert openai.models.retrieve("demo-slow").id == "demo-slow"
    for ask in (
        lambda: openai.models.retrieve("gpt"),
        lambda: openai.chat.completions.create(model="gpt", messages=said("hi")),
    ):
        with pytest.raises(NotFoundError, match="those that are: `demo`, `demo-slow`") as caught:
            ask()
        assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("code", [401, 429, 500])
def test_an_error_can_be_asked_for(openai: OpenAI, code: int) -> None:
    with pytest.raises(APIStatusError, match=f"error {code}") as caught:
        openai.chat.completions.create(model="demo", messages=said(f"Show me error {code}!"))
    assert caught.value.status_code == code
    assert caught.value.request_id
    assert caught.value.response.headers.get("retry-after") == ("1" if code == 429 else None)


def test_a_cut_can_be_asked_for(openai: OpenAI) -> None:
    stream = iter(
        openai.chat.completions.create(model="demo", messages=said("error cut"), stream=True)
    )
    text = "".join(next(stream).choices[0].delta.content or "" for _ in range(13))
    assert reply("error cut").startswith(text)
    with pytest.raises(BROKEN):
        next(stream)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/chat/completions", "no", 400, "not a JSON object"),
        ("/chat/completions", {"model": "demo"}, 400, "'messages' must be"),
        ("/chat/completions", {"messages": said("hi")}, 400, "name a model"),
        ("/chat/completions", {"model": "demo", "messages": [{"role": "x"}]}, 400, "a role"),
        ("/responses", {"model": "demo"}, 400, "'input' must be"),
        ("/responses", {"model": "demo", "input": "x", "stream": 1}, 400, "'stream' must be"),
        ("/responses", {"model": "demo", "input": "x", "max_output_tokens": 0}, 400, "1 or more"),
        ("/nothing", {}, 404, "Unknown request URL: POST /v1/nothing"),
        ("/models", {}, 405, "Method Not Allowed"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_openais_shape(
    demo: DemoServer, path: str, body: Any, status: int, message: str
) -> None:
    refused = httpx2.post(demo.url + path, json=body, trust_env=False)
    assert refused.status_code == status
    assert message in refused.json()["error"]["message"]
    assert refused.headers["x-request-id"].startswith("req_")
    assert "access-control-allow-origin" not in refused.headers


def test_a_reply_ends_when_its_reader_leaves(demo: DemoServer, openai: OpenAI) -> None:
    stream = openai.chat.completions.create(
        model="demo-slow", messages=said("a long answer"), stream=True
    )
    next(iter(stream))
    assert demo.active == 1
    stream.close()
    _until(lambda: demo.active == 0)


def test_a_server_that_is_stopped_ends_its_replies() -> None:
    with DemoServer() as demo, OpenAI(base_url=demo.url, api_key="none", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="demo-slow", messages=said("a long answer"), stream=True
        )
        next(iter(stream))
        demo.stop()
        with pytest.raises(BROKEN):
            list(stream)
        with pytest.raises(ConfigError, match="not started"):
            _ = demo.url


@pytest.mark.parametrize("prompt", TOPICS)
def test_each_reply_says_first_that_no_model_stands_behind_it(prompt: str) -> None:
    first, _, rest = reply(prompt).partition("\n")
    assert first == OPENING
    assert "no language model" in first
    assert rest.strip()
    assert len({reply(topic) for topic in TOPICS}) == len(TOPICS)


@pytest.mark.parametrize("prompt", ["code", "join", "long"])
def test_the_code_in_a_reply_runs(prompt: str, tmp_path: Any) -> None:
    blocks = re.findall(r"```python\n(.*?)```", reply(prompt), re.DOTALL)
    assert blocks
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reply_tells_what_was_sent() -> None:
    talk = [
        Message(role="system", content="Be brief"),
        Message(role="user", content="One"),
        Message(role="assistant", content="Two"),
        Message(role="user", content="one two three four\nfive six seven eight nine"),
    ]
    begins = "«one two three four five six seven eight…»"
    assert f"You sent 4 messages; the last one begins {begins}." in answer(talk)


def test_a_long_reply_is_about_1500_tokens() -> None:
    assert 1300 < len(tokens(reply("long"))) < 1700


def test_tokens_join_to_the_same_text() -> None:
    text = " Zwei  Wörter,\n\n世界 🙂 and indentation:\n    x = 1 \n"
    assert "".join(tokens(text)) == text


def test_a_port_that_is_taken_and_a_second_start_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            DemoServer().start(port)
    with DemoServer() as demo, pytest.raises(ConfigError, match="runs already"):
        demo.start()


def test_importing_the_demo_does_not_import_tornado() -> None:
    code = "import sys, chat_magics.demo; sys.exit('tornado' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=_root()).returncode == 0


def test_serve_tells_its_url_and_ends_with_an_interrupt() -> None:
    code = "from chat_magics.demo import serve; serve(on_ready=lambda url: print(url, flush=True))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_root(),
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx2.get(url + "/models", trust_env=False).status_code == 200
        process.send_signal(2)
        assert "KeyboardInterrupt" in process.communicate()[1]


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _root() -> Path:
    return Path(__file__).parent.parent
