"""The wheel, installed into an environment of its own: the app runs where no repository is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app_server import AppServer
from tests.binder import copy_of_the_repository

SHARED = Path(sys.prefix) / "share" / "jupyter"
OURS = ("chat-magics", "chat_magics")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    repository = copy_of_the_repository(folder / "repository")
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), str(repository))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Python with the wheel, which has the other packages of this environment but not ours."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    own = folder / "bin" / "python"
    pip(sys.executable, "--python", str(own), "install", "--no-deps", "--no-index", str(wheel))
    scheme = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", vars=scheme))
    # A plain path: what was installed there as editable is not followed.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    yield own
    shutil.rmtree(folder)


@pytest.fixture
def app(python: Path, tmp_path: Path) -> Iterator[AppServer]:
    (tmp_path / "others").mkdir()
    link_all_but_ours(SHARED, tmp_path / "others")
    (tmp_path / "empty").mkdir()
    paths = {"JUPYTER_PATH": str(tmp_path / "others")}
    with AppServer(
        tmp_path / "empty", "--demo", program=(str(python.parent / "chat-magics"),), **paths
    ) as started:
        yield started


def pip(python: str, *arguments: str) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def link_all_but_ours(folder: Path, to: Path) -> None:
    """What other packages share with Jupyter, such as the template that ours builds on."""
    for name in ("kernels", "nbconvert"):
        (to / name).symlink_to(folder / name)
    for inner in ("labextensions", "voila/templates"):
        (to / inner).mkdir(parents=True)
        for each in (folder / inner).iterdir():
            if each.name not in OURS:
                (to / inner / each.name).symlink_to(each)


def test_the_wheel_holds_what_the_app_and_jupyterlab_need(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data = next(name for name in names if ".data/data/" in name).partition("/data/")[0] + "/data/"
    template = f"{data}share/jupyter/voila/templates/chat_magics/"
    assert {
        "chat_magics/app.ipynb",
        "chat_magics/py.typed",
        "chat_magics/server/notices/login.html",
        "chat_widgets/static/visit.js",
        f"{data}share/jupyter/labextensions/chat-magics/package.json",
        f"{data}share/jupyter/labextensions/chat-magics/static/remoteEntry.js",
        f"{template}conf.json",
        f"{template}index.html.j2",
        f"{data}etc/jupyter/jupyter_server_config.d/chat_magics.json",
    } <= set(names)
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "widgets/"))]


def test_the_app_runs_from_an_empty_folder(app: AppServer) -> None:
    page = app.get("")
    assert page.status == 200, app.log
    html = page.body.decode()
    assert '<meta name="referrer" content="same-origin">' in html  # our template
    assert "application/vnd.jupyter.widget-view+json" in html  # the panel
    answer = app.post("api/query", {"prompt": "Who are you?"})
    assert "no language model" in answer.json["text"]


def test_its_code_is_the_wheels(python: Path, tmp_path: Path) -> None:
    code = "import chat_magics, chat_widgets; print(chat_magics.__file__, chat_widgets.__file__)"
    done = subprocess.run(
        [python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert all(path.startswith(str(python.parents[1])) for path in done.stdout.split())
