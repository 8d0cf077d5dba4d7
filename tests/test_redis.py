"""The parts that Redis serves: cache, limits and places, over processes, clocks and faults."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chat_magics import redis_link
from chat_magics.answering import Answering
from chat_magics.answering_redis import AnsweringTogether
from chat_magics.cache import CompletionCache
from chat_magics.cache_redis import RedisStore
from chat_magics.errors import ConfigError
from chat_magics.limits import RateLimiter
from chat_magics.messages import ChatRequest, Completion, Message
from chat_magics.redis_link import RedisAway, RedisLink, link_to, patient
from tests.redis_server import HIDDEN, NEEDS_REDIS, RedisServer, Trickle, clock

pytestmark = list(NEEDS_REDIS)

ROOT = Path(__file__).parents[1]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is about faults, a machine that is busy for 0.2 s makes none."""
    monkeypatch.setattr(redis_link, "_SOCKET_SECONDS", 20.0)
    monkeypatch.setattr(redis_link, "_CALL_SECONDS", 20.0)


UNHURRIED = "import chat_magics.redis_link as l; l._SOCKET_SECONDS = l._CALL_SECONDS = 20.0"
"""The same for a process."""


def is_back(redis: RedisServer) -> Callable[[], bool]:
    return lambda: link_to(redis.url).trouble is None


# The link


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
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, check=True, timeout=60)


# The cache


def request_of(owner: str, prompt: str = "Hello") -> ChatRequest:
    messages = (Message(role="user", content=prompt),)
    return ChatRequest(base_url="demo", model="m", messages=messages, owner=owner)


ANSWER = Completion(text="Hi.", model="m", finish_reason="stop")


@pytest.mark.usefixtures("unhurried")
def test_the_cache_is_shared_by_owner_and_not_across_owners(redis: RedisServer) -> None:
    here, there = (CompletionCache(RedisStore(redis.url)) for _ in range(2))
    assert here.put(request_of("ada"), ANSWER)
    found = there.get(request_of("ada"))
    assert found is not None
    assert (found.text, found.cached) == ("Hi.", True)
    assert there.get(request_of("grace")) is None
    assert there.get(request_of("")) is None
    assert (there.hits, there.misses, there.faults) == (1, 2, 0)


@pytest.mark.usefixtures("unhurried")
def test_redis_forgets_an_answer_when_its_time_is_over(redis: RedisServer) -> None:
    CompletionCache(RedisStore(redis.url), ttl=100.0).put(request_of("ada"), ANSWER)
    (key,) = redis.held()
    assert 90_000 < redis.client().pttl(key) <= 100_000
    assert "ada" not in key


@pytest.mark.usefixtures("unhurried")
def test_what_is_cleared_and_counted_is_ours_alone(redis: RedisServer) -> None:
    others = ["reply:1", "chat_magics:limit", "chat_magicsXreply:1", "x:chat_magics:reply:1"]
    for key in others:
        redis.client().set(key, b"theirs")
    cache = CompletionCache(RedisStore(redis.url))
    for number in range(1_200):
        cache.put(request_of("ada", f"prompt {number}"), ANSWER)
    stats = cache.stats()
    assert (stats.entries, stats.faults) == (1_200, 0)
    assert stats.size_bytes > 1_200 * 100
    assert cache.clear() == 1_200
    assert redis.held() == sorted(others)


@pytest.mark.usefixtures("unhurried")
def test_a_prefix_is_taken_as_it_is_written(redis: RedisServer) -> None:
    odd, other = (RedisStore(redis.url, prefix) for prefix in ("a*[b]?\\", "axxb:"))
    for store in (odd, other):
        store.set("key", b"value", 60)
    assert (odd.clear(), other.stats().entries) == (1, 1)


@pytest.mark.usefixtures("unhurried")
def test_many_are_looked_up_at_once_and_one_that_is_none_of_ours_leaves_the_rest(
    redis: RedisServer,
) -> None:
    cache = CompletionCache(RedisStore(redis.url))
    requests = [request_of("ada", f"prompt {number}") for number in range(250)]
    for request in requests[:200]:
        cache.put(request, ANSWER)
    redis.client().set(f"chat_magics:reply:{requests[0].key}", b"\x80\x04cposix\nsystem\n")
    found = cache.get_keys([request.key for request in requests])
    assert sorted(found) == sorted(request.key for request in requests[1:200])
    assert (cache.hits, cache.misses, cache.faults) == (199, 51, 1)


def test_a_cache_without_its_redis_misses_and_tells_nobody_again(redis: RedisServer) -> None:
    told: list[str] = []
    cache = CompletionCache(RedisStore(redis.url), on_fault=lambda what, _: told.append(what))
    cache.put(request_of("ada"), ANSWER)
    redis.kill()
    assert cache.get(request_of("ada")) is None
    assert cache.get_keys([request_of("ada").key]) == {}
    assert not cache.put(request_of("ada"), ANSWER)
    assert (cache.clear(), cache.stats().entries, told) == (0, 0, [])
    redis.start()
    redis.until(is_back(redis))
    assert cache.put(request_of("ada"), ANSWER)
    assert cache.get(request_of("ada")) is not None


