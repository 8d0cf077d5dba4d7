"""The magics over what is stored, in a test shell: history, conversations, search, stats, files."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import zipfile
from pathlib import Path

import pytest
from IPython.core.error import UsageError

from tests.chat_server import ChatServer, Reply, Status
from tests.shell import Shell, refused
from tests.talks import user_texts


def test_history_is_a_frame_of_the_messages_below_a_line_that_names_it(
    shell: Shell, server: ChatServer
):
    assert shell.run("empty = %chat_history").out == "Nothing was said yet in this conversation.\n"
    server.script(Reply("A1"), Status(400))
    shell.run("%chat --new Q1")
    refused(shell, "%chat Q2")
    out = shell.run("messages = %chat_history").out
    assert (out[:4], out[-15:]) == ("Q1 (", "), 2 exchanges\n")
    messages = shell["messages"]
    assert list(messages["content"]) == ["Q1", "A1", "Q2"]
    assert list(messages["role"]) == ["user", "assistant", "user"]
    assert list(messages.columns) == list(shell["empty"].columns)


def test_history_of_all_is_narrowed_by_filters(shell: Shell, server: ChatServer):
    server.script(Reply("A1"), Status(400), Reply("A3"))
    shell.run("%chat Q1")
    refused(shell, "%chat -m other Q2")
    shell.run("%chat_new two\n%chat Q3")
    shell.run("every = %chat_history --all")
    shell.run("failed = %chat_history --all --status error --model OTHER")
    shell.run("named = %chat_history two --text a3")
    assert list(shell["every"]["content"]) == ["Q1", "A1", "Q2", "Q3", "A3"]
    assert list(shell["failed"]["content"]) == ["Q2"]
    assert list(shell["named"]["content"]) == ["Q3", "A3"]
    assert "name no conversation" in refused(shell, "%chat_history two --all")
    assert "since" in refused(shell, "%chat_history --since someday")


def test_nothing_is_printed_before_a_filter_that_makes_no_sense(
    shell: Shell,
):
    shell.run("%chat_new joins\n%chat Q1")
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(UsageError):
        shell.ip.run_line_magic("chat_history", "--since nonsense")
    assert out.getvalue() == ""


def test_conversations_are_listed_and_opened_by_row(shell: Shell, server: ChatServer):
    shell.run("%chat_new one\n%chat Q1\n%chat_new two\n%chat Q2")
    shell.run("talks = %chat_conversations")
    assert list(shell["talks"]["name"]) == ["two", "one"]
    assert list(shell["talks"]["title"]) == ["Q2", "Q1"]
    assert shell.run("%chat_conversations open 1").out.startswith("Opened one, 1 exchange.")
    shell.run("%chat Q3")
    assert user_texts(server.bodies[-1]) == ["Q1", "Q3"]
    assert "the last list has 2 rows" in refused(shell, "%chat_open 7")
    shell.run("%chat_conversations delete 1 --yes")
    assert refused(shell, "%chat_open 1") == "row 1 was deleted: list again"


def test_a_number_is_a_row_and_no_name(shell: Shell, tmp_path: Path):
    shell.run("%chat_new one\n%chat Q1\n%chat_new two\n%chat Q2\n%chat_export two.json")
    assert "'0' is no name" in refused(shell, "%chat_new 0")
    assert "'7' is no name" in refused(shell, "%chat_conversations rename two 7")
    assert "No conversation is called '0'" in refused(shell, "%chat_open 0")
    shell.run("%chat_conversations delete two --yes")
    shell.run("%chat_conversations delete one --yes\n%chat_new three\n%chat Q3")
    (tmp_path / "old.json").write_text((tmp_path / "two.json").read_text().replace('"two"', '"0"'))
    shell.run("%chat_import old.json\n_ = %chat_conversations")
    assert shell.run("%chat_open 0").out.startswith("Opened three")


def test_a_conversation_is_renamed_tagged_and_untagged(shell: Shell):
    shell.run("%chat_new 'left joins'\n%chat Q1")
    assert "now called joins" in shell.run("%chat_conversations rename 'left joins' joins").out
    assert shell.run("%chat_conversations tag joins work sql").out == "joins: sql, work\n"
    assert shell.run("%chat_conversations untag joins sql").out == "joins: work\n"
    shell.run("talks = %chat_conversations")
    assert (shell["talks"]["name"][0], shell["talks"]["tags"][0]) == ("joins", "work")
    assert shell.run("%chat_history").out.startswith("joins (")
    for wrong in ("rename joins", "tag joins", "delete", "sing"):
        assert "%chat_conversations" in refused(shell, f"%chat_conversations {wrong}")


def test_deleting_asks_first(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    shell.run("%chat_new joins\n%chat Q1")
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    assert shell.run("%chat_conversations delete joins").out == "Nothing was deleted.\n"
    assert asked == ["Delete «joins» with 1 exchange? It cannot be undone [y/N] "]
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert "is deleted" in shell.run("%chat_conversations delete joins").out
    assert "No conversation is called 'joins'" in refused(shell, "%chat_open joins")
    shell.run("%chat Q2")  # in a new one
    shell.run("talks = %chat_conversations")
    assert list(shell["talks"]["title"]) == ["Q2"]


def test_an_interrupt_at_the_question_deletes_nothing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(question: str) -> str:
        raise KeyboardInterrupt

    shell.run("%chat_new joins\n%chat Q1")
    monkeypatch.setattr("builtins.input", interrupted)
    assert refused(shell, "%chat_conversations delete joins") == "Nothing was deleted."
    assert shell.run("%chat_open joins").out.startswith("Opened joins")


def test_where_nobody_can_be_asked_deleting_says_how(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", None)
    shell.run("%chat_new joins\n%chat Q1")
    assert "add --yes" in refused(shell, "%chat_conversations delete joins")
    assert "is deleted" in shell.run("%chat_conversations delete joins --yes").out


def test_search_finds_in_all_conversations_and_its_rows_are_opened(
    shell: Shell, server: ChatServer
):
    server.script(Reply("A left join keeps all rows."), Reply("Nothing of that."))
    shell.run("%chat_new one\n%chat Why joins?\n%chat_new two\n%chat Q2")
    assert shell.run('found = %chat_search "left join" role:assistant').out == ""
    assert list(shell["found"]["role"]) == ["assistant"]
    assert "left join" in shell["found"]["snippet"][0].lower()
    assert shell.run("%chat_open 0").out.startswith("Opened one")
    shell.run("from chat_magics import Conversation\nopened = Conversation.open(found.loc[0])")
    assert shell["opened"].name == "one"
    assert shell.run("nothing = %chat_search zebra").out == "Nothing was found.\n"
    assert "what is to be found" in refused(shell, "%chat_search")


@pytest.mark.parametrize("words", ["c++", "foo:bar", '"x', "-x", "日本", "NEAR(", "x AND", "a'b"])
def test_no_search_is_a_mistake(shell: Shell, words: str):
    shell.run(f"found = %chat_search {words}")
    assert len(shell["found"]) == 0


def test_stats_are_a_readable_table_or_a_frame_of_groups(shell: Shell, server: ChatServer):
    server.script(Reply("A1"), Status(400))
    shell.run("%chat Q1")
    refused(shell, "%chat Q2")
    shell.run("table = %chat_stats")
    value = shell["table"]["value"]
    assert (value["Total messages"], value["User messages"]) == ("3", "2")
    assert (value["Total characters"], value["Errors by kind"]) == ("6", "InvalidRequest: 1")
    shell.run("groups = %chat_stats --by status")
    assert dict(zip(shell["groups"]["status"], shell["groups"]["exchanges"], strict=True)) == {
        "complete": 1,
        "error": 1,
    }
    shell.run("%chat_new\n")
    shell.run("table = %chat_stats")
    assert shell["table"]["value"]["Total messages"] == "0"
    shell.run("table = %chat_stats --all")
    assert shell["table"]["value"]["Total messages"] == "3"
    assert "invalid choice" in refused(shell, "%chat_stats --by colour")


def test_figures_of_conversations_are_shown_with_their_titles(shell: Shell):
    shell.run("%chat_new joins\n%chat Q1\n%chat_new\n%chat Why rows?")
    out = shell.run("groups = %chat_stats --by conversation --plot").out
    assert all(
        title in text for title in ("joins", "Why rows?") for text in (out, f"{shell['groups']}")
    )
    assert all(len(id) == 32 for id in shell["groups"]["conversation"])


def test_plots_tell_in_words_where_no_picture_shows(shell: Shell):
    shell.run("%chat Q1")
    for by in ("", "--by day", "--by model", "--by surface"):
        assert "Tokens" in shell.run(f"_ = %chat_stats --plot {by}").out


def test_an_export_comes_back_as_it_was(shell: Shell, server: ChatServer, tmp_path: Path):
    server.script(Reply("A1"), Reply("A1 again"), Reply("A2"))
    shell.run("%chat_new joins\n%chat Q1\n%chat_regenerate\n%chat Q2")
    shell.run("before = %chat_history --all")
    for name in ("talk.json", "talk.md", "talk.ipynb"):
        assert "1 conversation, 3 exchanges" in shell.run(f"%chat_export {name} -c joins").out
        shell.run("%chat_conversations delete joins --yes")
        assert "1 conversation added" in shell.run(f"%chat_import {name}").out
        shell.run("after = %chat_history --all")
        assert shell["after"].equals(shell["before"])
        assert "here already" in shell.run(f"%chat_import {name}").out
    shell.run("%chat_open joins\n%chat Q3")
    assert user_texts(server.bodies[-1]) == ["Q1", "Q2", "Q3"]


def test_an_export_never_writes_over_a_file_unless_forced(shell: Shell, tmp_path: Path):
    shell.run("%chat Q1")
    (tmp_path / "talk.md").write_text("mine")
    assert "--force" in refused(shell, "%chat_export talk.md")
    assert (tmp_path / "talk.md").read_text() == "mine"
    assert "talk.md" in shell.run("%chat_export talk.md --force").out
    assert "json" in refused(shell, "%chat_export talk.doc")
    assert "json" in refused(shell, "%chat_export talk.md --format doc")
    assert "needs a file" in refused(shell, "%chat_export")
    assert "## You" in shell.run("%chat_export -").out


def test_all_or_one_by_name_is_exported(shell: Shell, tmp_path: Path):
    shell.run("%chat_new one\n%chat Q1\n%chat_new two\n%chat Q2")
    shell.run("%chat_export all.json --all\n%chat_export one.json -c one")
    talks = {
        name: [each["name"] for each in json.loads((tmp_path / name).read_text())["conversations"]]
        for name in ("all.json", "one.json")
    }
    assert sorted(talks["all.json"]) == ["one", "two"]
    assert talks["one.json"] == ["one"]
    assert "name no conversation" in refused(shell, "%chat_export x.json --all -c one")


def test_what_cannot_be_read_is_one_line(shell: Shell, tmp_path: Path):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "other.txt").write_bytes(b"\x00\x01")
    for name in ("bad.json", "other.txt", "gone.md", "."):
        assert refused(shell, f"%chat_import {name}")
    assert "needs a file" in refused(shell, "%chat_import")


def test_a_zip_file_is_to_be_unpacked(shell: Shell, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as packed:
        packed.writestr("conversations.json", "[]")
    for line in ("export.zip", "export.zip --format openai"):
        told = refused(shell, f"%chat_import {line}")
        assert told.endswith("unpack it and import conversations.json")


def test_no_export_holds_the_key(shell: Shell, server: ChatServer, tmp_path: Path):
    canary = "sk-canary-0123456789abcdef"
    shell.run(f"%config ChatMagics.base_url = {server.url!r}")
    shell.ip.chat_magics_extension.magics.set_key(canary)
    server.script(Reply(f"Your key is {canary}"), Status(401, {"error": {"message": canary}}))
    shell.run(f"%chat My key is {canary}")
    refused(shell, "%chat Q2")
    for ending in ("json", "md", "csv", "html", "ipynb", "parquet"):
        assert "a key stood in the text" in shell.run(f"%chat_export talk.{ending}").out
        content = (tmp_path / f"talk.{ending}").read_bytes()
        assert canary.encode() not in content
        assert str(tmp_path).encode() not in content
