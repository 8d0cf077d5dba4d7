"""`make test`: installs what is missing where it can, runs every test, names what could not run.

Exit status: 0 all ran and passed, 1 a test failed, 2 all that ran passed and a group was not run.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import hub_place
from tests.pythons import CHECKOV, other_environments
from tests.redis_server import installed as redis_installed

ROOT = Path(__file__).parent.parent
NODE = ROOT / "tests" / ".node"
NPM = ("@copilotkit/aimock@1.43.0", "axe-core@4.14.1", "@kubernetes-models/gateway-api@2.0.0")


@dataclass(frozen=True)
class Group:
    """Tests that need something besides Python packages.

    Args:
        marker: the pytest marker of the group.
        found: whether what it needs is there.
        packages: of Debian, which bring it.
        then: a command that brings the rest.
        slow: all of them are, so that `make test` does without.
    """

    marker: str
    found: Callable[[], bool]
    packages: tuple[str, ...]
    then: tuple[str, ...] = ()
    slow: bool = False

    @property
    def command(self) -> str:
        """What a person types to install it."""
        apt = ("sudo", "apt-get", "install", "-y", *self.packages) if self.packages else ()
        return " && ".join(shlex.join(step) for step in (apt, self.then) if step)


def _has_postgres() -> bool:
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or bool(shutil.which("initdb"))


def _has_haproxy() -> bool:
    return bool(shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin"))


def _has_npm() -> bool:
    names = ("@copilotkit", "axe-core", "@kubernetes-models")
    folders = [NODE / "node_modules" / name for name in names]
    return bool(shutil.which("node")) and all(folder.is_dir() for folder in folders)


def _has_buildah() -> bool:
    return bool(shutil.which("buildah") and shutil.which("debootstrap"))


GROUPS = (
    Group("browser", lambda: bool(_chromium()), ("chromium",)),
    Group("haproxy", _has_haproxy, ("haproxy",)),
    Group(
        "hub",
        hub_place.installed,
        ("nodejs", "npm"),
        (sys.executable, "-m", "tests.hub_place"),
    ),
    Group("postgres", _has_postgres, ("postgresql",)),
    Group("redis", redis_installed, ("redis-server", "faketime")),
    Group(
        "npm",
        _has_npm,
        ("nodejs", "npm"),
        ("npm", "install", "--prefix", str(NODE.relative_to(ROOT)), *NPM),
    ),
    Group("checkov", CHECKOV.is_file, (), ("sh", "tests/install_checkov.sh")),
    Group("container", _has_buildah, ("buildah", "debootstrap"), slow=True),
)


def _chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def install(group: Group) -> None:
    """Brings what a group needs, where root and apt exist; says what it does."""
    tools = {"nodejs": "node", "npm": "npm"}
    missing = [name for name in group.packages if not shutil.which(tools.get(name, name))]
    if missing and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {' '.join(missing)} for the tests marked {group.marker} ...", flush=True)
        quiet = {
            "stdout": subprocess.DEVNULL,
            "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        }
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", *missing], check=False, **quiet)
    if group.then and shutil.which(group.then[0]):
        subprocess.run(group.then, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)


def absent_groups(everything: bool) -> Iterator[Group]:
    """Groups that cannot run here, after everything was tried.

    Args:
        everything: the slow ones too.
    """
    for group in GROUPS:
        if group.slow and not everything:
            continue
        if not group.found():
            install(group)
        if not group.found():
            yield group


def pytest(python: str, *arguments: str) -> bool:
    """Runs pytest; True where all passed."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "CHAT_MAGICS_AIMOCK": str(NODE / "node_modules"),
            "CHAT_MAGICS_HOME": home,  # the notebooks' own; tests take one each
            "CHAT_MAGICS_BASE_URL": "demo",
        }
        done = subprocess.run([python, "-m", "pytest", *arguments], cwd=ROOT, env=environment)
    return done.returncode == 0


def main() -> int:
    """Runs the tests; the exit status."""
    # A shell has what it starts in the background ignore interrupts, those of tests among them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="all Pythons, and the slow tests")
    everything = parser.parse_args().all
    absent = list(absent_groups(everything))
    unwanted = [f"not {group.marker}" for group in absent]
    if not everything:
        unwanted.append("not slow")
    chosen = ["-m", " and ".join(unwanted)] if unwanted else []
    # More than processors, since half of the time is waiting for browsers, kernels and servers.
    spread = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile"]
    passed = pytest(sys.executable, *spread, *chosen, "tests")
    passed &= pytest(
        sys.executable, "-q", "--doctest-modules", "chat_magics", "widgets/chat_widgets"
    )
    passed &= pytest(sys.executable, "-q", "--nbval-lax", "notebooks")
    if everything:
        for environment in other_environments(ROOT):
            print(f"\n=== {environment.name}", flush=True)
            passed &= pytest(environment.python, *spread, "-m", "not browser and not slow", "tests")
    for group in absent:
        print(f"NOT RUN: the tests marked {group.marker}: {group.command}")
    return 1 if not passed else 2 if absent else 0


if __name__ == "__main__":
    sys.exit(main())
