"""The lines of the magics over what is stored and over rows: one parser each, also for Tab."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .arguments import Arguments

__all__ = [
    "FILTERS",
    "LINES",
    "TYPES",
    "conversations",
    "export",
    "history",
    "import_",
    "rows",
    "stats",
]

FILTERS = ("since", "until", "model", "status", "surface", "text")
GROUPS = ("model", "day", "conversation", "surface", "status", "error")
STATUSES = ("complete", "stopped", "interrupted", "error", "streaming")
SURFACES = ("cell", "panel", "app", "python", "batch")
TYPES = {"text": None, "str": None, "bool": bool, "int": int, "float": float}
"""What answers to rows can be without a variable that says so."""


def _filtering(magic: str) -> Arguments:
    """Options that choose exchanges, the same for all that look into history."""
    parser = Arguments(magic)
    for name in FILTERS:
        parser.add_argument(f"--{name}")
    parser.offers = {"--status": STATUSES, "--surface": SURFACES}
    return parser


def history() -> Arguments:
    """Of `%chat_history`."""
    parser = _filtering("chat_history")
    parser.add_argument("name", nargs="*")
    parser.add_argument("--all", action="store_true")
    return parser


def conversations() -> Arguments:
    """Of `%chat_conversations` where it lists."""
    return _filtering("chat_conversations")


def stats() -> Arguments:
    """Of `%chat_stats`."""
    parser = Arguments("chat_stats")
    parser.add_argument("name", nargs="*")
    parser.add_argument("--by", choices=GROUPS)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--plot", action="store_true")
    return parser


def export() -> Arguments:
    """Of `%chat_export`."""
    parser = Arguments("chat_export")
    parser.add_argument("file", nargs="?")
    parser.add_argument("-c", "--conversation")
    parser.add_argument("-f", "--format")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--prompts", choices=("cells", "markdown"), default="cells")
    return parser


def import_() -> Arguments:
    """Of `%chat_import`."""
    parser = Arguments("chat_import")
    parser.add_argument("file", nargs="?")
    parser.add_argument("-f", "--format")
    return parser


def rows() -> Arguments:
    """Of `%%chat_rows`."""
    parser = Arguments("chat_rows")
    parser.add_argument("frame")
    parser.add_argument("-o", "--out")
    parser.add_argument("--into", default="text")
    parser.add_argument("--name", default="answer")
    parser.add_argument("-m", "--model")
    parser.add_argument("-s", "--system")
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--max-cost", type=float)
    parser.add_argument("--engine")
    parser.add_argument("--retry")
    parser.add_argument("--refresh", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    return parser


LINES: Mapping[str, Callable[[], Arguments]] = {
    "chat_conversations": conversations,
    "chat_export": export,
    "chat_history": history,
    "chat_import": import_,
    "chat_rows": rows,
    "chat_stats": stats,
}
"""The parsers by the name of their magic."""
