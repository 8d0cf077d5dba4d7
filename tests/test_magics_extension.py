"""The extension in a shell: loaded, clashing, unloaded, shared with plain Python."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat_magics import Conversation, Session
from chat_magics.config import ChatConfig, resolve
from chat_magics.magics import ChatMagics
from chat_magics.magics.completer import completions
from chat_magics.magics.options import parse_line
from chat_magics.magics.warm_up import wanted
from tests.chat_server import ChatServer
from tests.shell import Shell
from tests.talks import user_texts


@pytest.fixture
def shell(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell with the extension, on the tests' server."""
    monkeypatch.setenv("CHAT_MAGICS_WARM_UP", "0")
    monkeypatch.setenv("CHAT_MAGICS_BASE_URL", server.url)
    monkeypatch.setenv("CHAT_MAGICS_MODEL", "test-model")
    shell = Shell()
    shell.run("%load_ext chat_magics")
    yield shell
    shell.close()


def test_help_has_an_example(shell: Shell):
    out = shell.run("%%chat?").out
    assert "%%chat -m gpt-5.6-luna -s" in out
    assert "Why does a left join make rows?" in out


def test_another_extensions_chat_is_named_on_load_and_restored_on_unload(server: ChatServer):
    shell = Shell()
    shell.ip.register_magic_function(lambda line, cell: "theirs", "cell", "chat")
    told = shell.run("%load_ext chat_magics").err
    assert told == (
        f"chat_magics: %%chat of {__name__} is replaced; %unload_ext chat_magics brings it back\n"
    )
    assert shell.ip.find_cell_magic("chat").__self__.__class__ is ChatMagics
    shell.run("%unload_ext chat_magics")
    assert shell.ip.run_cell_magic("chat", "", "Hello") == "theirs"
    assert shell.ip.find_line_magic("chat") is None
    shell.close()


def test_loading_twice_and_again_after_unloading_changes_nothing(shell: Shell):
    assert shell.run("%load_ext chat_magics").out.startswith("The chat_magics extension is already")
    assert shell.run("%reload_ext chat_magics").err == ""
    assert [type(c).__name__ for c in shell.ip.configurables].count("ChatMagics") == 1
    assert "Hello from" in shell.run("%chat Hello").out


def test_unloading_takes_all_away(shell: Shell):
    shell.run("%unload_ext chat_magics")
    assert shell.ip.find_line_magic("chat") is shell.ip.find_cell_magic("chat") is None
    assert not [c for c in shell.ip.configurables if isinstance(c, ChatMagics)]


def test_python_and_magics_share_the_conversation(shell: Shell, server: ChatServer):
    shell.run("%chat Q1")
    shell.run("from chat_magics import Session; answer = Session.current().conversation.ask('Q2')")
    assert shell.run("print(answer)").out == "Hello from the test server.\n"
    assert user_texts(server.bodies[1]) == ["Q1", "Q2"]


def test_the_traits_are_the_settings():
    defaults = ChatMagics(shell=None).trait_defaults()
    settings = set(ChatConfig.model_fields) - {"api_key"}
    assert set(ChatMagics.class_trait_names(config=True)) == settings
    assert {name: defaults[name] for name in settings} == dict.fromkeys(settings)


def test_python_has_the_settings_of_the_notebook_before_any_magic_ran(
    shell: Shell, server: ChatServer
):
    shell.run("%config ChatMagics.system = 'Be brief'")
    shell.run("from chat_magics import Conversation; Conversation().ask('Q1').text")
    assert server.bodies[0]["messages"][0]["content"] == "Be brief"


