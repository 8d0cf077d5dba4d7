"""The other environments of `make test-all`: each Python of this machine, and the lowest openai."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
CHECKOV = Path(__file__).parent.parent / ".venvs" / "checkov" / "bin" / "checkov"
EXTRAS = "analysis,app,arrow,lab,plots,postgres,redis,rows,test"
LOWEST_OPENAI = "openai[aiohttp]==2.54.0"


@dataclass(frozen=True)
class Environment:
    """A venv with the package and its tests' packages."""

    name: str
    python: str


def other_environments(root: Path) -> Iterator[Environment]:
    """One for each Python that is here besides the running one, and one with the lowest openai."""
    for version in VERSIONS:
        running = ".".join(map(str, sys.version_info[:2]))
        if version != running and (python := _find(version)):
            yield _made(root, f"python{version}", python)
    yield _made(root, "lowest-openai", sys.executable, LOWEST_OPENAI)


def _find(version: str) -> str | None:
    """A Python that runs: on the path, or one of pyenv's (whose shims may lead nowhere)."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}")]
    found += [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python3"))]
    return next((python for python in found if python and _runs(python)), None)


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0


def _made(root: Path, name: str, python: str, *requirements: str) -> Environment:
    folder = root / ".venvs" / name
    own = folder / "bin" / "python"
    if not own.exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    install = [str(own), "-m", "pip", "install", "--quiet", "--editable", f"{root}[{EXTRAS}]"]
    subprocess.run([*install, *requirements], check=True)
    return Environment(name, str(own))
