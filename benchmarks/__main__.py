"""Measures the figures, prints them, and keeps a whole set of them in docs/benchmarks.md.

Ends with status 1 where one of them passes its limit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from . import report, size
from .cells import display_growth, first_question, iopub
from .hits import cache_hit
from .pairs import Row
from .place import Place, prepared
from .start import first_text, load_ext
from .streams import first_token, growth, paced_token, token

_FIGURES: dict[str, Callable[[Place], list[Row]]] = {
    "load_ext": load_ext,
    "first_text": first_text,
    "first_question": first_question,
    "first_token": first_token,
    "token": token,
    "paced_token": paced_token,
    "cache_hit": cache_hit,
    "growth": growth,
    "display_growth": display_growth,
    "iopub": iopub,
}

_SIZE: dict[str, Callable[[Place], list[Row]]] = {
    "frame": size.frame,
    "statistics": size.statistics,
    "rare": size.rare,
    "parquet": size.parquet,
    "opening": size.opening,
}
"""Of a history of 1,000,000 messages, which takes minutes to make: measured when asked for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what was named, or all."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    known = _FIGURES | _SIZE
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--size", action="store_true", help=f"those of size: {', '.join(_SIZE)}")
    given = parser.parse_args(arguments)
    names = given.names
    if unknown := set(names) - set(known):
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    rows = _measured(names or list(_SIZE if given.size else _FIGURES))
    print(report.table(rows))
    if not names:
        report.write(rows, part="size" if given.size else "figures")
    return 0 if all(row.ok for row in rows) else 1


def _measured(names: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    with prepared() as place:
        for name in names:
            started = time.perf_counter()
            rows += (_FIGURES | _SIZE)[name](place)
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return rows


if __name__ == "__main__":
    sys.exit(main())
