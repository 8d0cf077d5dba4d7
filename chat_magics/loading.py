"""Loading heavy packages at their first use, without the garbage collector in between."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_collecting"]


@contextmanager
def without_collecting() -> Iterator[None]:
    """Puts the garbage collector off for a while, and what was made meanwhile among the old.

    An import makes hundreds of thousands of objects that stay; looking through them again and
    again for rubbish took a fifth of the time to the first text.

    Example:
        >>> with without_collecting():
        ...     gc.isenabled()
        False
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:  # else somebody froze objects, and wants them to stay so
            gc.freeze()
            gc.unfreeze()  # back, but into the oldest generation, which is looked through rarely
        if was_on:
            gc.enable()
