"""Sessions by the API: the conversations of who asks, and the pages that show them.

Who runs the server sees and ends those of all, with the token that the server keeps in its home
for `chat-magics sessions`.
"""

from __future__ import annotations

import hmac
import math
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado.web import HTTPError

from ...conversation import Session
from ...errors import NotFound
from ...history import History
from .base import ApiHandler, signed_in
from .schema import Said, SessionDetail, SessionInfo, SessionList

__all__ = ["AllSessionsHandler", "EndHandler", "SessionHandler", "SessionsHandler"]

LISTED = 100


def _infos(history: History, pages: dict[str, int], **filters: Any) -> list[SessionInfo]:
    frame = history.conversations(limit=LISTED, **filters)
    return [
        SessionInfo(
            id=row["id"],
            owner=history.owner,
            title=_text(row["name"]) or _text(row["title"]),
            created=row["created"],
            last_seen=row["used"],
            queries=int(row["queries"]),
            tokens=int(row["prompt_tokens"]) + int(row["completion_tokens"]),
            cost=None if _missing(row["cost"]) else float(row["cost"]),
            pages=pages.get(row["id"], 0),
        )
        for row in frame.to_dict("records")
    ]


def _missing(value: Any) -> bool:
    return not isinstance(value, (int, float)) or math.isnan(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


class _Sessions(ApiHandler):
    def pages(self, owner: str | None = None) -> dict[str, int]:
        """How many pages show each conversation."""
        shown: dict[str, int] = {}
        for seat in self.entrance.seats:
            if owner in (None, seat.owner) and seat.conversation:
                shown[seat.conversation] = shown.get(seat.conversation, 0) + 1
        return shown


class SessionsHandler(_Sessions):
    """`GET /api/sessions`: one's own, the one used last first."""

    @signed_in
    async def get(self) -> None:
        pages = self.pages(self.owner)
        async with self.session() as session:
            infos = await self.off_loop(lambda: session.store_now(lambda h: _infos(h, pages)))
        self.give(SessionList(sessions=infos))


def _detail(session: Session, id: str, pages: dict[str, int]) -> SessionDetail:
    def read(history: History) -> SessionDetail:
        record = history.conversation(id)
        info = _infos(history, pages, conversation=record.id)[0]
        said = [
            Said(
                id=each.id,
                prompt=each.prompt,
                reply=each.text,
                status=each.status,
                model=each.model,
                created=each.created,
            )
            for each in history.load_exchanges(record.id)
        ]
        return SessionDetail(**info.model_dump(), exchanges=said)

    return session.store_now(read)


class SessionHandler(_Sessions):
    """`/api/sessions/{id}`: what was said in one of one's own, and the end of its pages."""

    @signed_in
    async def get(self, id: str) -> None:
        pages = self.pages(self.owner)
        async with self.session() as session:
            self.give(await self.off_loop(lambda: _detail(session, id, pages)))

    @signed_in
    async def delete(self, id: str) -> None:
        """Ends the pages that show it; what was said stays in history."""
        async with self.session() as session:
            record = await self.off_loop(lambda: session.store_now(lambda h: h.conversation(id)))
        for seat in self.entrance.seats:
            if seat.owner == self.owner and seat.conversation == record.id:
                await self.entrance.seats.end(seat.kernel)
        self.set_status(204)
        self.finish()


class _OfTheServer(_Sessions):
    """For who runs the server: the token stands in a file that only they can read."""

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        shown = self.request.headers.get("X-Chat-Magics-Admin", "")
        if not hmac.compare_digest(shown.encode(), self.entrance.admin_token.encode()):
            raise HTTPError(404)


class AllSessionsHandler(_OfTheServer):
    """`GET /api/admin/sessions`: the open pages of all, with what their conversations hold."""

    @allow_unauthenticated
    async def get(self) -> None:
        seats = list(self.entrance.seats)
        found = [await self.off_loop(lambda s=seat: self._info(s)) for seat in seats]  # type: ignore[misc]
        self.give(SessionList(sessions=found))

    def _info(self, seat: Any) -> SessionInfo:
        info = SessionInfo(id=seat.kernel, owner=seat.owner, created=seat.created, pages=1)
        if seat.conversation:
            try:
                with self.entrance.people.session(seat.owner) as session:
                    detail = _detail(session, seat.conversation, {seat.conversation: 1})
            except NotFound:
                return info
            kept = {"id": seat.kernel, "created": seat.created}
            info = SessionInfo(**{**detail.model_dump(exclude={"exchanges"}), **kept})
        return info.model_copy(update={"last_seen": self.entrance.seats.last_seen(seat)})


class EndHandler(_OfTheServer):
    """`DELETE /api/admin/sessions/{kernel}`: ends an open page."""

    @allow_unauthenticated
    async def delete(self, kernel: str) -> None:
        if self.entrance.seats.of(kernel) is None:
            raise HTTPError(404)
        await self.entrance.seats.end(kernel)
        self.set_status(204)
        self.finish()
