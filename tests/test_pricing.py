"""Prices by provider and model, and what is estimated where no server tells."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chat_magics.messages import Message, Usage
from chat_magics.pricing import (
    estimate_tokens,
    estimate_usage,
    estimates,
    format_cost,
    price,
    source,
)

MILLION = Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)
OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "GPT-4o-mini"])
@pytest.mark.parametrize("url", [OPENAI, "https://API.openai.com/v1/"])
def test_a_model_of_a_known_host_has_its_price(model: str, url: str) -> None:
    assert price(model, MILLION, url) == pytest.approx(0.15 + 0.60)


def test_tokens_of_the_servers_cache_are_cheaper() -> None:
    cached = Usage(prompt_tokens=1_000_000, cached_tokens=1_000_000)
    assert price("gpt-4o-mini", cached, OPENAI) == pytest.approx(0.075)


def test_more_cached_tokens_than_sent_are_taken_as_all_of_them() -> None:
    odd = Usage(prompt_tokens=1_000_000, cached_tokens=2_000_000)
    assert price("gpt-4o-mini", odd, OPENAI) == pytest.approx(0.075)


def test_the_default_model_has_a_price() -> None:
    assert price("gpt-5.6-luna", MILLION, OPENAI) is not None


@pytest.mark.parametrize("url", ["", "https://proxy.example.org/v1"])
def test_elsewhere_only_an_exact_name_has_a_price(url: str) -> None:
    assert price("gpt-4o-mini", MILLION, url) == pytest.approx(0.75)
    assert price("gpt-4o-mini-2024-07-18", MILLION, url) is None
    assert price("my-gpt-4o-mini", MILLION, url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:11434/v1",
        "http://127.0.0.1:8000",
        "http://[::1]:8000/v1",
        "http://192.168.1.5:8000/v1",
        "http://model.localhost/v1",
    ],
)
def test_a_server_nearby_has_no_known_price(url: str) -> None:
    assert price("gpt-4o-mini", MILLION, url) is None


def test_a_known_host_does_not_borrow_the_price_of_another_one() -> None:
    assert price("gpt-4o-mini", MILLION, "https://api.deepseek.com") is None


def test_a_model_listed_without_prices_is_unknown_and_not_free() -> None:
    assert price("gpt-4o", MILLION, "https://api.githubcopilot.com") is None


def test_an_unknown_model_has_no_price() -> None:
    assert price("no-such-model", MILLION, OPENAI) is None


def test_the_demo_model_costs_nothing() -> None:
    assert price("demo", MILLION, "demo") == 0.0


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("word " * 100, 125), ("你好世界", 4), ("한국어", 3), ("Привет", 3)],
)
def test_tokens_are_estimated_by_script(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_a_broken_character_is_counted_and_does_not_raise() -> None:
    assert estimate_tokens("abc\udc80") == 1


def test_an_estimated_usage_is_marked_and_counts_each_message() -> None:
    messages = [Message(role="system", content="Be brief"), Message(role="user", content="Hi")]
    usage = estimate_usage(messages, "Hello there!")
    assert usage == Usage(prompt_tokens=2 + 1 + 2 * 4 + 3, completion_tokens=3, estimated=True)


@pytest.mark.parametrize(
    ("dollars", "words"),
    [
        (None, "unknown price"),
        (0.0, "$0"),
        (0.00009, "<$0.0001"),
        (0.0001, "$0.0001"),
        (0.0123, "$0.0123"),
        (0.5, "$0.50"),
        (1234.5, "$1,234.50"),
    ],
)
def test_a_cost_is_written_for_a_persons_eye(dollars: float | None, words: str) -> None:
    assert format_cost(dollars) == words


def test_the_source_names_the_data_and_its_version() -> None:
    name, version = source().split()
    assert name == "genai-prices"
    assert version[0].isdigit()


def test_the_price_data_are_not_read_before_a_price_is_asked_for() -> None:
    code = """if True:
        import sys
        from chat_magics.messages import Usage
        from chat_magics.pricing import price, source
        source(), price("demo", Usage(), "demo"), price("x", Usage(), "http://localhost")
        assert "genai_prices" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_each_text_is_estimated_with_the_same_messages() -> None:
    messages = [Message(role="user", content="Hello")]
    texts = ["one two three", ""]
    assert estimates(messages, texts) == [estimate_usage(messages, text) for text in texts]
    assert estimates(messages, []) == []
