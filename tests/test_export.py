"""Where and how an export is written, what never leaves with it, and how files are told apart."""

from __future__ import annotations

import io
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_magics.errors import InvalidRequest
from chat_magics.export import FORMATS, Transcript, export, load
from chat_magics.export.fences import left_open
from tests.export_samples import talk

KEY = "sk-canary-0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "format"),
    [(f"talk{ending}", format) for format, endings in FORMATS.items() for ending in endings],
)
def test_the_ending_of_a_file_chooses_its_format(name: str, format: str) -> None:
    done = export([talk()], name)
    assert (done.path, done.format, done.conversations, done.exchanges) == (
        Path(name),
        format,
        1,
        3,
    )
    assert Path(name).stat().st_size > 100


@pytest.mark.parametrize("format", FORMATS)
def test_no_conversation_at_all_can_be_exported(format: str) -> None:
    assert export([], "empty", format=format).conversations == 0
    assert Path("empty").stat().st_size > 0


def test_an_unknown_format_names_the_good_ones() -> None:
    for target, format in [("talk.md", "docx"), ("talk.docx", None), ("talk", None)]:
        with pytest.raises(InvalidRequest, match=r"json, \.?m.*, .*parquet") as caught:
            export([talk()], target, format=format)
        assert "\n" not in str(caught.value)
    assert os.listdir() == ["home"]


def test_a_file_that_is_there_is_replaced_only_by_force() -> None:
    Path("talk.md").write_text("mine")
    with pytest.raises(InvalidRequest, match="is there already"):
        export([talk()], "talk.md")
    assert Path("talk.md").read_text() == "mine"
    export([talk()], "talk.md", force=True)
    assert "left join" in Path("talk.md").read_text()


def test_a_file_made_meanwhile_is_not_replaced() -> None:
    def slow() -> Iterator[Transcript]:
        yield talk()
        Path("talk.md").write_text("mine")

    with pytest.raises(InvalidRequest, match="is there already"):
        export(slow(), "talk.md")
    assert Path("talk.md").read_text() == "mine"


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_that_breaks_leaves_nothing_behind(format: str) -> None:
    def breaking() -> Iterator[Transcript]:
        yield talk()
        raise RuntimeError("the history is gone")

    before = sorted(os.listdir())
    with pytest.raises(RuntimeError):
        export(breaking(), "talk", format=format)
    assert sorted(os.listdir()) == before


def test_a_file_that_is_replaced_keeps_its_permissions() -> None:
    Path("talk.md").touch(mode=0o600)
    export([talk()], "talk.md", force=True)
    assert stat.S_IMODE(Path("talk.md").stat().st_mode) == 0o600


def test_a_new_file_has_the_permissions_that_are_usual_here() -> None:
    Path("usual").write_text("")
    export([talk()], "talk.md")
    assert Path("talk.md").stat().st_mode == Path("usual").stat().st_mode


def test_a_symbolic_link_is_replaced_and_not_what_it_points_to() -> None:
    Path("other").write_text("mine")
    Path("talk.md").symlink_to("other")
    with pytest.raises(InvalidRequest, match="is there already"):
        export([talk()], "talk.md")
    export([talk()], "talk.md", force=True)
    assert Path("other").read_text() == "mine"
    assert not Path("talk.md").is_symlink()


def test_what_is_no_place_for_a_file_is_refused_in_one_line(home: Path) -> None:
    os.mkfifo("pipe.md")
    places = ["", " ", ".", str(home), "no/talk.md", "pipe.md", "a\0.md", f"{'x' * 300}.md"]
    for place in [*places, "~nobody-of-this-name/talk.md", "/dev/null"]:
        with pytest.raises(InvalidRequest) as caught:
            export([talk()], place, format="md", force=True)
        assert "\n" not in str(caught.value)
    assert sorted(os.listdir()) == ["home", "pipe.md"]


