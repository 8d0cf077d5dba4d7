"""The older generations of llm's log: a row for each reply, in `responses`, `logs` or `log`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from chat_magics.export.foreign import joined, word
from chat_magics.export.llm_tables import Row, Tables, reply
from chat_magics.export.said import Said

__all__ = ["Responses"]

_COLUMNS = (
    "id",
    "model",
    "resolved_model",
    "prompt",
    "system",
    "options_json",
    "response",
    "response_json",
    "reasoning",
    "duration_ms",
    "datetime_utc",
    "input_tokens",
    "output_tokens",
    "token_details",
    "schema_id",
)

_OLDEST = ("logs", "log")
"""The tables from before there were `responses`; a file has one of them at most."""

_BESIDE = (
    ("prompt_attachments", "attachment"),
    ("tool_calls", "call of a tool"),
    ("tool_results", "result of a tool"),
)
"""Tables with what stands beside a reply, and what it is called."""


class _Place(NamedTuple):
    """Where the row of a reply stands: its time, its table, its id."""

    time: str
    table: str
    id: object


class Responses:
    """The replies of these tables, by conversation.

    Args:
        tables: of the file.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.there = tables.has("responses", "id", "prompt", "response", "conversation_id")
        self._places: dict[str, list[_Place]] = {}
        if self.there:
            self._find_responses()
        for name in _OLDEST:
            if tables.has(name, "id", "prompt", "response", "chat_id"):
                self.there = True
                self._find_oldest(name)
        for places in self._places.values():
            places.sort(key=lambda place: (place.time, _sortable(place.id)))
        self.times = {id: places[0].time for id, places in self._places.items()}
        names = tables.rows("conversations", "id", "name")
        self.names = {str(row["id"]): word(row["name"]) for row in names}
        self._beside = {name: tables.counts(name, "response_id") for name, _ in _BESIDE}

    def _find_responses(self) -> None:
        for row in self._tables.rows("responses", "id", "conversation_id", "datetime_utc"):
            conversation = str(row["conversation_id"] or row["id"])
            place = _Place(word(row["datetime_utc"]), "responses", row["id"])
            self._places.setdefault(conversation, []).append(place)

    def _find_oldest(self, name: str) -> None:
        """Their ids count from 1 in each file, so the time is a part of the conversation's id."""
        times = ("datetime_utc", "timestamp_utc", "timestamp")
        found = list(self._tables.rows(name, "id", "chat_id", *times, order="id"))
        told = {
            row["id"]: next((word(row[each]) for each in times if row[each]), "") for row in found
        }
        for row in found:
            first = row["chat_id"] or row["id"]
            conversation = f"{name}\0{first}\0{told.get(first, '')}"
            place = _Place(told[row["id"]], name, row["id"])
            self._places.setdefault(conversation, []).append(place)

    def said(self, conversation: str, without: Collection[str]) -> list[Said]:
        """What was said in a conversation, each after the one before.

        Args:
            conversation: its id.
            without: ids of replies that are known from elsewhere.
        """
        said: list[Said] = []
        for place in self._places.get(conversation, ()):
            if str(place.id) in without:
                continue
            for row in self._tables.rows(place.table, *_COLUMNS, id=place.id):
                said += self._turn(
                    {**row, "datetime_utc": place.time}, said[-1].id if said else None
                )
        return said

    def _turn(self, row: Row, before: str | None) -> list[Said]:
        id = str(row["id"])
        beside = [kind for name, kind in _BESIDE for _ in range(self._beside[name].get(id, 0))]
        told = reply(id, before, row)
        answer = replace(
            told,
            text=word(row["response"]),
            reasoning=word(row["reasoning"]),
            left_out=(*told.left_out, *beside),
        )
        typed = word(row["prompt"])
        sent = "\n".join([*self._fragments("prompt_fragments", id), *([typed] if typed else [])])
        if not sent and before and self._beside["tool_results"].get(id):
            return [answer]
        system = joined([*self._fragments("system_fragments", id), word(row["system"])])
        prompt = Said(
            f"prompt of {id}",
            before,
            "user",
            text=typed,
            sent=sent,
            system=system or None,
            created=answer.created,
        )
        return [prompt, replace(answer, parent=prompt.id)]

    def _fragments(self, name: str, id: str) -> list[str]:
        found = []
        for row in self._tables.rows(name, "fragment_id", order="order", response_id=id):
            for fragment in self._tables.rows("fragments", "content", id=row["fragment_id"]):
                found.append(word(fragment["content"]))
        return found


def _sortable(id: object) -> str:
    return f"{id:020}" if isinstance(id, int) else str(id)
