"""Files that go with prompts: on the wire, in the context of later turns, in history, the cache."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chat_magics import Conversation
from chat_magics.attachments import Attachment, of_bytes
from chat_magics.errors import ChatError, InvalidRequest, NotFound
from chat_magics.history import AttachmentInfo, History, attached, exchanges
from chat_magics.history.salvage import rescue
from chat_magics.history.store import open_memory
from chat_magics.messages import ChatRequest, Message
from chat_magics.pricing import TOKENS_PER_IMAGE, estimate_usage
from tests.asking import asking, request_to
from tests.chat_server import ChatServer, Reply, Status
from tests.chat_server_check import CHAT, RESPONSES, violation
from tests.file_samples import PNG, data_url, files_in
from tests.history_samples import begun
from tests.postgres import INSTALL, PostgresServer, programs
from tests.talks import conversation_on

SENT = "Sum\n\nFile sales.csv:\n```csv\nmonth,sum\n1,20\n```"
PARTS = [
    {"type": "text", "text": SENT},
    {"type": "image_url", "image_url": {"url": data_url(PNG)}},
]
IMAGE = of_bytes("dot.png", PNG)


@pytest.fixture
def chat(server: ChatServer) -> Iterator[Conversation]:
    """A new conversation on the tests' server."""
    with conversation_on(server, cache=False) as chat:
        yield chat


def contents(body: Any) -> list[Any]:
    return [message["content"] for message in body["messages"]]


