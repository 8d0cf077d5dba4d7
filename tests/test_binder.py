"""Binder: what its build reads, and its steps until the app and the notebooks can be used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from chat_magics import Session
from chat_widgets.own_key import OwnKey
from tests.binder import ROOT, Started, copy_of_the_repository
from tests.chromium import chromium
from tests.panel_lab import LONG, page_of

PAGE = "voila/render/notebooks/app.ipynb"
NOTEBOOK = "lab/tree/notebooks/quickstart.ipynb"
ASK = "from chat_magics import Conversation; print(Conversation().ask('Who are you?'))"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return copy_of_the_repository(tmp_path / "repository")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Path]:
    """The programs of a fresh environment; it is large, and goes with the test."""
    ran(tmp_path, sys.executable, "-m", "venv", "venv")
    yield tmp_path / "venv" / "bin"
    shutil.rmtree(tmp_path / "venv")


def ran(folder: Path, *command: str, **environment: str) -> str:
    """What a command prints that must succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def opens(started: Started) -> None:
    """Opens what the badges name; the kernel of the page goes with the page."""
    html = started.get(PAGE)
    assert "application/vnd.jupyter.widget-view+json" in html
    assert '<meta name="referrer" content="same-origin">' in html
    assert "jupyter-config-data" in started.get(NOTEBOOK)
    (kernel,) = json.loads(started.get("api/kernels"))
    started.end(kernel["id"])
    assert json.loads(started.get("api/kernels")) == []
    assert "Traceback" not in started.log


def test_repo2docker_reads_the_steps(repository: Path) -> None:
    program = str(Path(sys.executable).parent / "jupyter-repo2docker")
    told = ran(repository, program, "--no-build", "--debug", ".")
    assert "Building conda environment for python=3.12" in told
    steps = [
        "COPY --chown=0:0 src/ ${REPO_DIR}/",
        'RUN ${KERNEL_PYTHON_PREFIX}/bin/pip install --no-cache-dir -r "binder/requirements.txt"',
        "RUN ./binder/postBuild",
        'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"',
    ]
    assert [line for line in told.splitlines() if line in steps] == steps


@pytest.mark.slow  # that a fresh install works, the image's steps show each time
def test_the_steps_in_a_fresh_environment_lead_to_the_app(
    repository: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), os.environ["PATH"]]))
    ran(repository, str(programs / "pip"), "install", "-q", "-r", "binder/requirements.txt")
    ran(repository, "./binder/postBuild")
    with Started(repository, programs / "python") as started:
        opens(started)


def test_without_a_key_the_demo_model_answers(repository: Path) -> None:
    assert "no language model" in ran(repository, "./binder/start", sys.executable, "-c", ASK)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "CHAT_MAGICS_API_KEY_FILE"])
def test_a_key_that_is_there_is_used(repository: Path, name: str) -> None:
    shown = ran(repository, "./binder/start", "env", **{name: "anything"})
    assert "CHAT_MAGICS_BASE_URL" not in shown
    assert "CHAT_MAGICS_SERVE_OWN_KEY=1" in shown


@pytest.mark.parametrize(("public", "warned"), [("1", True), ("", False)])
def test_only_in_a_public_place_it_warns_of_pasting_keys(
    monkeypatch: pytest.MonkeyPatch, public: str, warned: bool
) -> None:
    monkeypatch.setenv("CHAT_MAGICS_PUBLIC", public)
    session = Session({"base_url": "demo"})
    assert ("public place" in OwnKey(session).caution) is warned
    session.close()


@pytest.mark.browser
def test_a_visitor_asks_the_demo_model_and_is_warned_of_pasting_keys(repository: Path) -> None:
    with (
        Started(repository, Path(sys.executable)) as started,
        chromium() as browser,
        page_of(browser) as sheet,
    ):
        sheet.page.goto(started.signed_in(PAGE))
        box = sheet.page.get_by_role("textbox", name="Message")
        box.fill("Who are you?")
        box.press("Enter")
        row = sheet.page.locator(".ct-rows > .ct-row").last
        expect(row).to_have_attribute("data-state", "complete", timeout=LONG)
        expect(row).to_contain_text("no language model")
        sheet.page.get_by_role("button", name="Options").click()
        expect(sheet.page.get_by_label("Your own API key")).to_be_visible()
        expect(sheet.page.get_by_text("This is a public place")).to_be_visible()
        assert sheet.errors == []


def test_the_badges_lead_to_what_is_there() -> None:
    links = re.findall(
        r"https://mybinder\.org/v2/\S+?\?urlpath=[\w./]+", (ROOT / "README.md").read_text()
    )
    paths = [parse_qs(urlsplit(link).query)["urlpath"][0] for link in links]
    assert sorted(paths) == [NOTEBOOK, PAGE]
    for path in (NOTEBOOK, PAGE):
        assert (ROOT / "notebooks" / Path(path).name).is_file()
