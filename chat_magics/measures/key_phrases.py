"""What a text is about, by RAKE: Rose, Engel, Cramer and Cowley 2010, in «Text Mining», Wiley.

Words between stop words and punctuation are a candidate. A word scores its degree (the words of
all candidates that it stands in) over its frequency; a candidate scores the sum of its words,
here times how often it comes: a chat's texts are short, and what they are about they repeat.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from chat_magics.measures.stop_words import STOP_WORDS

__all__ = ["key_phrases_of"]

_MOST = 5
_LONGEST = 3
"""Words of a phrase; longer ones are sentences in which no stop word was found."""
_LONGEST_WORD = 40

_NO_WORDS = re.compile(r"\bhttps?://\S+|\\[A-Za-z]+")  # addresses, and the commands of TeX
# A word with what ties its parts together, such as don't, gpt-4o, df.head, C++; or a sign.
_TOKEN = re.compile(r"[^\W_]+(?:['’._/-]+[^\W_]+)*[+#]*|[^ \t]")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u9fff\U00020000-\U0003ffff]"
)

_Phrase = tuple[str, ...]


def key_phrases_of(prose: str) -> tuple[str, ...]:
    """The key phrases of a text, the best first: one for each two words that count, 5 at most.

    Stop words are those of the language, among English, French, German and Spanish, that most
    words belong to. Languages without blanks between words have no phrases here.

    Args:
        prose: the text without its blocks of code.

    Example:
        >>> key_phrases_of("The index of a large data frame is not sorted. Sort the index!")
        ('large data frame', 'index', 'sorted')
    """
    tokens = _TOKEN.findall(_NO_WORDS.sub("\n", prose))
    phrases = list(_candidates(tokens, _stop_words(tokens)))
    shown: dict[_Phrase, str] = {}
    for phrase in phrases:
        shown.setdefault(_folded(phrase), " ".join(phrase))
    counts = Counter(map(_folded, phrases))
    frequency: Counter[str] = Counter()
    degree: Counter[str] = Counter()
    for folded, count in counts.items():
        for word in folded:
            frequency[word] += count
            degree[word] += count * len(folded)
    scores = {
        each: count * sum(degree[word] / frequency[word] for word in each)
        for each, count in counts.items()
    }
    most = min(_MOST, -(-len(frequency) // 2))
    return tuple(shown[each] for each in _best(scores, most))


def _best(scores: dict[_Phrase, float], most: int) -> list[_Phrase]:
    """The phrases of the highest scores, without parts of each other; of equals the first."""
    best: list[_Phrase] = []
    for phrase in sorted(scores, key=lambda each: -scores[each]):
        if len(best) == most:
            break
        if not any(set(phrase) <= set(other) for other in best):
            best.append(phrase)
    return best


def _stop_words(tokens: list[str]) -> frozenset[str]:
    words = Counter(map(_fold, tokens))
    return max(STOP_WORDS.values(), key=lambda stops: sum(words[stop] for stop in stops))


def _candidates(tokens: list[str], stops: frozenset[str]) -> Iterator[_Phrase]:
    phrase: list[str] = []
    for token in [*tokens, "."]:
        if _counts(token) and _fold(token) not in stops:
            phrase.append(token)
            continue
        if 0 < len(phrase) <= _LONGEST and max(map(len, phrase)) > 2:
            yield tuple(phrase)
        phrase = []


def _counts(token: str) -> bool:
    short = len(token) <= _LONGEST_WORD
    return short and any(map(str.isalpha, token)) and not _UNSPACED.search(token)


def _fold(word: str) -> str:
    return word.lower().replace("’", "'")


def _folded(phrase: _Phrase) -> _Phrase:
    return tuple(map(_fold, phrase))
