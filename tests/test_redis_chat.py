"""A chat whose cache and limits are in Redis: what is asked, told and shown, whatever happens."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chat_magics import Conversation, Session
from chat_magics.batch import ask
from chat_magics.config import resolve
from chat_magics.errors import ChatError, ConfigError, RateLimitReached
from chat_magics.redis_link import link_to
from tests.chat_server import ChatServer, Reply
from tests.redis_server import HIDDEN, NEEDS_REDIS, RedisServer
from tests.rows_samples import PROMPT, answering, frame, rows_session
from tests.shell import Shell

pytestmark = list(NEEDS_REDIS)

ROOT = Path(__file__).parents[1]


def both(redis: RedisServer, **more: Any) -> dict[str, Any]:
    return {"cache": redis.url, "limits": redis.url, **more}


def asked(session: Session, prompt: str) -> str:
    return str(Conversation(session=session).ask(prompt))


@pytest.mark.usefixtures("unhurried")
def test_machines_share_replies_by_owner_and_not_across_owners(
    server: ChatServer, redis: RedisServer, tmp_path: Path
) -> None:
    def machine(name: str, owner: str) -> Any:
        return rows_session(server, **both(redis, home=tmp_path / name, owner=owner))

    with machine("a", "ada") as here, machine("b", "ada") as there, machine("b", "grace") as other:
        texts = [asked(session, "Hello") for session in (here, there, other)]
        assert len(set(texts)) == 1
        assert len(server.posts) == 2, "the second was given the first's; the third asked anew"
        stored = there.history.exchanges()
        assert list(stored["cached"]) == [True]


@pytest.mark.usefixtures("unhurried")
def test_machines_share_a_limit_and_the_places_for_replies(
    server: ChatServer, redis: RedisServer, tmp_path: Path
) -> None:
    limits = both(redis, requests_per_minute=3, answers_at_once=1, max_limit_wait=0, cache=False)
    with (
        rows_session(server, home=tmp_path / "a", **limits) as here,
        rows_session(server, home=tmp_path / "b", **limits) as there,
    ):
        server.script(Reply(["one ", "two"], stall_after=1))
        first = Conversation(session=here).ask("Hold")
        thread = threading.Thread(target=lambda: str(first))
        thread.start()
        server.until(lambda: server.held == 1)
        with pytest.raises(RateLimitReached, match="answers_at_once"):
            asked(there, "Hello")
        server.release()
        thread.join(20)
        for session in (here, there):
            asked(session, "Hello")
        for session in (here, there):
            with pytest.raises(RateLimitReached, match="requests_per_minute"):
                asked(session, "Once more")
    assert len(server.posts) == 3
    assert not [key for key in redis.held() if ":answering:" in key]


def slowest_wait(session: Session, server: ChatServer) -> float:
    """Seconds of a prompt, without those of the model server."""
    started, before = time.monotonic(), len(server.posts)
    asked(session, f"prompt {started}")
    assert len(server.posts) == before + 1
    return time.monotonic() - started


@pytest.mark.parametrize("apart", [False, True])
def test_a_black_hole_costs_half_a_second_once_and_nothing_fails(
    server: ChatServer, redis: RedisServer, apart: bool
) -> None:
    """Cache and limits on one Redis, and on two of them."""
    took = []
    with RedisServer() as second:
        places = {"cache": redis.url, "limits": second.url if apart else redis.url}
        limits = {"requests_per_minute": 100, "answers_at_once": 1, "address": "192.0.2.1"}
        with rows_session(
            server, **places, **limits, requests_per_minute_per_address=100
        ) as session:
            usual = min(slowest_wait(session, server) for _ in range(3))
            for _ in range(2):
                for each in (redis, second):
                    each.hold()
                took.append(slowest_wait(session, server) - usual)
                after = min(slowest_wait(session, server) for _ in range(8)) - usual
                assert after < 0.15, "the next ones do not wait"
                for each in (redis, second):
                    each.let_go()
                    redis.until(lambda url=each.url: link_to(url).trouble is None)
            assert min(took) < 0.5
            away = [line for line in session.told if "cannot be used" in line]
            assert len(away) == 2 * (1 + apart)


def test_who_chats_is_told_once_that_redis_is_away_and_what_that_means(
    server: ChatServer, redis: RedisServer
) -> None:
    with rows_session(server, **both(redis, requests_per_minute=5, max_limit_wait=0)) as session:
        asked(session, "one")
        redis.kill()
        for prompt in ("one", "two", "three", "four"):
            asked(session, prompt)
        with pytest.raises(RateLimitReached, match="requests_per_minute"):
            asked(session, "five")
        assert len(server.posts) == 5, "nothing of the cache, and the limit holds"
        redis.start()
        redis.until(lambda: len(session.told) > 1)
        place = f"Redis at 127.0.0.1:{redis.port}"
        assert session.told == [
            f"{place} cannot be used: Connection refused; no reply comes from the cache and this "
            "machine counts its limits alone until it is back",
            f"{place} is back",
        ]
        asked(session, "six")
        asked(session, "six")
        assert len(server.posts) == 6
        log = "".join(p.read_text() for p in (session.config.home / "logs").iterdir())
    assert log.count('"event": "redis"') == 4
    assert HIDDEN not in log


# The settings


@pytest.mark.parametrize("name", ["cache", "limits"])
@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://:secret-word@",
        "redis://:secret-word@host:none/0",
        "redis://:secret-word@host/zero",
        "redis://:secret-word@host:6379/0?socket_timeout=60",
        "rediss://:secret-word@host:6379/0#part",
        "memcached://:secret-word@host",
        "postgresql://me:secret-word@host/chat",
    ],
)
def test_a_bad_address_is_refused_in_one_line_that_repeats_none_of_it(name: str, url: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} \(argument\): must be .*redis://") as caught:
        resolve({name: url})
    assert "secret-word" not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://:secret@localhost:6380/3",
        "rediss://me:p%40ss@[::1]:6380/0?ssl_ca_certs=/etc/ca.pem",
    ],
)
def test_an_address_is_taken_and_its_password_shown_nowhere(url: str, shell: Shell) -> None:
    config = resolve({"cache": url, "limits": url})
    assert (config.cache_url, config.limits) == (url, url)
    assert not {"secret", "p%40ss", url} & set(str(config).split("'"))
    shown = "".join(shell.run(f"%chat_config {name} {url}").out for name in ("cache", "limits"))
    assert "secret" not in shown
    assert "p%40ss" not in shown
    assert shown.count("redis") >= 2


@pytest.mark.parametrize(
    ("word", "means"), [("true", True), ("0", False), ("off", False), (True, True), ("YES", True)]
)
def test_the_cache_is_a_switch_as_well(
    word: Any, means: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve({"cache": word}).cache is means
    monkeypatch.setenv("CHAT_MAGICS_CACHE", str(word))
    assert resolve().cache is means


def test_without_the_package_the_setting_says_what_to_install() -> None:
    code = """if True:
        import importlib.util
        from chat_magics import Session  # with all that is looked for besides
        importlib.util.find_spec = lambda *_: None
        import importlib
        from chat_magics.config import redis_url
        importlib.reload(redis_url)
        from chat_magics.config import resolve
        resolve({"limits": "redis://localhost"})
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    said = "limits (argument): needs a package: pip install 'chat-magics[redis]'"
    assert said in done.stderr.splitlines()[-1]


