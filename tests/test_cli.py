"""The command `chat-magics`, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Stands where JupyterLab does, and tells what it was started with.
LAB = """if True:
    import json, os, sys
    print(json.dumps([sys.argv[1:], os.environ.get("CHAT_MAGICS_BASE_URL")]))
"""


def run(*command: str, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    given = [sys.executable, *command]
    return subprocess.run(given, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder to import `jupyterlab` from."""
    (tmp_path / "jupyterlab").mkdir()
    (tmp_path / "jupyterlab" / "__init__.py").touch()
    (tmp_path / "jupyterlab" / "__main__.py").write_text(LAB)
    return tmp_path


@pytest.mark.parametrize(
    "given",
    [[], ["--no-browser"], ["--port", "9999", "a.ipynb", "-y"], ["a.ipynb", "--ip=0.0.0.0"]],
)
def test_options_of_jupyterlab_reach_it_in_their_order(lab: Path, given: list[str]) -> None:
    done = run("-m", "chat_magics", "lab", *given, path=lab)
    arguments, _ = json.loads(done.stdout.splitlines()[-1])
    assert [each for each in arguments if each != "--allow-root"] == given


def test_without_a_key_the_notebooks_talk_to_the_demo_model(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, last = run("-m", "chat_magics", "lab", path=lab).stdout.splitlines()
    assert (told.startswith("No key is set"), json.loads(last)[1]) == (True, "demo")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
    (last,) = run("-m", "chat_magics", "lab", path=lab).stdout.splitlines()
    assert json.loads(last)[1] is None


def test_another_command_refuses_what_it_does_not_know() -> None:
    done = run("-m", "chat_magics", "demo", "--no-browser", "--speed", "0")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("unrecognized arguments: --no-browser")


def test_where_jupyterlab_is_not_installed_one_line_says_how() -> None:
    code = "import sys; sys.modules['jupyterlab'] = None\n"
    code += "from chat_magics.cli import main; sys.exit(main(['lab']))"
    done = run("-c", code)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "chat-magics: JupyterLab is not installed: pip install jupyterlab\n"
