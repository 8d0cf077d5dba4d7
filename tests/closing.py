"""Closing: what the tests start lasts as long as its `with` block."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["Closing"]


class Closing(ABC):
    """Is closed at the end of its `with` block, however that ends."""

    @abstractmethod
    def close(self) -> None:
        """Ends it."""

    def __exit__(self, *_: object) -> None:
        self.close()