def test_the_home_can_be_written_as_a_tilde(tmp_path: Path) -> None:
    assert export([talk()], "~/talk.md").path == tmp_path / "talk.md"


def test_a_dash_prints_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    done = export([talk()], "-")
    assert (done.path, done.format) == (None, "markdown")
    assert "A **left join** keeps" in capsys.readouterr().out
    with pytest.raises(InvalidRequest, match="cannot be printed"):
        export([talk()], "-", format="parquet")


def test_a_stream_takes_any_format_of_text() -> None:
    page = io.StringIO()
    export([talk()], page, format=".html")
    assert page.getvalue().startswith("<!DOCTYPE html>")


def planted() -> Transcript:
    """A conversation with a key and places of this machine wherever text can stand."""
    places = f"{Path.home()}/private/x {tempfile.gettempdir()}/y https://me:{KEY}@example.org"
    record, (older, newer, failed) = talk()
    named = {"name": KEY, "title": f"t {KEY}", "tags": (KEY,), "origin": KEY, "owner": KEY}
    newer = newer.model_copy(
        update={
            **dict.fromkeys(["prompt", "sent", "system", "text", "reasoning", "model"], f"a {KEY}"),
            **dict.fromkeys(["model_asked", "finish_reason", "request_id", "cell"], KEY),
            **dict.fromkeys(["error", "error_type", "execution"], f"{places} {KEY}"),
            "owner": KEY,
            "base_url": f"https://me:{KEY}@example.org/v1?api-key={KEY}",
            "options": {KEY: [KEY, {"user": places}]},
            "notes": (places, KEY),
        }
    )
    return Transcript(record.model_copy(update=named), (older, newer, failed))


@pytest.mark.parametrize("format", FORMATS)
def test_no_key_and_no_place_of_the_machine_leaves(format: str) -> None:
    done = export([planted()], "talk", format=format, secrets=[KEY, "demo", ""])
    written = Path("talk").read_bytes()
    if format == "parquet":
        import pandas as pd

        written = pd.read_parquet("talk").to_csv().encode()
    assert KEY.encode() not in written
    assert str(Path.home()).encode() not in written
    assert done.redacted > 15
    assert "a key stood in the text" in done.notes[0]
    assert b"demo" in written


def test_what_was_cleaned_is_read_back_without_it() -> None:
    export([planted()], "talk.json", secrets=[KEY])
    [(record, exchanges)] = load("talk.json")
    assert (record.owner, record.origin, exchanges[1].owner) == ("", "", "")
    assert exchanges[1].base_url == "https://example.org/v1"
    assert exchanges[1].text == "a •••"
    assert exchanges[1].notes[0].startswith("~/private/x ")


@pytest.mark.parametrize("format", ["json", "markdown", "ipynb"])
def test_a_file_is_known_by_what_is_in_it(format: str) -> None:
    export([talk()], "anything", format=format)
    loaded = load("anything")
    assert (loaded.format, list(loaded)) == (format, [talk()])


@pytest.mark.parametrize("format", ["json", "markdown", "ipynb"])
def test_a_newer_file_is_refused(format: str) -> None:
    export([talk()], "talk", format=format)
    text = Path("talk").read_text()
    Path("talk").write_text(text.replace('"version": 1', '"version": 2', 1))
    with pytest.raises(InvalidRequest, match="newer chat_magics"):
        list(load("talk"))


