"""A real JupyterHub with its proxy, configured as docs/jupyterhub.md says; and its people."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener
from uuid import uuid4

from typing_extensions import Self
from websockets.sync.client import connect

from tests.app_page import free_port
from tests.app_server import Answered
from tests.closing import Closing
from tests.hub_place import PROXY, PYTHON

__all__ = ["PASSWORD", "Hub", "HubKernel"]

PAGE = Path(__file__).parent.parent / "docs" / "jupyterhub.md"
PASSWORD = "for-the-tests-only"
ADMIN = "token-of-the-tests-0123456789"
SECRET = "between-hub-and-proxy-0123456789"
SCOPES = ["admin:users", "admin:servers", "tokens"]

AROUND = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = "{password}"
c.Authenticator.allowed_users = {people}
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.auth_token = "{secret}"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/{{username}}"
c.Spawner.cmd = ["{python}", "-m", "jupyterhub.singleuser", "--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 900
c.Spawner.environment.update({environment})
c.JupyterHub.services = [{{"name": "tests", "api_token": "{admin}"}}]
c.JupyterHub.load_roles = [{{"name": "tests", "services": ["tests"], "scopes": {scopes}}}]
"""


class Hub(Closing):
    """A hub in a folder: its configuration, its database, and a home for each person.

    Args:
        folder: for all of it; it holds `policy.toml` and `keys` as `/etc/chat-magics` would.
        people: their names.
        base_url: of the model server.
    """

    def __init__(self, folder: Path, people: set[str], base_url: str) -> None:
        self.folder = folder
        port, hub_port, api_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        text = PAGE.read_text(encoding="utf-8")
        (told,) = re.findall(r"^```text\n(# jupyterhub_config.py\n.*?)^```$", text, re.M | re.S)
        for before, after in (
            ("/etc/chat-magics", str(folder)),
            ("https://llm.example.org/v1", base_url),
        ):
            assert before in told
            told = told.replace(before, after)
        given = AROUND.format(
            port=port,
            hub_port=hub_port,
            api_port=api_port,
            password=PASSWORD,
            people=people,
            secret=SECRET,
            folder=folder,
            python=PYTHON,
            environment=_jupyter(),
            admin=ADMIN,
            scopes=SCOPES,
        )
        (folder / "jupyterhub_config.py").write_text(told + given)
        self._ports = {"--port": port, "--api-port": api_port}
        self._hub_at = f"http://127.0.0.1:{hub_port}"
        self._opener = build_opener(ProxyHandler({}))
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CHAT_MAGICS_", "OPENAI_", "JUPYTER"))
        }
        ports = [str(each) for pair in self._ports.items() for each in pair]
        names = ["--ip", "127.0.0.1", "--api-ip", "127.0.0.1", "--default-target", self._hub_at]
        try:
            # A hub that starts its proxy itself gives it ten seconds, whatever the machine does.
            secret = {"CONFIGPROXY_AUTH_TOKEN": SECRET}
            self._start({**inherited, **secret}, str(PROXY), *ports, *names)
            self.until(lambda: self.ask("GET", "").status > 0)
            self._start(inherited, str(PYTHON), "-m", "jupyterhub", "-f", "jupyterhub_config.py")
            self.until(lambda: self.ask("GET", "hub/api/").status == 200)
        except BaseException:
            self.close()
            raise
        return self

    def _start(self, environment: dict[str, str], *command: str) -> None:
        with (self.folder / "hub.log").open("a") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)

    def close(self) -> None:
        """Ends the hub with the people's servers, then the proxy."""
        for process in reversed(self._started):
            process.terminate()
            try:
                process.wait(timeout=600)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    @property
    def log(self) -> str:
        """What the hub and the people's servers have printed."""
        return (self.folder / "hub.log").read_text()

    def ask(self, method: str, path: str, body: Any = None, token: str = ADMIN) -> Answered:
        """One request, with somebody's token."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/{path}", data, method=method)
        if token:
            request.add_header("Authorization", f"token {token}")
        try:
            with self._opener.open(request, timeout=300) as answer:
                return Answered(answer.status, dict(answer.headers), answer.read())
        except HTTPError as refused:
            return Answered(refused.code, dict(refused.headers), refused.read())
        except (URLError, OSError):
            return Answered(0, {}, b"")

    def until(self, condition: Callable[[], bool], timeout: float = 900.0) -> None:
        """Waits until a condition holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert all(process.poll() is None for process in self._started), self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.2)

    def sign_in(self, *names: str) -> dict[str, str]:
        """Starts people's servers; a token of each."""
        paths = {name: f"hub/api/users/{name}" for name in names}
        for path in paths.values():
            self.ask("POST", f"{path}/server")
        for path in paths.values():
            self.until(lambda at=path: self.ask("GET", at).json["server"] is not None)  # type: ignore[misc]
        made = {name: self.ask("POST", f"{path}/tokens", {}) for name, path in paths.items()}
        return {name: str(answer.json["token"]) for name, answer in made.items()}


class HubKernel(Closing):
    """A kernel of somebody's server, as their browser would use it."""

    def __init__(self, hub: Hub, name: str, token: str) -> None:
        made = hub.ask("POST", f"user/{name}/api/kernels", {}, token)
        assert made.status == 201, made
        place = f"{hub.url}/user/{name}/api/kernels/{made.json['id']}/channels"
        self._opening = connect(
            place.replace("http://", "ws://"),
            additional_headers={"Authorization": f"token {token}"},
            proxy=None,
            max_size=None,
            open_timeout=600,
            ping_interval=None,  # it would judge the machine
        )

    def __enter__(self) -> Self:
        self._socket = self._opening.__enter__()
        return self

    def run(self, code: str) -> str:
        """What a cell prints and shows, and the line with which it is refused."""
        id = uuid4().hex
        header = {"msg_id": id, "msg_type": "execute_request", "session": id, "username": ""}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": {**header, "version": "5.3"}, "parent_header": {}, "metadata": {}}
        self._socket.send(json.dumps({**message, "content": content, "channel": "shell"}))
        told = ""
        while True:
            got = json.loads(self._socket.recv(timeout=300))
            if got["parent_header"].get("msg_id") != id:
                continue
            said = got["content"]
            told += said.get("text", "") if got["msg_type"] == "stream" else ""
            told += str(said.get("data", {}).get("text/plain", ""))
            told += said.get("evalue", "") if got["msg_type"] == "error" else ""
            if got["msg_type"] == "status" and said["execution_state"] == "idle":
                return told

    def close(self) -> None:
        """Leaves it."""
        self._socket.close()


def _jupyter() -> dict[str, str]:
    """Where the tests' own venv has kernels and extensions; the hub's sees only its packages."""
    prefix = Path(sysconfig.get_path("data"))
    return {
        "JUPYTER_PATH": str(prefix / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(prefix / "etc" / "jupyter"),
    }
