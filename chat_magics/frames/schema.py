"""SCHEMA: the columns of every frame, with dtype, meaning and unit; GROUPS: those of statistics."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

__all__ = ["GROUPS", "SCHEMA", "Column", "Dtype", "Kind"]

Dtype = Literal["string", "Int64", "Float64", "boolean", "datetime64[us, UTC]"]
Kind = Literal["messages", "exchanges", "conversations", "stats", "search"]


class Column(NamedTuple):
    """One column of a frame.

    Args:
        name: as it stands in the frame.
        dtype: as pandas names it; a missing value is `pd.NA`, of a moment `pd.NaT`.
        meaning: in words.
        unit: of a number; empty where it has none.

    Example:
        >>> [column.unit for column in SCHEMA["messages"] if column.name == "latency"]
        ['s']
    """

    name: str
    dtype: Dtype
    meaning: str
    unit: str = ""


def _text(name: str, meaning: str) -> Column:
    return Column(name, "string", meaning)


def _moment(name: str, meaning: str) -> Column:
    return Column(name, "datetime64[us, UTC]", meaning)


def _flag(name: str, meaning: str) -> Column:
    return Column(name, "boolean", meaning)


def _count(name: str, meaning: str, unit: str = "") -> Column:
    return Column(name, "Int64", meaning, unit)


def _amount(name: str, meaning: str, unit: str) -> Column:
    return Column(name, "Float64", meaning, unit)


def _tokens(prefix: str, of: str) -> tuple[Column, ...]:
    return (
        _count(f"{prefix}prompt_tokens", f"tokens of what was sent, {of}", "tokens"),
        _count(f"{prefix}completion_tokens", f"tokens that the model wrote, {of}", "tokens"),
        _count(f"{prefix}cached_tokens", "of the prompt tokens, read from a cache", "tokens"),
        _count(f"{prefix}reasoning_tokens", "of the completion tokens, for reasoning", "tokens"),
    )


_MESSAGES = (
    _text("conversation", "id of the conversation"),
    _text("exchange", "id of the exchange: a prompt and its reply share it"),
    _text("role", "`user` or `assistant`"),
    _text("content", "the prompt as typed, or the reply"),
    _moment("created", "user: when it was asked; assistant: when the reply ended"),
    _text("model", "the model that answered; where none did, the one that was asked"),
    _text("status", "`streaming`, `complete`, `stopped`, `interrupted` or `error`"),
    _text("surface", "where it was asked: `cell`, `panel`, `batch`, `app` or `python`"),
    _flag("cached", "the reply came from the cache of replies"),
    _text("finish_reason", "the server's word for how the reply ended"),
    *_tokens("", "on the assistant's row"),
    _flag("tokens_estimated", "the server did not tell the tokens"),
    _amount("cost", "of the exchange, on the assistant's row; missing: unknown", "US dollars"),
    _amount("latency", "from sending to the end", "s"),
    _amount("time_to_first_token", "from sending to the first text", "s"),
)

_EXCHANGES = (
    _text("id", "of the exchange; later ids sort after earlier ones"),
    _text("conversation", "id of the conversation"),
    _text("owner", "whose it is, where several people share a history"),
    _text("prompt", "as typed"),
    _text("sent", "the prompt as sent"),
    _text("system", "the system prompt that was sent"),
    _text("text", "the reply, or what came of it; may be empty"),
    _text("reasoning", "thoughts that the server showed apart from the reply"),
    _text("status", "`streaming`, `complete`, `stopped`, `interrupted` or `error`"),
    _moment("created", "when it was asked"),
    _moment("ended", "when it ended"),
    _text("base_url", "where it was sent"),
    _text("api", "`chat` or `responses`"),
    _text("model_asked", "the model that was asked for"),
    _text("model", "the model that answered"),
    _text("options", "of the API, as they were set: a JSON object"),
    _text("context", "ids of the exchanges it was sent with: a JSON list"),
    _text("finish_reason", "the server's word for how the reply ended"),
    *_tokens("usage_", "by the attempt that answered"),
    _flag("usage_estimated", "the server did not tell these tokens"),
    *_tokens("wasted_", "by attempts that broke and were asked again"),
    _flag("wasted_estimated", "the server did not tell these tokens"),
    _amount("cost", "missing: unknown; 0 for a reply from the cache", "US dollars"),
    _amount("saved", "what the cache of replies saved", "US dollars"),
    _amount("latency", "from sending to the end", "s"),
    _amount("time_to_first_token", "from sending to the first text", "s"),
    _count("attempts", "HTTP requests made; 0 for a reply from the cache"),
    _flag("cached", "the reply came from the cache of replies"),
    _moment("stored_at", "when the cached reply was first received"),
    _text("request_id", "the server's id of the request"),
    _text("error_type", "class name of the error that ended it"),
    _text("error", "that error's message"),
    _text("notes", "what a reader must be told: a JSON list"),
    _text("surface", "where it was asked: `cell`, `panel`, `batch`, `app` or `python`"),
    _text("cell", "id of the cell it was asked in"),
    _text("execution", "id of that cell's execution"),
    _text("supersedes", "id of the exchange whose place it took"),
    _text("attachments", "name, type, kind and size of each file: a JSON list"),
)

_SPENT = (
    _count(
        "prompt_tokens",
        "tokens of what was sent, broken attempts counted, replies from the cache not",
        "tokens",
    ),
    _count("completion_tokens", "tokens that the models wrote, counted likewise", "tokens"),
)

_CONVERSATIONS = (
    _text("id", "of the conversation"),
    _text("name", "that it was given"),
    _text("title", "the beginning of its first prompt"),
    _text("tags", "joined by a comma and a blank"),
    _moment("created", "when it was made"),
    _moment("used", "when it was last asked"),
    _count("queries", "exchanges, all versions"),
    *_SPENT,
    _amount("cost", "of the exchanges whose price is known; missing: of none", "US dollars"),
    _text("models", "that answered, or were asked; joined by a comma and a blank"),
    _amount("duration", "from the first ask to the last end", "s"),
    _count("in_path", "exchanges that are the context now"),
)

_STATS = (
    _count("messages", "prompts and replies"),
    _count("user_messages", "prompts"),
    _count("assistant_messages", "replies of which any text came"),
    _count("characters", "of all messages", "characters"),
    _amount("average_length", "characters per message", "characters"),
    _amount("duration", "from first ask to last end, summed over conversations", "s"),
    _count("exchanges", "prompts, answered or not"),
    _count("conversations", "that these exchanges belong to"),
    *_SPENT,
    _count("cached_tokens", "of the prompt tokens, read from a server's cache", "tokens"),
    _count("reasoning_tokens", "of the completion tokens, for reasoning", "tokens"),
    _amount("cost", "of the exchanges whose price is known", "US dollars"),
    _amount("saved", "what the cache of replies saved, where the price is known", "US dollars"),
    _count("unpriced", "exchanges whose price is unknown"),
    _count("hits", "replies from the cache of replies"),
    _amount("hit_rate", "hits per ended exchange", "0 to 1"),
    _amount("latency_median", "from sending to the end, hits left out", "s"),
    _amount("latency_p95", "95 of 100 were at most so long", "s"),
    _amount("first_token_median", "from sending to the first text, hits left out", "s"),
    _amount("first_token_p95", "95 of 100 were at most so long", "s"),
    _amount("tokens_per_second", "completion tokens per time after the first text", "tokens per s"),
    _count("attempts", "HTTP requests"),
    _count("retries", "HTTP requests beyond the first of an exchange"),
    _count("errors", "exchanges that ended with an error"),
    _count("stopped", "exchanges that were stopped or interrupted"),
    _count("truncated", "replies that were cut: a limit, a stop or a broken stream"),
    _text("error_types", "errors by kind, as in `RateLimited: 3, ServerUnavailable: 1`"),
)

_SEARCH = (
    _count("rank", "1 is the best match"),
    _text("conversation", "id of the conversation"),
    _text("title", "the conversation's name, else its title"),
    _text("exchange", "id of the exchange"),
    _text("role", "`user` where the prompt matches, `assistant` where the reply does"),
    _text("snippet", "the message around the match"),
    _moment("created", "when it was asked"),
    _text("model", "the model that answered; where none did, the one that was asked"),
    _amount("score", "higher is better; compares within one search only", ""),
)

SCHEMA: Mapping[Kind, tuple[Column, ...]] = MappingProxyType(
    {
        "messages": _MESSAGES,
        "exchanges": _EXCHANGES,
        "conversations": _CONVERSATIONS,
        "stats": _STATS,
        "search": _SEARCH,
    }
)
"""The columns of each kind of frame, in order; the same where a frame has no rows."""

GROUPS: Mapping[str, Column] = MappingProxyType(
    {
        "model": _text("model", "the model that answered; where none did, the one that was asked"),
        "day": _moment("day", "midnight at the beginning of the day, in UTC"),
        "conversation": _text("conversation", "id of the conversation"),
        "surface": _text("surface", "where it was asked"),
        "status": _text("status", "how the exchange ended"),
        "error": _text("error", "class name of the error; exchanges with an error only"),
    }
)
"""What statistics can be grouped by: the column that then stands before those of `stats`."""
