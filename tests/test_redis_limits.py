"""The limits in Redis: exact over machines, whatever their clocks say."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chat_magics.errors import ConfigError
from chat_magics.limits import RateLimiter
from tests.redis_fixtures import is_back
from tests.redis_server import NEEDS_REDIS, UNHURRIED, RedisServer, clock

pytestmark = list(NEEDS_REDIS)

ROOT = Path(__file__).parents[1]


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


def test_an_address_that_is_none_is_refused_for_the_place_of_the_counts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give a path"):
        RateLimiter("redis://localhost", per_minute=1)
