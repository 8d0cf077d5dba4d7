"""Places of replies under way, counted in Redis: over machines and faults."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat_magics.answering import Answering
from chat_magics.answering_redis import AnsweringTogether
from chat_magics.redis_link import RedisAway, link_to
from tests.redis_server import NEEDS_REDIS, UNHURRIED, RedisServer, clock

pytestmark = list(NEEDS_REDIS)

ROOT = Path(__file__).parents[1]


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
