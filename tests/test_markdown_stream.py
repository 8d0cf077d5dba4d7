"""chat_magics.markdown.MarkdownStream: the same blocks as the whole text, each sent once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_magics.markdown import BlockUpdate, MarkdownStream, Math, to_html

FRAGMENTS = [
    *("word", "two words", "x", "1", ".", ":", "\n", "\n\n", "\n\n\n", " ", "  ", "    ", "\t"),
    *("- ", "* ", "+ ", "1. ", "2) ", "> ", "# ", "## ", "---", "***", "===", "-", "=", "- - -"),
    *("```", "```py\n", "~~~", "`", "|", "a | b\n", "-|-\n", "|-|\n", "# a | b\n", "> a | b\n"),
    *("$", "$$", "\\[", "\\]", "\\(", "\\)", "\\begin{align}", "\\end{align}", "\\", "$x$"),
    *("[a](http://b.c)", "![i](http://b.c/x)", "[foo]", "[", "]", "(", ")", "'", '"', "'t'"),
    *("*", "**", "~~", "<b>", "&amp;", "\r\n", "\r", "\0", "\ud83d", "\ude00", "😀", "\u2028"),
]
DEFINITION = "[foo]: http://foo.org\n\n"
FILLER = {
    "paragraph": "some words\n",
    "list": "- an item\n",
    "loose list": "1. an item\n\n",
    "quote": "> quoted\n",
    "table": "1 | 2\n",
    "fence": "x = 1\n",
}
OPENING = {"table": "a | b\n-|-\n", "fence": "```python\n"}

markdown = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)


def final(updates: Iterable[BlockUpdate]) -> str:
    """The finished blocks as a page holds them; each has come once and in its place."""
    closed = [update for update in updates if update.closed]
    assert [update.index for update in closed] == list(range(len(closed)))
    return "".join(update.html for update in closed)


def stream(pieces: Iterable[str], math: Math = "tex") -> list[BlockUpdate]:
    blocks = MarkdownStream(math)
    updates: list[BlockUpdate] = []
    for piece in pieces:
        blocks.feed(piece)
        updates += blocks.update()
    return updates + blocks.finish()


def cut(text: str, places: Iterable[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@settings(max_examples=300)
@given(text=markdown, places=st.lists(st.integers(0, 500), max_size=12), defined=st.booleans())
def test_however_it_is_cut_the_blocks_are_those_of_the_whole(
    text: str, places: list[int], defined: bool
) -> None:
    whole = DEFINITION + text if defined else text
    assert final(stream(cut(whole, places))) == to_html(whole)


@settings(max_examples=60)
@given(text=markdown)
def test_character_by_character_the_blocks_are_those_of_the_whole(text: str) -> None:
    assert final(stream(text, "mathml")) == to_html(text, math="mathml")


@settings(max_examples=25)
@given(
    kind=st.sampled_from(sorted(FILLER)),
    text=markdown,
    places=st.lists(st.integers(0, 20_000), max_size=12),
)
def test_a_long_open_block_ends_as_it_would_in_the_whole(
    kind: str, text: str, places: list[int]
) -> None:
    filler = FILLER[kind] * (9_000 // len(FILLER[kind]))
    whole = OPENING.get(kind, "") + filler + text
    assert final(stream(cut(whole, places))) == to_html(whole)


@pytest.mark.parametrize(
    "text",
    [
        "Title\n===\n\ntext",
        "> quote\nlazily going on\n\ntext",
        "- a\n\n- b\n\n  more of b\n\ntext",
        "a | b\n-|-\n1 | 2\n\ntext",
        "# a | b\n-|-\n1 | 2",
        "[foo]: http://foo.org\n'a title\nof two lines'\n\n[foo]",
        "$$\na\n=\nb\n$$\ntext",
        "\\[ no math\n===\n\ntext",
        "words\n$$ no math\n\ntext",
        "a\r\n\r\nb\r",
    ],
)
def test_what_a_later_line_can_change_stays_open(text: str) -> None:
    assert final(stream(text)) == to_html(text)


def test_a_finished_block_comes_once_and_the_open_one_when_it_changed() -> None:
    blocks = MarkdownStream()
    blocks.feed("one\n\ntw")
    assert blocks.update() == [
        BlockUpdate(0, "<p>one</p>\n", "one", closed=True),
        BlockUpdate(1, "<p>tw</p>\n", "tw", closed=False),
    ]
    assert blocks.update() == []
    blocks.feed("\n")
    assert blocks.update() == []
    assert blocks.finish() == [BlockUpdate(1, "<p>tw</p>\n", "tw", closed=True)]
    assert blocks.finish() == []


def test_a_list_is_over_as_soon_as_other_text_begins() -> None:
    blocks = MarkdownStream()
    blocks.feed("- a\n\n")
    assert [update.closed for update in blocks.update()] == [False]
    blocks.feed("N")
    assert [update.closed for update in blocks.update()] == [True, False]


def test_what_was_shown_and_turns_out_to_be_no_block_is_taken_back() -> None:
    updates = stream(["[foo]: ", "http://foo.org"])
    assert updates[0].html == "<p>[foo]:</p>\n"
    assert updates[-1] == BlockUpdate(0, "", "", closed=True)


def test_math_without_its_end_is_not_yet_a_heading() -> None:
    blocks = MarkdownStream()
    blocks.feed("$$\na\n=\n")
    assert "<h1>" not in blocks.update()[0].html


def test_a_link_defined_too_late_stays_as_it_was_written() -> None:
    text = "[foo]\n\nmore\n\n[foo]: http://foo.org"
    assert final(stream([*text])) == "<p>[foo]</p>\n<p>more</p>\n"
    assert "href" in to_html(text)


def test_the_newest_text_of_a_long_fence_is_shown_at_once_and_is_escaped() -> None:
    blocks = MarkdownStream()
    blocks.feed("```python\n" + "x = 1\n" * 2_000)
    blocks.update()
    blocks.feed("y < 2")
    assert blocks.update()[-1].html.endswith("y &lt; 2</code></pre>\n")
    blocks.feed("\n```\n")
    [closed] = blocks.update()
    assert closed.closed
    assert '<span class="pg-n">y</span>' in closed.html


def test_the_newest_text_of_a_long_list_is_shown_at_once_and_is_escaped() -> None:
    blocks = MarkdownStream()
    blocks.feed("- item\n" * 2_000)
    blocks.update()
    blocks.feed("- <b")
    newest = '<p class="chat-magics-pending">- &lt;b</p>\n'
    assert blocks.update()[-1].html.endswith(newest)
    blocks.feed(">\n\nThe end")
    assert [update.closed for update in blocks.update()] == [True, False]


@pytest.mark.parametrize("kind", sorted(FILLER))
def test_a_long_open_block_is_rendered_anew_only_now_and_then(kind: str) -> None:
    blocks = MarkdownStream()
    blocks.feed(OPENING.get(kind, "") + FILLER[kind] * 2_000)
    first = blocks.update()[-1].html
    rendered = set()
    for _ in range(300):
        blocks.feed(FILLER[kind])
        newest = blocks.update()[-1].html
        end = "</code>" if kind == "fence" else '<p class="chat-magics-pending">'
        kept = newest.partition(end)[0] if kind != "fence" else newest[: len(first) - 20]
        rendered.add(kept)
    assert len(rendered) <= 4