def test_tab_offers_nothing_where_a_setting_does_not_make_sense(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAT_MAGICS_WARM_UP", "0")
    shell = Shell()
    shell.run("%load_ext chat_magics")
    monkeypatch.setenv("CHAT_MAGICS_TEMPERATURE", "9")
    assert completions(shell.ip.chat_magics_extension.magics, "%chat -m gp") == ([], "gp")
    shell.close()


NAMES = ["left joins", "it's", 'say "yes"', "'quoted'", "\"a' b", "back\\slash", "-x", "--new", "é"]


def tab(shell: Shell, line: str) -> list[str]:
    """The line as it may be after Tab."""
    words, typed = completions(shell.ip.chat_magics_extension.magics, line)
    return [line.removesuffix(typed) + word for word in words]


@pytest.mark.parametrize("form", ["-c ", "--conversation=", "-c="])
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_an_option_that_tab_wrote_names_the_conversation(shell: Shell, form: str, quote: str):
    for name in NAMES:
        Conversation(name, session=Session.of(shell.ip))
    lines = tab(shell, f"%chat {form}{quote}")
    written = [parse_line(f"{line[6:]} Hello").conversation for line in lines]
    assert sorted(map(str, written)) == sorted(NAMES)
    (line,) = tab(shell, f"%chat {form}{quote}lef")
    assert parse_line(f"{line[6:]} Hello").conversation == "left joins"


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_a_name_that_tab_wrote_opens_the_conversation(shell: Shell, quote: str):
    session = Session.of(shell.ip)
    for name in NAMES:
        Conversation(name, session=session)
    opened = []
    for line in tab(shell, f"%chat_open {quote}"):
        shell.run(line)
        opened.append(session.conversation.name)
    assert sorted(map(str, opened)) == sorted(NAMES)
    assert len(tab(shell, f"%chat_open {quote}left j")) == 1


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%chat Why --", []),
        ("%chat -q Why --", []),
        ("%chat -- --", []),
        ("%chat -m gpt --al", ["--alone"]),
        ("%chat -s 'a b' --al", ["--alone"]),
        ("%chat -s --al", []),
        ("%chat -o ", []),
        ("%%chat Why --al", ["--alone"]),
        ("%chat_regenerate --al", []),
        ("%chat_regenerate --te", ["--temperature"]),
        ("%chat --format=te", ["--format=text"]),
        ("%chat -f=te", ["-f=text"]),
        ("%chat --new=x", []),
        ("%chat_config cache ", ["true", "false", "default"]),
        ("%chat_config ChatMagics.api resp", ["responses"]),
        ("%chat_config transport ", ["auto", "aiohttp", "httpx", "default"]),
        ("%chat_config model test", ["test-model"]),
        ("%chat_config system ", ["default"]),
        ("%chat_config api chat ", []),
        ("%chat_config modle ", []),
        ("%chat_doctor ", ["--ask"]),
        ("%chat_models -", []),
        ("%chat_history --al", ["--all"]),
        ("%chat_history --status st", ["stopped", "streaming"]),
        ("%chat_history --model te", ["test-model"]),
        ("%chat_history --since ", []),
        ("%chat_conversations --su", ["--surface"]),
        ("%chat_stats --by da", ["day"]),
        ("%chat_stats --by day --p", ["--plot"]),
        ("%chat_export talk.md --f", ["--format", "--force"]),
        ("%chat_export talk.md --prompts ", ["cells", "markdown"]),
        ("%chat_import --fo", ["--format"]),
    ],
)
def test_tab_offers_what_may_stand_there(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, line: str, offered: list[str]
):
    monkeypatch.setenv("CHAT_MAGICS_FALLBACK_MODELS", '["test-model", "other"]')
    assert completions(shell.ip.chat_magics_extension.magics, line)[0] == offered


@pytest.mark.parametrize("magic", ["chat_history", "chat_stats", "chat_export -c"])
def test_tab_names_the_conversations_that_are_stored(shell: Shell, magic: str):
    Conversation("left joins", session=Session.of(shell.ip))
    assert tab(shell, f"%{magic} lef") == [f'%{magic} "left joins"']


def test_a_question_on_one_line_is_asked(shell: Shell, server: ChatServer):
    shell.run("%chat Why is the sky blue?")
    assert user_texts(server.bodies[0]) == ["Why is the sky blue?"]


def test_a_question_inside_a_chat_cell_is_untouched(shell: Shell, server: ChatServer):
    shell.run("%%chat\nExplain\n%chat really?")
    assert user_texts(server.bodies[0]) == ["Explain\n%chat really?"]


@pytest.mark.parametrize("word", ["0", "false", "F", "no", "N", "off", "1", "true", "yes", "on"])
def test_the_warm_up_reads_its_switch_as_all_settings_are_read(
    monkeypatch: pytest.MonkeyPatch, word: str
):
    monkeypatch.setenv("CHAT_MAGICS_WARM_UP", word)
    assert wanted() is resolve().warm_up
