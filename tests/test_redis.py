"""The link to Redis: what its faults cost, and whom it tells."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chat_magics.cache_redis import RedisStore
from chat_magics.redis_link import RedisAway, RedisLink, link_to, patient
from tests.redis_fixtures import is_back
from tests.redis_server import HIDDEN, NEEDS_REDIS, RedisServer, Trickle

pytestmark = list(NEEDS_REDIS)

ROOT = Path(__file__).parents[1]


def test_a_black_hole_costs_one_call_a_moment_and_the_others_nothing(redis: RedisServer) -> None:
    link, took = link_to(redis.url), []
    for _ in range(3):  # the quickest counts: this machine may be busy
        assert link.call(lambda client: client.ping())
        redis.hold()
        started = time.monotonic()
        with pytest.raises(RedisAway, match="does not answer in time"):
            link.call(lambda client: client.ping())
        took.append(time.monotonic() - started)
        called: list[object] = []
        for _ in range(1_000):
            with pytest.raises(RedisAway):
                link.call(called.append)
        assert called == []
        redis.let_go()
        redis.until(is_back(redis))
    assert min(took) < 0.4


def test_an_answer_that_trickles_is_given_up_as_well() -> None:
    took = []
    for _ in range(3):
        with Trickle() as hole:
            link = RedisLink(hole.url)
            started = time.monotonic()
            with pytest.raises(RedisAway):
                link.call(lambda client: client.ping())
            took.append(time.monotonic() - started)
            link.close()
    assert 0.2 < min(took) < 0.5, "each byte comes in time; the whole does not"


def test_a_place_that_nothing_leads_to_is_given_up() -> None:
    link = RedisLink("redis://192.0.2.1:6379/0")
    with pytest.raises(RedisAway, match=r"Redis at 192\.0\.2\.1:6379 cannot be used"):
        link.call(lambda client: client.ping())
    link.close()


def test_slow_answers_are_borne_for_half_a_second_by_one_request(redis: RedisServer) -> None:
    link, calls = link_to(redis.url), []

    def slow(client: Any) -> None:
        calls.append(client)
        time.sleep(0.1)

    def request() -> None:
        with patient():
            while True:
                link.call(slow)

    with pytest.raises(RedisAway):
        request()
    assert len(calls) <= 5, "four were answered, and the fifth was not waited for"
    redis.until(is_back(redis))


def test_whoever_follows_is_told_once_that_it_is_away_and_once_that_it_is_back(
    redis: RedisServer,
) -> None:
    link, told = link_to(redis.url), []
    end = link.watch(told.append)
    redis.kill()
    for _ in range(5):
        with pytest.raises(RedisAway):
            link.call(lambda client: client.ping())
    redis.start()
    redis.until(lambda: len(told) == 2)
    assert told == [f"Redis at {link.place} cannot be used: Connection refused", None]
    end()
    redis.kill()
    with pytest.raises(RedisAway):
        link.call(lambda client: client.ping())
    assert len(told) == 2


@pytest.mark.usefixtures("unhurried")
def test_a_redis_that_was_started_anew_between_two_calls_is_no_fault(redis: RedisServer) -> None:
    link = link_to(redis.url)
    link.call(lambda client: client.ping())
    redis.kill()
    redis.start()
    assert link.call(lambda client: client.ping())


def test_a_redis_that_keeps_nothing_any_more_is_away_until_it_does(redis: RedisServer) -> None:
    store = RedisStore(redis.url)
    store.set("a", b"value", 60)
    redis.client().config_set("maxmemory", "1")
    with pytest.raises(RedisAway, match="maxmemory"):
        store.set("b", b"value", 60)
    redis.until(lambda: redis.client().info("commandstats")["cmdstat_set"]["rejected_calls"] >= 3)
    assert link_to(redis.url).trouble is not None, "it was looked for, and found useless"
    redis.client().config_set("maxmemory", "0")
    redis.until(is_back(redis))
    store.set("b", b"value", 60)


def test_a_wrong_password_is_a_fault_that_shows_none(redis: RedisServer) -> None:
    url = redis.url.replace(HIDDEN, "another-secret")
    with pytest.raises(RedisAway) as caught:
        link_to(url).call(lambda client: client.ping())
    said = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "password" in said
    assert "another-secret" not in said


@pytest.mark.usefixtures("unhurried")
def test_a_mistake_of_ours_is_no_fault_of_redis(redis: RedisServer) -> None:
    with pytest.raises(ZeroDivisionError):
        link_to(redis.url).call(lambda client: 1 / 0)
    assert link_to(redis.url).trouble is None


def test_redis_is_imported_where_it_is_used_and_no_sooner(redis: RedisServer) -> None:
    code = f"""if True:
        import sys
        from chat_magics import Session
        session = Session({{"base_url": "demo", "cache": {redis.url!r}, "limits": {redis.url!r}}})
        assert "redis" not in sys.modules
        session.close()
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, check=True, timeout=240)
