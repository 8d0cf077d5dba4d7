"""What stands in deploy/: the Dockerfile's instructions, the variables, the manifests."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

__all__ = [
    "DEPLOY",
    "OVERLAYS",
    "ROOT",
    "Instruction",
    "compose",
    "copy_of_deploy",
    "copy_with_secrets",
    "environments",
    "instructions",
    "last",
    "manifests",
    "tool",
]

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
OVERLAYS = ("traefik", "gateway")


class Instruction(NamedTuple):
    """One of a Dockerfile, such as `RUN` and what it runs."""

    name: str
    rest: str


def instructions() -> list[Instruction]:
    """All of the Dockerfile in order; a line that goes on is one."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [Instruction(name, rest) for name, rest in lines]


def last(name: str) -> list[str]:
    """The words of the last instruction of this name, which is what the container has."""
    rest = next(each.rest for each in reversed(instructions()) if each.name == name)
    found: list[str] = json.loads(rest[rest.index("[") :]) if "[" in rest else shlex.split(rest)
    return found


def compose() -> dict[str, Any]:
    """The file of Compose."""
    return _yaml(DEPLOY / "compose.yaml")


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    """Each place that gives the app variables, and which."""
    base = DEPLOY / "kubernetes" / "base"
    yield "Dockerfile", dict(pair.split("=", 1) for pair in last("ENV"))
    told = compose()["services"]["app"]["environment"]
    yield "compose.yaml", {name: str(value) for name, value in told.items()}
    (made,) = _yaml(base / "kustomization.yaml")["configMapGenerator"]
    yield "kustomization.yaml", dict(pair.split("=", 1) for pair in made["literals"])
    (container,) = _yaml(base / "deployment.yaml")["spec"]["template"]["spec"]["containers"]
    yield "deployment.yaml", {each["name"]: each["value"] for each in container["env"]}


def copy_of_deploy(folder: Path) -> Path:
    """A copy of deploy/, without secrets that were made there."""
    copy = folder / "deploy"
    return Path(shutil.copytree(DEPLOY, copy, ignore=shutil.ignore_patterns("secrets")))


def copy_with_secrets(folder: Path, kind: str, answers: str) -> Path:
    """A copy of deploy/ whose secrets were made.

    Args:
        folder: for the copy.
        kind: `compose` or `kubernetes`.
        answers: what is typed at the questions, a line each.
    """
    copy = folder / "deploy"
    if not copy.exists():
        copy_of_deploy(folder)
    made = ["sh", str(copy / "secrets.sh"), kind]
    subprocess.run(made, input=answers, text=True, check=True, capture_output=True)
    return copy


def manifests(overlay: str, folder: Path) -> list[dict[str, Any]]:
    """The objects of an overlay, as `kubectl` makes them of it.

    Args:
        overlay: its name.
        folder: for a copy with secrets.
    """
    answers = "sk-none\npostgresql+psycopg://chat:p@db/chat\nredis://:p@redis:6379/0\n"
    copy = copy_with_secrets(folder, "kubernetes", answers)
    command = [tool("kubectl"), "kustomize", str(copy / "kubernetes" / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return list(yaml.safe_load_all(done.stdout))


def tool(name: str) -> str:
    """A program that is installed beside this Python."""
    return str(Path(sys.executable).parent / name)


def _yaml(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found