def test_the_doctor_and_the_report_of_the_cache_say_where_and_whether(
    shell: Shell, redis: RedisServer
) -> None:
    shell.run(f"%config ChatMagics.cache = {redis.url!r}")
    shell.run(f"%config ChatMagics.limits = {redis.url!r}")
    shell.run("%chat Hello")
    place = f"in Redis at 127.0.0.1:{redis.port}"
    assert place in shell.run("%chat_cache").out
    told = shell.run("%chat_doctor").out
    assert f"ok    cache: {place}, 1 replies" in told
    assert f"ok    limits: {place}, counted over all machines that use it" in told
    redis.kill()
    told += shell.run("%chat_doctor").out
    assert f"MEND  limits: Redis at 127.0.0.1:{redis.port} cannot be used" in told
    assert HIDDEN not in told
    shell.run("%chat_config cache default")
    assert "MiB of 256" in shell.run("%chat_cache").out


# Rows


def run_rows(session: Session, rows: Any, engine: Any = None) -> threading.Thread:
    """A run that is ended by closing its session."""

    def run() -> None:
        with suppress(ChatError):
            ask(rows, PROMPT, session=session, engine=engine, progress=False, concurrency=4)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.usefixtures("unhurried")
def test_worker_processes_and_another_run_keep_the_requests_a_minute_together(
    server: ChatServer, redis: RedisServer, tmp_path: Path
) -> None:
    server.default = answering(str.upper)
    limits = both(redis, requests_per_minute=12, max_limit_wait=0.1, cache=False)
    with (
        ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as workers,
        rows_session(server, home=tmp_path / "a", **limits) as here,
        rows_session(server, home=tmp_path / "b", **limits) as there,
    ):
        of_workers = run_rows(here, frame(30, "here"), workers)
        server.until(lambda: len(server.posts) >= 12)
        of_another = run_rows(there, frame(30, "there"))
        of_workers.join(4)
        assert of_workers.is_alive(), "it waits for the next minute"
        assert of_another.is_alive()
        sent = len(server.posts)
        here.close()
        there.close()
        of_workers.join(30)
        of_another.join(30)
    assert sent == 12
    assert not any("authorization" in post.headers for post in server.posts), "sent by workers"


@pytest.mark.usefixtures("unhurried")
def test_runs_of_several_machines_keep_the_tokens_a_minute_together(
    server: ChatServer, redis: RedisServer, tmp_path: Path
) -> None:
    """Each reply takes 100 tokens, whatever was thought of it before; 1,000 are left for them."""
    server.default = answering(lambda text: Reply("word " * 50, prompt_tokens=50))
    limits = both(redis, tokens_per_minute=6_000, cache=False)
    with (
        rows_session(server, home=tmp_path / "a", **limits) as here,
        rows_session(server, home=tmp_path / "b", **limits) as there,
    ):
        admission = here.client.admission
        assert admission is not None
        assert here.loop.run(admission.tokens("", 4_998, here.config)) == 4_998
        runs = [run_rows(here, frame(90, "here")), run_rows(there, frame(90, "there"))]
        server.until(lambda: len(server.posts) >= 5)
        runs[0].join(8)
        sent = len(server.posts)
        here.close()
        there.close()
        for run in runs:
            run.join(30)
    assert 5 <= sent <= 14, "each alone would have had twenty"
