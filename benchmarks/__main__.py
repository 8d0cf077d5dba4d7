"""Measures the figures, prints them, and keeps a whole set of them in docs/benchmarks.md.

Ends with status 1 where one of them passes its limit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from . import app, load, panel, report, rows, size
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

_PANEL: dict[str, Callable[[Place], list[Row]]] = {
    "panel_reply": panel.reply,
    "panel_history": panel.history,
}
"""Of the panel in real JupyterLab, which takes minutes and a browser: measured when asked for."""

_APP: dict[str, Callable[[Place], list[Row]]] = {
    "app_page": app.page,
    "app_load": app.load,
    "app_memory": app.memory,
    "app_crowd": app.crowd,
}
"""Of the served app, which takes minutes, a browser and some 4 GB: measured when asked for."""

_ROWS: dict[str, Callable[[Place], list[Row]]] = {
    "rows_wall": rows.wall,
    "rows_cached": rows.cached,
    "rows_dask": rows.dask,
    "rows_memory": rows.memory,
}
"""Of prompts over rows, of which a million take some twenty minutes: measured when asked for."""

_LOAD: dict[str, Callable[[Place], list[Row]]] = {
    f"load_{count}": partial(load.load, count=count) for count in (1, 2, 3)
}
"""Of many people at one app, which take minutes, PostgreSQL and Redis: measured when asked for."""

_PARTS = {
    "figures": _FIGURES,
    "size": _SIZE,
    "panel": _PANEL,
    "app": _APP,
    "rows": _ROWS,
    "load": _LOAD,
}
_ALL = {name: figure for part in _PARTS.values() for name, figure in part.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what was named, or all."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_ALL))
    parts = parser.add_mutually_exclusive_group()
    for part in list(_PARTS)[1:]:
        help = f"those of {part}: {', '.join(_PARTS[part])}"
        parts.add_argument(f"--{part}", dest="part", action="store_const", const=part, help=help)
    given = parser.parse_args(arguments)
    names, part = given.names, given.part or "figures"
    if unknown := set(names) - set(_ALL):
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(_ALL)}")
    rows = _measured(names or list(_PARTS[part]))
    print(report.table(rows))
    if not names:
        report.write(rows, part=part)
    return 0 if all(row.ok for row in rows) else 1


def _measured(names: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    with prepared() as place:
        for name in names:
            started = time.perf_counter()
            rows += _ALL[name](place)
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return rows


if __name__ == "__main__":
    sys.exit(main())
