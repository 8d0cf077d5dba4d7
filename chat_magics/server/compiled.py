"""Compiled templates: kept between pages, where each page would compile all of them again.

A page of Voilà is made of fourteen templates, and compiling them takes the server's loop for most
of the time that a page takes. Voilà makes an exporter for each page; what configuration can add to
an exporter is a preprocessor, and that is how it gets the cache here.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from nbconvert.preprocessors import Preprocessor

__all__ = ["keeping_compiled"]


def keeping_compiled() -> type[Preprocessor]:
    """A preprocessor whose exporters share what they compile; it leaves notebooks as they are."""
    kept = _InMemory()

    class Keeping(Preprocessor):
        def __init__(self, *, parent: Any, **given: Any) -> None:
            super().__init__(parent=parent, **given)  # type: ignore[no-untyped-call]
            parent.environment.bytecode_cache = kept

        def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
            return nb, resources

    return Keeping


class _InMemory(BytecodeCache):
    """Code by the template's file and by what was in it."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code
