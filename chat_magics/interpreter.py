"""What is changed in the interpreter for a while: its collector, and how threads share it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

__all__ = ["heap_at_rest", "short_turns", "while_importing"]

TURN_SECONDS = 0.001
_HALF_A_MICROSECOND = 5e-7  # Python cuts to whole ones: an interval set back again and again shrank

_lock = Lock()
_usual: list[float] = []
"""The interval as it was, once for each use that is under way."""
_at_rest: list[bool] = []
"""For each use of `heap_at_rest` that is under way, whether it froze the heap."""


@contextmanager
def short_turns() -> Iterator[None]:
    """Lets threads take turns every millisecond, so that a reply comes beside a computing cell.

    Whoever reads from a disk or a network waits for the interpreter's lock after each piece, as
    long as a turn lasts. Beside a busy cell the first reply took 79 s with Python's 5 ms, 16 s with
    1 ms, and 20 s with 0.3 ms.

    Example:
        >>> with short_turns():
        ...     sys.getswitchinterval()
        0.001
    """
    with _lock:
        _usual.append(_usual[0] if _usual else sys.getswitchinterval())
        _take_turns(min(TURN_SECONDS, _usual[0]))
    try:
        yield
    finally:
        with _lock:
            usual = _usual.pop()
            if not _usual:
                _take_turns(usual)


@contextmanager
def while_importing() -> Iterator[None]:
    """Puts the garbage collector off for a while, and what was made meanwhile among the old.

    An import makes hundreds of thousands of objects that stay; looking through them again and
    again for rubbish took a fifth of the time to the first text.

    Example:
        >>> with while_importing():
        ...     gc.isenabled()
        False
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        with short_turns():
            yield
    finally:
        if gc.get_freeze_count() == 0:  # else somebody froze objects, and wants them to stay so
            gc.freeze()
            gc.unfreeze()  # back, but into the oldest generation, which is looked through rarely
        if was_on:
            gc.enable()


@contextmanager
def heap_at_rest() -> Iterator[None]:
    """Lets the garbage collector pass over what is there already, and look at what comes anew.

    With pandas loaded, one look through everything takes a quarter of a second, and a thousand
    requests make enough new objects for one. What was garbage before is collected afterwards.

    Example:
        >>> with heap_at_rest():
        ...     gc.get_freeze_count() > 0
        True
    """
    with _lock:
        freezes = not _at_rest and gc.get_freeze_count() == 0  # else somebody else did, and may
        _at_rest.append(freezes)
        if freezes:
            gc.freeze()
    try:
        yield
    finally:
        with _lock:
            _at_rest.remove(freezes)
            if freezes:
                gc.unfreeze()


def _take_turns(seconds: float) -> None:
    sys.setswitchinterval(seconds + _HALF_A_MICROSECOND)
