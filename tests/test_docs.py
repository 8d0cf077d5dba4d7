"""README and docs: their examples run, their tables are true, their links lead somewhere.

Blocks marked `python` run in order in one namespace for each page. Blocks marked `ipython` run in
order in one IPython shell for each page; a blank line followed by a line that starts with `%%`
begins a new cell, and so does a new block. All other blocks are only shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from chat_magics import ChatConfig, Conversation, Session, errors
from chat_magics.magics import ChatMagics, RecordMagics
from chat_magics.magics.options import FORMATS, OPTIONS
from tests.shell import Shell

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NEW_CELL = re.compile(r"\n\n(?=%%)")
_LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)\"""")


class Block(NamedTuple):
    """A fenced block: what it is marked as, the line it begins on, its text."""

    kind: str
    line: int
    text: str


def _blocks(page: Path, kind: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = (
        Block(match[1], text.count("\n", 0, match.start(2)), match[2])
        for match in _FENCE.finditer(text)
    )
    return [block for block in found if block.kind == kind]


def _pages_with(kind: str) -> pytest.MarkDecorator:
    pages = [page for page in PAGES if _blocks(page, kind)]
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


def _prose(page: Path) -> str:
    """The page without its blocks of code, in which a bracket is no link."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def demo_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples talk to the demo model; it writes 60 tokens a second, so not for long."""
    monkeypatch.setenv("CHAT_MAGICS_BASE_URL", "demo")
    monkeypatch.setenv("CHAT_MAGICS_MAX_TOKENS", "20")
    monkeypatch.setenv("CHAT_MAGICS_WARM_UP", "0")


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """A page's namespace; what its examples opened is closed at the end."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    yield namespace
    for value in namespace.values():
        if isinstance(value, Conversation):
            value.session.close()
        elif isinstance(value, Session):
            value.close()


@pytest.fixture
def shell() -> Iterator[Shell]:
    """A page's shell."""
    made = Shell()
    yield made
    made.close()


@_pages_with("python")
def test_the_python_of_a_page_runs(page: Path, names: dict[str, Any]) -> None:
    for block in _blocks(page, "python"):
        # Blank lines in front, so that a traceback names the line of the page.
        source = "\n" * block.line + block.text
        # Without our own `annotations` of the future: pydantic would not find what they name.
        exec(compile(source, str(page), "exec", dont_inherit=True), names)


@_pages_with("ipython")
def test_the_cells_of_a_page_run(page: Path, shell: Shell) -> None:
    for block in _blocks(page, "ipython"):
        for cell in _NEW_CELL.split(block.text):
            printed = shell.run(cell)
            # IPython's own, where it takes a line that ends in a question mark for a call for help.
            assert not re.search("Object `.*` not found", printed.out), cell


def test_a_cell_begins_at_a_double_percent_after_a_blank_line() -> None:
    assert _NEW_CELL.split("%load_ext x\n\n%%chat\nOne\n\ntwo\n") == [
        "%load_ext x",
        "%%chat\nOne\n\ntwo\n",
    ]


def test_every_block_says_what_it_is() -> None:
    for page in PAGES:
        kinds = {match[1] for match in _FENCE.finditer(page.read_text(encoding="utf-8"))}
        assert kinds <= {"python", "ipython", "text"}, page.name


def _settings_rows() -> list[str]:
    return [
        f"| `{name}` | {_default(name, field)} | {_variables(name, field)} | {field.description} |"
        for name, field in ChatConfig.model_fields.items()
    ]


def _default(name: str, field: FieldInfo) -> str:
    if name == "home":
        return "the user data folder"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default in (None, ""):
        return "not set"
    if isinstance(default, tuple):
        return ", ".join(f"`{each}`" for each in default)
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"


def _variables(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [f"CHAT_MAGICS_{name.upper()}"]
    return " or ".join(f"`{choice}`" for choice in choices)


def test_the_table_of_settings_is_that_of_the_code() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith("| `")]
    rows = _settings_rows()
    assert table == rows, "docs/settings.md should have:\n" + "\n".join(rows)


@pytest.mark.parametrize("name", [name for name in ChatConfig.model_fields if name != "api_key"])
def test_the_environment_variable_of_a_setting_is_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = ChatConfig.model_fields[name]
    for variable in re.findall(r"`(\w+)`", _variables(name, field)):
        with monkeypatch.context() as environment:
            environment.setenv(variable, _SAMPLES.get(name, "3"))
            assert Session().sources[name] == "environment"


_SAMPLES = {
    "base_url": "http://localhost:1/v1",
    "fallback_models": '["one"]',
    "api": "responses",
    "options": '{"seed": 7}',
    "temperature": "1",
    "transport": "httpx",
    "keyring": "false",
    "cache": "false",
    "limits": "redis://localhost",
    "log_content": "false",
    "warm_up": "false",
}


def _documented_on(page: str, code: str) -> bool:
    spans = re.findall(r"`([^`\n]+)`", _prose(ROOT / "docs" / page))
    return any(re.match(rf"{re.escape(code)}(?![\w-])", span) for span in spans)


@pytest.mark.parametrize("flag", [flag for flags, _ in OPTIONS.values() for flag in flags])
def test_every_option_is_documented(flag: str) -> None:
    assert _documented_on("cells.md", flag)


def test_no_recipe_exports_without_saying_which_keys_to_take_out() -> None:
    blocks = [block.text for page in PAGES for block in _blocks(page, "python")]
    bare = [block for block in blocks if re.search(r"(?<![\w.])export\(", block)]
    assert [block for block in bare if "secrets=" not in block] == []


def test_every_format_is_documented() -> None:
    assert all(_documented_on("cells.md", name) for name in FORMATS)


def test_every_magic_is_documented() -> None:
    signs = {"line": "%", "cell": "%%"}
    kinds = [pair for each in (ChatMagics, RecordMagics) for pair in each.magics.items()]
    names = [signs[kind] + name for kind, found in kinds for name in found]
    assert "%%chat" in names
    assert [name for name in names if not _documented_on("cells.md", name)] == []


def test_every_error_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert [name for name in errors.__all__ if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = [match[1] or match[2] for match in _LINK.finditer(_prose(page))]
    relative = [link.partition("#")[0] for link in links if not re.match(r"\w+:|#", link)]
    assert [link for link in relative if not (page.parent / link).is_file()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    links = {match[1] for match in _LINK.finditer(_prose(ROOT / "README.md"))}
    assert [page.name for page in PAGES[2:] if f"docs/{page.name}" not in links] == []
