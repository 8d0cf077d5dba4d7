"""How long a server asks to wait, and the policy that heeds it."""

from __future__ import annotations

import asyncio
import email.utils
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat_magics import errors
from chat_magics.errors import ChatError, RateLimited, ServerUnavailable
from chat_magics.retry import RetryPolicy, duration, server_wait

NOW = 1_800_000_000.0
SPENT = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "0"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": email.utils.formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": email.utils.formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "Fri, 31 Dec 99999 23:59:59 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({**SPENT, "x-ratelimit-reset-requests": "1m30s"}, 90.0),
        ({**SPENT, "x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({**SPENT, "x-ratelimit-reset-tokens": "88ms"}, 0.088),
        ({**SPENT, "x-ratelimit-reset-tokens": "20"}, 20.0),
        ({**SPENT, "x-ratelimit-reset-tokens": "tomorrow"}, None),
        ({"x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"x-ratelimit-reset-tokens": "6m", "x-ratelimit-remaining-tokens": "9"}, None),
        ({**SPENT, "x-ratelimit-reset-tokens": "6m0s", "retry-after": "2"}, 2.0),
    ],
)
def test_the_wait_is_read_from_whichever_header_holds_it(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert server_wait(headers, now=NOW) == seconds


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_every_duration_that_go_writes_is_read(h: int, m: int, s: int, ms: int) -> None:
    written = f"{h}h{m}m{s}.{ms:03d}s"
    assert duration(written) == pytest.approx(h * 3600 + m * 60 + s + ms / 1000)
    assert duration(f"{m}m{s}s") == m * 60 + s
    assert duration(f"{ms}ms") == pytest.approx(ms / 1000)


@given(st.text(alphabet="0123456789.hmsuµn -+e", max_size=30))
@example("9" * 400 + "s")
@example("1h 2m")
def test_no_duration_however_odd_does_harm(text: str) -> None:
    seconds = duration(text)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.text(max_size=40), st.text(max_size=40))
@example("Mon, 01 Jan 0000 00:00:00 +9999", "")
@example("31 31 31 31:31:31 31", "")
def test_no_header_however_odd_does_harm(after: str, reset: str) -> None:
    wait = server_wait({**SPENT, "retry-after": after, "x-ratelimit-reset-tokens": reset}, now=0.0)
    assert wait is None or 0 <= wait < float("inf")


class Trial:
    """Runs a policy over failing attempts; its waits are noted and not waited for."""

    def __init__(self, policy: RetryPolicy, *failures: Exception, takes: float = 0.0) -> None:
        self.waits: list[float] = []
        self.announced: list[tuple[ChatError, float, int]] = []
        self.attempts = 0
        self._policy, self._failures, self._takes = policy, list(failures), takes

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def _announce(self, error: ChatError, wait: float, attempt: int) -> None:
        self.announced.append((error, wait, attempt))

    async def _once(self) -> str:
        self.attempts += 1
        await asyncio.sleep(self._takes)
        if self._failures:
            raise self._failures.pop(0)
        return "answer"

    def result(self) -> str:
        return asyncio.run(self._policy.asked(self._once, self._announce, self._sleep))


def down(**more: Any) -> ServerUnavailable:
    return ServerUnavailable("down", transient=True, **more)


def test_a_transient_failure_is_asked_again_until_it_is_well() -> None:
    failures = [down(), down(), down()]
    trial = Trial(RetryPolicy(), *failures)
    assert trial.result() == "answer"
    assert trial.attempts == 4
    assert all(0 <= wait <= 0.5 * 2**n for n, wait in enumerate(trial.waits))
    assert trial.announced == list(zip(failures, trial.waits, (2, 3, 4), strict=True))


def test_the_first_attempt_counts_in_the_time_for_all() -> None:
    trial = Trial(RetryPolicy(seconds=0.05, first_wait=0), down(), takes=0.06)
    with pytest.raises(ServerUnavailable):
        trial.result()
    assert trial.attempts == 1


def test_the_last_failure_is_raised_when_the_attempts_are_used_up() -> None:
    trial = Trial(RetryPolicy(attempts=2), down(), down(code="second"), down())
    with pytest.raises(ServerUnavailable) as caught:
        trial.result()
    assert (trial.attempts, caught.value.code) == (2, "second")


@pytest.mark.parametrize("failure", [errors.QuotaExhausted("no"), ValueError("a bug")])
def test_what_is_not_transient_is_asked_once(failure: Exception) -> None:
    trial = Trial(RetryPolicy(), failure)
    with pytest.raises(type(failure)):
        trial.result()
    assert (trial.attempts, trial.waits) == (1, [])


@given(st.floats(0, 60))
def test_a_server_is_never_asked_earlier_than_it_said(seconds: float) -> None:
    trial = Trial(RetryPolicy(), RateLimited("later", retry_after=seconds, transient=True))
    assert trial.result() == "answer"
    assert seconds <= trial.waits[0] <= seconds + 0.25


@pytest.mark.parametrize(
    ("policy", "asked"),
    [(RetryPolicy(longest_wait=5), 5.1), (RetryPolicy(seconds=5), 6), (RetryPolicy(seconds=0), 0)],
)
def test_a_wait_beyond_the_settings_is_not_begun(policy: RetryPolicy, asked: float) -> None:
    trial = Trial(policy, RateLimited("later", retry_after=asked, transient=True))
    with pytest.raises(RateLimited):
        trial.result()
    assert (trial.attempts, trial.waits) == (1, [])
