"""The full-text index: the words of ended exchanges, put in and taken out. Runs in a transaction.

SQLite's FTS5 and PostgreSQL's tsvector get the same words, and hold the prompt's and the reply's
apart. FTS5 keeps their places, so it finds phrases by itself. A tsvector forgets all but 256
places of a word and all after 16,383, so there only the words are kept, and who searches looks
for the phrase in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, TextClause, delete, func, insert, select, text

from chat_magics.errors import StoreError
from chat_magics.history.schema import exchanges, indexed, make_word_index, unindexed
from chat_magics.history.search_query import Query, Role, Term
from chat_magics.history.search_words import words

__all__ = [
    "Texts",
    "add",
    "add_later",
    "catch_up",
    "check_usable",
    "is_behind",
    "matching",
    "postpone",
    "postpone_all",
    "purge",
    "remove",
]

AT_ONCE = 500
WAITING = 64
MERGED_PAGES = 1_000

VECTOR_BYTES = 900_000
"""PostgreSQL refuses a vector above 1 MB: of a longer list of different words, the first ones."""


class Texts(NamedTuple):
    """What of an exchange is searched: its id, its prompt as typed, its reply."""

    id: str
    prompt: str
    reply: str


def add(connection: Connection, ended: Sequence[Texts]) -> None:
    """Put the words of exchanges into the index, once; they have ended and will not change."""
    if not ended:
        return
    if not _usable(connection):
        postpone(connection, [texts.id for texts in ended])
        return
    connection.execute(insert(indexed), [{"exchange": texts.id} for texts in ended])
    numbers = _numbers(connection, [texts.id for texts in ended])
    if connection.dialect.name == "sqlite":
        _change_words(connection, "", numbers, ended)
    else:
        put = text("INSERT INTO word_index VALUES (:number, CAST(:words AS tsvector))")
        rows = [
            {"number": numbers[id], "words": _vector(words(prompt), words(reply))}
            for id, prompt, reply in ended
        ]
        connection.execute(put, rows)


def add_later(connection: Connection, id: str) -> None:
    """Leave an exchange that has ended to the next search, or to the next of 64 that end.

    One by one they would cost eight times as much, and at a moment when somebody waits.
    """
    postpone(connection, [id])
    some = f"SELECT count(*) FROM (SELECT 1 FROM unindexed LIMIT {WAITING}) AS oldest"
    waiting = connection.exec_driver_sql(some).scalar_one()
    if waiting == WAITING and _usable(connection):
        catch_up(connection, WAITING)


def postpone(connection: Connection, ids: Sequence[str]) -> None:
    """Leave ended exchanges to the next search; they are not in the index yet."""
    if ids:
        connection.execute(insert(unindexed), [{"exchange": id} for id in ids])


def postpone_all(connection: Connection) -> None:
    """Leave every ended exchange to the next search; none is in the index yet."""
    ended = select(exchanges.c.id).where(exchanges.c.status != "streaming")
    connection.execute(insert(unindexed).from_select(["exchange"], ended))


def is_behind(connection: Connection) -> bool:
    """True where ended exchanges wait for `catch_up`."""
    return connection.execute(select(unindexed.c.exchange).limit(1)).first() is not None


def catch_up(connection: Connection, most: int = AT_ONCE) -> None:
    """Put exchanges that wait into the index, the oldest first, at most so many.

    Raises:
        StoreError: this SQLite has no full-text search.
    """
    make_word_index(connection)
    check_usable(connection)
    # Locked, so that of two processes on a server each takes others.
    oldest = select(unindexed.c.exchange).order_by(unindexed.c.exchange).limit(most)
    ids = list(connection.execute(oldest.with_for_update()).scalars())
    connection.execute(delete(unindexed).where(unindexed.c.exchange.in_(ids)))
    add(connection, _texts(connection, ids))


def check_usable(connection: Connection) -> None:
    """Do nothing where words can be looked up.

    Raises:
        StoreError: this SQLite has no full-text search.
    """
    if not _usable(connection):
        raise StoreError(
            "This Python's SQLite was built without FTS5, which searching and deleting need: "
            "use another Python, or a history in PostgreSQL"
        )


def remove(connection: Connection, ids: Sequence[str]) -> None:
    """Take exchanges out of the index; they are still stored, as they were when they were added."""
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        connection.execute(delete(unindexed).where(unindexed.c.exchange.in_(some)))
        _remove_words(connection, _numbers(connection, some))
        connection.execute(delete(indexed).where(indexed.c.exchange.in_(some)))


def purge(connection: Connection, *, begin: bool) -> bool:
    """Drop what `remove` only crossed out, a piece of the index at a time; True where more is left.

    FTS5 keeps the words of a deleted row, and that they are gone, until it merges its parts.

    Args:
        connection: in a transaction.
        begin: True at the first piece.
    """
    if connection.dialect.name != "sqlite" or not _usable(connection):
        return False
    changes = select(func.total_changes())
    before = connection.execute(changes).scalar_one()
    merge = text("INSERT INTO word_index (word_index, rank) VALUES ('merge', :pages)")
    connection.execute(merge, {"pages": -MERGED_PAGES if begin else MERGED_PAGES})
    return bool(connection.execute(changes).scalar_one() - before >= _MERGED)


_MERGED = 2
"""So many changes or more tell that `merge` did something (FTS5's documentation)."""


def _numbers(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    query = select(indexed.c.exchange, indexed.c.number)
    found: dict[str, int] = {}
    for start in range(0, len(ids), AT_ONCE):
        some = query.where(indexed.c.exchange.in_(ids[start : start + AT_ONCE]))
        found.update((id, number) for id, number in connection.execute(some))
    return found


def _remove_words(connection: Connection, numbers: dict[str, int]) -> None:
    if not numbers:
        return
    if connection.dialect.name == "sqlite":
        check_usable(connection)
        _change_words(connection, "delete", numbers, _texts(connection, list(numbers)))
    else:
        gone = text("DELETE FROM word_index WHERE number = :number")
        connection.execute(gone, [{"number": number} for number in numbers.values()])


def _change_words(
    connection: Connection, command: str, numbers: dict[str, int], of: Sequence[Texts]
) -> None:
    """Add words, or take out those that were added: an index without text must be told them."""
    columns, values = ("word_index, ", ":command, ") if command else ("", "")
    change = text(
        f"INSERT INTO word_index ({columns}rowid, prompt, reply)"
        f" VALUES ({values}:number, :prompt, :reply)"
    )
    told = {"command": command} if command else {}
    rows = [
        {
            **told,
            "number": numbers[texts.id],
            "prompt": " ".join(words(texts.prompt)),
            "reply": " ".join(words(texts.reply)),
        }
        for texts in of
    ]
    connection.execute(change, rows)


def _usable(connection: Connection) -> bool:
    if connection.dialect.name != "sqlite":
        return True
    found = connection.exec_driver_sql(
        "SELECT (SELECT count(*) FROM pragma_module_list WHERE name = 'fts5')"
        " AND (SELECT count(*) FROM sqlite_master WHERE name = 'word_index')"
    )
    return bool(found.scalar())


def _texts(connection: Connection, ids: Sequence[str]) -> list[Texts]:
    query = select(exchanges.c.id, exchanges.c.prompt, exchanges.c.text)
    found = connection.execute(query.where(exchanges.c.id.in_(ids)).order_by(exchanges.c.created))
    return [Texts(id, prompt, reply) for id, prompt, reply in found]


def _vector(prompt: Iterable[str], reply: Iterable[str]) -> str:
    """The words as PostgreSQL writes a tsvector; the prompt's have weight A, the reply's B."""
    places: dict[str, str] = dict.fromkeys(prompt, "1A")
    for word in dict.fromkeys(reply):
        places[word] = "1A,2B" if word in places else "2B"
    parts: list[str] = []
    size = 0
    for word, place in places.items():
        size += len(word.encode()) + 8
        if size > VECTOR_BYTES:
            break
        parts.append(f"'{word}':{place}")
    return " ".join(parts)


def matching(connection: Connection, query: Query) -> TextClause:
    """The condition on rows of `word_index`; on PostgreSQL a phrase counts as its words."""
    if connection.dialect.name == "sqlite":
        wanted = " AND ".join(_fts_term(term) for term in query.terms)
        if query.role:
            wanted = f"{_COLUMNS[query.role]} : ({wanted})"
        return text("word_index MATCH :wanted").bindparams(wanted=wanted)
    wanted = " & ".join(_ts_term(term, query.role) for term in query.terms)
    return text("word_index.words @@ CAST(:wanted AS tsquery)").bindparams(wanted=wanted)


_COLUMNS: dict[Role, str] = {"user": "prompt", "assistant": "reply"}
_WEIGHTS: dict[Role | None, str] = {"user": "A", "assistant": "B", None: ""}


def _fts_term(term: Term) -> str:
    return f'"{" ".join(term.words)}"{" *" if term.beginning else ""}'


def _ts_term(term: Term, role: Role | None) -> str:
    *whole, last = [f"'{word}'" for word in term.words]
    weight = _WEIGHTS[role]
    flags = ("*" if term.beginning else "") + weight
    parts = [f"{word}:{weight}" if weight else word for word in whole]
    return " & ".join([*parts, f"{last}:{flags}" if flags else last])