# The limits


def limiter_of(redis: RedisServer, home: Path, per_minute: int, **more: Any) -> RateLimiter:
    return RateLimiter(home / "limits.db", per_minute=per_minute, redis=redis.url, **more)


def admitted(limiter: RateLimiter, tries: int = 50, identity: str = "me") -> int:
    return sum(limiter.acquire(identity) == 0.0 for _ in range(tries))


def let_time_pass(redis: RedisServer, seconds: float) -> None:
    client = redis.client()
    for key in redis.held():
        moments = [float(moment) - seconds for moment in client.lrange(key, 0, -1)]
        left = client.pttl(key) - round(seconds * 1000)
        client.delete(key)
        if left > 0:
            client.rpush(key, *moments)
            client.pexpire(key, left)


def most_within(moments: list[float], seconds: float) -> int:
    return max(sum(start <= at < start + seconds for at in moments) for start in moments)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize(("first", "quiet"), [(1, 59), (1, 55), (5, 20), (20, 0), (20, 59)])
def test_no_60_seconds_hold_more_than_the_limit_wherever_they_begin(
    redis: RedisServer, tmp_path: Path, first: int, quiet: int
) -> None:
    """Some at first, then nothing for a while, then as many as there may be every two seconds."""
    limiter, passed, moments = limiter_of(redis, tmp_path, 20), 0.0, []
    for at_most, seconds in [(first, quiet), *[(99, 2)] * 70]:
        for _ in range(at_most):
            if limiter.acquire("me"):
                break
            moments.append(passed + time.monotonic())
        let_time_pass(redis, seconds)
        passed += seconds
    # Each moment is taken a little after Redis' own.
    assert most_within(moments, 59.0) == 20
    assert len(moments) >= 60, "and each minute its whole limit"


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("amount", [1, 7])
def test_after_the_wait_there_is_room_and_before_it_none(
    redis: RedisServer, tmp_path: Path, amount: int
) -> None:
    limiter = limiter_of(redis, tmp_path, 20)
    for _ in range(4):
        assert limiter.acquire("me", amount=5) == 0.0
        let_time_pass(redis, 5)
    wait = limiter.acquire("me", amount=amount)
    let_time_pass(redis, wait - 1)
    assert limiter.acquire("me", amount=amount) > 0
    let_time_pass(redis, 1)
    assert limiter.acquire("me", amount=amount) == 0.0


ADMITTING = """if True:
    import sys, time
    from threading import Event
    from chat_magics.limits import RateLimiter
    url, store, per_minute, seconds, refusals = sys.argv[1:]
    limiter = RateLimiter(store, per_minute=int(per_minute), redis=url)
    limiter.acquire("somebody else")
    print(time.time(), flush=True)
    input()
    until, refused = time.monotonic() + float(seconds), 0
    while time.monotonic() < until and refused < int(refusals):
        if limiter.acquire("me") == 0.0:
            print(time.monotonic(), flush=True)
        else:
            refused += 1
            Event().wait(0.02)  # a sleep would not bear the other clock
    assert limiter.trouble is None, limiter.trouble
"""


