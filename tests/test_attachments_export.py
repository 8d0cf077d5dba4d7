"""Files that went with prompts: into files of conversations and back, and in frames."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chat_magics.attachments import of_bytes
from chat_magics.export import Transcript, export, load
from chat_magics.history import AttachmentInfo, History
from tests.export_samples import MOMENT, talk
from tests.file_samples import GIF, PNG
from tests.history_samples import ask, make

READABLE = ["json", "markdown", "ipynb"]
TABLE = AttachmentInfo.of(of_bytes("sales.csv", b"month,sum\n1,20\n"))
DOT = AttachmentInfo.of(of_bytes("dot.png", PNG))
LARGE = AttachmentInfo.of(of_bytes("large.png", PNG + bytes(1_000_000)))


def written(tmp_path: Path, format: str, *files: AttachmentInfo, secret: str = "") -> Path:
    path = tmp_path / "talk"
    export([talk(attachments=files)], path, format=format, secrets=[secret])
    return path


@pytest.mark.parametrize("format", READABLE)
def test_files_come_back_to_the_byte(tmp_path: Path, format: str):
    loaded = load(written(tmp_path, format, TABLE, DOT))
    assert (list(loaded), loaded.unread) == ([talk(attachments=(TABLE, DOT))], [])


@pytest.mark.parametrize("format", ["markdown", "ipynb"])
def test_a_large_file_is_listed_and_told_where_people_read(tmp_path: Path, format: str):
    done = export([talk(attachments=(DOT, LARGE))], tmp_path / "talk", format=format)
    assert done.notes == ("one file of more than 1 MB listed, and not in it: JSON holds all",)
    assert (tmp_path / "talk").stat().st_size < 100_000
    listed = LARGE.model_copy(update={"content": None})
    assert list(load(tmp_path / "talk")) == [talk(attachments=(DOT, listed))]


def test_json_holds_a_large_file_too(tmp_path: Path):
    assert list(load(written(tmp_path, "json", LARGE))) == [talk(attachments=(LARGE,))]


@pytest.mark.parametrize("format", ["markdown", "ipynb", "html"])
def test_a_reader_sees_what_was_attached(tmp_path: Path, format: str):
    page = written(tmp_path, format, TABLE, DOT).read_text(encoding="utf-8").replace("\\", "")
    assert f"Attached: sales.csv (text, 15 B), dot.png (image, {len(PNG)} B)" in page


def test_a_name_is_no_markup_on_a_page(tmp_path: Path):
    evil = TABLE.model_copy(update={"name": "<img src=x onerror=alert(1)>.csv"})
    assert "<img" not in written(tmp_path, "html", evil).read_text(encoding="utf-8")


@pytest.mark.parametrize("format", READABLE)
def test_a_key_in_a_file_stays_here(tmp_path: Path, format: str):
    env = AttachmentInfo.of(of_bytes("sk-very-secret.env", b"KEY=sk-very-secret\n"))
    path = written(tmp_path, format, env, secret="sk-very-secret")
    (read,) = next(iter(load(path))).exchanges[1].attachments
    assert (read.name, read.content) == ("•••.env", "KEY=•••\n".encode())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mime": "text/html"}, "not the image"),
        ({"content": "AAAA"}, "size"),
        ({"content": "no base64!"}, "attachments.0.content"),
        ({"kind": "program"}, "attachments.0.kind"),
        ({"size": -1}, "attachments.0.size"),
        ({"run": True}, "attachments.0.run"),
    ],
)
def test_a_file_that_lies_is_not_taken_in(tmp_path: Path, change: dict[str, object], said: str):
    path = written(tmp_path, "json", DOT)
    values = json.loads(path.read_text(encoding="utf-8"))
    values["conversations"][0]["exchanges"][1]["attachments"][0].update(change)
    path.write_text(json.dumps(values), encoding="utf-8")
    loaded = load(path)
    assert len(next(iter(loaded)).exchanges) == 2
    assert said in str(loaded.unread[0])


def test_a_folder_in_a_name_is_left_out(tmp_path: Path):
    path = written(tmp_path, "json", DOT)
    path.write_text(path.read_text(encoding="utf-8").replace('"dot.png"', '"../../dot.png"'))
    assert next(iter(load(path))).exchanges[1].attachments[0].name == "dot.png"


def imported(tmp_path: Path, given: Transcript) -> History:
    history = History(tmp_path / "other.db", owner="me", on_warning=pytest.fail)
    record = given.conversation.model_copy(update={"id": "c" * 32})
    exchanges = [each.model_copy(update={"conversation": "c" * 32}) for each in given.exchanges]
    assert history.put(record, exchanges).outcome == "added"
    assert history.put(record, exchanges).outcome == "present"
    return history


def test_files_that_come_from_elsewhere_are_kept_and_nothing_comes_twice(tmp_path: Path):
    history = imported(tmp_path, talk(attachments=(TABLE, DOT)))
    kept = history.with_files(history.load_exchanges())
    assert [each.attachments for each in kept] == [(), (TABLE, DOT), ()]
    assert history.exchange(kept[1].id).attachments[1].content is None
    history.close()


def test_a_frame_of_exchanges_tells_the_files(tmp_path: Path):
    history = History("sqlite://", on_warning=pytest.fail)
    plain, record = ask(history, history.new_conversation(), "plain")
    asked = make(record, created=MOMENT, attachments=(TABLE, AttachmentInfo.of(of_bytes("g", GIF))))
    history.begin(asked, record, [plain.id, asked.id])
    told = [json.loads(text) for text in history.exchanges()["attachments"]]
    history.close()
    assert [[file["name"] for file in files] for files in told] == [["sales.csv", "g"], []]
    assert list(told[0][0]) == ["name", "mime", "kind", "size"]
