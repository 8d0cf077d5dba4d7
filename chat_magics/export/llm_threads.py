"""The newest generation of llm's log: threads of messages, and the turns that made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from chat_magics.export.foreign import items, joined, table, word
from chat_magics.export.llm_tables import Row, Tables, parsed, reply
from chat_magics.export.said import Said

__all__ = ["Threads"]

_TURN = (
    "id",
    "thread_id",
    "parent_message_hash",
    "tip_message_hash",
    "datetime_utc",
)

_CALL = (
    "model",
    "resolved_model",
    "options_json",
    "schema_id",
    "input_tokens",
    "output_tokens",
    "token_details",
    "duration_ms",
    "datetime_utc",
    "response_json",
)


class _Parts(NamedTuple):
    """What the parts of a message hold."""

    typed: str
    sent: str
    reasoning: str
    left_out: tuple[str, ...]


class Threads:
    """The conversations of these tables.

    Args:
        tables: of the file.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.there = tables.has("threads", "id") and tables.has("messages", "hash", "parent_hash")
        self.names: dict[str, str] = {}
        self.times: dict[str, str] = {}
        self._tips: dict[str, str] = {}
        self._turns: dict[str, list[Row]] = {}
        self._made: dict[str, str] = {}
        if self.there:
            self._find()

    def _find(self) -> None:
        columns = ("id", "name", "tip_message_hash", "datetime_utc")
        for thread in self._tables.rows("threads", *columns):
            id = str(thread["id"])
            self.names[id] = word(thread["name"])
            self.times[id] = word(thread["datetime_utc"])
            self._tips[id] = word(thread["tip_message_hash"])
        for turn in self._tables.rows("turns", *_TURN, order="id"):
            self._turns.setdefault(str(turn["thread_id"]), []).append(turn)
            # A fork shares messages that turns of another thread made.
            self._made.setdefault(word(turn["tip_message_hash"]), str(turn["id"]))

    def turns_of(self, id: str) -> set[str]:
        """The ids of a thread's turns."""
        return {str(turn["id"]) for turn in self._turns.get(id, ())}

    def tip(self, id: str) -> str | None:
        """The id of the message that a thread ends with; None where it is unknown."""
        return self._tips.get(id) or None

    def said(self, id: str, before: Sequence[Said] = ()) -> list[Said]:
        """What was said in a thread.

        Args:
            id: of the thread.
            before: what older tables hold of it. Where the messages are here too, the older
                tables add what is known of them; the others stand before.
        """
        made = {word(turn["tip_message_hash"]): str(turn["id"]) for turn in self._turns.get(id, ())}
        chains = [*made, *([self._tips[id]] if self._tips.get(id) else [])]
        said: dict[str, Said] = {}
        for tip in chains:
            for message in self._chain(tip, said):
                hash = str(message["hash"])
                if hash in made:
                    said[hash] = self._said(message, made[hash])
                else:
                    said[hash] = _shared(self._said(message, self._made.get(hash)))
        return _merged(before, list(said.values()))

    def _chain(self, tip: str, known: Iterable[str]) -> list[Row]:
        """The messages up to a tip that are not known yet, the first one first."""
        chain: dict[str, Row] = {}
        at = tip
        while at and at not in chain and at not in known:
            found = list(self._tables.rows("messages", "hash", "parent_hash", "role", hash=at))
            if not found:
                break
            chain[at] = found[0]
            at = word(found[0]["parent_hash"])
        return list(chain.values())[::-1]

    def _said(self, message: Row, turn: str | None) -> Said:
        hash, parent = str(message["hash"]), word(message["parent_hash"]) or None
        parts = self._parts(hash)
        if message["role"] == "system":
            return Said(hash, parent, "system", text=parts.sent, left_out=parts.left_out)
        if message["role"] == "user":
            return Said(
                hash, parent, "user", text=parts.typed, sent=parts.sent, left_out=parts.left_out
            )
        row = next(self._tables.rows("turns", *_CALL, id=turn), {}) if turn else {}
        told = reply(hash, parent, row)
        return replace(
            told,
            text=parts.sent,
            reasoning=parts.reasoning,
            left_out=told.left_out + parts.left_out,
        )

    def _parts(self, hash: str) -> _Parts:
        typed, sent, thoughts, left_out = [], [], [], []
        columns = ("type", "tool_name", "text", "payload")
        for part in self._tables.rows("parts", *columns, order="position", message_hash=hash):
            kind = word(part["type"])
            payload = parsed(part["payload"])
            literal, whole = self._text(part, payload)
            if kind == "text":
                typed.append(literal)
                sent.append(whole)
            elif kind == "reasoning":
                thoughts.append(whole)
            else:
                left_out.append(_kind(kind, word(part["tool_name"])))
            left_out += ["attachment"] * len(items(payload.get("attachments")))
        return _Parts(joined(typed), joined(sent), joined(thoughts), tuple(left_out))

    def _text(self, part: Row, payload: dict[str, object]) -> tuple[str, str]:
        """What was typed, and the same with the fragments that it refers to."""
        pieces = items(payload.get("text_ref"))
        if not pieces:
            return word(part["text"]), word(part["text"])
        literals = [word(table(piece).get("literal")) for piece in pieces]
        return "".join(literals).lstrip("\n"), "".join(map("".join, self._resolved(pieces)))

    def _resolved(self, pieces: Iterable[object]) -> Iterator[str]:
        for piece in map(table, pieces):
            yield word(piece.get("literal"))
            if "fragment" in piece:
                for row in self._tables.rows("fragments", "content", id=piece["fragment"]):
                    yield word(row["content"])


def _shared(said: Said) -> Said:
    """Made by a turn of another thread, where its tokens and its time are counted."""
    return replace(said, usage=None, latency=None)


def _kind(kind: str, tool: str) -> str:
    names = {"tool_call": "call of the tool", "tool_result": "result of the tool"}
    if kind in names:
        return f"{names[kind]} {tool or 'without a name'}"
    return "attachment" if kind == "attachment" else f"content of the type {kind or 'unknown'}"


def _merged(old: Sequence[Said], new: Sequence[Said]) -> list[Said]:
    """Older rows, and messages that follow them; what stands in both is taken once."""
    rows = {each.id: each for each in old}
    said = {each.id: each for each in new}
    twins = {_pair(each, rows): each for each in old if each.role == "assistant"}
    for each in new:
        # What a turn made tells its time; what came from older tables tells none.
        known = each.role == "assistant" and each.created is None
        twin = twins.pop(_pair(each, said), None) if known else None
        if twin is None:
            continue
        said[each.id] = replace(twin, id=each.id, parent=each.parent)
        rows.pop(twin.id)
        asked, prompt = rows.get(twin.parent or ""), said.get(each.parent or "")
        if asked and prompt and asked.role == prompt.role == "user":
            said[prompt.id] = replace(prompt, text=asked.text, created=asked.created)
            rows.pop(asked.id)
    rest: list[Said] = []
    for each in rows.values():
        rest.append(replace(each, parent=rest[-1].id if rest else None))
    last = rest[-1].id if rest else None
    return [*rest, *(replace(each, parent=each.parent or last) for each in said.values())]


def _pair(reply: Said, prompts: Mapping[str, Said]) -> tuple[str | None, str]:
    """A prompt as it was sent, and its reply: what tells one from another in a thread."""
    prompt = prompts.get(reply.parent or "")
    return (prompt.sent if prompt else None), reply.text
