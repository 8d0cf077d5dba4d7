"""Prompts by the API: one, streaming or whole, and many; client and history are the panel's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from ...client import Restarted, Text, Waiting
from ...conversation import Ask, Conversation, Reply, Session, api_options
from ...errors import ChatError
from .base import ApiHandler, failure_of, signed_in
from .schema import Answer, Asked, BatchItem, BatchQuery, BatchReply, Query, Told, as_json

__all__ = ["BatchQueryHandler", "QueryHandler", "answer_of"]

AT_ONCE = 8
"""Prompts of one batch that are asked side by side, where `answers_at_once` allows it."""


def answer_of(reply: Reply) -> Answer:
    """A reply that ended, as the API tells it."""
    usage, exchange = reply.usage, reply.exchange
    assert exchange is not None
    return Answer(
        id=exchange.id,
        session=exchange.conversation,
        text=reply.text_so_far,
        model=reply.model or "",
        finish_reason=exchange.finish_reason,
        cached=bool(reply.cached),
        usage=Told(
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            estimated=bool(usage and usage.estimated),
        ),
        cost=reply.cost,
        seconds=reply.seconds or 0.0,
    )


def _ask(prompt: str, asked: Asked, *, alone: bool = False) -> Ask:
    options = api_options(asked.options, temperature=asked.temperature, max_tokens=asked.max_tokens)
    return Ask(
        prompt,
        asked.model,
        asked.system,
        options,
        alone,
        asked.refresh,
        surface="app",
    )


def _reply(session: Session, query: Query) -> Reply:
    """Sent; blocks while the conversation is looked up."""
    if query.session is None:
        conversation = Conversation(session=session)
    else:
        conversation = Conversation.open(query.session, session=session)
    return conversation.reply_to(_ask(query.prompt, query)).send()


class _Answering(ApiHandler):
    """What answers prompts."""

    def cut(self) -> None:
        """Ends what is under way, since the server ends."""

    def check_whole(self, reply: Reply) -> None:
        """Does nothing where a reply was not cut off by the end of the server.

        Raises:
            ServerUnavailable: it was; what came is in history.
        """
        if reply.status == "interrupted" and self.entrance.ending:
            raise self.entrance.refusal()


class QueryHandler(_Answering):
    """`POST /api/query`: one prompt."""

    _reply: Reply | None = None
    _gone = False

    @signed_in
    async def post(self) -> None:
        query = self.read(Query)
        await self.check_address()
        with self.entrance.answering(self):
            async with self.session() as session:
                await self._answer(session, query)

    async def _answer(self, session: Session, query: Query) -> None:
        self._reply = await self.off_loop(lambda: _reply(session, query))
        if self._gone:
            self._reply.stop()
        self.request_id = self._reply.id  # the same in the server's log, the chat's, and history
        if query.stream:
            await self._stream(self._reply)
        else:
            await self._reply.wait_async()
            self.check_whole(self._reply)
            self.give(answer_of(self._reply))

    def cut(self) -> None:
        """The server ends: what came is kept and marked."""
        if self._reply is not None:
            self._reply.stop("interrupted")

    def on_connection_close(self) -> None:
        """Whoever asked is gone: nobody is to pay for the rest."""
        self._gone = True
        if self._reply is not None:
            self._reply.stop()

    async def _stream(self, reply: Reply) -> None:
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("X-Accel-Buffering", "no")  # else nginx keeps it until the end
        try:
            async for name, data in _events(reply):
                self._event(name, data)
                await self.flush()
            self.check_whole(reply)
            self._event("done", as_json(answer_of(reply)))
        except StreamClosedError:
            reply.stop()
        except ChatError as error:
            if not self._headers_written:
                raise  # nothing was sent yet: the status can tell it
            self._event("error", as_json(failure_of(error, self.request_id)))

    def _event(self, name: str, data: Any) -> None:
        self.write(f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n")


async def _events(reply: Reply) -> AsyncIterator[tuple[str, Any]]:
    """A reply as server-sent events: text, waiting, restart."""
    async for event in reply.events_async():
        if isinstance(event, Text):
            yield "text", {"text": event.text}
        elif isinstance(event, Waiting):
            yield "waiting", {"reason": event.reason, "seconds": event.seconds}
        elif isinstance(event, Restarted):
            yield "restart", {}


class BatchQueryHandler(_Answering):
    """`POST /api/batch-query`: many prompts, each alone; answers in order, an error per item."""

    _gone = False

    def initialize(self) -> None:
        """Nothing is under way yet."""
        self._replies: list[Reply] = []

    @signed_in
    async def post(self) -> None:
        batch = self.read(BatchQuery)
        most = self.entrance.serving.max_batch
        if len(batch.prompts) > most:
            raise HTTPError(413, f"{len(batch.prompts)} prompts: send {most} at most (max_batch)")
        with self.entrance.answering(self):
            async with self.session() as session:
                await self._answer(session, batch)

    async def _answer(self, session: Session, batch: BatchQuery) -> None:
        answers: dict[int, BatchItem] = {}
        waiting = iter(enumerate(batch.prompts))

        async def work() -> None:
            # One conversation for each worker: within one, a reply waits for the one before.
            conversation = await self.off_loop(lambda: Conversation(session=session))
            for index, prompt in waiting:
                if self._gone:
                    return
                answers[index] = await self._item(conversation, index, prompt, batch)

        workers = min(session.config.answers_at_once or AT_ONCE, len(batch.prompts))
        await asyncio.gather(*(work() for _ in range(workers)))
        self.give(BatchReply(answers=[answers[index] for index in sorted(answers)]))

    async def _item(
        self, conversation: Conversation, index: int, prompt: str, batch: BatchQuery
    ) -> BatchItem:
        try:
            if self.entrance.ending:
                raise self.entrance.refusal()
            await self.check_address()
            reply = conversation.reply_to(_ask(prompt, batch, alone=True))
            self._replies.append(reply)
            await reply.wait_async()
            self.check_whole(reply)
            return BatchItem(index=index, answer=answer_of(reply))
        except ChatError as error:
            return BatchItem(index=index, error=failure_of(error, self.request_id))

    def cut(self) -> None:
        """The server ends: what came is kept and marked, and no other prompt is asked."""
        for reply in self._replies:
            reply.stop("interrupted")

    def on_connection_close(self) -> None:
        """Whoever asked is gone: what is under way ends, and no other prompt is asked."""
        self._gone = True
        for reply in self._replies:
            reply.stop()
