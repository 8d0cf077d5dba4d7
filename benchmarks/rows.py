"""What prompts over rows cost: wall against the ideal, CPU of rows that are there, memory, Dask."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from statistics import median

from .pairs import Row
from .place import Place

__all__ = ["cached", "dask", "memory", "wall"]

ROWS, TAKES = 1_000, 0.05
"""Prompts of a run, and the seconds that the server takes for each."""

_LIMITS = {16: 1.15, 64: 1.6, 256: 5.0}
"""Requests at a time, and how often the ideal a run may take."""

_MANY, _MOST = 100_000, 1_000_000
_number = count()

_CACHED = """
import sys, time
import pandas as pd
from chat_magics import Session
from chat_magics.batch import ask
session = Session({"home": sys.argv[1]})
frame = pd.DataFrame({"text": [f"tokens=1 many {n}" for n in range(int(sys.argv[2]))]})
given = {"session": session, "progress": False, "concurrency": 128}
ask(frame, "Classify: {{text}}", **given)
started = time.process_time()
out = ask(frame, "Classify: {{text}}", **given)
took = time.process_time() - started
assert out["cached"].all()
print(took)
session.close()
"""

_MEMORY = """
import json, sys, threading, time
import psutil, pyarrow as pa, pyarrow.parquet as pq
from chat_magics import Session
from chat_magics.batch import ask_file
folder, rows = sys.argv[1], int(sys.argv[2])
with pq.ParquetWriter(f"{folder}/in.parquet", pa.schema([("text", pa.string())])) as writer:
    for start in range(0, rows, 100_000):
        texts = [f"tokens=1 row {n}" for n in range(start, min(start + 100_000, rows))]
        writer.write_table(pa.table({"text": texts}))
session = Session({"home": folder})
session.prepare()
given = {"session": session, "progress": False, "concurrency": 128, "force": True}
process, most, done = psutil.Process(), 0, threading.Event()
start = process.memory_info().rss
def sample():
    global most
    while not done.wait(0.2):
        most = max(most, process.memory_info().rss)
thread = threading.Thread(target=sample)
thread.start()
began = time.perf_counter()
ask_file(f"{folder}/in.parquet", f"{folder}/out.parquet", "Classify: {{text}}", **given)
took = time.perf_counter() - began
done.set()
thread.join()
print(json.dumps([(most - start) / 1e6, took]))
session.close()
"""


def wall(place: Place) -> list[Row]:
    """Wall time of a run of 1,000 prompts against the ideal, by requests at a time."""
    from chat_magics import Session

    session = Session(place.settings())
    try:
        _run(session, 16)
        return [_wall(session, at_once, most) for at_once, most in _LIMITS.items()]
    finally:
        session.close()


def _wall(session, at_once: int, most: float) -> Row:
    ideal = ROWS / at_once * TAKES
    took = median(_run(session, at_once) for _ in range(5))
    what = f"{ROWS:,} rows, server 50 ms, {at_once} at a time: wall against the ideal"
    ratio = took / ideal
    return Row(what, f"{ideal:.3g} s", f"{took:.3g} s", ratio, most, ratio <= most)


def _run(session, at_once: int, engine=None) -> float:
    import pandas as pd

    from chat_magics.batch import ask

    begin = next(_number)
    texts = [f"tokens=1 first={TAKES} run {begin} row {number}" for number in range(ROWS)]
    frame = pd.DataFrame({"text": texts})
    started = time.perf_counter()
    out = ask(
        frame,
        "Classify: {{text}}",
        concurrency=at_once,
        engine=engine,
        session=session,
        progress=False,
    )
    took = time.perf_counter() - started
    assert out["status"].eq("complete").all()
    return took


def cached(place: Place) -> list[Row]:
    """CPU of rows that were all answered before."""
    took = float(place.run(_CACHED, str(place.home), str(_MANY))) / _MANY * 1000
    what = f"{_MANY:,} rows, all answered before: CPU per row"
    return [Row(what, "–", f"{took:.3g} ms", took, 0.15, took <= 0.15, unit="ms")]


def memory(place: Place) -> list[Row]:
    """Memory over the start of a run over 1,000,000 rows, from Parquet to Parquet."""
    grown, took = json.loads(place.run(_MEMORY, str(place.home), str(_MOST)))
    what = f"{_MOST:,} rows from Parquet to Parquet: memory over the start"
    ours = f"{grown:.0f} MB, {took / 60:.0f} min"
    return [Row(what, "–", ours, grown, 400, grown <= 400, unit="MB")]


def dask(place: Place) -> list[Row]:
    """A run on a Dask cluster of two workers against the loop, 32 requests at a time in all."""
    from chat_magics import Session

    session = Session(place.settings())
    try:
        with _cluster(place) as engine:
            pairs = [(_run(session, 32), _run(session, 32, engine)) for _ in range(4)][1:]
    finally:
        session.close()
    floor, ours = (median(pair[side] for pair in pairs) for side in (0, 1))
    ratio = median(there / here for here, there in pairs)
    what = f"{ROWS:,} rows on Dask with 2 workers, 32 at a time in all, against the loop"
    return [Row(what, f"{floor:.3g} s", f"{ours:.3g} s", ratio, 1.2, ratio <= 1.2)]


@contextmanager
def _cluster(place: Place) -> Iterator[str]:
    code = (
        "from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=2, threads_per_worker=4, dashboard_address=None) as c:\n"
        "        print(c.scheduler_address, flush=True)\n"
        "        input()\n"
    )
    script = place.home / "cluster.py"  # its workers import it again
    script.write_text(code)
    with subprocess.Popen(
        [sys.executable, str(script)],
        env=place.environment(),
        cwd=place.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip().replace("tcp://", "dask://")
        finally:
            process.stdin.write("\n")
            process.stdin.close()
