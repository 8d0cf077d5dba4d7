"""RedisNews: who uses Redis is told once that it is away, and once that it is back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakMethod

from ..redis_link import link_to

if TYPE_CHECKING:
    from ..config import ChatConfig

__all__ = ["RedisNews"]

_WITHOUT = {
    "cache": "no reply comes from the cache",
    "limits": "this machine counts its limits alone",
}


class RedisNews:
    """Follows each Redis that the settings name.

    Args:
        told: a method, given one line for a person, the parts that are meant, and `away` or
            `back`.
    """

    def __init__(self, told: Callable[[str, tuple[str, ...], str], None]) -> None:
        # Weak: a link lasts as long as the process, and must keep no session alive.
        self._told = WeakMethod(told)
        self._ends: list[Callable[[], None]] = []

    def follow(self, config: ChatConfig) -> None:
        """Follows those of these settings, and no other."""
        self.close()
        used = {"cache": config.cache_url, "limits": config.limits}
        for url in {url for url in used.values() if url}:
            parts = tuple(part for part, place in used.items() if place == url)
            link = link_to(url)
            self._ends.append(link.watch(partial(_tell, self._told, link.place, parts)))

    def close(self) -> None:
        """Follows none any more."""
        for end in self._ends:
            end()
        self._ends = []


def _tell(
    told: WeakMethod[Callable[[str, tuple[str, ...], str], None]],
    place: str,
    parts: tuple[str, ...],
    trouble: str | None,
) -> None:
    method = told()
    if method is None:
        return
    if trouble is None:
        method(f"Redis at {place} is back", parts, "back")
    else:
        without = " and ".join(_WITHOUT[part] for part in parts)
        method(f"{trouble}; {without} until it is back", parts, "away")
