"""The image of deploy/docker/Dockerfile: its steps without a container, and the image itself."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from typing_extensions import Self

from tests.closing import Closing
from tests.deploy_files import ROOT, instructions

__all__ = ["Image", "Steps"]

_OF_MACHINE = ("PIP_", "UV_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""How this machine reaches packages."""
_LIGHT = {
    "PIP_NO_COMPILE": "1",
    "PIP_QUIET": "1",
    "UV_QUIET": "1",
    "UV_COMPILE_BYTECODE": "0",
    "UV_LINK_MODE": "hardlink",
}
"""What makes the steps quick where their result is soon removed."""
_OURS = re.compile(r"(?<![\w./-])/(src|opt|data)\b")


CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


class Steps:
    """What the Dockerfile makes, below a folder that stands for `/` of both its stages.

    Paths of the image are those below the folder; the base image is this machine. An instruction
    that is not known here is an error, so that none is left out.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        self.command: list[str] = []
        self.health: list[str] = []
        self._place = folder
        for name, rest in instructions():
            getattr(self, f"_{name.lower()}")(rest)

    def here(self, text: str) -> str:
        """The text with paths of the image as those below the folder."""
        return _OURS.sub(rf"{self.folder}/\1", text)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as the container does."""
        return subprocess.run(
            command,
            cwd=self._place,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _arg(self, rest: str) -> None:
        assert rest.startswith("PYTHON_IMAGE=")

    def _from(self, rest: str) -> None:
        assert rest.startswith("${PYTHON_IMAGE}")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def _workdir(self, rest: str) -> None:
        self._place = Path(self.here(rest))
        self._place.mkdir(parents=True, exist_ok=True)

    def _copy(self, rest: str) -> None:
        *sources, to = rest.split()
        if sources[0] == "--from=build":
            assert sources[1:] == [to]
            assert Path(self.here(to)).exists()
            return
        target = self._place / self.here(to)
        for source in (ROOT / each for each in sources):
            if source.is_dir():
                without = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, target, ignore=without, dirs_exist_ok=True)
            else:
                into = target / source.name if to.endswith("/") else target
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, into)

    def _run(self, rest: str) -> None:
        steps = self.here(re.sub(r"--mount=\S+ ", "", rest))
        here = {name: value for name, value in os.environ.items() if name.startswith(_OF_MACHINE)}
        python = Path(sys.executable).parent
        here |= {"HOME": os.environ["HOME"], "PATH": f"{python}:{self.environment['PATH']}"}
        done = self.run("sh", "-ec", steps, **here, **_LIGHT)
        assert done.returncode == 0, done.stdout

    def _env(self, rest: str) -> None:
        for pair in shlex.split(rest):
            name, value = pair.split("=", 1)
            value = value.replace("$PATH", self.environment["PATH"])
            self.environment[name] = self.here(value)

    def _user(self, rest: str) -> None:
        assert int(rest.partition(":")[0]) > 0

    def _expose(self, rest: str) -> None:
        assert rest.isdecimal()

    def _healthcheck(self, rest: str) -> None:
        self.health = json.loads(self.here(rest.partition("CMD ")[2]))

    def _entrypoint(self, rest: str) -> None:
        self.command = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        self.command += json.loads(rest)


class Image(Closing):
    """The image as buildah builds it, of a base image that debootstrap makes on this machine.

    Args:
        folder: for the base, and for buildah's store.
    """

    NAME = "localhost/chat-magics"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        base = self._folder / "base"
        packages = "--include=python3,python3-venv,ca-certificates"
        self._ran("debootstrap", "--variant=minbase", packages, _release(), str(base))
        for trusted in ("etc/pip.conf", CERTIFICATES):
            if (Path("/") / trusted).is_file():
                shutil.copy(Path("/") / trusted, base / trusted)
        made = self.buildah("from", "scratch")
        self.buildah("copy", "--quiet", made, str(base), "/")
        # uv has certificates of its own, where pip looks at the machine's.
        self.buildah("config", "--env", f"SSL_CERT_FILE=/{CERTIFICATES}", made)
        self.buildah("commit", "--quiet", "--rm", made, "localhost/python")
        shutil.rmtree(base)
        how = ("--isolation", "chroot", "--pull-never", "--format", "docker")
        given = ("--build-arg", "PYTHON_IMAGE=localhost/python", "--tag", self.NAME)
        self.buildah("build", *how, *given, "--file", "deploy/docker/Dockerfile", ".")
        told = json.loads(self.buildah("inspect", "--type", "image", self.NAME))
        self.config: dict[str, Any] = told["Docker"]["config"]
        self._container = self.buildah("from", "--pull-never", self.NAME)
        self.root = Path(self.buildah("mount", self._container))
        return self

    def close(self) -> None:
        """Takes the container, the images and the store away."""
        self.buildah("umount", self._container)
        self.buildah("rm", "--all")
        self.buildah("rmi", "--all", "--force")
        shutil.rmtree(self._folder)

    def buildah(self, *arguments: str) -> str:
        """What a command of buildah prints."""
        store = ("--root", f"{self._folder}/store", "--runroot", f"{self._folder}/run")
        return self._ran("buildah", *store, *arguments)

    def inside(self, *command: str, **environment: str) -> list[str]:
        """A command that runs another one in the container.

        Its root cannot be written to, it has no capability, and it is the first of its processes.

        Args:
            command: of the image.
            environment: beside that of the image.
        """
        said = dict(pair.split("=", 1) for pair in self.config["Env"]) | environment
        variables = [f"{name}={value}" for name, value in said.items()]
        user, group = self.config["User"].split(":")
        who = ("setpriv", "--reuid", user, "--regid", group, "--clear-groups")
        weak = ("--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs")
        place = ("sh", "-c", f'cd {self.config["WorkingDir"]} && exec "$@"', "sh")
        last = [*place, *who, *weak, "env", "-i", *variables, *command]
        return [*_NAMESPACES, "sh", "-ec", _READ_ONLY, "sh", str(self.root), *last]

    def _ran(self, *command: str) -> str:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout.strip()


_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
_READ_ONLY = """
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
for place in /tmp /data; do mount -t tmpfs -o mode=1777 tmpfs "$root$place"; done
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" "$@"
"""


def _release() -> str:
    """The name of this Debian, whose packages can be had here."""
    told = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)$", told, re.MULTILINE)
    assert found, "needs Debian"
    return found[1]
