"""What a `%%chat` cell costs in a real kernel: the first one, a long one, what it publishes."""

from __future__ import annotations

import time
from statistics import median

from .kernel import Kernel
from .pairs import GROWTH_RATE, LONG, SHORT, Row, in_turns, per_further_token, row
from .place import Place

__all__ = ["display_growth", "first_question", "iopub"]

_IDLE_SECONDS = 6
_KERNELS = 5
_LATER = 5

_LOAD = "%load_ext chat_magics"
_CPU = """
import time
started = time.process_time()
get_ipython().run_line_magic("chat", {line!r})
print("CPU", time.process_time() - started)
"""


def first_question(place: Place) -> list[Row]:
    """The first question of a kernel that was idle for some seconds, against later ones."""
    pairs = [_first_and_later(place) for _ in range(_KERNELS)]
    what = f"first question after {_IDLE_SECONDS} s idle, whole cell, against a later one"
    return [row(what, pairs, at_most=1.2, unit="ms", factor=1000)]


def _first_and_later(place: Place) -> tuple[float, float]:
    question = "%chat --refresh tokens=20 first=0.2"
    with Kernel(place) as kernel:
        kernel.run(_LOAD)
        time.sleep(_IDLE_SECONDS)  # what is measured: a person who reads before asking
        first = kernel.run(question).seconds
        return median(kernel.run(question).seconds for _ in range(_LATER)), first


def display_growth(place: Place) -> list[Row]:
    """CPU of each further token in a long reply that a cell shows, against that in a short one."""
    with Kernel(place) as kernel:
        kernel.run(_LOAD)

        def cost(tokens: int) -> float:
            line = f"--alone --refresh tokens={tokens} rate={GROWTH_RATE}"
            return float(kernel.run(_CPU.format(line=line)).printed.rpartition("CPU")[2])

        pairs = in_turns(
            lambda: per_further_token(cost, SHORT, times=4),
            lambda: per_further_token(cost, LONG, times=1),
            pairs=3,
        )
    what = f"growth of CPU per token from {SHORT:,} to {LONG:,} tokens, with a cell's display"
    return [row(what, pairs, at_most=1.3, unit="µs", factor=1e6)]


def iopub(place: Place) -> list[Row]:
    """Bytes that a long reply publishes, against what of it stands in the notebook in the end."""
    with Kernel(place) as kernel:
        kernel.run(_LOAD)
        kernel.run("%chat --refresh --alone tokens=20")
        ran = kernel.run("%chat --refresh --alone tokens=4000 rate=100")
    what = "IOPub bytes of 4,000 tokens at 100 tokens/s, against the size of the final output"
    measured = [(float(ran.saved_bytes), float(ran.published))]
    return [row(what, measured, at_most=20, unit="kB", factor=1e-3)]
