"""The lines of the magics over what is stored: one parser for each, for the magic and for Tab."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .arguments import Arguments

__all__ = ["FILTERS", "LINES", "conversations", "export", "history", "import_", "stats"]

FILTERS = ("since", "until", "model", "status", "surface", "text")
GROUPS = ("model", "day", "conversation", "surface", "status", "error")
STATUSES = ("complete", "stopped", "interrupted", "error", "streaming")
SURFACES = ("cell", "panel", "app", "python", "batch")


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


LINES: Mapping[str, Callable[[], Arguments]] = {
    "chat_conversations": conversations,
    "chat_export": export,
    "chat_history": history,
    "chat_import": import_,
    "chat_stats": stats,
}
"""The parsers by the name of their magic."""
