"""`%%chat --attach FILE`, and the demo model that is shown an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat_magics import Conversation
from chat_magics.attachments import of_bytes
from tests.chat_server import ChatServer
from tests.file_samples import PNG, data_url, files_in
from tests.shell import Shell, refused


def test_attached_files_go_with_the_prompt(shell: Shell, server: ChatServer, tmp_path: Path):
    files_in(tmp_path)
    shell.run("%%chat --attach sales.csv --attach dot.png -o answer\nSum {it} up")
    (message,) = server.bodies[0]["messages"]
    text, image = message["content"]
    assert text["text"].startswith("Sum {it} up\n\nFile sales.csv:\n```csv\nmonth,sum\n")
    assert image["image_url"]["url"] == data_url(PNG)
    assert [file.name for file in shell["answer"].exchange.attachments] == ["sales.csv", "dot.png"]


def test_a_name_with_blanks_is_quoted(shell: Shell, server: ChatServer, tmp_path: Path):
    (tmp_path / "a b.txt").write_text("1")
    shell.run("%chat --attach 'a b.txt' Hello")
    assert "File a b.txt:" in server.bodies[0]["messages"][0]["content"]


def test_what_cannot_be_attached_is_one_line_and_changes_nothing(
    shell: Shell, server: ChatServer, tmp_path: Path
):
    (tmp_path / "a.png").write_bytes(b"MZ\x90\x00")
    shell.run("%chat Hello")
    assert refused(shell, "%chat --new --attach a.png Look").startswith("a.png is no image")
    assert refused(shell, "%chat --attach gone.txt Look") == "there is no file 'gone.txt' to attach"
    assert "expected one argument" in refused(shell, "%%chat --attach\nLook")
    shell.run("%chat Again")
    assert len(server.bodies[1]["messages"]) == 3


def test_asking_again_attaches_what_was_attached(shell: Shell, server: ChatServer, tmp_path: Path):
    files_in(tmp_path)
    shell.run("%chat --attach dot.png Look")
    shell.run("%chat_regenerate")
    assert server.bodies[0]["messages"] == server.bodies[1]["messages"]
    assert "makes no sense" in refused(shell, "%chat_regenerate --attach sales.csv")


def test_a_dry_run_shows_texts_and_names_images(shell: Shell, server: ChatServer, tmp_path: Path):
    files_in(tmp_path)
    out = shell.run("%%chat --dry-run --attach sales.csv --attach dot.png\nSum").out
    assert "  month,sum\n" in out
    assert f"  (image/png, {len(PNG)} B)\n" in out
    assert "base64" not in out
    assert server.requests == []


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_demo_model_says_that_it_sees_nothing(api: str):
    chat = Conversation(base_url="demo", api=api, history="sqlite://")
    image = of_bytes("dot.png", PNG)
    reply = chat.ask("Look", attachments=[image, image])
    assert "«Look». It brings 2 images, which I cannot see." in reply.text
    chat.session.close()