DAMAGED = {
    "empty": b"",
    "text": b"Just a note\n",
    "no json": b'{"format": "chat_magics", "conversations": [nonsense]}',
    "cut": b'{"format": "chat_magics", "version": 1, "conversations": [{"id": ',
    "deep": b'{"format": "chat_magics", "conversations": [' + b"[" * 200_000,
    "no utf-8": b'{"format": "\xff\xfe"}',
    "other": b'{"format": "another", "conversations": []}',
    "list": b"[1, 2]",
    "notebook": b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "odd notebook": b'{"cells": 1, "metadata": [], "nbformat": 4}',
    "csv": b"conversation,exchange\n",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_one_line(name: str) -> None:
    Path("file.json").write_bytes(DAMAGED[name])
    with pytest.raises(InvalidRequest, match=r"file\.json") as caught:
        list(load("file.json"))
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_back_says_so() -> None:
    export([talk()], "talk.csv")
    for format in [None, "csv"]:
        with pytest.raises(InvalidRequest, match="holds too little"):
            load("talk.csv", format)
    for path, format in [("nothing.json", None), ("home", None), ("talk.csv", "docx")]:
        with pytest.raises(InvalidRequest):
            load(path, format)


def test_a_bad_exchange_is_listed_and_the_others_are_read() -> None:
    export([talk(), talk()], "talk.json")
    values = json.loads(Path("talk.json").read_text())
    values["conversations"][0]["exchanges"][1]["status"] = "happy"
    values["conversations"][1]["exchanges"].append({"id": "../../x"})
    Path("talk.json").write_text(json.dumps(values, sort_keys=True, indent=1))
    loaded = load("talk.json")
    assert [len(each.exchanges) for each in loaded] == [2, 3]
    listed = [str(each) for each in loaded.unread]
    assert listed[0].startswith("conversation 1, exchange 2: status: Input should be")
    assert [each.where for each in loaded.unread[1:]] == [
        "conversation 1",
        "conversation 2, exchange 4",
    ]


def test_a_json_file_that_ends_early_gives_what_is_whole() -> None:
    export([talk(), talk()], "talk.json")
    text = Path("talk.json").read_text()
    Path("talk.json").write_text(text[: len(text) * 3 // 4])
    loaded = load("talk.json")
    assert list(loaded) == [talk()]
    assert [each.where for each in loaded.unread] == ["the rest of the file"]


def test_an_edited_text_in_markdown_is_listed_and_the_rest_is_read() -> None:
    export([talk()], "talk.md")
    text = Path("talk.md").read_text()
    Path("talk.md").write_text(text.replace("Because.", "I say so.") + "\nMy own words.\n")
    loaded = load("talk.md")
    [(_, exchanges)] = loaded
    assert [each.prompt for each in exchanges] == ["Why more rows?", "And?"]
    assert "was changed in the file" in str(loaded.unread[0])


def test_an_edited_notebook_gives_what_was_said_and_tells_of_the_edit() -> None:
    export([talk()], "talk.ipynb")
    notebook = json.loads(Path("talk.ipynb").read_text())
    notebook["cells"][2]["source"] = ["%%chat\n", "Something else"]
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": "1 + 1"})
    Path("talk.ipynb").write_text(json.dumps(notebook, sort_keys=True))
    loaded = load("talk.ipynb")
    assert list(loaded) == [talk()]
    assert [each.where for each in loaded.unread] == ["cell 3", "cells 11"]


def test_a_notebook_has_prompts_to_run_and_code_to_run() -> None:
    export([talk()], "talk.ipynb")
    cells = json.loads(Path("talk.ipynb").read_text())["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    assert code[:2] == ["%load_ext chat_magics", "%%chat\nWhy more rows?"]
    assert 'left.merge(right, how="left")' in code
    export([talk()], "read.ipynb", prompts="markdown")
    assert "%%chat" not in Path("read.ipynb").read_text()


@pytest.mark.parametrize(
    ("text", "closing"),
    [
        ("```\nx\n```", ""),
        ("~~~~ py\n```\n~~~", "~~~~"),
        ("  ```\nx", "  ```"),
        ("- ```py\n  x", ""),
        ("- ```py\n  x\n  ```\ny", ""),
        ("<script>\nx", "</script>"),
        ("a `<pre>` b", ""),
    ],
)
def test_a_reply_in_markdown_does_not_swallow_what_follows(text: str, closing: str) -> None:
    assert left_open(text) == closing