def admit(
    redis: RedisServer,
    folder: Path,
    per_minute: int,
    seconds: float,
    refusals: int,
    *,
    together: bool,
) -> tuple[list[float], list[float]]:
    """What the clocks of three machines say, and when each request was admitted, in order."""
    command = [sys.executable, "-c", f"{UNHURRIED}\n{ADMITTING}", redis.url]
    machines = []
    for number, setting in enumerate(("+0s", "+90s", "+180s")):
        store = folder / str(number) / "limits.db"
        machines.append(
            subprocess.Popen(
                [*command, str(store), str(per_minute), str(seconds), str(refusals)],
                env={**os.environ, **clock(setting)},
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    clocks = [float(machine.stdout.readline()) for machine in machines if machine.stdout]
    for machine in machines:
        assert machine.stdin is not None
        machine.stdin.write("go\n")
        machine.stdin.flush()
        if not together:
            machine.wait()
    moments = [float(line) for machine in machines for line in machine.communicate()[0].split()]
    assert [machine.returncode for machine in machines] == [0, 0, 0]
    return clocks, sorted(moments)


@pytest.mark.usefixtures("unhurried")
def test_the_limit_is_exact_over_machines_whose_clocks_are_apart(
    redis: RedisServer, tmp_path: Path
) -> None:
    clocks, moments = admit(
        redis, tmp_path, per_minute=20, seconds=50.0, refusals=3, together=False
    )
    assert clocks[1] - clocks[0] > 60
    assert clocks[2] - clocks[1] > 60
    assert len(moments) == 20


@pytest.mark.slow
def test_three_minutes_of_three_machines_keep_the_limit(redis: RedisServer, tmp_path: Path) -> None:
    _, moments = admit(
        redis, tmp_path, per_minute=100, seconds=150.0, refusals=100_000, together=True
    )
    assert len(moments) == 300
    # A process may be held up between Redis' decision and its own look at the time.
    assert most_within(moments, 59.0) <= 110


def test_without_its_redis_a_machine_goes_on_with_what_it_let_out_before(
    redis: RedisServer, tmp_path: Path
) -> None:
    here, there = (limiter_of(redis, tmp_path / name, 5) for name in "ab")
    assert (admitted(here, 3), admitted(there, 1), here.trouble) == (3, 1, None)
    redis.kill()
    assert (admitted(here), admitted(there)) == (2, 4)
    assert "counted by this machine alone: Redis at 127.0.0.1" in (here.trouble or "")
    redis.start()
    redis.until(is_back(redis))
    assert here.trouble is None
    assert admitted(here, 3) + admitted(there) == 5


@pytest.mark.usefixtures("unhurried")
def test_a_request_may_count_for_many_and_the_wait_is_for_all_of_them(
    redis: RedisServer, tmp_path: Path
) -> None:
    limiter = limiter_of(redis, tmp_path, 1_000)
    assert limiter.acquire("me", amount=900) == 0.0
    assert 50 < limiter.acquire("me", amount=200) < 61
    assert limiter.acquire("me", amount=100) == 0.0
    assert limiter.acquire("you", amount=5_000) == 0.0, "more than the limit counts as the limit"
    assert limiter.acquire("you") > 0


def test_a_limiter_of_redis_says_so_where_the_package_is_missing(
    redis: RedisServer, tmp_path: Path
) -> None:
    code = f"""if True:
        import sys
        sys.modules["redis"] = None
        from chat_magics.limits import RateLimiter
        RateLimiter({str(tmp_path / "limits.db")!r}, per_minute=1, redis={redis.url!r}).acquire("")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "ConfigError: Redis needs a package: pip install 'chat-magics[redis]'" in done.stderr


# The places


def places_of(redis: RedisServer, home: Path, lease: float = 15.0) -> AnsweringTogether:
    return AnsweringTogether(Answering(home), redis.url, lease)


def taken(redis: RedisServer) -> int:
    client = redis.client()
    return sum(client.zcard(key) for key in redis.held() if ":answering:" in key)


@pytest.mark.usefixtures("unhurried")
def test_a_place_is_one_over_machines(redis: RedisServer, tmp_path: Path) -> None:
    here, there = (places_of(redis, tmp_path / name) for name in "ab")
    leave = here.enter("me", 1)
    assert leave is not None
    assert there.enter("me", 1) is None
    second = there.enter("me", 2)
    assert second is not None
    assert there.enter("you", 1) is not None
    leave()
    second()
    again = there.enter("me", 1)
    assert again is not None
    again()


HOLDING = """if True:
    import sys
    from pathlib import Path
    from chat_magics.answering import Answering
    from chat_magics.answering_redis import AnsweringTogether
    assert AnsweringTogether(Answering(Path(sys.argv[1])), sys.argv[2], 3.0).enter("me", 1)
    print("in", flush=True)
    input()
"""


@pytest.mark.usefixtures("unhurried")
def test_a_place_is_held_on_and_comes_free_where_its_machine_dies(
    redis: RedisServer, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", f"{UNHURRIED}\n{HOLDING}", str(tmp_path / "b"), redis.url]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT}
    here = places_of(redis, tmp_path / "a", lease=3.0)
    # Its clock is of no matter.
    env = {**os.environ, **clock("+180s")}
    with subprocess.Popen(command, text=True, env=env, **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        until = time.monotonic() + 4.0
        while time.monotonic() < until:
            assert here.enter("me", 1) is None, "the lease is renewed"
            time.sleep(0.05)
        other.kill()
    leave: list[Callable[[], None]] = []
    redis.until(lambda: leave.extend(filter(None, [here.enter("me", 1)])) or bool(leave))
    leave[0]()
    assert taken(redis) == 0


def test_without_redis_a_machine_counts_its_places_and_tells_of_them_later(
    redis: RedisServer, tmp_path: Path
) -> None:
    here, there = (places_of(redis, tmp_path / name, lease=0.6) for name in "ab")
    redis.kill()
    leave = here.enter("me", 1)
    assert leave is not None
    assert here.enter("me", 1) is None
    redis.start()
    redis.until(lambda: taken(redis) == 1)
    assert there.enter("me", 1) is None
    leave()
    assert taken(redis) == 0


def test_a_place_that_is_left_while_redis_is_away_comes_free_when_it_is_back(
    redis: RedisServer, tmp_path: Path
) -> None:
    here = places_of(redis, tmp_path, lease=300.0)
    leave = here.enter("me", 1)
    assert leave is not None
    redis.hold()
    with pytest.raises(RedisAway):
        link_to(redis.url).call(lambda client: client.ping())
    leave()  # nothing is sent
    redis.let_go()
    redis.until(lambda: taken(redis) == 0)


def test_an_address_that_is_none_is_refused_for_the_place_of_the_counts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give a path"):
        RateLimiter("redis://localhost", per_minute=1)
