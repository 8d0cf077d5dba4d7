"""The command `chat-magics`: app, sessions, rows, a history moved, the demo model, JupyterLab."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec

from ..errors import ChatError
from .demo_without_key import use_demo_without_key
from .moving import add_move
from .rows import add_rows
from .serving import add_serve
from .sessions import add_sessions

__all__ = ["main"]

UNREAD = 141
"""The status of a command whose lines nobody reads any more, as a shell tells it of others."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status.

    Args:
        arguments: of the command line; those of this process by default.

    Example:
        >>> main(["demo", "--speed", "0"])
        2
    """
    parser = _parser()
    parsed, rest = parser.parse_known_args(arguments)
    if rest and not parsed.takes_rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    parsed.rest = rest
    try:
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except ChatError as error:
        print(f"chat-magics: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has seen enough
        # Else Python complains when it sends the rest off, at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except KeyboardInterrupt:
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chat-magics", description=__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('chat-magics')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="serve the built-in demo model to any OpenAI client")
    demo.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    demo.add_argument("--host", default="127.0.0.1", help="address to listen at (default loopback)")
    demo.add_argument("--speed", type=float, default=60.0, help="tokens a second (default 60)")
    demo.set_defaults(run=_demo, takes_rest=False)
    # Its own arguments are none: argparse would take them out of JupyterLab's and mix their order.
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab; without a key, on the demo model",
        usage="%(prog)s [-h] [NOTEBOOK] [OPTION OF JUPYTERLAB ...]",
        allow_abbrev=False,
    )
    lab.set_defaults(run=_lab, takes_rest=True)
    add_move(commands)
    add_rows(commands)
    add_serve(commands)
    add_sessions(commands)
    return parser


def _demo(parsed: argparse.Namespace) -> int:
    from ..demo import serve

    def ready(url: str) -> None:
        print(f"The demo model answers at {url} (no key is needed; Ctrl-C ends it)", flush=True)

    serve(parsed.port, parsed.host, parsed.speed, on_ready=ready)
    return 0


def _lab(parsed: argparse.Namespace) -> int:
    if find_spec("jupyterlab") is None:
        raise ChatError("JupyterLab is not installed: pip install jupyterlab")
    use_demo_without_key("the notebooks talk")
    command = [sys.executable, "-m", "jupyterlab", *parsed.rest]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in command:
        command.append("--allow-root")  # JupyterLab refuses to start for root without it
    if os.name == "nt":  # where exec gives the prompt back while JupyterLab runs
        return subprocess.call(command)
    try:
        os.execv(command[0], command)
    except OSError as error:
        raise ChatError(f"JupyterLab cannot be started ({error.strerror})") from None
