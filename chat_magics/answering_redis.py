"""Answering over several machines: places for replies under way, held in Redis on a lease.

A lease is renewed while the reply is under way, and runs out where nobody renews it: so a place
comes free when its machine is gone. Its time is that of Redis, whatever the clocks of the machines
say.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chat_magics.answering import Answering
from chat_magics.private_files import PerProcess
from chat_magics.redis_link import PREFIX, RedisAway, link_to

__all__ = ["AnsweringTogether"]

_ENTER = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
    return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] * 1000))
return 1
"""

_RENEW = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] + now[2] / 1000000 + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] * 1000))
"""


_LOOK_AGAIN = 0.5
"""Seconds between tries to give a place up that could not be given up at once."""


@dataclass
class _Held:
    """The places of one process, those that are to be given up yet, and the thread for both."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    places: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    minded: bool = False
    more: threading.Event = field(default_factory=threading.Event)
    """Set where a place could not be given up."""


class AnsweringTogether:
    """Gives each person so many places for replies under way, over all machines.

    A place here is taken as well, so that while Redis is away this machine counts alone, and
    knows what is under way.

    Args:
        here: the places of this machine.
        redis: address of the Redis.
        lease: seconds after which the place of a machine that is gone comes free (default 15).
    """

    def __init__(self, here: Answering, redis: str, lease: float = 15.0) -> None:
        self._here = here
        self._url = redis
        self._lease = lease
        self._held = PerProcess(_Held)

    def enter(self, identity: str, places: int) -> Callable[[], None] | None:
        """Take a place where one is free; see `Answering.enter`.

        Raises:
            OSError: the folder of this machine's places cannot be used.
        """
        leave_here = self._here.enter(identity, places)
        if leave_here is None:
            return None
        name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        key, place = f"{PREFIX}answering:{name}", uuid.uuid4().hex
        try:
            free = self._run(_ENTER, key, place, places)
        except RedisAway:
            free = True  # as far as is known; it is told as soon as it is back
        except BaseException:
            leave_here()
            raise
        if not free:
            leave_here()
            return None
        self._hold(place, key)
        return partial(self._leave, place, leave_here)

    def _run(self, script: str, key: str, place: str, *more: int) -> Any:
        arguments: tuple[str | float, ...] = (place, self._lease, *more)
        return link_to(self._url).call(lambda client: client.eval(script, 1, key, *arguments))

    def _hold(self, place: str, key: str) -> None:
        with self._held.use() as held, held.lock:
            held.places[place] = key
            self._mind(held)

    def _leave(self, place: str, leave_here: Callable[[], None]) -> None:
        with self._held.use() as held, held.lock:
            key = held.places.pop(place, "")
        try:
            if key and not self._removed(place, key):
                with held.lock:
                    held.left[place] = key
                    self._mind(held)
                held.more.set()
        finally:
            leave_here()

    def _removed(self, place: str, key: str) -> bool:
        try:
            link_to(self._url).call(lambda client: client.zrem(key, place))
        except RedisAway:
            return False
        return True

    def _mind(self, held: _Held) -> None:
        """Has a thread renew what is held, and give up what was left; called under the lock."""
        if not held.minded:
            held.minded = True
            name = "chat_magics-answering"
            threading.Thread(target=self._minding, args=(held,), name=name, daemon=True).start()

    def _minding(self, held: _Held) -> None:
        every, renewed = self._lease / 3, time.monotonic()
        while True:
            held.more.wait(min(_LOOK_AGAIN, every) if held.left else every)
            held.more.clear()
            with held.lock:
                places, left = dict(held.places), dict(held.left)
                held.minded = bool(places or left)
            if not held.minded:
                return
            if time.monotonic() - renewed >= every / 2:
                renewed = time.monotonic()
                self._renew(held, places)
            gone = [place for place, key in left.items() if self._removed(place, key)]
            with held.lock:
                for place in gone:
                    held.left.pop(place)

    def _renew(self, held: _Held, places: dict[str, str]) -> None:
        with suppress(RedisAway):
            for place, key in places.items():
                self._run(_RENEW, key, place)
        with held.lock:  # one that was left meanwhile may be in Redis again
            held.left |= {p: key for p, key in places.items() if p not in held.places}
