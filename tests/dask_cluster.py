"""A Dask cluster of separate processes: a scheduler and workers, each of which can be killed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["DaskCluster"]


class DaskCluster:
    """A scheduler and two workers on loopback.

    Args:
        folder: for what they write.
        environment: theirs.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self.processes: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> DaskCluster:
        scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        address = _said(scheduler, r"Scheduler at:\s+(tcp://\S+)")
        self.url = address.replace("tcp://", "dask://")
        for _ in range(2):
            worker = self._start(
                "worker", address, "--nthreads", "2", "--nworkers", "1", "--no-dashboard",
                "--no-nanny", "--death-timeout", "60",
            )  # fmt: skip
            _said(worker, r"(Registered to|Starting established connection)")
        return self

    def kill(self, number: int) -> None:
        """Kills the scheduler (0) or a worker (1, 2), as a power cut would."""
        self.processes[number].kill()
        self.processes[number].wait()

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()

    def _start(self, kind: str, *arguments: str) -> subprocess.Popen[Any]:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + kind, *arguments],
            env=self._environment,
            cwd=self._folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process


def _said(process: subprocess.Popen[Any], pattern: str) -> str:
    """What a process says about itself, once it does; all later lines go unread."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(pattern, line):
            _drain(process)
            return found[1]
    raise AssertionError("".join(lines))


def _drain(process: subprocess.Popen[Any]) -> None:
    import threading

    def read() -> None:
        assert process.stderr is not None
        try:
            for _ in process.stderr:
                pass
        except ValueError:
            pass  # closed at the end

    threading.Thread(target=read, daemon=True).start()
