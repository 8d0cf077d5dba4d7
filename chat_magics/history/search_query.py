"""What somebody typed into the search, read: words, phrases, beginnings and fields. Never SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from chat_magics.errors import InvalidRequest
from chat_magics.history.given import text_given
from chat_magics.history.search_words import words

__all__ = ["Query", "Role", "Term", "read_query"]

Role = Literal["user", "assistant"]

FIELDS = ("model", "since", "until", "status", "surface", "conversation", "role")
MOST_WORDS = 64
SHORTEST_BEGINNING = 2
LONGEST_VALUE = 200

_PIECE = re.compile(
    rf"(?P<field>{'|'.join(FIELDS)}):(?:\"(?P<quoted>[^\"]+)\"?|(?P<value>[^\s\"]\S*))"
    r"|\"(?P<phrase>[^\"]*)\"?(?P<star>\*?)"
    r"|(?P<word>\S+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Term:
    """Words that are to stand next to each other; one as a rule.

    Args:
        words: at least one.
        beginning: True where the last is only the beginning of a word.
        literal: the text as typed, where its words do not tell all of it, as in `c++`.
    """

    words: tuple[str, ...]
    beginning: bool = False
    literal: str | None = None

    def starts_in(self, found: list[str]) -> list[int]:
        """Where in a list of words it stands.

        Example:
            >>> Term(("left", "jo"), beginning=True).starts_in(["left", "join", "left"])
            [0]
        """
        first, last = self.words[0], self.words[-1]
        if self.beginning and len(self.words) == 1:
            return [at for at, word in enumerate(found) if word.startswith(last)]
        more = len(self.words) - 1
        inner = list(self.words[1:-1])
        return [
            at
            for at in _all_of(first, found)
            if not more
            or (
                found[at + 1 : at + more] == inner
                and (ending := found[at + more : at + more + 1])
                and (ending[0].startswith(last) if self.beginning else ending[0] == last)
            )
        ]


def _all_of(word: str, found: list[str]) -> Iterator[int]:
    at = -1
    while True:
        try:
            at = found.index(word, at + 1)
        except ValueError:
            return
        yield at


@dataclass(frozen=True)
class Query:
    """What is looked for: all terms are to be in a prompt and its reply.

    Args:
        terms: at least one.
        fields: such as `("model", "gpt")`, in the order typed.
        role: in the prompt (`user`) or in the reply (`assistant`) only.
    """

    terms: tuple[Term, ...]
    fields: tuple[tuple[str, str], ...] = ()
    role: Role | None = None


def read_query(text: str) -> Query:
    """The query that somebody typed.

    Raises:
        InvalidRequest: it is no text, holds no word or too many, or a role that is none.

    Example:
        >>> read_query('"left join" model:gpt').fields
        (('model', 'gpt'),)
        >>> [(term.words, term.literal) for term in read_query("colour C++").terms]
        [(('colour',), None), (('c',), 'c++')]
    """
    if not isinstance(text, str):
        text_given("what is searched for", text)
    terms: dict[Term, None] = {}
    fields: list[tuple[str, str]] = []
    for piece in _PIECE.finditer(text):
        if piece["field"]:
            fields.append((piece["field"].lower(), _value(piece)))
        elif term := _term(piece):
            terms[term] = None
    if not terms:
        raise InvalidRequest('There is no word to search for: give one or more, or a "phrase"')
    if sum(len(term.words) for term in terms) > MOST_WORDS:
        raise InvalidRequest(f"A search takes at most {MOST_WORDS} words: give fewer")
    others = tuple(field for field in fields if field[0] != "role")
    return Query(tuple(terms), others, _role([value for name, value in fields if name == "role"]))


def _term(piece: re.Match[str]) -> Term | None:
    if piece["word"]:
        typed = piece["word"].rstrip("*")
        beginning = typed != piece["word"]
    else:
        typed, beginning = " ".join(piece["phrase"].split()), bool(piece["star"])
    found = tuple(words(typed))
    if not found:
        return None
    if beginning and len(found[-1]) < SHORTEST_BEGINNING and found[-1].isascii():
        raise InvalidRequest(f"{found[-1]}* is too short: give two letters of it or more")
    folded = typed.casefold()
    told = folded in (" ".join(found), "".join(found))
    return Term(found, beginning, None if told else folded)


def _value(piece: re.Match[str]) -> str:
    value: str = piece["quoted"] or piece["value"]
    if len(value) > LONGEST_VALUE or not value.isprintable():
        raise InvalidRequest(
            f"{piece['field'].lower()}: takes at most {LONGEST_VALUE} printable characters"
        )
    return value


def _role(values: list[str]) -> Role | None:
    roles = {value.casefold() for value in values}
    if not roles:
        return None
    if len(roles) > 1:
        raise InvalidRequest("role: takes one role only: user or assistant; leave it out for both")
    if roles == {"user"}:
        return "user"
    if roles == {"assistant"}:
        return "assistant"
    raise InvalidRequest("role: is user or assistant: a prompt or a reply")
