"""The command `chat-magics`, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import chat_magics
from chat_magics.cli import UNREAD
from chat_magics.server import ServeSettings
from chat_magics.server.kernels import NICER
from tests.app_server import AppServer

ROOT = Path(__file__).parent.parent
# Stands where JupyterLab does, and tells what it was started with.
LAB = """if True:
    import json, os, sys
    print(json.dumps([sys.argv[1:], os.environ.get("CHAT_MAGICS_BASE_URL")]))
"""
# Stands where a browser does: loads the page, and leaves a note of it.
BROWSER = """if True:
    import pathlib, sys, urllib.request
    with urllib.request.urlopen(sys.argv[1]) as answer:
        pathlib.Path("seen").write_text(f"{answer.status} {sys.argv[1]}")
"""


def run(*command: str, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    given = [sys.executable, *command]
    return subprocess.run(given, env=environment, capture_output=True, text=True, timeout=240)


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


def test_it_tells_its_version() -> None:
    done = run("-m", "chat_magics", "--version")
    assert (done.returncode, done.stdout) == (0, f"chat-magics {chat_magics.__version__}\n")


def test_whoever_reads_no_further_sees_no_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "chat_magics", "sessions", "--json"]
    with AppServer(tmp_path, "--demo", "--preheated", "0") as app, open(writing, "w") as unread:
        app.get("")
        given = app.environment
        done = subprocess.run(command, env=given, stdout=unread, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (UNREAD, "")


def test_where_jupyterlab_is_not_installed_one_line_says_how() -> None:
    code = "import sys; sys.modules['jupyterlab'] = None\n"
    code += "from chat_magics.cli import main; sys.exit(main(['lab']))"
    done = run("-c", code)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "chat-magics: JupyterLab is not installed: pip install jupyterlab\n"


def test_the_help_of_serve_names_its_options() -> None:
    done = run("-m", "chat_magics", "serve", "--help")
    assert done.returncode == 0
    for name in ("host", "port", "base-url", "auth", "token", "model", "demo", "open-browser"):
        assert f"--{name} " in done.stdout or f"--{name}\n" in done.stdout


def test_each_option_of_serve_is_a_setting() -> None:
    done = run("-m", "chat_magics", "serve", "--help")
    options = {word[2:].replace("-", "_") for word in done.stdout.split() if word[:2] == "--"}
    settings = {option.removesuffix("_file") for option in options}
    assert settings - {"help", "model", "demo", "open_browser"} <= ServeSettings.model_fields.keys()


def test_ctrl_c_while_its_first_kernels_start_ends_it_without_a_word(tmp_path: Path) -> None:
    with AppServer(tmp_path, "--demo") as app:
        assert app.stop(signal.SIGINT) == 0
    assert "Traceback" not in app.log


def test_serve_says_where_it_is_and_ctrl_c_ends_it_with_its_kernels(tmp_path: Path) -> None:
    with AppServer(tmp_path, "--demo", "--base-url", "/chat") as app:
        assert app.url.endswith("/chat/")
        assert app.get("").status == 200
        kernels = psutil.Process(app.pid).children(recursive=True)
        assert kernels
        behind = psutil.Process(app.pid).nice() + NICER
        app.until(lambda: all(kernel.nice() == behind for kernel in kernels))
        assert app.stop(signal.SIGINT) == 0
        _, alive = psutil.wait_procs(kernels, timeout=240)
    assert alive == []
    assert "Traceback" not in app.log


def test_serve_opens_the_browser_once_the_page_answers(tmp_path: Path) -> None:
    (tmp_path / "browser.py").write_text(BROWSER)
    browser = f"{sys.executable} {tmp_path / 'browser.py'} %s"
    with AppServer(tmp_path, "--demo", "--open-browser", BROWSER=browser) as app:
        app.until(lambda: (tmp_path / "seen").is_file())
        app.until(lambda: (tmp_path / "seen").read_text() == f"200 {app.url}")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--host", "0.0.0.0"], "can be reached by others"),
        (["--auth", "token"], "auth token needs a token"),
        (["--base-url", "/a b"], "must be a path such as /chat/"),
        (["--port", "99999"], "less than or equal to 65535"),
    ],
)
def test_serve_refuses_in_one_line_what_makes_no_sense(given: list[str], said: str) -> None:
    done = run("-m", "chat_magics", "serve", "--demo", *given)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
