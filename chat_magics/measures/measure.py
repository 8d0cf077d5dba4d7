"""The figures of one text, each computed when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from chat_magics.measures.key_phrases import key_phrases_of
from chat_magics.measures.language import language_of
from chat_magics.measures.prose import Parts, count_words, parts_of, spoken
from chat_magics.measures.sentiment import sentiment_of

__all__ = ["Measures", "measure"]

_WORDS_PER_MINUTE = 238  # silent reading of English: Brysbaert 2019, doi:10.1016/j.jml.2019.104047


def measure(text: str) -> Measures:
    """The measures of a text, which is Markdown; nothing is computed yet.

    Args:
        text: a prompt or a reply.

    Example:
        >>> measures = measure("Why is the sky blue? ```x```")
        >>> measures.words, measures.key_phrases, measures.language
        (6, ('sky blue',), 'en')
    """
    return Measures(text)


@dataclass(frozen=True)
class Measures:
    """What can be told of a text. Blocks of code count as such, and not as words.

    Args:
        text: what is measured.
    """

    text: str

    @cached_property
    def characters(self) -> int:
        """How many characters the text has, code and all."""
        return len(self.text)

    @cached_property
    def words(self) -> int:
        """How many words stand outside of code; a Chinese or Japanese character is one."""
        return count_words(self._parts.prose)

    @cached_property
    def sentiment(self) -> float | None:
        """From -1, negative, to 1, positive: VADER's score. None where the text is not English.

        Raises:
            ConfigError: the extra `analysis` is not installed.
        """
        return sentiment_of(self._spoken) if self.language == "en" else None

    @cached_property
    def language(self) -> str | None:
        """The ISO 639 code of the language; None where the text is too short to tell.

        Raises:
            ConfigError: the extra `analysis` is not installed.
        """
        return language_of(self._spoken)

    @cached_property
    def key_phrases(self) -> tuple[str, ...]:
        """What the text is about, the best first, five at most."""
        return key_phrases_of(self._parts.prose)

    @cached_property
    def code_share(self) -> float:
        """From 0 to 1: the share of the characters that stand in blocks of code."""
        # Line ends count as one character, here and there.
        parts = self._parts
        return parts.code_characters / ((len(parts.prose) + parts.code_characters) or 1)

    @cached_property
    def reading_time(self) -> float:
        """Seconds that a reader of English takes: 238 words a minute, those in code too."""
        return (self.words + count_words(self._parts.code)) * 60 / _WORDS_PER_MINUTE

    @cached_property
    def _parts(self) -> Parts:
        return parts_of(self.text)

    @cached_property
    def _spoken(self) -> str:
        return spoken(self._parts.prose)
