"""What is exported as JSON, Markdown or a notebook is read back as it was, whatever it holds."""

from __future__ import annotations

import io
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_magics.errors import InvalidRequest
from chat_magics.export import Transcript, export, load
from chat_magics.history import ConversationRecord, Exchange
from chat_magics.messages import Usage
from tests.export_samples import talk

READABLE = ["json", "markdown", "ipynb"]

FENCES = [
    "``` ",
    " ````python\n",
    " ~~~ ",
    "\n```\n",
    "\n- ```py\nx",
    "<pre>\n",
    "</pre>",
    "<script>",
]
OURS = [
    "## You\n",
    "--> ",
    "<!-- ",
    "%%chat",
    "\n<!-- chat_magics:end 0 -->\n",
    '<!-- chat_magics:exchange {"id": "1"} -->',
    '\n<!-- chat_magics:text {"end": 1} -->\n',
]
LINE_ENDS = ["\r\n", "\r", "\n", "\n\n\n", "  \n", "\u2028", "\x85", "\x0c"]
SIGNS = [
    "\t",
    "\x1b[31m",
    "\x07",
    "\ufeff",
    "![x](http://h/i)",
    "$x$",
    "\\",
    "&lt;",
    "{",
    "]",
    "=1",
    "'",
]
SCRIPTS = ["👩\u200d👩\u200d👧", "e\u0301", "שלום", "\u202e"]
PIECES = st.sampled_from([*FENCES, *OURS, *LINE_ENDS, *SIGNS, *SCRIPTS])
LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
TEXT = st.lists(PIECES | LETTERS, max_size=6).map("".join)
MOMENT = st.datetimes(timezones=st.just(timezone.utc))
NUMBER = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
IDS = st.integers(1, 2**128 - 1).map("{:032x}".format)
COUNT = st.integers(0, 2**53)
USAGE = st.builds(
    Usage,
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    cached_tokens=COUNT,
    reasoning_tokens=COUNT,
    estimated=st.booleans(),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def exchanges(draw: st.DrawFn, conversation: str, ids: list[str], at: int) -> Exchange:
    """One that may refer to those before it."""
    maybe = st.none() | TEXT
    before = ids[:at]
    return Exchange(
        id=ids[at],
        conversation=conversation,
        prompt=(prompt := draw(TEXT)),
        sent=draw(st.just(prompt) | TEXT),
        system=draw(maybe),
        context=draw(st.permutations(before)),
        status=draw(st.sampled_from(["streaming", "complete", "stopped", "interrupted", "error"])),
        created=draw(MOMENT),
        ended=draw(st.none() | MOMENT),
        base_url=draw(st.sampled_from(["demo", "https://example.org/v1"])),
        api=draw(st.sampled_from(["chat", "responses"])),
        model_asked=draw(TEXT),
        model=draw(maybe),
        options=draw(st.dictionaries(TEXT, JSON, max_size=2)),
        text=draw(TEXT),
        reasoning=draw(TEXT),
        finish_reason=draw(maybe),
        usage=draw(st.none() | USAGE),
        wasted=draw(st.none() | USAGE),
        cost=draw(st.none() | NUMBER),
        saved=draw(st.none() | NUMBER),
        latency=draw(st.none() | NUMBER),
        time_to_first_token=draw(st.none() | NUMBER),
        attempts=draw(COUNT),
        cached=draw(st.booleans()),
        stored_at=draw(st.none() | MOMENT),
        request_id=draw(maybe),
        error_type=draw(maybe),
        error=draw(maybe),
        notes=draw(st.lists(TEXT, max_size=2)),
        surface=draw(st.sampled_from(["cell", "panel", "batch", "app", "python"])),
        cell=draw(maybe),
        execution=draw(maybe),
        supersedes=draw(st.sampled_from([None, *before])),
    )


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """A conversation whose path is some of its exchanges, in any order."""
    ids = draw(st.lists(IDS, max_size=3, unique=True))
    record = ConversationRecord(
        id=draw(IDS),
        name=draw(st.none() | TEXT),
        title=draw(TEXT),
        created=draw(MOMENT),
        used=draw(MOMENT),
        path=draw(st.permutations(ids))[: draw(st.integers(0, 3))],
        tags=draw(st.lists(TEXT, max_size=2)),
    )
    asked = [draw(exchanges(record.id, ids, at)) for at in range(len(ids))]
    return Transcript(record, tuple(asked))


TALKS = st.lists(transcripts(), max_size=2)


def there_and_back(talks: list[Transcript], format: str) -> list[Transcript]:
    with tempfile.TemporaryDirectory() as folder:
        path = export(talks, Path(folder, "talk"), format=format).path
        loaded = load(path)
        found = list(loaded)
        assert loaded.unread == []
        assert loaded.format == format
        return found


@pytest.mark.parametrize("format", READABLE)
@given(talks=TALKS)
@settings(max_examples=40, derandomize=True)
def test_every_field_of_any_conversation_comes_back(format: str, talks: list[Transcript]) -> None:
    assert there_and_back(talks, format) == talks


@given(talks=TALKS, prompts=st.sampled_from(["cells", "markdown"]))
@settings(max_examples=20, derandomize=True)
def test_a_notebook_is_valid_whatever_it_holds(talks: list[Transcript], prompts: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = export(talks, Path(folder, "talk.ipynb"), prompts=prompts).path
        nbformat.validate(nbformat.read(path, as_version=nbformat.NO_CONVERT))


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
@given(talks=TALKS)
@settings(max_examples=12, derandomize=True)
def test_markdown_survives_other_line_ends(line_end: str, talks: list[Transcript]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = export(talks, Path(folder, "talk.md")).path
        text = path.read_bytes().decode()
        path.write_bytes(("\ufeff" + text.replace("\n", line_end)).encode())
        loaded = load(path)
        assert (list(loaded), loaded.unread) == (talks, [])


@pytest.mark.parametrize("format", READABLE)
def test_a_text_of_every_character_comes_back(format: str) -> None:
    plain = "".join(map(chr, range(0x3000)))
    moment = datetime(2026, 1, 5, tzinfo=timezone.utc)
    record = ConversationRecord(id="c0ffee", created=moment, used=moment)
    asked = Exchange(
        conversation="c0ffee", prompt=plain, sent=plain, base_url="demo", model_asked="demo"
    )
    talks = [Transcript(record, (asked.model_copy(update={"text": plain}),))]
    assert there_and_back(talks, format) == talks


@pytest.mark.parametrize("format", READABLE)
def test_a_reply_that_is_itself_an_export_comes_back(format: str) -> None:
    inner = io.StringIO()
    export([talk()], inner, format=format)
    outer = io.StringIO()
    export([talk(inner.getvalue())], outer, format=format)
    talks = [talk(outer.getvalue(), inner.getvalue())]
    assert there_and_back(talks, format) == talks


def test_where_a_cut_file_ends_is_told_by_its_line() -> None:
    export([talk()], "talk.json")
    lines = Path("talk.json").read_text().splitlines(keepends=True)
    Path("cut.json").write_text("".join([*lines[:3], lines[3][:100]]))
    with pytest.raises(InvalidRequest, match="it is damaged in line 4: "):
        list(load("cut.json"))
