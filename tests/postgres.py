"""A private PostgreSQL server on loopback, made for the tests and gone with them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import psutil

from tests.closing import Closing

__all__ = ["INSTALL", "PostgresServer", "programs"]

INSTALL = "needs a PostgreSQL server: apt-get install postgresql"


def programs() -> Path | None:
    """The folder of the newest installed server's programs; None where there is none."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    versions = sorted((int(path.parts[-3]), path.parent) for path in found)
    if versions:
        return versions[-1][1]
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


class PostgresServer(Closing):
    """Starts with the `with` block, and ends with it; it refuses to run as root, so nor do we."""

    def __enter__(self) -> PostgresServer:
        self._bin = programs()
        assert self._bin, INSTALL
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._run("initdb", "-D", "data", "-U", "chat", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        return self

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        places = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories= -p {self.port}"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", places, "start")

    def stop(self) -> None:
        """Stop the server at once, as a crash would."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill the server's first process by -9, and wait until those that it left have noticed."""
        first, *others = self._processes()
        first.kill()
        psutil.wait_procs([first, *others])

    def hang(self) -> None:
        """Stop all of its processes where they are: they answer nothing, and hold all they have."""
        for process in self._processes():
            process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let them run again."""
        for process in self._processes():
            process.send_signal(signal.SIGCONT)

    def _processes(self) -> list[psutil.Process]:
        first = psutil.Process(int((self._folder / "data/postmaster.pid").read_text().split()[0]))
        return [first, *first.children(recursive=True)]

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        address = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "chat")
        self._run("createdb", *address, name)
        return f"postgresql://chat:hidden@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        assert self._bin
        command = [str(self._bin / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # pg_ctl's server keeps what it inherits open: a pipe here would never end.
        with (self._folder / "output").open("w+") as output:
            done = subprocess.run(command, cwd=self._folder, stdout=output, stderr=output)
            output.seek(0)
            assert done.returncode == 0, output.read()
