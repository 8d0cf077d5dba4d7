"""The cache in Redis: shared by owner, over machines and faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat_magics import cache_redis
from chat_magics.cache import CompletionCache
from chat_magics.cache_redis import RedisStore
from chat_magics.cache_store import StoreStats
from chat_magics.messages import ChatRequest, Completion, Message
from tests.redis_fixtures import is_back
from tests.redis_server import NEEDS_REDIS, RedisServer

pytestmark = list(NEEDS_REDIS)

ROOT = Path(__file__).parents[1]


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
def test_a_table_that_shrinks_meanwhile_makes_no_entry_count_twice(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, client = RedisStore(redis.url), redis.client()
    for number in range(1_200):
        store.set(str(number), b"value", 60)
    others, sizes = {f"other:{number}": b"" for number in range(40_000)}, cache_redis._sizes

    def table() -> int:
        return int(client.memory_stats()["db.0"]["overhead.hashtable.main"])

    def shrink_after(pages: int) -> Callable[[list[bytes], Any], list[int]]:
        left = iter(range(pages, -1_000, -1))

        def looked_at(keys: list[bytes], link: Any) -> list[int]:
            if next(left) == 0:
                before = table()
                client.delete(*others)
                redis.until(lambda: table() < before / 4)
            return sizes(keys, link)

        return looked_at

    for pages in range(1, 12):
        client.mset(others)
        monkeypatch.setattr(cache_redis, "_sizes", shrink_after(pages))
        assert store.stats() == StoreStats(1_200, 1_200 * len(b"value"))


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
