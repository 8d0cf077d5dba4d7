"""`chat-magics sessions`: who has the app open, and how to end that."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from ..config import resolve
from ..errors import ChatError, NotFound

__all__ = ["add_sessions"]

COLUMNS = ("id", "owner", "created (UTC)", "last seen (UTC)", "queries", "tokens", "cost", "title")
PATIENCE = 10.0


def add_sessions(commands: Any) -> None:
    """Adds the command to a parser's commands."""
    parser = commands.add_parser(
        "sessions",
        help="list the open pages of the app, or end one",
        description="Lists the open pages of the servers that were started with the same home.",
    )
    parser.add_argument("--end", metavar="ID", help="end the page of this id (its beginning)")
    parser.add_argument("--json", action="store_true", help="as JSON, one page a line")
    parser.set_defaults(run=_sessions, takes_rest=False)


def _sessions(parsed: argparse.Namespace) -> int:
    servers = _servers(resolve().home)
    if not servers:
        raise NotFound("no server runs here: start one by chat-magics serve")
    found = [(server, each) for server, sessions in servers for each in sessions]
    if parsed.end is not None:
        return _end(parsed.end, found)
    if parsed.json:
        for _, each in found:
            print(json.dumps(each, ensure_ascii=False))
    else:
        _print_table([_row(each) for _, each in found])
    return 0


def _end(id: str, found: list[tuple[dict[str, Any], dict[str, Any]]]) -> int:
    meant = [(server, each) for server, each in found if id and each["id"].startswith(id)]
    if len(meant) != 1:
        what = (
            f"{len(meant)} pages have ids that begin" if meant else "no page has an id that begins"
        )
        raise NotFound(f"{what} with {id!r}: chat-magics sessions lists them")
    server, each = meant[0]
    _request(server, "DELETE", f"api/admin/sessions/{each['id']}")
    print(f"Ended the page of {each['owner']}; what was said is kept.")
    return 0


def _servers(home: Path) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Those that answer, with their open pages; cards of dead ones are taken away.

    Where a server was killed, another one may answer at its address: it refuses the card's token.
    """
    found = []
    for card in sorted((home / "servers").glob("*.json")):
        server: dict[str, Any] = json.loads(card.read_text())
        try:
            told = json.loads(_request(server, "GET", "api/admin/sessions"))
        except ChatError:
            card.unlink(missing_ok=True)
        else:
            found.append((server, told["sessions"]))
    return found


def _request(server: dict[str, Any], method: str, path: str) -> bytes:
    request = Request(server["url"] + path, method=method)
    request.add_header("X-Chat-Magics-Admin", server["admin"])
    opener = build_opener(ProxyHandler({}))  # it runs on this machine
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            content: bytes = answer.read()
            return content
    except HTTPError as refused:
        raise ChatError(f"the server at {server['url']} answers {refused.code}") from None
    except (URLError, OSError) as error:
        raise ChatError(f"the server at {server['url']} does not answer: {error}") from None


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    cost = "unknown" if each["cost"] is None else f"${each['cost']:.4f}"
    times = (str(each[name] or "")[:19].replace("T", " ") for name in ("created", "last_seen"))
    return (
        each["id"][:8],
        each["owner"][:32],
        *times,
        str(each["queries"]),
        f"{each['tokens']:,}",
        cost,
        each["title"][:40],
    )


def _print_table(rows: list[tuple[str, ...]]) -> None:
    if not rows:
        print("No page is open.")
        return
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    for row in (COLUMNS, *rows):
        print(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )
