"""The table of the figures as Markdown, and its place in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from .pairs import Row

__all__ = ["PAGE", "table", "write"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
_PACKAGES = (
    "openai",
    "httpx2",
    "aiohttp",
    "pydantic",
    "sqlalchemy",
    "pandas",
    "pyarrow",
    "adbc-driver-sqlite",
    "diskcache",
    "ipython",
    "ipykernel",
    "markdown-it-py",
)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | floor | ours | ratio | at most | ok? |", "|---|---|---|---|---|---|"]
    for row in rows:
        unit = f" {row.unit}" if row.unit else ""
        ok = "yes" if row.ok else "**no**"
        value, limit = f"{row.value:.3g}{unit}", f"{row.at_most:g}{unit}"
        cells = (row.what, row.floor, row.ours, value, limit, ok)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(rows: Sequence[Row], page: Path = PAGE, part: str = "figures") -> None:
    """Puts the table, and what it was measured with, between the markers of a part of the page.

    Raises:
        ValueError: the page has no such markers.
    """
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page.name} lacks its markers {begin} and {end}")
    figures = f"{before}{begin}\n{_measured_with()}\n\n{table(rows)}\n{end}{after}"
    page.write_text(figures, encoding="utf-8")


def _measured_with() -> str:
    today = datetime.now(timezone.utc).date().isoformat()
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"Measured {today} with Python {platform.python_version()} on {os.cpu_count()} CPUs "
        f"({platform.system()}): {packages}."
    )
