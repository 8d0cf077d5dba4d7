"""Which of the texts that match come first: BM25, over the words of what was found.

A text counts with, for each term, `weight * f * (K1 + 1) / (f + K1 * (1 - B + B * length / mean))`:
`f` times the term stands in it, `length` words long, the texts that were found being `mean` words
long (Robertson and Zaragoza, «The Probabilistic Relevance Framework: BM25 and Beyond», 2009). All
texts hold all terms, so counting texts would weigh no term more than another; the weight is
`log(1 + words / occurrences)` in what was found: a rare word weighs more than a common one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chat_magics.history.search_query import Query, Role
from chat_magics.history.search_words import words

__all__ = ["Hit", "looked_at", "ranked"]

K1 = 1.2
B = 0.75


@dataclass(frozen=True)
class Hit:
    """An exchange that matches.

    Args:
        id: of the exchange.
        role: where most of what was looked for stands.
        counts: how often each term of the query stands in it.
        length: its words.
        literals: how many terms stand in it exactly as typed, `c++` with its signs.
    """

    id: str
    role: Role
    counts: tuple[int, ...]
    length: int
    literals: int


def looked_at(id: str, query: Query, prompt: str, reply: str) -> Hit | None:
    """The exchange as a hit; None where a term is not there after all.

    Args:
        id: of the exchange.
        query: what is looked for.
        prompt: as typed.
        reply: its text.
    """
    texts: dict[Role, str] = {"user": prompt, "assistant": reply}
    roles: list[Role] = [query.role] if query.role else ["user", "assistant"]
    found = {role: words(texts[role]) for role in roles}
    counted = {role: [len(term.starts_in(found[role])) for term in query.terms] for role in roles}
    counts = tuple(map(sum, zip(*counted.values(), strict=True)))
    if 0 in counts:
        return None
    literal = {role: _literals(query, texts[role]) for role in roles}

    def told(role: Role) -> tuple[int, int]:
        return len(literal[role]), sum(map(bool, counted[role]))

    length = sum(map(len, found.values()))
    return Hit(id, max(roles, key=told), counts, length, len(set().union(*literal.values())))


def _literals(query: Query, text: str) -> set[str]:
    wanted = {term.literal for term in query.terms if term.literal}
    if not wanted:
        return set()
    folded = " ".join(text.casefold().split())
    return {literal for literal in wanted if literal in folded}


def ranked(hits: Sequence[Hit]) -> list[tuple[Hit, float]]:
    """Hits with their scores, the best first: those with the text as typed, then by score.

    Args:
        hits: newest first; of two with equal scores the newer one comes first.
    """
    if not hits:
        return []
    total = sum(hit.length for hit in hits)
    sums = [sum(counts) for counts in zip(*(hit.counts for hit in hits), strict=True)]
    weights = [math.log(1 + total / occurrences) for occurrences in sums]
    mean = total / len(hits)

    def score(hit: Hit) -> float:
        much = K1 * (1 - B + B * hit.length / mean)
        parts = zip(weights, hit.counts, strict=True)
        return sum(weight * f * (K1 + 1) / (f + much) for weight, f in parts)

    scored = [(hit, score(hit)) for hit in hits]
    return sorted(scored, key=lambda pair: (pair[0].literals, pair[1]), reverse=True)
