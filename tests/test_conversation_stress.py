"""Three threads ask, stop and regenerate one conversation at random: it stays in order."""

from __future__ import annotations

import random
import threading

import pytest

from chat_magics import Conversation
from chat_magics.conversation import Reply as Answer
from chat_magics.errors import NotFound
from tests.chat_server import Answer as Scripted
from tests.chat_server import ChatServer, Reply, Request, Status
from tests.talks import session_on

FINAL = {"complete", "stopped", "interrupted", "error"}
EACH = 12


class Person(threading.Thread):
    """Does things at random, the same in each run, and waits for nothing but some replies."""

    def __init__(self, chat: Conversation, seed: int) -> None:
        super().__init__()
        self.chat, self.random = chat, random.Random(seed)
        self.replies: list[Answer] = []
        self.faults: list[Exception] = []

    def run(self) -> None:
        for number in range(EACH):
            try:
                self.act(number)
            except NotFound:
                continue  # nothing to regenerate yet
            except Exception as fault:  # noqa: BLE001 - told by the test, in its own thread
                self.faults.append(fault)

    def act(self, number: int) -> None:
        what = self.random.choice(["ask", "ask", "ask and stop", "regenerate", "edit"])
        if what == "regenerate":
            reply = self.chat.regenerate()
        elif what == "edit":
            some = self.random.choice(self.chat.path or ("none",))
            reply = self.chat.edit(some, f"{self.name} {number}, edited")
        else:
            reply = self.chat.ask(f"{self.name} {number}", refresh=True)
        self.replies.append(reply.send())
        if what == "ask and stop":
            reply.wait(self.random.choice([0, 0.01, 0.03]))
            reply.stop()
        elif self.random.random() < 0.3:
            assert reply.wait(30)


def answers(seed: int) -> object:
    """Answers of all kinds, in the order of the requests."""
    chosen = random.Random(seed)

    def answer(request: Request) -> Scripted:
        slow = Reply("one two three", delay_between=0.01)
        return chosen.choice([Reply("quick"), slow, slow, Status(400), Reply("", usage="none")])

    return answer


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_stays_in_order(server: ChatServer, seed: int):
    server.default = answers(seed)  # type: ignore[assignment]
    with session_on(server, max_attempts=1) as session:
        chat = Conversation(session=session)
        people = [Person(chat, seed * 10 + number) for number in range(3)]
        for person in people:
            person.start()
        for person in people:
            person.join(60)
        replies = [reply for person in people for reply in person.replies]
        assert all(reply.wait(30) for reply in replies)
        assert [person.faults for person in people] == [[], [], []]

        stored = {exchange.id: exchange for exchange in session.history.load_exchanges()}
        assert {exchange.status for exchange in stored.values()} <= FINAL
        sent = [reply for reply in replies if reply.exchange]
        assert len({reply.exchange.id for reply in sent}) == len(sent) == len(stored)
        assert all(stored[reply.exchange.id] == reply.exchange for reply in sent)
        assert all(isinstance(r.error, NotFound) for r in replies if not r.exchange and r.error)

        assert session.history.conversation(chat.id).path == chat.path
        assert len(set(chat.path)) == len(chat.path)
        assert set(chat.path) <= set(stored)
        for exchange in stored.values():
            before = [stored[id] for id in exchange.context]
            assert all(other.ended <= exchange.created for other in before)
