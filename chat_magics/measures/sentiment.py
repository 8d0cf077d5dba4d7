"""How positive or negative an English text sounds, by VADER."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from chat_magics.errors import ConfigError
from chat_magics.measures.language import MISSING

if TYPE_CHECKING:
    from vaderSentiment.vaderSentiment import (  # type: ignore[import-untyped]  # ships no types
        SentimentIntensityAnalyzer,
    )

__all__ = ["sentences", "sentiment_of"]

_LONGEST = 50
"""Words that VADER gets at once: its time grows with their square, and so do its scores."""

_END = re.compile(r"(?<=[.!?…])\s+|\n+")


def sentiment_of(text: str) -> float | None:
    """From -1 to 1: the mean of VADER's compound score over the sentences of an English text.

    Args:
        text: prose in English; of another language the score would mean nothing.

    Returns:
        None where there is no sentence.

    Raises:
        ConfigError: vaderSentiment is not installed.

    Example:
        >>> sentiment_of("This is great!"), sentiment_of("I hate it. I hate it."), sentiment_of("")
        (0.6588, -0.5719, None)
    """
    analyzer = _analyzer()
    scores = [analyzer.polarity_scores(each)["compound"] for each in sentences(text)]
    return sum(scores) / len(scores) if scores else None


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text that hold a letter; one of more than 50 words comes in pieces.

    Example:
        >>> list(sentences("# Really?\\n- Yes. No\\n---\\n"))
        ['# Really?', '- Yes.', 'No']
    """
    for sentence in _END.split(text):
        words = sentence.split()
        for first in range(0, len(words), _LONGEST):
            piece = " ".join(words[first : first + _LONGEST])
            if any(map(str.isalpha, piece)):
                yield piece


@cache
def _analyzer() -> SentimentIntensityAnalyzer:
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError as problem:
        raise ConfigError(MISSING) from problem
    return SentimentIntensityAnalyzer()
