"""What a request costs and, before it is sent or where the server does not tell, how large it is.

Prices come from genai-prices, whose data travel in its wheel: nothing is fetched. A price that is
not known is None, never a guess.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from importlib.metadata import version
from ipaddress import ip_address
from urllib.parse import urlsplit

from chat_magics.messages import Message, Usage

__all__ = [
    "TOKENS_PER_IMAGE",
    "estimate_tokens",
    "estimate_usage",
    "estimates",
    "format_cost",
    "price",
    "source",
]

TOKENS_PER_IMAGE = 1_000
"""A flat estimate: by model and size an image is 70 to 2,500 tokens."""

# Kana, CJK ideographs with their extensions and compatibility forms, Hangul.
_CJK = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)

_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_REPLY = 3


def price(model: str, usage: Usage, base_url: str = "") -> float | None:
    """US dollars that the tokens cost, or None where the price is not known.

    A known provider is found by the URL's host, and its model names are taken with their dated
    variants. Elsewhere (a proxy, no URL) only a model name that matches exactly has a price. A
    server on this machine or at a private address has none: what it costs is not known.

    Args:
        model: the model that answered.
        usage: the tokens; those of the server's own cache are priced as such.
        base_url: where the request went; `demo` costs nothing.

    Example:
        >>> price("gpt-4o-mini", Usage(prompt_tokens=1_000_000), "https://api.openai.com/v1")
        0.15
        >>> price("llama3", Usage(prompt_tokens=1_000_000), "http://localhost:11434/v1")
        >>> price("demo", Usage(prompt_tokens=1_000_000), "demo")
        0.0
    """
    if base_url == "demo":
        return 0.0
    if _is_local(base_url):
        return None
    return _listed_price(model, usage, base_url.lower())


def _listed_price(model: str, usage: Usage, base_url: str) -> float | None:
    """What genai-prices says, where it can be believed."""
    # It costs 0.3 s of import; it is needed after the first answer at the earliest.
    import genai_prices

    counted = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=min(usage.cached_tokens, usage.prompt_tokens),
    )
    known = _known_provider(base_url)
    try:
        if known:
            found = genai_prices.calc_price(counted, model, provider_api_url=base_url)
        else:
            found = genai_prices.calc_price(counted, model)
    except LookupError:
        return None
    if not known and found.model.id != model.lower():
        return None
    # A tenth of the listed models have no price by the token: not free, not known.
    if found.model_price.input_mtok is None and found.model_price.output_mtok is None:
        return None
    return float(found.total_price)


def _known_provider(base_url: str) -> bool:
    from genai_prices.data_snapshot import get_snapshot

    try:
        get_snapshot().find_provider(None, None, base_url)
    except LookupError:
        return False
    return True


def _is_local(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_private  # loopback is
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: UTF-8 bytes / 4, and one for each CJK character.

    A heuristic for budgets and for servers that report no usage. It needs no tokenizer, whose
    data would have to be fetched; a token of English is about four characters.

    Example:
        >>> estimate_tokens("Good morning, world!"), estimate_tokens("早上好")
        (5, 3)
    """
    if text.isascii():
        return math.ceil(len(text) / 4)
    rest = _CJK.sub("", text)
    return len(text) - len(rest) + math.ceil(len(rest.encode("utf-8", "replace")) / 4)


def estimate_usage(messages: Sequence[Message], text: str) -> Usage:
    """The usage of an exchange, counted from its texts and marked as estimated.

    Args:
        messages: those sent; each costs some tokens more than its text, and each image 1,000.
        text: the reply, as far as it came.

    Example:
        >>> usage = estimate_usage([Message(role="user", content="Good morning!")], "Hello!")
        >>> usage.prompt_tokens, usage.completion_tokens, usage.estimated
        (11, 2, True)
    """
    prompt = sum(
        estimate_tokens(m.content) + _TOKENS_PER_MESSAGE + len(m.images) * TOKENS_PER_IMAGE
        for m in messages
    )
    return Usage(
        prompt_tokens=prompt + _TOKENS_PER_REPLY,
        completion_tokens=estimate_tokens(text),
        estimated=True,
    )


def estimates(messages: Sequence[Message], texts: Sequence[str]) -> list[Usage]:
    """The usage of the same messages with each of these texts as their reply, estimated.

    Args:
        messages: those sent, each time.
        texts: the replies, such as the last one and those that broke and were asked again.

    Example:
        >>> hello = [Message(role="user", content="Hello")]
        >>> [usage.completion_tokens for usage in estimates(hello, ["Good morning!", ""])]
        [4, 0]
    """
    return [estimate_usage(messages, text) for text in texts]


def format_cost(x: float | None) -> str:
    """A price for a person's eye.

    Args:
        x: US dollars, or None where the price is not known.

    Example:
        >>> [format_cost(x) for x in (0.00123, 0.00001, 0.0, 12.345, None)]
        ['$0.0012', '<$0.0001', '$0', '$12.35', 'unknown price']
    """
    if x is None:
        return "unknown price"
    if x == 0:
        return "$0"
    if x < 0.0001:
        return "<$0.0001"
    return f"${x:.4f}" if x < 0.1 else f"${x:,.2f}"


def source() -> str:
    """Whose prices these are, with the version of the data: `genai-prices 0.2.3`."""
    return f"genai-prices {version('genai-prices')}"
