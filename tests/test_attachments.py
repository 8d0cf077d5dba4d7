"""Which files can go with a prompt, by what is in them; how their text is written below it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_magics.attachments import Limits, clean_name, of_bytes, read, with_files
from chat_magics.errors import ChatError, InvalidRequest, NotFound
from chat_magics.markdown import code_blocks
from tests.file_samples import GIF, JPEG, PNG, WEBP

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'
EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00"
HTML = b"<!doctype html><script>alert(1)</script>"


@pytest.mark.parametrize(
    ("name", "content", "kind", "mime"),
    [
        ("a.png", PNG, "image", "image/png"),
        ("a.jpg", JPEG, "image", "image/jpeg"),
        ("a.gif", GIF, "image", "image/gif"),
        ("a.webp", WEBP, "image", "image/webp"),
        ("photo", PNG, "image", "image/png"),
        ("wrong.gif", PNG, "image", "image/png"),
        ("notes.txt", PNG, "image", "image/png"),
        ("a.svg", SVG, "text", "image/svg+xml"),
        ("a.csv", b"x,y\n1,2\n", "text", "text/csv"),
        ("A.PY", b"print(1)", "text", "text/x-python"),
        ("page.html", HTML, "text", "text/html"),
        ("Makefile", "all:\n\t@echo é".encode(), "text", "text/plain"),
        ("a.log", b"\x1b[31mred\x1b[0m\r\n", "text", "text/plain"),
        ("bom.txt", b"\xef\xbb\xbfhello", "text", "text/plain"),
    ],
)
def test_a_file_is_what_its_bytes_say(name: str, content: bytes, kind: str, mime: str):
    file = of_bytes(name, content)
    assert (file.kind, file.mime, file.size) == (kind, mime, len(content))


@pytest.mark.parametrize(
    ("name", "mime", "content", "said"),
    [
        ("a.png", "image/png", EXE, "a.png is no image that models take"),
        ("a.png", "", HTML, "a.png is no image that models take"),
        ("a.png", "image/png", SVG, "a.png is no image that models take"),
        ("a.png", "", PNG[:12], "a.png is no image that models take"),
        ("a.heic", "image/heic", b"\x00\x00\x00\x18ftypheic", "a.heic is no image"),
        ("a.txt", "text/plain", EXE, "a.txt is neither an image nor text in UTF-8"),
        ("a.txt", "text/plain", b"a\x00b", "a.txt is neither an image nor text"),
        ("a.txt", "", "ä".encode("latin-1"), "a.txt is neither an image nor text"),
        ("a.csv", "", "a,b".encode("utf-16"), "a.csv is neither an image nor text"),
        ("a.pdf", "application/pdf", b"%PDF-1.7\n", "a.pdf is neither an image nor text"),
        ("a.txt", "text/plain", b"", "a.txt is empty"),
        ("a.png", "image/png", b"", "a.png is empty"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_one_line(
    name: str, mime: str, content: bytes, said: str
):
    with pytest.raises(InvalidRequest, match=f"^{said}[^\n]*$"):
        of_bytes(name, content, mime)


def test_a_file_that_is_too_large_is_refused_with_the_setting_that_allows_it():
    limits = Limits(text=2_000, image=2_000)
    assert of_bytes("a.txt", b"a" * 2_000, limits=limits).size == 2_000
    with pytest.raises(
        InvalidRequest, match=r"a\.txt has 2,001 bytes.* max_attachment_kb$"
    ) as text:
        of_bytes("a.txt", b"a" * 2_001, limits=limits)
    with pytest.raises(InvalidRequest, match=r"an image may have 2,000: .* max_image_mb$") as image:
        of_bytes("a.png", PNG + bytes(2_000), limits=limits)
    commands = [text.value.command, image.value.command]
    assert commands == ["%chat_config max_attachment_kb 3", "%chat_config max_image_mb 1"]


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path):
    with (tmp_path / "huge.log").open("wb") as file:
        file.write(b"a")
        file.truncate(2**40)  # it takes no place on the disk
    with pytest.raises(InvalidRequest, match=r"huge\.log has 1,099,511,627,776 bytes"):
        read(tmp_path / "huge.log")


def test_a_file_is_read_wherever_the_person_says(tmp_path: Path):
    (tmp_path / "a b.csv").write_bytes(b"x,y")
    for path in (tmp_path / "a b.csv", "a b.csv", "~/a b.csv"):
        assert (read(path).name, read(path).content) == ("a b.csv", b"x,y")


@pytest.mark.parametrize("path", ["gone.txt", ".", "pipe", "/dev/zero", ""])
def test_what_is_no_file_is_told(path: str):
    os.mkfifo("pipe")
    with pytest.raises(NotFound, match=r"^there is no file '[^\n]* to attach$"):
        read(path)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5_000, "~nobody-of-this-name/a"])
def test_a_path_that_cannot_be_is_one_line(path: str):
    with pytest.raises(ChatError) as error:
        read(path)
    assert "\n" not in str(error.value)


@given(st.text(max_size=300))
def test_a_name_is_one_printable_line_without_folders(name: str):
    cleaned = clean_name(name)
    assert cleaned.isprintable()
    assert 1 <= len(cleaned) <= 100
    assert not set(cleaned) & set("/\\`")
    assert clean_name(cleaned) == cleaned


def test_a_long_name_keeps_its_ending():
    assert clean_name("a" * 300 + ".csv").endswith("a.csv")


@given(st.text(st.sampled_from("`~ \n#a>-"), min_size=1, max_size=60))
def test_no_text_can_leave_its_fence(text: str):
    sent = with_files("Hello", [of_bytes("a.md", text.encode())])
    blocks = code_blocks(sent)
    assert [block.code for block in blocks] == [text.removesuffix("\n")]


def test_files_stand_below_the_prompt_in_their_order_and_images_do_not():
    files = [of_bytes("b.py", b"1"), of_bytes("x.png", PNG), of_bytes("a.txt", b"\xef\xbb\xbf2\n")]
    assert with_files("Sum", files) == (
        "Sum\n\nFile b.py:\n```py\n1\n```\n\nFile a.txt:\n```txt\n2\n```"
    )
