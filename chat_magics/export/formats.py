"""Which formats there are, and which one a name or the ending of a file means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from chat_magics.errors import InvalidRequest

__all__ = ["FORMATS", "READABLE", "chosen_format", "format_of_ending"]

FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "json": (".json",),
        "markdown": (".md", ".markdown"),
        "csv": (".csv",),
        "html": (".html", ".htm"),
        "ipynb": (".ipynb",),
        "parquet": (".parquet",),
    }
)
"""What can be written: the name of each format, and the endings of its files."""

READABLE = ("json", "markdown", "ipynb")
"""Those that hold everything, so that `load` gives back what was exported."""


def format_of_ending(path: Path) -> str | None:
    """The format that the ending of a file means; None where it means none.

    Example:
        >>> format_of_ending(Path("talk.MD"))
        'markdown'
    """
    ending = path.suffix.lower()
    return next((name for name, endings in FORMATS.items() if ending in endings), None)


def chosen_format(path: Path | None, name: str | None) -> str:
    """The format to write.

    Args:
        path: the file; None for what is printed, which is Markdown where nothing is named.
        name: a name or an ending that was asked for; None goes by the ending of the file.

    Raises:
        InvalidRequest: neither tells a format that can be written.

    Example:
        >>> chosen_format(Path("talk.txt"), "md"), chosen_format(None, None)
        ('markdown', 'markdown')
    """
    if name is not None:
        asked = str(name).lower().removeprefix(".")
        found = asked if asked in FORMATS else format_of_ending(Path(f"x.{asked}"))
        if found is None:
            raise InvalidRequest(f"unknown format {name!r}: choose {_or(FORMATS)}")
        return found
    if path is None:
        return "markdown"
    by_ending = format_of_ending(path)
    if by_ending is None:
        endings = _or(endings[0] for endings in FORMATS.values())
        raise InvalidRequest(
            f"{path.name!r} does not tell a format: end it in {endings}, or name the format"
        )
    return by_ending


def _or(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"
