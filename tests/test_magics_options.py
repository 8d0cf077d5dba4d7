"""The line of %chat and %%chat: options, quotes, and a prompt that arrives as it was written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from chat_magics.magics import ChatMagics
from chat_magics.magics.options import (
    FORMATS,
    OPTIONS,
    ChatOptions,
    at_cursor,
    meaning,
    parse_cell,
    parse_line,
    quoted,
)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("-m gpt-4o-mini", "model", "gpt-4o-mini"),
        ("--model gpt-4o-mini", "model", "gpt-4o-mini"),
        ("--model=gpt-4o-mini", "model", "gpt-4o-mini"),
        ("-s 'Answer briefly'", "system", "Answer briefly"),
        ('--system "Say \\"yes\\""', "system", 'Say "yes"'),
        ("--system ''", "system", ""),
        ("-t 0.2", "temperature", 0.2),
        ("--temperature 1", "temperature", 1.0),
        ("-t -1", "temperature", -1.0),
        ("--max-tokens 20", "max_tokens", 20),
        ("--option seed=7", "options", {"seed": 7}),
        ("-c 'left join'", "conversation", "left join"),
        ("--conversation joins", "conversation", "joins"),
        ("--new", "new", True),
        ("--alone", "alone", True),
        ("--refresh", "refresh", True),
        ("--no-cache", "no_cache", True),
        ("-o answer", "out", "answer"),
        ("--out answer", "out", "answer"),
        ("-f json", "format", "json"),
        ("--format code", "format", "code"),
        ("-q", "quiet", True),
        ("--quiet", "quiet", True),
        ("--dry-run", "dry_run", True),
    ],
)
def test_each_option_is_read_on_both_kinds_of_line(line: str, name: str, value: Any):
    for options in (parse_cell(line, "Why?\n"), parse_line(f"{line} Why?")):
        assert options.prompt == "Why?"
        assert getattr(options, name) == value


def test_without_options_all_is_as_in_the_settings():
    assert parse_cell("", "Why?") == ChatOptions(prompt="Why?")


@pytest.mark.parametrize(
    "prompt",
    [
        "What is {x} and $HOME and {{y}}?",
        "what's up",
        "'tis an open quote",
        'say "hello" twice',
        "a  b   c",
        "a -m b --new",
        "back\\slash \\n",
        "{",
        "`code` and $x^2$",
    ],
)
def test_a_prompt_on_the_line_arrives_unchanged(prompt: str):
    assert parse_line(prompt).prompt == prompt
    assert parse_line(f"-t 0.5 {prompt}").prompt == prompt
    assert parse_line(f"-q -- {prompt}").prompt == prompt


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1))
def test_any_word_after_two_dashes_arrives_unchanged(word: str):
    assert parse_line(f"--new -- {word} {word}").prompt == f"{word} {word}"


@given(st.text())
def test_any_cell_arrives_unchanged(cell: str):
    assert parse_cell("-q", cell + "\n").prompt == cell


@given(st.text(alphabet="-mso \"'\\=x{}$", max_size=25))
def test_any_line_is_read_or_refused_in_one_line(line: str):
    refused = ""
    try:
        parse_line(line)
    except UsageError as error:
        refused = str(error)
    assert "\n" not in refused


@pytest.mark.parametrize("prompt", ["-1 what", "-hello", "- one", "--x y"])
def test_a_prompt_that_begins_with_a_dash_is_told_its_way(prompt: str):
    with pytest.raises(UsageError, match="goes after --: %chat -- -") as refused:
        parse_line(prompt)
    assert "\n" not in str(refused.value)
    assert parse_line(f"-- {prompt}").prompt == prompt
    with pytest.raises(UsageError, match=r"^there is no option -[^;]*; %%chat\? lists") as refused:
        parse_cell(prompt, "Why?")


@pytest.mark.parametrize("value", ["-x", "--new", "- be brief", "-1"])
def test_a_quoted_value_may_begin_with_a_dash(value: str):
    assert parse_line(f"-s '{value}' Why?") == ChatOptions(prompt="Why?", system=value)
    assert parse_line(f'--conversation "{value}" Why?').conversation == value


@given(st.text(alphabet="ab \"'\\\\-=", min_size=1), st.sampled_from(["", '"', "'"]))
def test_a_quoted_value_is_read_as_it_was(value: str, quote: str):
    assume(value != "--")  # argparse has its own idea of that
    assert parse_line(f"-s {quoted(value, quote)} Why?").system == value
    assert meaning(quoted(value, quote)) == value


@given(st.text(alphabet="ab \"'\\\\-=", min_size=1))
def test_what_is_being_written_means_the_beginning_of_the_value(value: str):
    whole = quoted(value, '"')
    words, typed = at_cursor(f"-c {whole[:-1]}")
    assert (words, typed) == (["-c"], whole[:-1])
    assert meaning(typed) == value


def test_two_dashes_end_the_options():
    options = parse_line("-q -- -m is a flag")
    assert (options.quiet, options.model, options.prompt) == (True, None, "-m is a flag")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seed=7", 7),
        ("top_p=0.5", 0.5),
        ("logprobs=true", True),
        ("user=me", "me"),
        ("user=a=b", "a=b"),
        ('\'stop=["a", "b"]\'', ["a", "b"]),
        ('\'metadata={"k": "v"}\'', {"k": "v"}),
        ("user=", ""),
        ("x=null", None),
    ],
)
def test_an_option_of_the_api_is_json_or_text(text: str, value: Any):
    (given_value,) = parse_cell(f"--option {text}", "Why?").options.values()
    assert given_value == value


def test_options_of_the_api_add_up():
    options = parse_cell("--option seed=1 --option top_p=0.5 --option seed=2", "Why?")
    assert options.options == {"seed": 2, "top_p": 0.5}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--modle x", "there is no option --modle"),
        ("--mod x", "there is no option --mod"),
        ("-t warm", "invalid float value: 'warm'"),
        ("--max-tokens 1.5", "invalid int value"),
        ("-m", "expected one argument"),
        ("-f html", "invalid choice: 'html'"),
        ("-o 2x", "--out needs the name of a variable, not '2x'"),
        ("--option seed", "--option needs KEY=VALUE, not 'seed'"),
        ("--option =1", "--option needs KEY=VALUE"),
        ('-s "never closed', "a quote is not closed"),
        ("-s 'never closed", "a quote is not closed"),
        ("--new -c x", "exclude each other"),
        ("hello there", "unexpected 'hello' on the %%chat line"),
        ("-q hello", "unexpected 'hello'"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(line: str, said: str):
    with pytest.raises(UsageError) as refused:
        parse_cell(line, "Why?")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_help_names_every_option_with_each_of_its_flags():
    documented = ChatMagics.chat.__doc__.split("Options:")[1]
    for flags, _ in OPTIONS.values():
        assert ", ".join(flags) in documented
    for name in FORMATS:
        assert name in documented


def test_the_help_names_no_option_that_is_not_there():
    lines = ChatMagics.chat.__doc__.split("Options:")[1].splitlines()
    words = {word.strip(",") for line in lines for word in line.split()[:2]}
    flags = {word for word in words if word.startswith("-")}
    assert flags == {flag for flags, _ in OPTIONS.values() for flag in flags}
