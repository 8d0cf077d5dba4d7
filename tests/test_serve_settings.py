"""Who may come in: the settings of a server, from its line, the environment and files."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chat_magics.errors import ConfigError
from chat_magics.server import ServeSettings, serve_settings

ROOT = Path(__file__).parent.parent


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`chat-magics serve` with something that stops it at once."""
    command = [sys.executable, "-m", "chat_magics", "serve", *arguments]
    given = {**os.environ, "PYTHONPATH": str(ROOT), "CHAT_MAGICS_BASE_URL": "demo", **environment}
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=240)


def refusal(**given: Any) -> str:
    """The one line that says why settings are refused."""
    with pytest.raises(ConfigError) as refused:
        serve_settings(given)
    assert "\n" not in refused.value.message
    return refused.value.message


def test_by_default_only_this_machine_reaches_it_and_nobody_signs_in() -> None:
    settings = serve_settings({})
    assert (settings.host, settings.on_loopback, settings.authenticates) == (
        "127.0.0.1",
        True,
        False,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "chat.example.org"])
def test_another_address_without_authentication_is_refused_in_one_line(host: str) -> None:
    said = refusal(host=host)
    assert said.startswith(f"{host} can be reached by others")
    assert said.endswith("give --token or --auth proxy, or say --open-to-anyone")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_authentication(host: str) -> None:
    assert serve_settings({"host": host}).on_loopback


@pytest.mark.parametrize(
    "given", [{"token": "let-me-in"}, {"auth": "proxy"}, {"open_to_anyone": True}]
)
def test_another_address_is_served_with_a_word_about_who_comes_in(given: dict[str, Any]) -> None:
    assert serve_settings({"host": "0.0.0.0", **given}).host == "0.0.0.0"


def test_a_token_that_is_not_asked_for_opens_no_address() -> None:
    assert "can be reached by others" in refusal(host="0.0.0.0", token="let-me-in", auth="none")


@pytest.mark.parametrize("token", [None, "", "  "])
def test_auth_by_token_needs_one(token: str | None) -> None:
    assert refusal(auth="token", token=token).startswith("auth token needs a token")


def test_every_origin_at_once_is_refused() -> None:
    assert refusal(allow_origins="*").startswith("allow_origins: * would let any page")
    assert refusal(frame_ancestors="https://a.example, *").startswith("frame_ancestors: *")


@pytest.mark.parametrize(
    "origin",
    ["a.example", "ftp://a.example", "https://a.example/path", "https://", "https://a; script-src"],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    assert "is no origin: write it like https://example.org" in refusal(allow_origins=origin)


def test_lists_are_read_from_text_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_MAGICS_SERVE_ALLOW_ORIGINS", "https://a.example, http://b.example:81")
    monkeypatch.setenv("CHAT_MAGICS_SERVE_TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8")
    settings = serve_settings({"frame_ancestors": "https://c.example"})
    assert settings.allow_origins == ("https://a.example", "http://b.example:81")
    assert settings.frame_ancestors == ("https://c.example",)
    assert settings.trusted_proxies == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("fd00::/8"),
    )


def test_what_the_line_says_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_MAGICS_SERVE_PORT", "9001")
    monkeypatch.setenv("CHAT_MAGICS_SERVE_MAX_SESSIONS", "7")
    settings = serve_settings({"port": 9002, "max_sessions": None})
    assert (settings.port, settings.max_sessions) == (9002, 7)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("/", "/"), ("chat", "/chat/"), ("/chat/", "/chat/"), ("/a/b-c", "/a/b-c/"), ("", "/")],
)
def test_the_path_of_the_app_is_made_whole(given: str, kept: str) -> None:
    assert serve_settings({"base_url": given}).base_url == kept


@pytest.mark.parametrize("given", ["/a b/", "/a?b", "/(.*)", "https://a.example/"])
def test_what_is_no_path_is_refused(given: str) -> None:
    assert refusal(base_url=given) == "base_url: must be a path such as /chat/"


def test_secrets_come_from_mounted_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("token", "cookie_secret"):
        (tmp_path / name).write_text(f"{name}-of-sixteen-or-more\n")
        monkeypatch.setenv(f"CHAT_MAGICS_SERVE_{name.upper()}_FILE", str(tmp_path / name))
    settings = serve_settings({})
    assert settings.token is not None
    assert settings.token.get_secret_value() == "token-of-sixteen-or-more"
    assert settings.secret(tmp_path) == b"cookie_secret-of-sixteen-or-more"
    assert "sixteen" not in repr(settings)


def test_a_secret_file_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_MAGICS_SERVE_TOKEN_FILE", "/nowhere/token")
    assert refusal().startswith("CHAT_MAGICS_SERVE_TOKEN_FILE names a file that cannot be read")


def test_a_secret_that_is_refused_is_not_told() -> None:
    said = refusal(cookie_secret="guess-me")
    assert said == "cookie_secret: must have 16 characters at least, at random"


def test_what_signs_the_cookies_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = ServeSettings().secret(tmp_path / "home")
    assert len(first) == 64
    assert ServeSettings().secret(tmp_path / "home") == first
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["cookie_secret"]
    mode = (tmp_path / "home" / "cookie_secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_an_empty_file_signs_no_cookies(tmp_path: Path) -> None:
    (tmp_path / "cookie_secret").touch()
    with pytest.raises(ConfigError, match="cookie_secret holds no secret: remove it"):
        ServeSettings().secret(tmp_path)


def test_only_networks_of_ours_are_trusted() -> None:
    settings = ServeSettings(trusted_proxies="10.0.0.0/8, ::1")
    assert [settings.trusts(each) for each in ("10.1.2.3", "::1", "fe80::1%eth0", "11.0.0.1")] == [
        True,
        True,
        False,
        False,
    ]
    assert not settings.trusts("not an address")


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("--host", "0.0.0.0"), {}, "give --token or --auth proxy, or say --open-to-anyone"),
        (("--allow-origins", "*"), {}, "name the origins"),
        (("--port", "99999"), {}, "port: input should be less than or equal to 65535"),
        (("--trusted-proxies", "nearby"), {}, "trusted_proxies: "),
        ((), {"CHAT_MAGICS_SERVE_IDLE_MINUTES": "soon"}, "idle_minutes: "),
        ((), {"CHAT_MAGICS_MAX_ATTEMPTS": "many"}, "max_attempts"),
    ],
)
def test_on_the_command_line_a_bad_value_is_one_line(
    arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    done = serve(*arguments, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("chat-magics: ")
    assert said in line.lower() or said in line


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve("--port", str(port))
    said = f"chat-magics: 127.0.0.1:{port} cannot be served: the port is taken"
    assert (done.returncode, done.stderr) == (2, f"{said}: give another by --port\n")


def test_the_server_loads_without_a_grammar_that_takes_seconds() -> None:
    watching = """if True:
        import sys
        from chat_magics.server import serving
        class Loaded(Exception): pass
        def stop(settings): raise Loaded
        serving._for_kernels = stop
        try: serving.serve(None)
        except Loaded: print("jsonschema" in sys.modules, "lark" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", watching], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"], done.stderr