def stored_files(home: Path) -> int:
    with closing(sqlite3.connect(home / "history.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM attachments").fetchone()
        return int(count)


# On the wire


def test_text_goes_below_the_prompt_and_images_as_parts(
    chat: Conversation, server: ChatServer, tmp_path: Path
):
    assert chat.ask("Sum", attachments=files_in(tmp_path)).text
    assert contents(server.bodies[0]) == [PARTS]


def test_the_responses_api_has_its_own_parts(server: ChatServer, tmp_path: Path):
    with conversation_on(server, api="responses") as chat:
        assert chat.ask("Sum", attachments=files_in(tmp_path)).text
    (message,) = server.bodies[0]["input"]
    assert message["content"] == [
        {"type": "input_text", "text": SENT},
        {"type": "input_image", "image_url": data_url(PNG), "detail": "auto"},
    ]


def test_without_images_a_message_stays_plain_text(chat: Conversation, server: ChatServer):
    assert chat.ask("Sum", attachments=[of_bytes("a.txt", b"1")]).text
    assert contents(server.bodies[0]) == ["Sum\n\nFile a.txt:\n```txt\n1\n```"]


@pytest.mark.parametrize(
    ("path", "part", "allowed"),
    [
        (CHAT, PARTS[1], True),
        (CHAT, {"type": "image_url", "image_url": data_url(PNG)}, False),
        (CHAT, {"type": "image_url", "image_url": {"url": "x", "size": 1}}, False),
        (CHAT, {"type": "input_image", "image_url": "x", "detail": "auto"}, False),
        (RESPONSES, {"type": "input_image", "image_url": "x", "detail": "auto"}, True),
        (RESPONSES, {"type": "input_image", "image_url": {"url": "x"}, "detail": "auto"}, False),
        (RESPONSES, PARTS[1], False),
    ],
)
def test_the_tests_server_takes_the_parts_of_its_api_alone(
    path: str, part: dict[str, Any], allowed: bool
):
    asked = [{"role": "user", "content": [part]}]
    body = {"model": "m", "messages" if path == CHAT else "input": asked}
    said = violation(path, {"content-type": "application/json"}, json.dumps(body).encode())
    assert (said is None) == allowed


def test_a_server_that_takes_no_images_says_so_in_one_line(chat: Conversation, server: ChatServer):
    message = "This model does not support image input.\nUse another one."
    server.script(Status(400, {"error": {"message": message, "code": None, "param": None}}))
    reply = chat.ask("What is it?", attachments=[IMAGE])
    reply.wait()
    assert "does not support image input" in str(reply.error)
    assert "\n" not in str(reply.error)
    assert len(server.posts) == 1


# In the context of what follows


def test_images_of_earlier_turns_are_sent_again(
    chat: Conversation, server: ChatServer, tmp_path: Path
):
    first = chat.ask("Sum", attachments=files_in(tmp_path))
    first.wait()
    second = chat.ask("And now?")
    answer = "Hello from the test server."
    assert second.text == answer
    assert contents(server.bodies[1]) == [PARTS, answer, "And now?"]
    assert second.exchange is not None
    assert chat.sent(second.exchange) == second.context
    assert chat.sent(first.exchange) == first.context


def test_another_kernel_sends_them_again(server: ChatServer, home: Path, tmp_path: Path):
    with conversation_on(server) as chat:
        chat.ask("Sum", attachments=files_in(tmp_path)).wait()
        id = chat.id
    with conversation_on(server) as other:
        opened = Conversation.open(id, session=other.session)
        opened.ask("And now?").wait()
    assert contents(server.bodies[1])[0] == PARTS


def test_asking_again_and_editing_keep_the_files(
    chat: Conversation, server: ChatServer, tmp_path: Path
):
    chat.ask("Sum", attachments=files_in(tmp_path)).wait()
    for file in files_in(tmp_path):
        file.unlink()
    chat.regenerate().wait()
    chat.edit(chat.path[0], "Add").wait()
    assert contents(server.bodies[1]) == [PARTS]
    edited = [{**PARTS[0], "text": SENT.replace("Sum", "Add", 1)}, PARTS[1]]
    assert contents(server.bodies[2]) == [edited]
    assert [len(each.attachments) for each in chat.versions(chat.path[0])] == [2, 2, 2]


def test_alone_sends_no_earlier_image(chat: Conversation, server: ChatServer):
    chat.ask("Look", attachments=[IMAGE]).wait()
    chat.ask("aside", alone=True).wait()
    assert contents(server.bodies[1]) == ["aside"]


def test_a_plan_holds_the_images_and_sends_nothing(chat: Conversation, server: ChatServer):
    reply = chat.ask("Look", attachments=[IMAGE])
    plan = chat.plan(reply.ask)
    assert plan.request.messages[0].images == (IMAGE.image,)
    assert plan.tokens > TOKENS_PER_IMAGE
    assert server.requests == []


# In history


def test_history_tells_the_files_and_reads_them_when_asked(
    chat: Conversation, home: Path, tmp_path: Path
):
    reply = chat.ask("Sum", attachments=files_in(tmp_path))
    reply.wait()
    (kept,) = chat.history.load_exchanges()
    assert kept == reply.exchange
    told = [(file.name, file.mime, file.kind, file.size) for file in kept.attachments]
    table = ("sales.csv", "text/csv", "text", 15)
    assert told == [table, ("dot.png", "image/png", "image", len(PNG))]
    assert [file.content for file in kept.attachments] == [None, None]
    (whole,) = chat.history.with_files([kept])
    assert [file.content for file in whole.attachments] == [b"month,sum\n1,20\n", PNG]
    assert (kept.prompt, kept.sent) == ("Sum", SENT)


def test_files_are_stored_before_they_are_sent(chat: Conversation, server: ChatServer, home: Path):
    server.script(Reply("late", stall_after=0))
    reply = chat.ask("Look", attachments=[IMAGE]).send()
    server.until(lambda: server.held == 1)
    assert stored_files(home) == 1
    server.release()
    assert reply.text == "late"


def test_they_go_with_their_conversation(chat: Conversation, home: Path, tmp_path: Path):
    chat.ask("Sum", attachments=files_in(tmp_path)).wait()
    kept = Conversation(session=chat.session)
    kept.ask("Look", attachments=[IMAGE]).wait()
    chat.history.delete(chat.id)
    assert stored_files(home) == 1
    assert PNG in (home / "history.db").read_bytes() + (home / "history.db-wal").read_bytes()
    chat.history.delete(kept.id)
    assert PNG not in (home / "history.db").read_bytes() + (home / "history.db-wal").read_bytes()


def test_nobody_else_reads_them(chat: Conversation, home: Path):
    chat.ask("Look", attachments=[IMAGE]).wait()
    asked = chat.history.load_exchanges()
    other = History(home / "history.db", owner="other", on_warning=pytest.fail)
    assert other.with_files(asked)[0].attachments[0].content is None
    other.close()


def test_what_history_lost_is_one_line_and_the_rest_goes_on(
    chat: Conversation, server: ChatServer, home: Path
):
    chat.ask("Look", attachments=[IMAGE]).wait()
    with closing(sqlite3.connect(home / "history.db")) as connection, connection:
        connection.execute("DELETE FROM attachments")
    lost = chat.ask("And now?")
    lost.wait()
    assert isinstance(lost.error, NotFound)
    assert str(lost.error).startswith("the file dot.png, which went with an earlier prompt, is")
    assert chat.ask("aside", alone=True).text
    assert len(server.posts) == 2


def test_what_is_saved_from_a_file_has_its_files(chat: Conversation, home: Path, tmp_path: Path):
    chat.ask("Sum", attachments=files_in(tmp_path)).wait()
    memory = open_memory()
    assert rescue(home / "history.db", memory) == 1
    kept = memory.read(lambda connection: exchanges.stored(connection, "", None, None))
    (whole,) = memory.read(lambda connection: attached.filled(connection, "", kept))
    memory.close()
    assert [file.content for file in whole.attachments] == [b"month,sum\n1,20\n", PNG]


def test_the_files_of_a_reply_under_way_outlive_the_history_file(tmp_path: Path):
    History(tmp_path / "history.db", on_warning=pytest.fail).close()
    history = History(tmp_path / "history.db", on_warning=lambda line: None)
    files = (AttachmentInfo.of(IMAGE),)
    exchange, _ = begun(history, history.new_conversation(), attachments=files)
    for part in tmp_path.glob("history.db*"):
        part.write_bytes(b"\xa5" * max(part.stat().st_size, 8192))
    history.finish(exchange.without_files().model_copy(update={"status": "complete"}))
    assert not history.durable
    assert history.with_files(history.load_exchanges())[0].attachments == files
    history.close()


@pytest.mark.postgres
@pytest.mark.skipif(programs() is None, reason=INSTALL)
def test_a_database_server_keeps_files_too():
    with PostgresServer() as server:
        history = History(server.database("files"), on_warning=pytest.fail)
        files = (AttachmentInfo.of(IMAGE),)
        _, talk = begun(history, history.new_conversation(), attachments=files)
        (kept,) = history.load_exchanges()
        assert history.with_files([kept])[0].attachments == files
        history.finish(kept.model_copy(update={"status": "complete"}))
        assert history.delete(talk.id) == 1
        assert history.with_files([kept])[0].attachments[0].content is None
        history.close()


# Limits, and what costs


def test_settings_limit_files_and_nothing_is_sent(server: ChatServer, tmp_path: Path):
    with conversation_on(server, max_attachment_kb=1, max_image_mb=1) as chat:
        (tmp_path / "big.txt").write_bytes(b"a" * 1_001)
        with pytest.raises(InvalidRequest, match="may have 1,000"):
            chat.ask("Sum", attachments=["big.txt"])
        (tmp_path / "big.png").write_bytes(PNG + bytes(10**6))
        with pytest.raises(InvalidRequest, match="may have 1,000,000"):
            chat.ask("Sum", attachments=["big.png"])
    assert server.requests == []


@pytest.mark.parametrize("given", ["a.txt", Path("a.txt"), b"a.txt", [5], [b"a.txt"], [None]])
def test_what_is_no_list_of_files_is_refused(chat: Conversation, given: Any):
    Path("a.txt").write_text("1")
    with pytest.raises(InvalidRequest, match=r"^a"):
        chat.ask("Sum", attachments=given)


def test_there_can_be_ten_files(chat: Conversation, server: ChatServer):
    with pytest.raises(InvalidRequest, match="11 files are attached, and 10 can be"):
        chat.ask("Sum", attachments=[IMAGE] * 11)
    assert chat.ask("Sum", attachments=[IMAGE] * 10).text
    assert len(contents(server.bodies[0])[0]) == 11


def test_text_that_cannot_travel_is_refused_though_nobody_checked_it(chat: Conversation):
    reply = chat.ask("Sum", attachments=[Attachment("a.txt", "text/plain", b"\x00")])
    with pytest.raises(ChatError, match="NUL"):
        str(reply)


def test_an_image_is_part_of_the_cache_key(server: ChatServer):
    with asking(server.url) as client:
        plain = request_to(client)
        red, other = (
            request_to(client, messages=(Message(role="user", content="Hello", images=(i.image,)),))
            for i in (IMAGE, of_bytes("b.png", PNG + b"\0"))
        )
    assert len({plain.key, red.key, other.key}) == 3
    assert red.model_copy().key == red.key


def test_the_key_of_a_request_without_images_is_the_one_of_earlier_releases():
    hello = Message(role="user", content="Hello")
    key = ChatRequest(base_url="demo", model="demo", messages=(hello,)).key
    assert key == "37f16c0d757a85c6c500eb267b8dcbe67917d741dd0a9cdf118452cb22cfa4f7"


def test_an_image_counts_in_estimates():
    plain = Message(role="user", content="Hello")
    seen = plain.model_copy(update={"images": (IMAGE.image,) * 2})
    tokens = [estimate_usage([message], "").prompt_tokens for message in (plain, seen)]
    assert tokens[1] - tokens[0] == 2 * TOKENS_PER_IMAGE
