"""chat_magics.markdown: what a reader sees of a reply, whole texts."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

from chat_magics.markdown import STYLE, CodeBlock, code_blocks, to_html, wrap


def text_of(markup: str) -> str:
    """The words of some HTML, for texts without entities."""
    return re.sub(r"<[^>]*>", "", markup)


def formulas(source: str) -> list[str]:
    """What MathJax is given to typeset."""
    return re.findall(r'mathjax_process">(.*?)</span>', to_html(source), re.DOTALL)


# Math


@pytest.mark.parametrize(
    "source",
    [
        "It is $5 and $10.",
        "From US$5 to US$10",
        "$5 and 10$",
        "$5-$10, $1M/$2M",
        "$10 and `$x$`",
        "$HOME and $PATH, $HOME/$PATH",
        r"an escaped \$x\$",
        "`$x$` and ``\\(y\\)``",
        "```\n$$\nx\n$$\n```",
        "    \\[x\\]",
        "$ x $",
        "\\( and `\\)`",
        "a lone $$ and a lone \\(",
        "\\[ an opening\n```\n\\]\n```",
    ],
)
def test_prices_shell_variables_and_code_are_not_math(source: str) -> None:
    assert formulas(source) == []


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("so $x_1 < y$.", [r"\(x_1 &lt; y\)"]),
        (r"so \(a*b*c\) and \(d\)", [r"\(a*b*c\)", r"\(d\)"]),
        (r"so $$x$$ and \[y\] inside", [r"\[x\]", r"\[y\]"]),
        ("$$\nx\n=\n- y\n$$", ["\\[x\n=\n- y\\]"]),
        ("Thus:\n\\[\nx\n-\ny\n\\].\nAnd", ["\\[x\n-\ny.\\]"]),
        ("- item\n  \\[\n  x\n  =\n  y\n  \\]", ["\\[x\n=\ny\\]"]),
        ("> $$x$$", [r"\[x\]"]),
        (
            "\\begin{align*}\na &= b\n\\end{align*}",
            ["\\[\\begin{align*}\na &amp;= b\n\\end{align*}\\]"],
        ),
        ("the $n$th of 其中$x$是", [r"\(n\)", r"\(x\)"]),
        ("| a |\n|---|\n| $x$ |", [r"\(x\)"]),
    ],
)
def test_each_way_of_writing_math_is_math(source: str, seen: list[str]) -> None:
    assert formulas(source) == seen


def test_a_lone_sign_inside_math_is_neither_heading_nor_list() -> None:
    markup = to_html("Then\n\\[\na\n=\nb\n- c\n\\]\n")
    assert "<h1>" not in markup
    assert "<li>" not in markup


def test_mathml_holds_the_text_that_latex2mathml_does_not_escape() -> None:
    markup = to_html(r"$\text{a<b>c} \frac{1}{2}$", math="mathml")
    assert "<mtext>a&lt;b&gt;c</mtext>" in markup
    assert "<mfrac>" in markup


def test_mathml_numbers_no_equation() -> None:
    markup = to_html("\\begin{align}a&=b\\end{align}", math="mathml")
    assert "<mo>=</mo><mi>b</mi>" in markup
    assert "(1)" not in markup


@pytest.mark.parametrize("tex", [r"\frac", "x^", r"\left(", "{" * 3000])
def test_a_formula_that_cannot_be_converted_is_shown_as_its_source(tex: str) -> None:
    assert f"<code>{tex}</code>" in to_html(f"$$\n{tex}\n$$", math="mathml")


@pytest.mark.parametrize("math", ["tex", "mathml"])
def test_a_formula_that_links_styles_or_defines_is_shown_as_its_source(math: str) -> None:
    for tex in (r"\href{javascript:alert(1)}{x}", r"\bbox[background:url(//e)]x", r"\def\pi{3}"):
        markup = to_html(f"${tex}$", math=math)  # type: ignore[arg-type]  # parametrised
        assert markup == f"<p><code>{tex}</code></p>\n"


def test_only_our_formulas_are_typeset_by_the_host() -> None:
    assert wrap("x", math="tex").startswith('<div class="chat-magics tex2jax_ignore mathjax_ig')
    assert wrap("x", math="mathml") == '<div class="chat-magics">x</div>'


# Links and images


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("[docs](https://example.com/a)", "docs (example.com)"),
        ("[example.com](https://example.com)", "example.com"),
        ("[at example.com](https://www.example.com/x)", "at example.com"),
        ("<https://example.com/a.html>", "https://example.com/a.html"),
        ("[https://bank.com](https://evil.com)", "https://bank.com (evil.com)"),
        ("[bank.com/evil.com](https://evil.com)", "bank.com/evil.com (evil.com)"),
        ("[evil.com.bank.com](https://evil.com)", "evil.com.bank.com (evil.com)"),
        ("[me](mailto:a@b.org)", "me (a@b.org)"),
        ("[x](javascript:alert)", "x (javascript:alert)"),
        ("[x](ftp://e.com/a)", "x (ftp://e.com/a)"),
        ("[x](https://bank.com@evil.com)", "x (https://bank.com@evil.com)"),
        ("[part](#part)", "part"),
        ("![cat](https://e.com/c.png)", "[image: cat] (e.com)"),
        ("![cat](data:image/png;base64,AAAA)", "[image: cat] (data)"),
        ("[![logo](https://i.com/l)](https://e.org)", "[image: logo] (i.com) (e.org)"),
    ],
)
def test_a_link_shows_where_it_leads(source: str, seen: str) -> None:
    assert text_of(to_html(source)).strip() == seen


def test_an_image_is_a_link_to_it() -> None:
    markup = to_html("![cat](https://e.com/c.png)")
    assert 'href="https://e.com/c.png" target="_blank" rel="noopener noreferrer nofollow"' in markup
    assert "<img" not in markup


def test_a_link_within_a_link_is_text() -> None:
    markup = to_html("[<https://a.org> and b](https://b.org)")
    assert text_of(markup) == "https://a.org and b (b.org)\n"
    assert markup.count("<a ") == 1


def test_a_link_may_be_defined_after_its_use() -> None:
    assert 'href="https://e.com"' in to_html("[a][1]\n\ntext\n\n[1]: https://e.com")


# Code


def test_code_is_highlighted_and_names_its_language() -> None:
    markup = to_html("```Python title=x\nx = 1\n```")
    assert markup.startswith('<pre data-lang="python"><code><span class="pg-n">x</span>')


def test_code_in_an_unknown_language_is_shown_as_it_is() -> None:
    assert to_html("```nope\n<b>\n```") == (
        '<pre data-lang="nope"><code>&lt;b&gt;\n</code></pre>\n'
    )


def test_code_blocks_are_found_wherever_they_stand() -> None:
    source = "```python\na\n\nb\n```\n1. x\n   ~~~{r}\n   c\n   ~~~\n\ntext\n\n    d\n\n> ```\n> e"
    assert code_blocks(source) == (
        CodeBlock("python", "a\n\nb"),
        CodeBlock("r", "c"),
        CodeBlock("", "d"),
        CodeBlock("", "e"),
    )


# Anything at all


@pytest.mark.parametrize(
    "source",
    [
        "word " * 200_000,
        ">" * 10_000 + "end",
        "> " * 10_000 + "end",
        "- " * 500 + "end",
        "".join("  " * depth + "- a\n" for depth in range(200)) + "  " * 200 + "end",
        "[" * 10_000 + "end" + "]" * 10_000,
        "|" + "a|" * 1000 + "\n|" + "-|" * 1000 + "\n|" + "end|" * 1000,
        r"\(" * 50_000 + "end",
        "\\[\n" * 10_000 + "end",
        "$$\n" * 10_001 + "end",
        "$" * 50_000 + "end",
        "*a " * 10_000 + "end",
        "\0\ud800\u202e\u200f\r\n\x0b\x0c\u2028end",
    ],
)
def test_every_text_is_shown_to_its_end(source: str) -> None:
    last = source.split()[-1].strip("[]|>")[-3:]
    assert last in to_html(source)
    assert last in to_html(source, math="mathml")


def test_what_nests_too_deep_is_shown_whole_as_its_source() -> None:
    markup = to_html("> " * 200 + "deep\n\nafter")
    assert markup.startswith('<pre class="chat-magics-source"><code>&gt; &gt;')
    assert markup.endswith("deep</code></pre>\n<p>after</p>\n")


def test_a_text_is_shown_whole_although_hardly_any_stack_is_left() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 40)
    try:
        markup = to_html("> " * 20 + "deep")
    finally:
        sys.setrecursionlimit(limit)
    assert "deep" in markup
    assert "chat-magics-source" in markup


def test_line_ends_of_all_systems_are_alike() -> None:
    assert to_html("# a\r\n\r\nb\rc") == to_html("# a\n\nb\nc")


# The style sheet and the price of importing


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_code_is_readable_where_the_host_has_no_colours() -> None:
    code_colours = re.findall(r"mirror-editor-[a-z]+-color, (#[0-9a-f]{6})\)", STYLE)
    assert len(code_colours) >= 8
    for colour in [*code_colours, "#595959", "#212121"]:
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5, colour


def test_the_style_sheet_touches_nothing_else_and_fetches_nothing() -> None:
    flat = re.sub(r"\s+", " ", STYLE)
    for selectors in re.findall(r"([^{}]+)\{", flat):
        outside_parentheses = re.sub(r"\([^)]*\)", "", selectors)
        for selector in outside_parentheses.split(","):
            assert selector.strip().startswith(".chat-magics"), selector
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    script = (
        "import sys, chat_magics\n"
        "assert not {'markdown_it', 'nh3', 'pygments'} & set(sys.modules)\n"
        "from chat_magics.markdown import to_html\n"
        "to_html('$x$'); to_html('no math', math='mathml')\n"
        "assert 'latex2mathml' not in sys.modules\n"
        "to_html('$x$', math='mathml')\n"
        "assert 'latex2mathml' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
