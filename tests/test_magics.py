"""The magics in a test shell: what they print, what they send, what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chat_server import ChatServer, Json, Reply, Status
from tests.shell import Shell, refused
from tests.talks import user_texts

# Asking


def test_a_cell_prints_the_reply_and_the_quiet_line(shell: Shell):
    out = shell.run("%%chat\nHello").out
    reply, empty, line, end = out.split("\n")
    assert (reply, empty, end) == ("Hello from the test server.", "", "")
    assert line.startswith("test-model · 10 → 5 tokens · ")
    assert line.endswith(" s · unknown price")


def test_all_options_reach_the_wire_and_the_reply_its_variable(shell: Shell, server: ChatServer):
    line = "-m other -s 'Be brief' -t 0.2 --max-tokens 9 --option seed=7 -o answer"
    shell.run(f"%%chat {line}\nWhy?")
    body = server.bodies[0]
    assert body["messages"][0] == {"role": "system", "content": "Be brief"}
    assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == (
        "other",
        0.2,
        9,
        7,
    )
    assert str(shell["answer"]) == "Hello from the test server."


@pytest.mark.parametrize("prompt", ["{x}", "$x", "{{x}}", "$HOME and {y}"])
@pytest.mark.parametrize("magic", ["%chat ", "%%chat\n"])
def test_braces_and_dollars_arrive_unchanged(
    shell: Shell, server: ChatServer, magic: str, prompt: str
):
    shell.run("x = 42")
    shell.run(magic + prompt)
    assert user_texts(server.bodies[0]) == [prompt]


def test_a_cells_line_is_not_expanded_either(shell: Shell, server: ChatServer):
    shell.run("x = 42")
    shell.run("%%chat -s 'Say {x}'\nWhy?")
    assert server.bodies[0]["messages"][0]["content"] == "Say {x}"


def test_a_loop_of_prompts_is_one_talk(shell: Shell, server: ChatServer):
    shell.run("for n in range(2):\n    %chat Hello")
    assert [user_texts(body) for body in server.bodies] == [["Hello"], ["Hello", "Hello"]]


def test_an_empty_prompt_is_refused(shell: Shell, server: ChatServer):
    assert refused(shell, "%chat") == "%chat needs a prompt: %chat Why is the sky blue?"
    assert refused(shell, "%%chat\n \n") == "the cell is empty: write the prompt below"
    assert refused(shell, "%chat -q") == "%chat needs a prompt: %chat Why is the sky blue?"
    assert server.requests == []


def test_what_the_server_refuses_is_one_line(shell: Shell, server: ChatServer):
    server.script(Status(401), Status(404))
    assert "does not accept the key" in refused(shell, "%chat Hello")
    assert refused(shell, "%chat -m gone Hello").endswith(" no model 'gone'; it has test-model")


def test_no_key_for_openai_tells_how_to_set_one(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CHAT_MAGICS_BASE_URL")
    assert refused(shell, "%chat Hello") == (
        "no key: set OPENAI_API_KEY; to try without one, set base_url to demo "
        "(%chat_config api_key; %chat_config base_url demo)"
    )


def test_quiet_shows_nothing(shell: Shell):
    assert shell.run("%chat -q -o answer Hello") == ("", "")
    assert shell["answer"].text == "Hello from the test server."


def test_json_is_parsed_and_shown(shell: Shell, server: ChatServer):
    server.script(Reply('```json\n{"b":1,"a":[2]}\n```'))
    out = shell.run("%chat -f json -o answer Give").out
    assert json.loads(out.split("test-model")[0]) == {"b": 1, "a": [2]}
    assert "10 → " in out
    assert shell["answer"].json() == {"b": 1, "a": [2]}


def test_what_is_no_json_is_shown_and_told(shell: Shell, capsys: pytest.CaptureFixture[str]):
    assert "the reply is not JSON" in refused(shell, "%chat -f json Give")


def test_code_goes_into_the_next_input_and_is_not_run(shell: Shell, server: ChatServer):
    server.script(Reply("Try\n\n```python\nran = 1\n```\nthen\n```py\nran = 2\n```\n"))
    shell.run("%chat -f code Code")
    assert shell.ip.rl_next_input == "ran = 1\n\nran = 2"
    assert "ran" not in shell.ip.user_ns


def test_other_languages_get_their_own_cell_magic(shell: Shell, server: ChatServer):
    server.script(Reply("```bash\nls\n```"))
    shell.run("%chat -f code Code")
    assert shell.ip.rl_next_input == "%%bash\nls"


def test_no_code_is_told(shell: Shell):
    assert "no code block" in refused(shell, "%chat -f code Code")


def test_a_dry_run_sends_nothing_at_all(shell: Shell, server: ChatServer):
    shell.run("%config ChatMagics.tokens_per_day = 1000")
    out = shell.run("%%chat --dry-run -s 'Be brief' -t 0.2\nWhy?\nHow?").out
    assert server.requests == []
    assert "Nothing was sent." in out
    assert "[system]\n  Be brief\n[user]\n  Why?\n  How?\n" in out
    assert "options: temperature=0.2" in out
    assert "cache: miss" in out
    assert "left of tokens_per_day: 1,000 tokens" in out


def test_the_variable_of_a_dry_run_is_the_plan(shell: Shell, server: ChatServer):
    shell.run("%%chat --dry-run -o x\nWhy?")
    assert [message.content for message in shell["x"].request.messages] == ["Why?"]
    assert (shell["x"].cached, server.requests) == (False, [])


def test_a_closed_session_is_followed_by_a_new_one(shell: Shell, server: ChatServer):
    shell.run("%chat Q1")
    shell.run("from chat_magics import Session; Session.current().close()")
    assert "Hello from" in shell.run("%chat Q2").out
    assert user_texts(server.bodies[1]) == ["Q2"]


def test_a_dry_run_tells_a_hit_and_changes_no_conversation(shell: Shell, server: ChatServer):
    shell.run("%chat Hello")
    assert "cache: hit" in shell.run("%chat --new --dry-run Hello").out
    assert "cache: hit" in shell.run("%chat --alone --dry-run Hello").out
    assert "cache: miss" in shell.run("%chat --dry-run Hello").out
    shell.run("%chat -c nowhere --dry-run Hello")
    shell.run("%chat Again")
    assert user_texts(server.bodies[1]) == ["Hello", "Again"]


def test_an_equal_prompt_comes_from_the_cache_and_says_so(shell: Shell, server: ChatServer):
    shell.run("%chat Hello")
    assert "$0 · cached " in shell.run("%chat --new Hello").out
    assert len(server.posts) == 1


@pytest.mark.parametrize("option", ["--refresh", "--no-cache"])
def test_the_cache_is_passed_by(shell: Shell, server: ChatServer, option: str):
    server.script(Reply("old"), Reply("new"))
    shell.run("%chat --new Hello")
    assert shell.run(f"%chat --new {option} Hello").out.startswith("new")
    expected = "new" if option == "--refresh" else "old"
    assert shell.run("%chat --new Hello").out.startswith(expected)


def test_alone_new_and_conversation(shell: Shell, server: ChatServer):
    for options in ("", "--alone", "", "--new", "-c joins", "", "-c joins"):
        shell.run(f"%chat {options} -o answer Q{len(server.posts)}")
    asked = [user_texts(body) for body in server.bodies]
    assert asked[:4] == [["Q0"], ["Q1"], ["Q0", "Q2"], ["Q3"]]
    assert asked[4:] == [["Q4"], ["Q4", "Q5"], ["Q4", "Q5", "Q6"]]
    assert shell["answer"].conversation.name == "joins"


# The other commands


def test_regenerate_asks_the_last_prompt_past_the_cache(shell: Shell, server: ChatServer):
    server.script(Reply("old"), Reply("new"))
    shell.run("%chat Hello")
    assert shell.run("%chat_regenerate -t 1 -o again").out.startswith("new")
    assert user_texts(server.bodies[1]) == ["Hello"]
    assert server.bodies[1]["temperature"] == 1.0
    assert "options only" in refused(shell, "%chat_regenerate Hello")


def test_regenerate_of_nothing_is_refused(shell: Shell):
    assert "nothing to ask again" in refused(shell, "%chat_regenerate")


def test_models_are_the_servers_with_the_chosen_one_marked(shell: Shell, server: ChatServer):
    server.models = ["other", "test-model"]
    assert shell.run("%chat_models").out == "  other\n* test-model\n"
    server.models = ["other"]
    assert "Note: the configured model, test-model, is not among" in shell.run("%chat_models").out


def test_models_fall_back_to_the_configured_ones_with_a_note(shell: Shell, server: ChatServer):
    shell.run("%config ChatMagics.fallback_models = ['mine', 'yours']")
    server.models_answer = Status(500)
    out = shell.run("%chat_models").out
    assert out.startswith("  mine\n  yours\nNote: the server cannot be asked (")
    server.models_answer = Json({"object": "list", "data": []})
    assert "Note: the server cannot be asked (" in shell.run("%chat_models").out


def test_models_fall_back_when_the_server_is_down(shell: Shell):
    with ChatServer() as gone:
        shell.run(f"%config ChatMagics.base_url = {gone.url!r}")
    assert "gpt-5.6-luna\n  gpt-4o-mini\nNote: " in shell.run("%chat_models").out


def test_a_conversation_is_named_and_opened_again(shell: Shell, server: ChatServer):
    assert shell.run("%chat_new 'left join'").out.startswith("A new conversation, left join.")
    shell.run("%chat Q1")
    shell.run("%chat_new")
    shell.run("%chat Q2")
    out = shell.run("%chat_open 'left join'").out
    assert out.startswith("Opened left join, 1 exchange.\nLast: > Q1\n")
    shell.run("%chat Q3")
    assert user_texts(server.bodies[2]) == ["Q1", "Q3"]
    assert "left join (" in shell.run('%chat_history "left join"').out
    assert "the nearest names: left join" in refused(shell, "%chat_open left joins")
    listed = shell.run("%chat_open").out.splitlines()
    assert [line.split("UTC  ")[1] for line in listed] == ["left join: Q1", "Q2"]
    assert [line.split()[0] for line in listed] == ["0", "1"]
    assert shell.run("%chat_open 1").out.startswith("Opened Q2, 1 exchange.")


def test_opening_without_any_says_so(shell: Shell):
    assert shell.run("%chat_open").out == "There is no conversation yet.\n"


def test_the_cache_tells_what_it_holds_and_is_emptied(shell: Shell, server: ChatServer):
    shell.run("%chat --new Hello")
    shell.run("%chat --new Hello")
    entries, kernel, saved = shell.run("%chat_cache").out.splitlines()
    assert entries.startswith("1 replies, ")
    assert kernel == "this kernel: 1 hits, 1 misses, 0 faults"
    assert saved == "saved so far: $0"
    assert shell.run("%chat_cache --clear").out == "1 cached replies are gone.\n"
    shell.run("%chat --new Hello")
    assert len(server.posts) == 2


def test_doctor_asks_for_no_reply_and_with_ask_for_one(
    shell: Shell, server: ChatServer, home: Path
):
    home.chmod(0o700)
    out = shell.run("%chat_doctor").out
    assert len(server.posts) == 0
    assert f"{server.url} answers and lists 1 models" in out
    for what in ("versions", "key", "server", "model", "folder", "history", "cache", "prices"):
        assert f"ok    {what}: " in out
    assert "ok    a request: " in shell.run("%chat_doctor --ask").out
    assert len(server.posts) == 1
    assert shell["In"]


def test_doctor_tells_what_to_mend(shell: Shell, server: ChatServer, home: Path):
    home.chmod(0o755)
    server.models_answer = Status(500)
    out = shell.run("%chat_doctor").out
    assert f"MEND  server: {server.url}: " in out
    assert "chmod 700" in out


@pytest.mark.parametrize("magic", ["chat_models", "chat_cache", "chat_doctor"])
def test_words_that_mean_nothing_are_refused(shell: Shell, magic: str):
    assert f"%{magic} takes nothing" in refused(shell, f"%{magic} hello")
