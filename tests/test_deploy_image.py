"""The image: what its steps make, in an empty folder and as a container that runs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.app_server import AppServer
from tests.deploy_image import Image, Steps

TOKEN = {"Authorization": "token let-me-in"}
GIVEN = {
    "CHAT_MAGICS_BASE_URL": "demo",
    "CHAT_MAGICS_SERVE_HOST": "127.0.0.1",
    "CHAT_MAGICS_SERVE_TOKEN": "let-me-in",
}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Steps]:
    """What the Dockerfile makes, without a container; it is large, and goes with the tests."""
    folder = tmp_path_factory.mktemp("steps")
    yield Steps(folder)
    shutil.rmtree(folder)


def answers(app: AppServer) -> None:
    """It lives, becomes ready, shows the page and talks."""
    assert app.get("healthz").json["status"] == "ok"
    app.until(lambda: app.get("readyz").status == 200, timeout=300)
    assert app.post("api/query", {"prompt": "Who are you?"}).status == 401
    page = app.get("", **TOKEN)
    assert b"application/vnd.jupyter.widget-view+json" in page.body
    said = app.post("api/query", {"prompt": "Who are you?", "max_tokens": 20}, **TOKEN)
    assert "no language model" in said.json["text"]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_steps_in_an_empty_folder_lead_to_the_app(steps: Steps, tmp_path: Path) -> None:
    program, verb = steps.command
    assert verb == "serve"
    told = {**steps.environment, **GIVEN, "CHAT_MAGICS_SERVE_BASE_URL": "/chat/"}
    port = free_port()
    asked = {"CHAT_MAGICS_SERVE_PORT": port, "CHAT_MAGICS_SERVE_BASE_URL": "/chat/"}
    found = shutil.which(program, path=steps.environment["PATH"])
    assert found
    assert Path(found).is_relative_to(steps.folder)
    assert steps.run(*steps.health, **asked).returncode != 0
    with AppServer(tmp_path, "--port", port, program=(found,), **told) as app:
        answers(app)
        assert steps.run(*steps.health, **asked).returncode == 0
        elsewhere = steps.run(*steps.health, CHAT_MAGICS_SERVE_PORT=port)
        assert elsewhere.returncode != 0
    gone = steps.run(*steps.health, **asked)
    assert gone.returncode != 0
    assert f"no answer at port {port}" in gone.stdout


def test_without_a_secret_it_does_not_open_to_others(steps: Steps) -> None:
    refused = steps.run(*steps.command)
    assert refused.returncode != 0
    assert "can be reached by others" in refused.stdout
    assert "Traceback" not in refused.stdout


def test_the_venv_has_what_the_deployments_ask_for(steps: Steps) -> None:
    program = "import matplotlib, prometheus_client, psycopg, py3langid, redis, voila"
    assert steps.run("python", "-c", program).returncode == 0
    assert steps.run("python", "-c", "import pip").returncode != 0
    assert steps.run("python", "-c", "import uv").returncode != 0


class Contained(AppServer):
    """The app as the first process of a container: signals are for it, not for who started it."""

    def stop(self, sign: signal.Signals) -> int:
        if self._process.poll() is None:
            for first in psutil.Process(self.pid).children():
                first.send_signal(sign)
        return self._process.wait(timeout=240)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image, built."""
    if os.geteuid() != 0:
        pytest.skip("needs root: sudo make test-all")
    with Image(tmp_path_factory.mktemp("image")) as built:
        yield built


@pytest.mark.slow
@pytest.mark.container
def test_the_image_runs_with_a_root_that_cannot_be_written_to(image: Image, tmp_path: Path) -> None:
    config, port = image.config, free_port()
    told = {**GIVEN, "CHAT_MAGICS_SERVE_PORT": port}
    program = image.inside(*config["Entrypoint"], **told)
    healthy = image.inside(*config["Healthcheck"]["Test"][1:], **told)
    with Contained(tmp_path, "--port", port, program=tuple(program)) as app:
        answers(app)
        # Each has a network of its own in a container, and here the machine's.
        assert subprocess.run(healthy).returncode == 0
        assert app.stop(signal.SIGTERM) == 0
        assert "Traceback" not in app.log
        assert "Read-only" not in app.log
    assert subprocess.run(healthy, capture_output=True).returncode != 0


@pytest.mark.slow
@pytest.mark.container
def test_the_image_holds_no_file_of_ours_that_it_does_not_need(image: Image) -> None:
    names = {path.name for path in (image.root / "opt").iterdir()}  # uv's is left behind
    assert names == {"chat-magics", "healthy.py"}
    assert not list(image.root.rglob("secrets/*"))
    assert not (image.root / "src").exists()
    touched = image.inside("sh", "-c", "touch /opt/x || touch /etc/x || touch /data/x")
    assert subprocess.run(touched, capture_output=True).returncode == 0
    assert [(image.root / name).exists() for name in ("opt/x", "etc/x", "data/x")] == [False] * 3
