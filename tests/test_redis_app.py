"""Three servers that share a Redis: one limit, one cache, whatever happens to it and to clocks."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from chat_magics.limits import RateLimiter
from tests.app_people import Person, failure, log_records
from tests.app_server import AppServer
from tests.chat_server import ChatServer, Reply
from tests.redis_server import HIDDEN, NEEDS_REDIS, UNHURRIED_PROGRAM, RedisServer, clock
from tests.talks import CANARY

pytestmark = list(NEEDS_REDIS)

LIMIT = 6


class Replicas(NamedTuple):
    """Servers of one app, their Redis and their model server."""

    servers: list[AppServer]
    redis: RedisServer
    model: ChatServer

    def person(self, name: str) -> list[Person]:
        """One person, at each server."""
        return [Person(server, name, f"client-of-{name}") for server in self.servers]

    def statuses(self, name: str, prompts: int) -> list[int]:
        """Of so many prompts of one person, sent to one server after the other."""
        people = self.person(name)
        asked = (people[n % len(people)].query(f"{name} {n}") for n in range(prompts))
        return [answer.status for answer in asked]


def settings(redis: RedisServer, model: ChatServer) -> dict[str, str]:
    return {
        "CHAT_MAGICS_BASE_URL": model.url,
        "CHAT_MAGICS_API_KEY": CANARY,
        "CHAT_MAGICS_MODEL": "test-model",
        "CHAT_MAGICS_CACHE": redis.url,
        "CHAT_MAGICS_LIMITS": redis.url,
        "CHAT_MAGICS_REQUESTS_PER_MINUTE": str(LIMIT),
        "CHAT_MAGICS_SERVE_PAGE_LOADS_PER_MINUTE": "2",
    }


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Three servers whose clocks are apart."""
    folder = tmp_path_factory.mktemp("three")
    program = UNHURRIED_PROGRAM
    with ExitStack() as ending:
        redis = ending.enter_context(RedisServer())
        model = ending.enter_context(ChatServer())
        started = []
        for setting in ("+0s", "+90s", "+180s"):
            home = folder / setting
            home.mkdir()
            told = {**settings(redis, model), **clock(setting)}
            server = AppServer(home, "--auth", "proxy", "--preheated", "0", program=program, **told)
            started.append(ending.enter_context(server))
        yield Replicas(started, redis, model)
        model.release()


def away(server: AppServer) -> float:
    """How often a server lost its Redis, for cache and for limits."""
    text = server.get("metrics", Authorization="token none").body.decode()
    return sum(float(each) for each in re.findall(r"redis_away_total\{.*\} (\S+)", text))


def parts(server: AppServer) -> dict[str, str]:
    """The parts that a server is ready with."""
    answered = server.get("readyz")
    assert answered.status == 200, answered
    assert HIDDEN not in answered.body.decode()
    found: dict[str, str] = answered.json["parts"]
    return found


def ask_in_vain(person: Person) -> None:
    with suppress(OSError):
        person.query("Hold")


def test_three_servers_let_one_limit_through_whatever_their_clocks_say(three: Replicas) -> None:
    dates = [
        parsedate_to_datetime(server.get("healthz").headers["Date"]) for server in three.servers
    ]
    assert (dates[1] - dates[0]).total_seconds() > 60
    assert (dates[2] - dates[1]).total_seconds() > 60
    assert three.statuses("warm-up", 3) == [200] * 3
    assert three.statuses("ada", LIMIT + 3).count(200) == LIMIT
    refused = failure(three.person("ada")[2].query("one more"))
    assert refused["status"] == 429
    assert 0 < refused["retry_after"] <= 61
    assert [away(server) for server in three.servers] == [0, 0, 0]


def test_a_reply_is_shared_by_its_owner_and_by_nobody_else(three: Replicas) -> None:
    asked = [person.query("Hello").json["cached"] for person in three.person("grace")]
    assert asked == [False, True, True]
    assert three.person("joan")[0].query("Hello").json["cached"] is False
    assert sum(post.last == "Hello" for post in three.model.posts) == 2


def test_page_loads_from_one_address_count_over_all_servers(
    three: Replicas, tmp_path: Path
) -> None:
    loads = RateLimiter(tmp_path / "limits.db", per_minute=2, redis=three.redis.url)
    assert [loads.acquire("pages client-of-mary") for _ in range(2)] == [0.0, 0.0]
    answers = [person.get("").status for person in three.person("mary")]
    assert answers == [429] * 3
    assert [server.kernels for server in three.servers] == [0, 0, 0]


def test_without_redis_all_go_on_and_say_so_and_come_back_by_themselves(three: Replicas) -> None:
    three.redis.kill()
    statuses = three.statuses("meanwhile", 3 * LIMIT + 3)
    assert statuses.count(200) == 3 * LIMIT, "each server counts alone"
    assert set(statuses) == {200, 429}
    place = f"Redis at 127.0.0.1:{three.redis.port} cannot be used"
    for server in three.servers:
        server.until(lambda server=server: parts(server)["cache"] != "ok")
        told = parts(server)
        assert told["store"] == told["model server"] == "ok"
        assert told["cache"].startswith(f"no reply comes from the cache: {place}")
        assert told["limits"].startswith(f"the limits are counted by this machine alone: {place}")
        assert away(server) == 2
        metrics = server.get("metrics").body.decode()
        assert 'chat_magics_redis_up{part="limits"} 0.0' in metrics
        warned = [r["message"] for r in log_records(server) if r["event"] == "warning"]
        assert sum("cannot be used" in line for line in warned) == 1
        assert HIDDEN not in str(log_records(server)) + metrics + server.log
    three.redis.start()
    for server in three.servers:
        server.until(lambda server=server: set(parts(server).values()) == {"ok"})
    assert three.statuses("afterwards", LIMIT + 3).count(200) == LIMIT


def test_the_place_of_a_server_that_is_killed_comes_free(three: Replicas) -> None:
    here, there, _ = three.person("edith")
    three.model.script(Reply(["one ", "two"], stall_after=1))
    thread = threading.Thread(target=ask_in_vain, args=(here,))
    thread.start()
    three.model.until(lambda: three.model.held == 1)
    assert failure(there.query("Hello"))["error"].startswith("1 of your replies")
    three.servers[0].stop(signal.SIGKILL)
    thread.join(20)
    three.servers[1].until(lambda: there.query("Hello").status == 200)


def test_a_black_hole_stops_nobody(server: ChatServer, tmp_path: Path) -> None:
    with RedisServer() as redis:
        told = settings(redis, server)
        with AppServer(tmp_path, "--auth", "proxy", "--preheated", "0", **told) as app:
            person = Person(app, "ada", "client-of-ada")
            redis.hold()
            assert [person.query(f"prompt {n}").status for n in range(LIMIT)] == [200] * LIMIT
            assert person.query("one more").status == 429
            redis.let_go()
            app.until(lambda: set(parts(app).values()) == {"ok"})
            assert HIDDEN not in app.log
