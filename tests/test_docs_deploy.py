"""docs/deploy.md: its commands run where they can, and its figures are those of the files."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from chat_magics import __version__
from tests.deploy_files import DEPLOY, ROOT, copy_of_deploy, tool

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
ANSWERS = "sk-none\npostgresql+psycopg://chat:p@db/chat\nredis://:p@redis:6379/0\n"
ELSEWHERE = ("docker ", "kubectl apply ", "kubectl --namespace ")
"""They need Docker, or a cluster."""


def test_the_commands_for_this_machine_run_in_their_order(tmp_path: Path) -> None:
    copy_of_deploy(tmp_path)
    ran = []
    for line in COMMANDS:
        if line.startswith(ELSEWHERE):
            continue
        words = shlex.split(line)
        program = tool("kubectl") if words[0] == "kubectl" else words[0]
        done = subprocess.run(
            [program, *words[1:]], cwd=tmp_path, input=ANSWERS, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        ran.append(words[0])
    assert ran == ["sh", "sh", "kubectl"]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_names_is_there(command: str) -> None:
    for name in re.findall(r"deploy/\S+", command):
        assert (ROOT / name).exists()
    assert all(tag == __version__ for tag in re.findall(r"chat-magics:(\S+)", command))


def test_the_variables_of_compose_are_told_with_their_defaults() -> None:
    rows = "".join(re.findall(r"^\| `[A-Z].*$", PAGE, re.MULTILINE))
    pairs = re.findall(r"\$\{(\w+):-([^}]+)\}", (DEPLOY / "compose.yaml").read_text())
    assert pairs
    assert [pair for pair in pairs if not all(f"`{each}`" in rows for each in pair)] == []
