"""Where JupyterHub is for the tests, and what brings it there: `python -m tests.hub_place`.

It is no part of the extra `test`: it brings aiodns, by which aiohttp then finds every host. So it
has a venv of its own, which sees the packages of the one that made it, and its proxy comes by npm.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

__all__ = ["INSTALL", "PROXY", "PYTHON", "installed"]

FOLDER = Path(__file__).parent / ".hub"
PYTHON = FOLDER / "bin" / "python"
PROXY = FOLDER / "node_modules" / ".bin" / "configurable-http-proxy"
INSTALL = "python -m tests.hub_place brings JupyterHub and its proxy"

HUB = "jupyterhub>=5.3,<7"
NPM = "configurable-http-proxy@5.3.0"


def installed() -> bool:
    """Whether hub and proxy are there, and node, which runs the proxy."""
    hub = list(FOLDER.glob("lib/python*/site-packages/jupyterhub"))
    return bool(hub and PROXY.exists() and shutil.which("node"))


def main() -> None:
    """Installs both into a folder of their own."""
    venv.create(FOLDER, with_pip=True)
    (own,) = FOLDER.glob("lib/python*/site-packages")
    # As a folder of packages in its own right, since an editable install lies in a file there.
    seen = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (own / "of_the_tests.pth").write_text(seen)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", HUB]
    subprocess.run(pip, check=True)
    subprocess.run(["npm", "install", "--silent", "--prefix", str(FOLDER), NPM], check=True)


if __name__ == "__main__":
    sys.exit(main())
