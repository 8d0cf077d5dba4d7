"""The language a text is in, by py3langid."""

from __future__ import annotations

import math

from chat_magics.errors import ConfigError

__all__ = ["MISSING", "language_of"]

MISSING = "Sentiment and language need two packages: pip install 'chat-magics[analysis]'"

_FEWEST = 10
"""Letters; in fewer than these, names and loan words decide."""

_MOST = 20_000
"""Characters that are looked at."""

_SURE = 0.8
"""The least probability with which a language is named."""

_NONE = "zxx"  # the code for what is in no language, such as numbers


def language_of(text: str) -> str | None:
    """The ISO 639 code of the language, of two letters where there is one; None where unsure.

    Args:
        text: prose. One of fewer than 10 letters is too short; a letter of three bytes in UTF-8,
            such as a Chinese character, counts as three.

    Raises:
        ConfigError: py3langid is not installed.

    Example:
        >>> language_of("Warum ist der Himmel blau?"), language_of("ok")
        ('de', None)
    """
    # It takes numpy, and 0.7 s for its model at the first text.
    try:
        from py3langid import rank  # type: ignore[import-untyped]  # ships no types
    except ImportError as problem:
        raise ConfigError(MISSING) from problem
    text = text[:_MOST]
    letters = "".join(filter(str.isalpha, text))
    if len(letters) < _FEWEST and len(letters.encode("utf-8", "replace")) < _FEWEST:
        return None
    (language, best), *others = rank(text)
    # Logarithms of probabilities but for a common factor.
    certainty = 1 / (1 + sum(math.exp(score - best) for _, score in others))
    return str(language) if certainty >= _SURE and language != _NONE else None
