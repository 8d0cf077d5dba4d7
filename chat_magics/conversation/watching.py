"""Watchers: who wants to know what changes in a conversation or a session, and is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from .reply import Reply

__all__ = ["Asked", "Change", "PathChanged", "Watchers"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """A reply was asked for, by whatever surface; it streams now, or waits for its turn."""

    reply: Reply


@dataclass(frozen=True)
class PathChanged:
    """Other exchanges are the context now, or another order."""

    path: tuple[str, ...]


Change: TypeAlias = Asked | PathChanged


class Watchers(Generic[T]):
    """Callbacks that are told of each change, on the thread on which it happens.

    Example:
        >>> watchers = Watchers()
        >>> leave = watchers.add(print)
        >>> watchers.tell("hello")
        hello
        >>> leave()
        >>> watchers.tell("hello")
    """

    def __init__(self) -> None:
        self._callbacks: list[Callable[[T], object]] = []

    def add(self, callback: Callable[[T], object]) -> Callable[[], None]:
        """Tells it from now on; what is given back ends that."""
        self._callbacks.append(callback)

        def leave() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return leave

    def tell(self, change: T) -> None:
        """Tells all; one that fails keeps neither the others nor the reply from going on."""
        for callback in tuple(self._callbacks):
            try:
                callback(change)
            except Exception:  # noqa: BLE001 - somebody else's code; its traceback is in the log
                _log.exception("a watcher failed")
